/** Client events with ids, and the answers to those that are waited for. */

import { RealtimeError } from "./errors.js";

const TIMEOUT_MS = 10_000;

export class Requests {
  #send;
  #next = 1;
  /** Updates that are not answered yet, in the order they were sent. */
  #waiting = [];

  /** @param {(event: object) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /** @returns {string} the event id that it was given */
  send(type, fields) {
    const event_id = `event_${this.#next++}`;
    this.#send({ type, event_id, ...fields });
    return event_id;
  }

  /** Sends `session.update`; resolves when it holds, rejects with RealtimeError where the server refuses it. */
  update(session) {
    return new Promise((resolve, reject) => {
      const id = this.send("session.update", { session: { type: "realtime", ...session } });
      const timer = setTimeout(() => {
        this.#settle(id)?.reject(new RealtimeError("timeout", "The server did not answer in time."));
      }, TIMEOUT_MS);
      this.#waiting.push({ id, timer, resolve, reject });
    });
  }

  /** Follows one server event. `session.updated` names no request: they are answered in order. */
  receive(event) {
    if (event.type === "session.updated") this.#settle(this.#waiting[0]?.id)?.resolve();
    if (event.type === "error" && event.error.event_id) {
      this.#settle(event.error.event_id)?.reject(new RealtimeError("request", event.error.message, event.error));
    }
  }

  /** There will be no answers. */
  fail(error) {
    for (const { id } of [...this.#waiting]) this.#settle(id)?.reject(error);
  }

  #settle(id) {
    const at = this.#waiting.findIndex((each) => each.id === id);
    if (at < 0) return undefined;
    const [found] = this.#waiting.splice(at, 1);
    clearTimeout(found.timer);
    return found;
  }
}
