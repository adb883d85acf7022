/**
 * One conversation over the OpenAI Realtime protocol (GA names), with microphone and loudspeaker.
 *
 * Server events come as the protocol has them (see `events.js`), by `on(type, …)` or `for await`. Beside them there are
 * `status` (Status), `level` (`{rms, block}`, the microphone) and `progress` (the loudspeaker).
 */

import { AudioEngine } from "./audio.js";
import { backoffMs } from "./backoff.js";
import { diagnose } from "./diagnosis.js";
import { Emitter } from "./emitter.js";
import { RealtimeError } from "./errors.js";
import { History } from "./history.js";
import { Link } from "./link.js";
import { merge } from "./merge.js";
import { Microphone } from "./microphone.js";
import { Playout } from "./playout.js";
import { Requests } from "./requests.js";
import { SpeechClock } from "./speech_clock.js";
import { within } from "./within.js";

const BLOCK_MS = 20;
/** RFC 6455: the server has had enough of this client (it was idle, or does not read). */
const POLICY_VIOLATION = 1008;
const SESSION_MS = 20_000;

/**
 * @typedef {object} Options
 * @property {string | URL} [url] the server; default: where this module came from
 * @property {"websocket" | "webrtc"} [transport]
 * @property {string} [key] an API key or a client secret
 * @property {string} [model]
 * @property {object} [session] fields of `session.update`, set on every connection
 * @property {boolean} [extensions] whether voxfleet's own events are wanted; default: true
 * @property {boolean} [reconnect] whether a lost connection is made again; default: true
 *
 * @typedef {object} Status
 * @property {"closed" | "connecting" | "open" | "reconnecting"} status
 * @property {RealtimeError} [error] why it is not open
 * @property {number} [retryMs] until the next attempt
 */

export class RealtimeClient extends Emitter {
  /** @type {Status["status"]} */
  status = "closed";
  /** The session as the server last told it. @type {object | undefined} */
  session;
  engine = new AudioEngine();
  microphone = new Microphone(this.engine);
  speechClock = new SpeechClock();
  #options;
  #history = new History();
  #requests = new Requests((event) => this.#link?.transport.send(event));
  /** @type {Link | undefined} */
  #link;
  /** @type {Promise<void> | undefined} The connection that is being made: there is one at a time. */
  #opening;
  /** @type {Playout | undefined} */
  #playout;
  #sending = true;
  #attempt = 0;
  #retry;
  #greeted = () => {};
  #refused = () => {};

  /** @param {Options} [options] */
  constructor(options = {}) {
    super();
    const defaults = { url: new URL("/", import.meta.url), transport: "websocket", model: "voxfleet", session: {} };
    this.#options = { ...defaults, extensions: true, reconnect: true, ...options };
    this.microphone.on("block", (block) => this.#onBlock(block));
  }

  /** Options for the next connection. @param {Options} options */
  configure(options) {
    Object.assign(this.#options, options);
  }

  /**
   * Opens a session. Call it where a person has just done something, so that the browser lets it sound.
   *
   * @returns {Promise<void>} when the session stands. Rejects with RealtimeError, which says why it does not.
   */
  async connect() {
    if (this.status === "open") return;
    clearTimeout(this.#retry);
    this.#tell({ status: "connecting" });
    try {
      await this.#open();
    } catch (error) {
      this.#hangUp();
      const reason = await this.#explained(error);
      this.#tell({ status: "closed", error: reason });
      throw reason;
    }
  }

  #open() {
    this.#opening ??= this.#make().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #make() {
    this.#hangUp();
    const link = new Link(this.engine, this.#options, {
      onevent: (event) => this.#receive(event),
      onclose: (close) => this.#onClose(close),
    });
    link.speaker.on("progress", (progress) => this.emit("progress", progress));
    link.speaker.on("started", (started) => this.emit("started", started));
    this.#link = link;
    this.#playout = new Playout(link.speaker, (event) => link.transport.send(event));
    this.speechClock.reset();
    const greeted = new Promise((resolve, reject) => {
      this.#greeted = resolve;
      this.#refused = reject;
    });
    const late = "The server did not begin a session in time.";
    await Promise.all([link.open(), within(SESSION_MS, greeted, late)]);
    if (this.#sending) await link.sendStream(this.microphone.stream);
    await this.#configureSession();
    for (const item of this.#history.items()) link.transport.send({ type: "conversation.item.create", item });
    this.#attempt = 0;
    this.#tell({ status: "open" });
  }

  async #configureSession() {
    if (!Object.keys(this.#options.session).length) return;
    try {
      await this.#requests.update(this.#options.session);
    } catch (error) {
      // What the server refuses it has told in an `error` event; with its own settings the session is as good as any.
      if (error.reason !== "request") throw error;
    }
  }

  async #explained(error) {
    if (error.reason !== "refused" && error.reason !== "timeout") return error;
    const diagnosis = await diagnose(new URL(this.#options.url), this.#options.key);
    return diagnosis.reason === "refused" ? error : diagnosis;
  }

  #receive(event) {
    if (event.type === "session.created" || event.type === "session.updated") this.session = event.session;
    if (event.type === "session.created") this.#greeted();
    this.#requests.receive(event);
    this.#history.receive(event);
    this.#playout?.receive(event);
    if (this.#link?.speaker.isRemote) this.#link.speaker.receive(event);
    this.emitEvent(event);
  }

  #onClose({ code, reason }) {
    this.#hangUp();
    const message = reason || `The connection was closed (${code}).`;
    const error = new RealtimeError("closed", message, { code });
    this.#refused(error);
    if (this.status !== "open") return;
    if (!this.#options.reconnect || code === POLICY_VIOLATION) this.#tell({ status: "closed", error });
    else this.#reconnect(error);
  }

  #reconnect(error) {
    const retryMs = backoffMs(this.#attempt);
    this.#attempt += 1;
    this.#tell({ status: "reconnecting", error, retryMs });
    this.#retry = setTimeout(async () => {
      try {
        await this.#open();
      } catch (failure) {
        this.#hangUp();
        const reason = await this.#explained(failure);
        const final = ["key_missing", "key_wrong", "origin"].includes(reason.reason);
        if (final) this.#tell({ status: "closed", error: reason });
        else if (this.status === "reconnecting") this.#reconnect(reason);
      }
    }, retryMs);
  }

  #hangUp() {
    this.#playout?.close();
    this.#link?.close();
    this.#requests.fail(new RealtimeError("closed", "The connection was closed."));
    this.#playout = this.#link = undefined;
  }

  #tell(status) {
    this.status = status.status;
    this.emit("status", status);
  }

  #onBlock({ pcm, rms, endMs }) {
    let sent = false;
    if (this.#sending && this.status === "open" && this.#link?.transport.carriesPcm) {
      sent = this.#link.transport.sendAudio(pcm);
      if (sent) this.speechClock.sent(BLOCK_MS, endMs);
    }
    this.emit("level", { rms, sent });
  }

  /**
   * Opens the microphone; what it hears is sent from now on.
   *
   * @param {{deviceId?: string}} [options]
   * @returns {Promise<void>} Rejects with RealtimeError.
   */
  async listen(options) {
    await this.microphone.open(options);
    await this.sendMicrophone(true);
  }

  /** Closes the microphone. */
  async stopListening() {
    this.microphone.close();
    await this.#link?.sendStream(undefined);
  }

  /** Whether an open microphone is sent; push-to-talk switches it. @param {boolean} sending */
  async sendMicrophone(sending) {
    this.#sending = sending;
    this.speechClock.interrupt();
    await this.#link?.sendStream(sending ? this.microphone.stream : undefined);
  }

  /** Push-to-talk: begins an utterance, and stops a reply that is being spoken. */
  async press() {
    if (this.isReplying) this.interrupt();
    this.send("input_audio_buffer.clear");
    await this.sendMicrophone(true);
  }

  /** Push-to-talk: ends the utterance and asks for the reply. */
  async release() {
    await this.sendMicrophone(false);
    this.send("input_audio_buffer.commit");
    this.send("response.create");
  }

  /** Says something in writing and asks for the reply; a reply that is being spoken is stopped. */
  say(text) {
    if (this.isReplying) this.interrupt();
    const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
    this.send("conversation.item.create", { item });
    this.send("response.create");
  }

  /** @returns {Link["speaker"] | undefined} that of the connection that there is */
  get loudspeaker() {
    return this.#link?.speaker;
  }

  /** Whether a reply is under way or still to be heard. */
  get isReplying() {
    return this.#playout?.responseId !== undefined || (this.loudspeaker?.active ?? false);
  }

  /** Stops the reply: nothing more of it is heard, and the conversation keeps what was. */
  interrupt() {
    this.#playout?.interrupt();
  }

  /**
   * Changes the session, also for later connections.
   *
   * @param {object} session fields of `session.update`
   * @returns {Promise<void>} Rejects with RealtimeError `request` where the server refuses.
   */
  async update(session) {
    this.#options.session = merge(this.#options.session, session);
    if (this.status === "open") await this.#requests.update(session);
  }

  /** Sends one client event. @returns {string} the event id that it was given */
  send(type, fields = {}) {
    return this.#requests.send(type, fields);
  }

  /** Makes the connection anew, as where another transport was chosen. @returns {Promise<void>} as `connect` */
  async reconnectNow() {
    this.#hangUp();
    this.status = "closed";
    await this.connect();
  }

  /** Forgets the conversation: the next connection begins with none. */
  forget() {
    this.#history.clear();
  }

  /** Ends the session; the client can be connected again. */
  async close() {
    clearTimeout(this.#retry);
    this.microphone.close();
    this.#hangUp();
    this.#refused(new RealtimeError("closed", "The connection was given up."));
    this.#tell({ status: "closed" });
    this.endIterators();
    await this.engine.close();
  }

  /** The server's events from now on. */
  [Symbol.asyncIterator]() {
    return this.events();
  }
}
