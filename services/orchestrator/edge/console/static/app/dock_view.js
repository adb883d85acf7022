/** The dock: what goes on now, in one word, and both levels. */

import { Activity, LABELS } from "./activity.js";
import { LevelsView, loudness } from "./levels_view.js";

const FRAME_MS = 30;
const STILL_FRAME_MS = 120;
/** The levels go on for so long after the last sound, until they are flat. */
const SETTLE_MS = 6_000;

export class DockView {
  #dock = document.querySelector(".dock");
  #state = document.getElementById("state");
  #hint = document.getElementById("hint");
  #button = document.getElementById("talk");
  #name = document.getElementById("talk-name");
  #halo = document.getElementById("halo");
  #input = new LevelsView(document.getElementById("input-level"), "left");
  #output = new LevelsView(document.getElementById("output-level"), "right");
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  #touch = matchMedia("(hover: none), (max-width: 560px)");
  #drawnAt = 0;
  #lastLevelAt = 0;
  #drawing = false;

  constructor() {
    new ResizeObserver(() => this.#wake()).observe(this.#dock);
  }

  /** @param {{activity: string, on: boolean, push: boolean}} now */
  show({ activity, on, push }) {
    Object.assign(this.#dock.dataset, { activity, on, push });
    const label = LABELS[activity];
    if (this.#state.textContent !== label) this.#state.textContent = label;
    const words = hint(activity, on, push, this.#touch.matches);
    if (this.#hint.textContent !== words) this.#hint.textContent = words;
    this.#button.setAttribute("aria-pressed", String(on && (!push || activity === Activity.HEARING)));
    this.#name.textContent = push ? "Hold to talk" : on ? "Stop talking" : "Talk";
    if (!on) this.#halo.style.removeProperty("--level");
  }

  /** The microphone's level. @param {number} rms @param {boolean} live whether the server hears speech */
  heard(rms, live) {
    this.#input.add(rms, live);
    this.#halo.style.setProperty("--level", (0.86 + 0.3 * loudness(rms) ** 1.5).toFixed(3));
    this.#wake();
  }

  /** The loudspeaker's level. @param {number} rms */
  spoken(rms) {
    this.#output.add(rms, true);
    this.#wake();
  }

  recolour() {
    this.#input.recolour();
    this.#output.recolour();
    this.#wake();
  }

  #wake() {
    this.#lastLevelAt = performance.now();
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now) {
    const still = this.#still.matches;
    if (now - this.#drawnAt >= (still ? STILL_FRAME_MS : FRAME_MS)) {
      this.#drawnAt = now;
      this.#input.draw(now, still);
      this.#output.draw(now, still);
    }
    this.#drawing = now - this.#lastLevelAt < SETTLE_MS;
    if (this.#drawing) requestAnimationFrame((next) => this.#draw(next));
  }
}

function hint(activity, on, push, touch) {
  switch (activity) {
    case Activity.CONNECTING:
      return "One moment";
    case Activity.RECONNECTING:
      return "What was said so far is kept";
    case Activity.LISTENING:
      return "Go ahead";
    case Activity.HEARING:
      return push ? "Let go for an answer" : "Pause for an answer";
    case Activity.SPEAKING:
      if (on && !push) return touch ? "Speak to interrupt" : "Speak to interrupt, Esc to stop";
      return touch ? "" : "Esc to stop";
    case Activity.PAUSED:
      return "Was that an interruption?";
    case Activity.THINKING:
      return touch ? "" : "Esc to stop";
    default:
      if (touch) return push ? "Hold the button and talk" : "Tap the button to talk";
      return push ? "Hold Space or the button" : "Press Space or the button";
  }
}
