/** Asks for the API key, and keeps it for as long as the tab lives. */

import { checkKey } from "../voxfleet.js";

const KEY = "voxfleet.key";

export class KeyDialog {
  #storage;
  #base;
  #dialog = document.getElementById("key-dialog");
  #form = document.getElementById("key-form");
  #input = document.getElementById("key");
  #problem = document.getElementById("key-problem");

  /** @param {URL} base the server @param {Storage} storage */
  constructor(base, storage) {
    this.#base = base;
    this.#storage = storage;
    document.getElementById("key-cancel").addEventListener("click", () => this.#dialog.close());
  }

  /** The key that is known. @returns {string | undefined} */
  get key() {
    return this.#storage.getItem(KEY) ?? undefined;
  }

  /**
   * Asks until the server takes the key or the person has had enough.
   *
   * @param {string} [problem] what is wrong with the key so far
   * @returns {Promise<string | undefined>} undefined: not now
   */
  ask(problem = "") {
    this.#storage.removeItem(KEY);
    this.#tell(problem);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.select();
    return new Promise((resolve) => {
      const controller = new AbortController();
      const { signal } = controller;
      const done = (key) => {
        controller.abort();
        resolve(key);
      };
      this.#form.addEventListener("submit", (event) => void this.#submit(event, done), { signal });
      this.#dialog.addEventListener("close", () => done(undefined), { signal });
    });
  }

  async #submit(event, done) {
    event.preventDefault();
    const key = this.#input.value.trim();
    if (!key) return;
    try {
      await checkKey(this.#base, key);
    } catch (error) {
      this.#tell(error.message);
      this.#input.select();
      return;
    }
    this.#storage.setItem(KEY, key);
    this.#input.value = "";
    done(key);
    this.#dialog.close();
  }

  #tell(problem) {
    this.#problem.textContent = problem;
    this.#problem.hidden = !problem;
  }
}
