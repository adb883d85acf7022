/** When each millisecond of the session's input audio was captured: offsets of the protocol as times. */

export class SpeechClock {
  #sentMs = 0;
  #runStartMs = 0;
  #endMs = 0;

  /** A new session: its timeline begins at 0. */
  reset() {
    this.#sentMs = 0;
    this.#runStartMs = 0;
  }

  /** The microphone was opened or began to be sent again: what was sent before was captured some other time. */
  interrupt() {
    this.#runStartMs = this.#sentMs;
  }

  /**
   * @param {number} ms length of a block that was sent
   * @param {number} endMs when it ended, as `performance.now()` has it
   */
  sent(ms, endMs) {
    this.#sentMs += ms;
    this.#endMs = endMs;
  }

  /**
   * @param {number} offsetMs on the session's timeline
   * @returns {number | undefined} when it was, as `performance.now()` has it; undefined where that is not known any more
   */
  timeOf(offsetMs) {
    if (offsetMs < this.#runStartMs || offsetMs > this.#sentMs) return undefined;
    return this.#endMs - (this.#sentMs - offsetMs);
  }
}
