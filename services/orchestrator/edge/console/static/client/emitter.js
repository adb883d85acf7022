/** Listeners by name, and an async iterator over everything that is emitted. */

/** What an iterator keeps for a reader that is slow; then the oldest gives way. */
const MAX_WAITING = 1_024;

export class Emitter {
  /** @type {Map<string, Set<(value: any) => void>>} */
  #listeners = new Map();
  /** @type {Set<EventQueue>} */
  #queues = new Set();

  /**
   * @param {string} name an event's type, or "*" for every event
   * @param {(value: any) => void} listener
   * @returns {() => void} stops listening
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Calls the listeners of `name`. */
  emit(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(value);
  }

  /** Hands an event to its own listeners, to those of "*", and to the iterators. */
  emitEvent(event) {
    this.emit(event.type, event);
    this.emit("*", event);
    for (const queue of this.#queues) queue.push(event);
  }

  /** Ends every iterator. */
  endIterators() {
    for (const queue of this.#queues) queue.end();
  }

  /** @returns {AsyncGenerator<any, void, void>} the events from now on */
  async *events() {
    const queue = new EventQueue();
    this.#queues.add(queue);
    try {
      for (let event = await queue.next(); event !== undefined; event = await queue.next()) yield event;
    } finally {
      this.#queues.delete(queue);
    }
  }
}

class EventQueue {
  /** @type {any[]} */
  #waiting = [];
  #ended = false;
  #wake = () => {};

  push(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#wake();
  }

  end() {
    this.#ended = true;
    this.#wake();
  }

  /** The next event; undefined at the end. */
  async next() {
    while (!this.#waiting.length && !this.#ended) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#waiting.shift();
  }
}
