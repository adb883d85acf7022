/** The microphone: 20 ms blocks of PCM s16le, 24 kHz, mono, with the browser's echo cancellation in front. */

import { Emitter } from "./emitter.js";
import { RealtimeError } from "./errors.js";

/**
 * @typedef {object} Block
 * @property {ArrayBuffer} pcm
 * @property {number} rms of full scale
 * @property {number} endMs when it ended, as `performance.now()` has it
 */

/** @type {Record<string, ["microphone_refused" | "microphone_missing" | "microphone_busy", string]>} */
const PROBLEMS = {
  NotAllowedError: ["microphone_refused", "The browser may not use the microphone."],
  SecurityError: ["microphone_refused", "The browser may not use the microphone."],
  NotFoundError: ["microphone_missing", "There is no microphone."],
  OverconstrainedError: ["microphone_missing", "The chosen microphone is not there."],
  NotReadableError: ["microphone_busy", "The microphone cannot be read; another program may be using it."],
  AbortError: ["microphone_busy", "The microphone cannot be read; another program may be using it."],
};

/** Emits `block` (Block) and `ended` (nothing): the device is gone. */
export class Microphone extends Emitter {
  /** @type {MediaStream | undefined} */
  stream;
  /** @type {AudioNode[]} */
  #nodes = [];
  #engine;

  /** @param {import("./audio.js").AudioEngine} engine */
  constructor(engine) {
    super();
    this.#engine = engine;
  }

  get isOpen() {
    return this.stream !== undefined;
  }

  /**
   * @param {{deviceId?: string}} [options] no `deviceId`: the browser's default
   * @returns {Promise<void>} Rejects with RealtimeError `insecure`, `microphone_refused`, `_missing` or `_busy`.
   */
  async open({ deviceId } = {}) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new RealtimeError("insecure", "Browsers give the microphone to pages of https:// and of localhost only.");
    }
    const stream = await this.#ask(deviceId);
    const context = await this.#engine.context();
    const source = context.createMediaStreamSource(stream);
    const capture = new AudioWorkletNode(context, "voxfleet-capture");
    capture.port.onmessage = ({ data: { pcm, rms, endTime } }) => {
      this.emit("block", { pcm, rms, endMs: this.#engine.timeOf(endTime) });
    };
    // A node that leads nowhere is not run by every browser; what this one puts out is silence.
    source.connect(capture).connect(context.destination);
    stream.getAudioTracks()[0].onended = () => {
      this.close();
      this.emit("ended");
    };
    this.close();
    this.stream = stream;
    this.#nodes = [source, capture];
  }

  async #ask(deviceId) {
    try {
      return await navigator.mediaDevices.getUserMedia({
        audio: {
          deviceId: deviceId ? { exact: deviceId } : undefined,
          channelCount: 1,
          echoCancellation: true,
          noiseSuppression: true,
          autoGainControl: true,
        },
      });
    } catch (error) {
      const [reason, message] = PROBLEMS[error.name] ?? ["microphone_busy", error.message];
      throw new RealtimeError(reason, message);
    }
  }

  /** Gives the microphone back. */
  close() {
    for (const node of this.#nodes) node.disconnect();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.#nodes = [];
    this.stream = undefined;
  }
}

/** @returns {Promise<{id: string, label: string}[]>} the microphones; without labels until one was allowed */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices
    .filter(({ kind, deviceId }) => kind === "audioinput" && deviceId)
    .map(({ deviceId, label }) => ({ id: deviceId, label }));
}
