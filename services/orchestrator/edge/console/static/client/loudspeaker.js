/** The loudspeaker for replies that come as PCM: it plays them, stops at once, and knows what was heard. */

import { Emitter } from "./emitter.js";

const RATE = 24_000;

/**
 * What the loudspeaker is doing, in samples at 24 kHz.
 *
 * @typedef {object} Progress
 * @property {string} item the conversation item that is or was played last
 * @property {number} played samples of that item
 * @property {number} waiting samples that are still to be played
 * @property {boolean} playing
 * @property {boolean} held
 * @property {number} rms of full scale, since the last report
 * @property {number} time the audio context's, in seconds
 * @property {number} total samples of all items
 * @property {number} underruns how often an item ran dry
 * @property {number} dropped samples that found no room
 */

/** @type {Progress} */
const SILENT = {
  item: "",
  played: 0,
  waiting: 0,
  playing: false,
  held: false,
  rms: 0,
  time: 0,
  total: 0,
  underruns: 0,
  dropped: 0,
};

/** Emits `progress` (Progress) and `started` (`{item, atMs}`: its first sample reaches the ear at
 * this time of `performance.now()`). */
export class Loudspeaker extends Emitter {
  /** Whether the server holds what is to be played, and counts it. */
  isRemote = false;
  /** @type {Progress} */
  progress = SILENT;
  /** @type {AudioWorkletNode | undefined} */
  #node;
  #engine;
  /** @type {Map<string, number>} Samples that came, by item. */
  #received = new Map();

  /** @param {import("./audio.js").AudioEngine} engine */
  constructor(engine) {
    super();
    this.#engine = engine;
  }

  async open() {
    if (this.#node) return;
    const context = await this.#engine.context();
    this.#node = new AudioWorkletNode(context, "voxfleet-playback", { numberOfInputs: 0, outputChannelCount: [2] });
    this.#node.port.onmessage = ({ data }) => this.#receive(data);
    this.#node.connect(context.destination);
  }

  #receive(data) {
    if (data.type === "started") {
      this.emit("started", { item: data.item, atMs: this.#engine.timeOf(data.time + this.#engine.outputLatency) });
      return;
    }
    this.progress = data;
    this.emit("progress", data);
  }

  /** Whether something is being played, or stands still in the middle. */
  get active() {
    return this.progress.playing || this.progress.waiting > 0;
  }

  /**
   * The next audio of an item.
   *
   * @param {string} item
   * @param {ArrayBuffer} pcm PCM s16le, 24 kHz, mono; it is given away
   */
  push(item, pcm) {
    const samples = pcm.byteLength >> 1;
    this.#received.set(item, (this.#received.get(item) ?? 0) + samples);
    if (this.#received.size > 8) this.#received.delete(this.#received.keys().next().value);
    this.progress = { ...this.progress, waiting: this.progress.waiting + samples };
    this.#node?.port.postMessage({ type: "push", item, pcm }, [pcm]);
  }

  /** Stands still with the next block; `resume` goes on where it stood. */
  hold() {
    this.#node?.port.postMessage({ type: "hold" });
  }

  resume() {
    this.#node?.port.postMessage({ type: "resume" });
  }

  /** Falls silent with the next block, and forgets what was to be played. Not held any more. */
  flush() {
    this.#node?.port.postMessage({ type: "flush" });
  }

  /** @returns {number} milliseconds of an item that have come so far */
  receivedMs(item) {
    return ((this.#received.get(item) ?? 0) / RATE) * 1000;
  }

  /**
   * @returns {{itemId: string, audioMs: number, playing: boolean} | undefined} how much of the latest item has reached
   *   the ear; undefined where nothing is to be played
   */
  position() {
    const { item, played, playing, waiting, time } = this.progress;
    if (!item || (!playing && !waiting)) return undefined;
    const since = playing ? Math.max(0, this.#engine.now - time) : 0;
    const audioMs = Math.max(0, (played / RATE + since - this.#engine.outputLatency) * 1000);
    return { itemId: item, audioMs: Math.min(audioMs, this.receivedMs(item)), playing };
  }

  close() {
    this.#node?.disconnect();
    this.#node = undefined;
    this.progress = SILENT;
    this.#received.clear();
  }
}
