/** A way to the server: a transport and the loudspeaker that goes with it. */

import { Loudspeaker } from "./loudspeaker.js";
import { RemoteLoudspeaker } from "./remote_loudspeaker.js";
import { WebRtcTransport } from "./webrtc.js";
import { WebSocketTransport } from "./websocket.js";

export class Link {
  /** @type {WebSocketTransport | WebRtcTransport} */
  transport;
  /** @type {Loudspeaker | RemoteLoudspeaker} */
  speaker;
  #engine;

  /**
   * @param {import("./audio.js").AudioEngine} engine
   * @param {import("./realtime.js").Options} options
   * @param {Pick<import("./websocket.js").TransportOptions, "onevent" | "onclose">} handlers
   */
  constructor(engine, { transport: kind, url, ...options }, handlers) {
    this.#engine = engine;
    const told = { ...options, ...handlers, base: new URL(url) };
    if (kind === "webrtc") {
      const speaker = new RemoteLoudspeaker(engine);
      this.speaker = speaker;
      this.transport = new WebRtcTransport({ ...told, onstream: (stream) => speaker.attach(stream) });
    } else {
      this.speaker = new Loudspeaker(engine);
      this.transport = new WebSocketTransport(told);
    }
  }

  /** @returns {Promise<void>} when events can be sent and audio be heard. Rejects with RealtimeError. */
  async open() {
    const audible = this.speaker instanceof Loudspeaker ? this.speaker.open() : this.#engine.context();
    await Promise.all([this.transport.open(), audible]);
  }

  /** Over WebRTC: what the microphone hears is sent; undefined: nothing is. @param {MediaStream} [stream] */
  async sendStream(stream) {
    if (this.transport instanceof WebRtcTransport) await this.transport.sendStream(stream);
  }

  close() {
    this.transport.close();
    this.speaker.close();
  }
}
