/** The loudspeaker for replies that come as a WebRTC track: the browser plays them, the server knows what was played. */

import { Emitter } from "./emitter.js";

const INTERVAL_MS = 40;
/** Below this the track carries nothing but the codec's own noise. */
const AUDIBLE_RMS = 0.001;

/** Emits `progress`, with those fields of `Progress` that can be known of a track. */
export class RemoteLoudspeaker extends Emitter {
  progress = { item: "", playing: false, held: false, rms: 0, total: 0, waiting: 0 };
  /** Whether the server holds what is to be played, and counts it. */
  isRemote = true;
  /** Whether the server says that it plays. */
  active = false;
  #element = new Audio();
  #engine;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {AudioNode[]} */
  #nodes = [];

  /** @param {import("./audio.js").AudioEngine} engine */
  constructor(engine) {
    super();
    this.#engine = engine;
    this.#element.autoplay = true;
  }

  /** @param {MediaStream} stream what the peer sends */
  async attach(stream) {
    this.#element.srcObject = stream;
    const context = await this.#engine.context();
    const source = context.createMediaStreamSource(stream);
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    source.connect(analyser);
    this.#nodes = [source, analyser];
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const rms = this.#element.muted ? 0 : Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
      const total = this.progress.total + (rms > AUDIBLE_RMS ? INTERVAL_MS * 24 : 0);
      this.progress = { ...this.progress, rms, total, playing: this.active && !this.#element.muted };
      this.emit("progress", this.progress);
    }, INTERVAL_MS);
  }

  /** Follows what the server says of its playout. */
  receive(event) {
    if (event.type === "output_audio_buffer.started") {
      this.active = true;
      this.#element.muted = false;
    }
    if (event.type === "output_audio_buffer.stopped" || event.type === "output_audio_buffer.cleared") {
      this.active = false;
    }
  }

  hold() {
    this.#element.muted = true;
    this.progress = { ...this.progress, held: true };
  }

  resume() {
    this.#element.muted = false;
    this.progress = { ...this.progress, held: false };
  }

  /** Falls silent until the server begins another reply: what is on its way is not heard. */
  flush() {
    this.#element.muted = true;
    this.active = false;
    this.progress = { ...this.progress, held: false };
  }

  /** Audio comes at the pace at which it is heard: what has come has been heard. */
  receivedMs() {
    return -1;
  }

  position() {
    return undefined;
  }

  close() {
    clearInterval(this.#timer);
    for (const node of this.#nodes) node.disconnect();
    this.#element.srcObject = null;
  }
}
