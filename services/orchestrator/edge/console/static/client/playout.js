/**
 * What the server's events mean for the loudspeaker, and what the server is told of it.
 *
 * A reply that is paused stands still and goes on where it stood, or is forgotten when it is done. Positions are reported
 * five times a second while there is something to play, and at once when it was stopped, so that the conversation holds
 * what was heard.
 */

import { fromBase64 } from "./pcm.js";

const REPORT_MS = 200;

export class Playout {
  /** @type {string | undefined} The reply that is under way. */
  responseId;
  #speaker;
  #send;
  #extended = false;
  #holding = false;
  #timer;
  #stopListening;

  /**
   * @param {import("./loudspeaker.js").Loudspeaker | import("./remote_loudspeaker.js").RemoteLoudspeaker} speaker
   * @param {(event: object) => void} send
   */
  constructor(speaker, send) {
    this.#speaker = speaker;
    this.#send = send;
    this.#timer = setInterval(() => this.report(), REPORT_MS);
    // The worklet says exactly where it came to stand.
    this.#stopListening = speaker.on("progress", ({ held }) => {
      if (held && !this.#holding) this.report();
      this.#holding = held;
    });
  }

  /** Follows one server event. */
  receive(event) {
    if (event.type.startsWith("voxfleet.")) this.#extended = true;
    switch (event.type) {
      case "response.created":
        this.responseId = event.response.id;
        break;
      case "response.output_audio.delta":
        this.#speaker.push(event.item_id, fromBase64(event.delta));
        break;
      case "voxfleet.playout.paused":
        this.#speaker.hold();
        break;
      case "voxfleet.playout.resumed":
        this.#speaker.resume();
        break;
      case "input_audio_buffer.speech_started":
        // A server that pauses says so; any other expects its client to fall silent.
        if (!this.#extended && this.responseId) this.#speaker.flush();
        break;
      case "response.done":
        this.responseId = undefined;
        if (event.response.status !== "completed" && event.response.status !== "incomplete") this.#speaker.flush();
        break;
    }
  }

  /** Stops the reply that is under way or still to be heard. */
  interrupt() {
    if (this.#speaker.isRemote) this.#send({ type: "output_audio_buffer.clear" });
    if (!this.responseId) {
      this.#speaker.flush();
      return;
    }
    this.#speaker.hold();
    const position = this.#speaker.position();
    if (position && this.#extended) this.#tell({ ...position, playing: false });
    this.#send({ type: "response.cancel" });
  }

  /** Tells the server where the loudspeaker is. */
  report() {
    const position = this.#speaker.position();
    if (position && this.#extended && this.responseId) this.#tell(position);
  }

  #tell({ itemId, audioMs, playing }) {
    const audio_ms = Math.round(audioMs * 10) / 10;
    this.#send({ type: "voxfleet.playout.position", item_id: itemId, audio_ms, playing });
  }

  close() {
    clearInterval(this.#timer);
    this.#stopListening();
  }
}
