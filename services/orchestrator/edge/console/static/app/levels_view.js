/** A level over the last seconds, drawn as bars that begin at the talk button and move outwards. */

const BAR_PX = 3;
const GAP_PX = 3;
const PER_BAR_MS = 45;
const FLOOR_DB = -54;

/** How loud a level looks, 0 to 1. @param {number} rms of full scale */
export function loudness(rms) {
  const decibels = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.max(0, Math.min(1, 1 - decibels / FLOOR_DB));
}

export class LevelsView {
  #canvas;
  #outwards;
  /** @type {{value: number, live: boolean}[]} the newest first */
  #bars = [];
  #current = { value: 0, live: false };
  #since = 0;
  #colours;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {"left" | "right"} outwards where the bars go
   */
  constructor(canvas, outwards) {
    this.#canvas = canvas;
    this.#outwards = outwards;
  }

  /** A level came. @param {number} rms @param {boolean} live whether it is speech */
  add(rms, live) {
    const value = loudness(rms);
    this.#current.value = Math.max(this.#current.value, value);
    this.#current.live ||= live;
  }

  /** The colours have changed. */
  recolour() {
    this.#colours = undefined;
  }

  /** Draws what there is at `now` (ms). @param {number} now @param {boolean} still whether nothing may move */
  draw(now, still) {
    if (now - this.#since >= PER_BAR_MS) {
      this.#bars.unshift(this.#current);
      this.#bars.length = Math.min(this.#bars.length, 160);
      this.#canvas.setAttribute("aria-valuenow", String(Math.round(this.#current.value * 100)));
      this.#current = { value: 0, live: this.#current.live && this.#current.value > 0.2 };
      this.#since = now;
    }
    this.#paint(still ? 0 : (now - this.#since) / PER_BAR_MS, still);
  }

  #paint(progress, still) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const context = this.#canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#colours ??= colours(this.#canvas);
    const count = Math.ceil(width / (BAR_PX + GAP_PX)) + 1;
    for (let i = 0; i < count; i += 1) {
      const bar = this.#bars[still ? 0 : i] ?? { value: 0, live: false };
      // Without movement it is one level, as a row that is lit as far as it goes.
      const lit = !still || i / count < bar.value;
      const far = (i + progress) * (BAR_PX + GAP_PX);
      const x = this.#outwards === "right" ? far : width - far - BAR_PX;
      const tall = still ? BAR_PX * 4 : Math.max(BAR_PX, bar.value ** 1.4 * height);
      context.globalAlpha = Math.max(0, 1 - far / width) ** 0.7;
      context.fillStyle = lit && bar.value > 0.05 ? this.#colours[bar.live ? "live" : "quiet"] : this.#colours.rest;
      context.beginPath();
      context.roundRect(x, (height - tall) / 2, BAR_PX, tall, BAR_PX / 2);
      context.fill();
    }
  }
}

function colours(element) {
  const style = getComputedStyle(element);
  return {
    live: style.getPropertyValue("--accent"),
    quiet: style.getPropertyValue("--bar"),
    rest: style.getPropertyValue("--line-strong"),
  };
}
