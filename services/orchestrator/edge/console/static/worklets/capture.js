/**
 * The microphone's way in: the device's rate down (or up) to 24 kHz, in blocks of 20 ms.
 *
 * Posts `{pcm: ArrayBuffer, rms, endTime}` for each block: PCM s16le mono, the root mean square of full scale, and the
 * context's time of the block's end.
 */

import { SincReader } from "./sinc.js";

const RATE = 24_000;
const BLOCK = 480;
const RING = 1 << 15;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.reader = new SincReader(sampleRate, RATE);
    this.ring = new Float32Array(RING);
    this.head = 0;
    this.at = 0;
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
    this.energy = 0;
  }

  process([channels]) {
    if (!channels.length) return true;
    const frames = channels[0].length;
    for (let i = 0; i < frames; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.ring[this.head & (RING - 1)] = sum / channels.length;
      this.head += 1;
    }
    while (this.at + this.reader.reach < this.head) {
      const time = currentTime + (frames - (this.head - this.at)) / sampleRate;
      this.take(this.reader.value(this.ring, this.at, 0, this.head), time);
      this.at += this.reader.step;
    }
    return true;
  }

  take(value, time) {
    const sample = Math.max(-1, Math.min(1, value));
    this.block[this.filled] = Math.round(sample * 32_767);
    this.energy += sample * sample;
    this.filled += 1;
    if (this.filled < BLOCK) return;
    const rms = Math.sqrt(this.energy / BLOCK);
    const pcm = this.block.buffer;
    this.port.postMessage({ pcm, rms, endTime: time }, [pcm]);
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
    this.energy = 0;
  }
}

registerProcessor("voxfleet-capture", Capture);
