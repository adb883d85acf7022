/** What a person can do: talk, hold to talk, type, stop. Decides nothing about how it looks. */

export class Talk {
  /** Whether push-to-talk is held. */
  held = false;
  #client;
  #settings;
  #keys;
  #changed;
  #problem;

  /**
   * @param {object} parts
   * @param {import("../client/realtime.js").RealtimeClient} parts.client
   * @param {import("./settings.js").Settings} parts.settings
   * @param {import("./key_dialog.js").KeyDialog} parts.keys
   * @param {() => void} parts.changed something is on or off now that was not
   * @param {(error: Error) => void} parts.problem
   */
  constructor({ client, settings, keys, changed, problem }) {
    this.#client = client;
    this.#settings = settings;
    this.#keys = keys;
    this.#changed = changed;
    this.#problem = problem;
  }

  /** Whether the microphone is on. */
  get isOn() {
    return this.#client.microphone.isOpen;
  }

  get isPush() {
    return this.#settings.turns === "push";
  }

  /** Microphone on or off. */
  async toggle() {
    await this.#try(() => (this.isOn ? this.#client.stopListening() : this.#start()));
  }

  /** Push-to-talk: the button or the key went down. */
  async press() {
    if (this.held) return;
    this.held = true;
    await this.#try(async () => {
      if (!this.isOn) await this.#start();
      // The first time the browser may have asked, and the button been let go for the answer.
      if (this.held) await this.#client.press();
    });
    this.#changed();
  }

  /** Push-to-talk: it was let go. */
  async release() {
    if (!this.held) return;
    this.held = false;
    if (this.isOn && this.#client.status === "open") await this.#try(() => this.#client.release());
    this.#changed();
  }

  /** Says something in writing. @param {string} text @returns {Promise<boolean>} whether it was said */
  async say(text) {
    return this.#try(async () => {
      await this.#connect();
      this.#client.say(text);
    });
  }

  /** Stops what goes on: a reply first, then the microphone. */
  async stop() {
    if (this.#client.isReplying) this.#client.interrupt();
    else if (this.isOn) await this.toggle();
  }

  /** Another microphone or another way of talking was chosen. */
  async reopen() {
    if (this.isOn) await this.#try(() => this.#listen());
  }

  /** Another transport was chosen: the conversation goes on over that one. */
  async reconnect() {
    if (this.#client.status !== "open") return;
    await this.#try(() => this.#client.reconnectNow());
  }

  async #start() {
    await this.#listen();
    try {
      await this.#connect();
    } catch (error) {
      await this.#client.stopListening();
      throw error;
    }
  }

  async #listen() {
    await this.#client.listen({ deviceId: this.#settings.microphone || undefined });
    if (this.isPush) await this.#client.sendMicrophone(false);
  }

  async #connect() {
    for (;;) {
      try {
        this.#client.configure({ key: this.#keys.key, transport: this.#settings.transport });
        await this.#client.connect();
        return;
      } catch (error) {
        if (error.reason !== "key_missing" && error.reason !== "key_wrong") throw error;
        const problem = error.reason === "key_wrong" ? error.message : "";
        if (!(await this.#keys.ask(problem))) throw error;
      }
    }
  }

  async #try(act) {
    try {
      await act();
      return true;
    } catch (error) {
      this.#problem(error);
      return false;
    } finally {
      this.#changed();
    }
  }
}
