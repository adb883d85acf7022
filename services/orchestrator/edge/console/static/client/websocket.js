/** Events over one WebSocket. Audio travels inside the events, so microphone and loudspeaker are the page's own. */

import { RealtimeError } from "./errors.js";
import { toBase64 } from "./pcm.js";

const OPEN_TIMEOUT_MS = 10_000;
/** About ten seconds of audio on their way: behind that the connection is too slow to be of use. */
const MAX_BUFFERED_BYTES = 640_000;

/**
 * @typedef {object} TransportOptions
 * @property {URL} base the server
 * @property {string} [key]
 * @property {string} model
 * @property {boolean} extensions whether voxfleet's own events are wanted
 * @property {(event: object) => void} onevent
 * @property {(close: {code: number, reason: string}) => void} onclose after the connection was open; not after `close`
 */

export class WebSocketTransport {
  /** Whether audio is sent and received as PCM in events. */
  carriesPcm = true;
  /** Blocks of audio that were not sent because the connection did not keep up. */
  droppedBlocks = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  #options;

  /** @param {TransportOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** @returns {Promise<void>} Rejects with RealtimeError `refused` (whatever the cause is), `key_wrong` or `timeout`. */
  async open() {
    const { base, key, model, extensions } = this.#options;
    const url = new URL("/v1/realtime", base);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("model", model);
    if (extensions) url.searchParams.set("extensions", "voxfleet");
    const socket = connect(url, key);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#options.onevent(JSON.parse(data));
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.close();
        reject(new RealtimeError("timeout", "The server did not take the connection in time."));
      }, OPEN_TIMEOUT_MS);
      socket.onclose = () => {
        clearTimeout(timer);
        reject(new RealtimeError("refused", "The connection was refused."));
      };
      socket.onopen = () => {
        clearTimeout(timer);
        socket.onclose = ({ code, reason }) => this.#options.onclose({ code, reason });
        resolve();
      };
    });
  }

  /** Sends one client event. Does nothing while the connection is not open. */
  send(event) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  /**
   * Appends PCM s16le, 24 kHz, mono.
   *
   * @param {ArrayBuffer} pcm
   * @returns {boolean} whether it was sent; else it is dropped and counted
   */
  sendAudio(pcm) {
    if (this.#socket?.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.droppedBlocks += 1;
      return false;
    }
    this.send({ type: "input_audio_buffer.append", audio: toBase64(pcm) });
    return true;
  }

  /** Ends the connection without a word to `onclose`. */
  close() {
    if (!this.#socket) return;
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close(1000);
    this.#socket = undefined;
  }
}

function connect(url, key) {
  if (!key) return new WebSocket(url, ["realtime"]);
  try {
    return new WebSocket(url, ["realtime", `openai-insecure-api-key.${key}`]);
  } catch {
    // A subprotocol's name is a token of HTTP; a key with other characters in it is none of the server's.
    throw new RealtimeError("key_wrong", "The API key has characters in it that no key has.");
  }
}
