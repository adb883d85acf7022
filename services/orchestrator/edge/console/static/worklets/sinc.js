/**
 * Band-limited reading between the samples of a ring buffer: a Kaiser-windowed sinc, tabulated.
 *
 * Source of the method: J. O. Smith, "Digital Audio Resampling Home Page" (CCRMA).
 */

const ZERO_CROSSINGS = 16;
const STEPS = 512;
const KAISER_BETA = 8;
/** Share of the lower band that passes: what is above it would be folded back by the window's slope. */
const PASSBAND = 0.94;

/** Modified Bessel function of the first kind, order 0. */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-9; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

export class SincReader {
  /**
   * @param {number} from rate of the samples that are read, in hertz
   * @param {number} to rate at which they are wanted, in hertz
   */
  constructor(from, to) {
    const cutoff = PASSBAND * Math.min(1, to / from);
    /** Samples of the source from one wanted sample to the next. */
    this.step = from / to;
    /** Samples of the source on either side of a position that have a part in its value. */
    this.reach = Math.ceil(ZERO_CROSSINGS / cutoff);
    this.table = new Float32Array(this.reach * STEPS + 2);
    for (let i = 0; i < this.table.length; i += 1) {
      const x = i / STEPS;
      const u = x / this.reach;
      const window = u < 1 ? bessel(KAISER_BETA * Math.sqrt(1 - u * u)) / bessel(KAISER_BETA) : 0;
      const angle = Math.PI * cutoff * x;
      this.table[i] = window * cutoff * (x === 0 ? 1 : Math.sin(angle) / angle);
    }
  }

  /**
   * The value at a position between samples.
   *
   * @param {Float32Array} ring a power of two of samples; sample number n is at `n & (ring.length - 1)`
   * @param {number} at the position, counted in samples since the beginning
   * @param {number} first number of the first sample that counts; those before it are silence
   * @param {number} end number after the last sample there is; those behind it are silence
   * @returns {number}
   */
  value(ring, at, first, end) {
    const mask = ring.length - 1;
    const from = Math.max(first, Math.ceil(at - this.reach));
    const to = Math.min(end - 1, Math.floor(at + this.reach));
    let sum = 0;
    for (let n = from; n <= to; n += 1) {
      const x = Math.abs(n - at) * STEPS;
      const i = x | 0;
      const low = this.table[i];
      sum += ring[n & mask] * (low + (this.table[i + 1] - low) * (x - i));
    }
    return sum;
  }
}
