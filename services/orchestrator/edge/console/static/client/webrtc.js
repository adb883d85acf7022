/** Events over a data channel, audio over tracks: one WebRTC peer connection. */

import { RealtimeError } from "./errors.js";

const OPEN_TIMEOUT_MS = 15_000;
/** Addresses of this machine are known at once; those of a slow interface are not waited for. */
const GATHERING_MS = 1_000;

export class WebRtcTransport {
  /** Audio is not sent as events. */
  carriesPcm = false;
  droppedBlocks = 0;
  #options;
  /** @type {RTCPeerConnection | undefined} */
  #peer;
  /** @type {RTCDataChannel | undefined} */
  #channel;
  /** @type {RTCRtpSender | undefined} */
  #sender;
  #open = false;

  /** @param {import("./websocket.js").TransportOptions & {onstream: (stream: MediaStream) => void}} options */
  constructor(options) {
    this.#options = options;
  }

  /** @returns {Promise<void>} Rejects with RealtimeError `refused`, `key_wrong`, `full`, `unreachable` or `timeout`. */
  async open() {
    const peer = new RTCPeerConnection();
    this.#peer = peer;
    this.#sender = peer.addTransceiver("audio", { direction: "sendrecv" }).sender;
    peer.ontrack = ({ track, streams }) => this.#options.onstream(streams[0] ?? new MediaStream([track]));
    peer.onconnectionstatechange = () => {
      if (["failed", "closed"].includes(peer.connectionState)) this.#lost(1006, `peer ${peer.connectionState}`);
    };
    const channel = peer.createDataChannel("oai-events");
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#options.onevent(JSON.parse(data));
    channel.onclose = () => this.#lost(1006, "data channel closed");
    try {
      await peer.setLocalDescription();
      await gathered(peer);
      await peer.setRemoteDescription({ type: "answer", sdp: await this.#answer(peer.localDescription.sdp) });
      await opened(channel);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#open = true;
  }

  async #answer(offer) {
    const { base, key, model, extensions } = this.#options;
    const url = new URL("/v1/realtime/calls", base);
    url.searchParams.set("model", model);
    if (extensions) url.searchParams.set("extensions", "voxfleet");
    const headers = { "Content-Type": "application/sdp", ...(key && { Authorization: `Bearer ${key}` }) };
    let response;
    try {
      response = await fetch(url, { method: "POST", headers, body: offer, signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) });
    } catch (error) {
      throw new RealtimeError("unreachable", "The server does not answer.", { error });
    }
    if (response.ok) return response.text();
    const { error } = await response.json().catch(() => ({ error: {} }));
    const message = error?.message ?? `The server answered ${response.status}.`;
    if (response.status === 401) throw new RealtimeError(key ? "key_wrong" : "key_missing", message);
    if (response.status === 404 || response.status === 405) {
      throw new RealtimeError("refused", "This server does not take WebRTC calls; choose WebSocket.");
    }
    throw new RealtimeError("refused", message);
  }

  #lost(code, reason) {
    if (!this.#open) return;
    this.close();
    this.#options.onclose({ code, reason });
  }

  /** Sends one client event. Does nothing while the channel is not open. */
  send(event) {
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(event));
  }

  /**
   * What the microphone hears from now on is sent; undefined: nothing is.
   *
   * @param {MediaStream} [stream]
   */
  async sendStream(stream) {
    await this.#sender?.replaceTrack(stream?.getAudioTracks()[0] ?? null);
  }

  /** Ends the call without a word to `onclose`. */
  close() {
    this.#open = false;
    if (this.#channel) this.#channel.onclose = null;
    this.#channel?.close();
    this.#peer?.close();
    this.#peer = undefined;
    this.#channel = undefined;
  }
}

/** Waits until the offer names the addresses of this machine. */
function gathered(peer) {
  return new Promise((resolve) => {
    const done = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, GATHERING_MS);
    done();
  });
}

function opened(channel) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new RealtimeError("timeout", "No media connection came about; a firewall may be in the way."));
    const timer = setTimeout(late, OPEN_TIMEOUT_MS);
    channel.onopen = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
