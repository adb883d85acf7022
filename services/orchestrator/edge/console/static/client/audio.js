/** One audio context for microphone and loudspeaker, at the device's own rate, with both worklets in it. */

/** @returns {AudioContext} */
function createContext() {
  return new AudioContext({ latencyHint: "interactive" });
}

export class AudioEngine {
  /** @type {AudioContext | undefined} */
  #context;
  /** @type {Promise<AudioContext> | undefined} */
  #ready;

  /**
   * The running context. Call it first where a person has just clicked or typed: browsers start no sound by themselves.
   *
   * @returns {Promise<AudioContext>}
   */
  async context() {
    this.#context ??= createContext();
    // Only resolves once the person has done something, so it must not hold up a page that needs no sound yet.
    if (this.#context.state === "suspended") void this.#context.resume();
    this.#ready ??= this.#load(this.#context);
    return this.#ready;
  }

  async #load(context) {
    await Promise.all(
      ["capture", "playback"].map((name) =>
        context.audioWorklet.addModule(new URL(`../worklets/${name}.js`, import.meta.url)),
      ),
    );
    return context;
  }

  /** What the device adds behind the last sample that was rendered, in seconds. */
  get outputLatency() {
    return (this.#context?.baseLatency ?? 0) + (this.#context?.outputLatency ?? 0);
  }

  /**
   * A time of the context as one of `performance.now()`, in milliseconds. Ask soon: a busy machine's context loses time.
   *
   * @param {number} time in seconds
   * @returns {number}
   */
  timeOf(time) {
    return performance.now() - (this.now - time) * 1000;
  }

  /** The context's clock, in seconds. */
  get now() {
    return this.#context?.currentTime ?? 0;
  }

  /** Frees the device. */
  async close() {
    const context = this.#context;
    this.#context = undefined;
    this.#ready = undefined;
    await context?.close();
  }
}
