/** The conversation on the page: one list item an entry, rewritten when the entry changes. */

import { textOf } from "./conversation.js";
import { h, icon } from "./dom.js";
import { duration, voiceToVoice } from "./latency.js";

/** As close to the end counts as there: new words then scroll into view. */
const NEAR_END_PX = 120;

export class ConversationView {
  #conversation;
  #list;
  #scroller;
  #empty;
  #onselect;
  #items = new Map();
  #selected;
  #languages = new Intl.DisplayNames(["en"], { type: "language" });

  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {{list: HTMLElement, scroller: HTMLElement, empty: HTMLElement, onselect: (id: string) => void}} parts
   */
  constructor(conversation, { list, scroller, empty, onselect }) {
    this.#conversation = conversation;
    this.#list = list;
    this.#scroller = scroller;
    this.#empty = empty;
    this.#onselect = onselect;
  }

  /** Shows an entry as it is now. @param {string | undefined} id */
  update(id) {
    if (id === undefined) return;
    const entry = this.#conversation.entries.get(id);
    const atEnd = this.#atEnd;
    if (!entry) {
      this.#items.get(id)?.remove();
      this.#items.delete(id);
    } else {
      if (!this.#items.has(id)) {
        const item = h("li");
        this.#items.set(id, item);
        this.#list.append(item);
      }
      this.#fill(this.#items.get(id), entry);
    }
    this.#empty.hidden = this.#list.childElementCount > 0;
    if (atEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Draws a line with words on it behind what was said so far. */
  divide(words) {
    if (this.#list.childElementCount) this.#list.append(h("li", { class: "divider" }, words));
  }

  clear() {
    this.#items.clear();
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  /** Marks the turn whose figures are shown. @param {string | undefined} id */
  select(id) {
    const before = this.#selected;
    this.#selected = id;
    for (const each of [before, id]) if (this.#items.has(each)) this.update(each);
  }

  get #atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #fill(item, entry) {
    item.dataset.id = entry.id;
    if (entry.kind === "user") this.#fillSaid(item, entry);
    else this.#fillReply(item, entry);
  }

  #fillSaid(item, said) {
    item.className = said.final ? "turn user" : "turn user live";
    item.replaceChildren(
      h(
        "p",
        { class: "words", lang: said.language || null },
        h("span", { class: "hidden" }, "You: "),
        h("span", { class: "stable" }, said.stable),
        said.unstable && h("span", { class: "unstable" }, said.unstable),
        !said.stable && !said.unstable && "…",
      ),
      h(
        "p",
        { class: "meta" },
        said.written && h("span", { class: "tag" }, icon("pencil"), "Typed"),
        said.language && h("span", { class: "tag language" }, this.#languages.of(said.language)),
        time(said.at),
      ),
    );
  }

  #fillReply(item, reply) {
    item.className = "turn reply";
    item.dataset.status = reply.status;
    const cut = reply.cut.trim() !== "" || (reply.status === "cancelled" && reply.heard.trim() !== "");
    item.replaceChildren(
      h(
        "p",
        { class: "words", lang: reply.language || null },
        h("span", { class: "hidden" }, "voxfleet: "),
        ...this.#words(reply),
      ),
      this.#meta(reply),
      ...(cut ? [h("p", { class: "explain" }, explanation(reply))] : []),
    );
  }

  #words(reply) {
    if (reply.status === "speaking") {
      if (!textOf(reply)) return [h("span", { class: "dots", "aria-label": "Thinking" }, h("i"), h("i"), h("i"))];
      const heard = reply.pieces.filter(({ atMs }) => atMs < reply.heardMs);
      const coming = reply.pieces.slice(heard.length);
      const join = (pieces) => pieces.map(({ text }) => text).join("");
      return [
        h("span", { class: "heard" }, join(heard)),
        coming.length && h("span", { class: "coming" }, join(coming)),
      ].filter(Boolean);
    }
    return [
      h("span", { class: "heard" }, reply.heard),
      ...(reply.cut.trim() ? [" ", h("del", { class: "cut" }, reply.cut.trim())] : []),
      reply.status === "cancelled" && h("span", { class: "cut-end", "aria-hidden": "true" }, " …"),
    ].filter(Boolean);
  }

  #meta(reply) {
    const took = voiceToVoice(reply.marks);
    return h(
      "p",
      { class: "meta" },
      took !== undefined &&
        h(
          "button",
          {
            type: "button",
            class: "took",
            title: "Show where the time went",
            "aria-pressed": String(this.#selected === reply.id),
            onclick: () => this.#onselect(reply.id),
          },
          duration(took).join(" "),
        ),
      ending(reply),
      time(reply.at),
    );
  }
}

function ending(reply) {
  if (reply.status === "cancelled") {
    const words = reply.reason === "client_cancelled" ? "Stopped" : "Interrupted";
    return h("span", { class: "tag interrupted" }, icon("cut"), words);
  }
  if (reply.status === "failed") return h("span", { class: "tag failed" }, icon("warn"), "Failed");
  if (reply.status === "incomplete") return h("span", { class: "tag" }, "Cut at the longest length");
  return null;
}

function explanation(reply) {
  const who = reply.reason === "client_cancelled" ? "You stopped it here." : "You spoke, so it stopped here.";
  if (!reply.cut.trim()) return `${who} What was not said is not part of the conversation.`;
  return `${who} The struck words were not heard, and are not part of the conversation.`;
}

function time(at) {
  const told = at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  return h("time", { class: "time", datetime: at.toISOString() }, told);
}
