/** Notices over the conversation: one of each name at a time, each can be dismissed. */

import { h, icon } from "./dom.js";

const MAX_SHOWN = 3;

export class NoticesView {
  #place;
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  /**
   * Shows a notice, in the place of the one of the same name.
   *
   * @param {string} name
   * @param {{kind: "problem" | "warning" | "info", title: string, text?: string,
   *   action?: {label: string, run: () => void}}} notice
   */
  show(name, { kind, title, text, action }) {
    const notice = h(
      "div",
      { class: "notice", role: kind === "problem" ? "alert" : "status", data: { kind, name } },
      icon(kind === "info" ? "info" : "warn"),
      h("p", { class: "words" }, h("b", {}, title), text && h("span", {}, text)),
      action && h("button", { type: "button", onclick: action.run }, action.label),
      h(
        "button",
        { type: "button", class: "dismiss", "aria-label": "Dismiss", onclick: () => this.hide(name) },
        icon("close"),
      ),
    );
    const before = this.#shown.get(name);
    if (before) before.replaceWith(notice);
    else this.#place.append(notice);
    this.#shown.set(name, notice);
    if (this.#shown.size > MAX_SHOWN) this.hide(this.#shown.keys().next().value);
  }

  /** @param {string} name */
  hide(name) {
    this.#shown.get(name)?.remove();
    this.#shown.delete(name);
  }
}
