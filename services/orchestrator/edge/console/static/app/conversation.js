/** The conversation as the page shows it: server events in, entries out. Pure. */

/**
 * @typedef {object} Said one turn of the person
 * @property {"user"} kind
 * @property {string} id
 * @property {string} stable what will not change any more
 * @property {string} unstable what may
 * @property {boolean} final
 * @property {boolean} written typed, not spoken
 * @property {string} language ISO 639-1, empty while unknown
 * @property {Date} at
 *
 * @typedef {object} Reply
 * @property {"reply"} kind
 * @property {string} id
 * @property {string} responseId
 * @property {{text: string, atMs: number}[]} pieces the words, each with its place in the reply's audio
 * @property {number} heardMs how much of the audio has reached the ear
 * @property {"speaking" | "completed" | "cancelled" | "failed" | "incomplete"} status
 * @property {string} reason why it was cancelled
 * @property {string} heard once it is over: the words that were heard
 * @property {string} cut and those that were not
 * @property {Record<string, number>} marks
 * @property {boolean} draft whether it was prepared before the turn was over
 * @property {string} language
 * @property {Date} at
 *
 * @typedef {Said | Reply} Entry
 */

export class Conversation {
  /** @type {Map<string, Entry>} */
  entries = new Map();
  #now;
  #finals = new Map();

  /** @param {() => Date} [now] */
  constructor(now = () => new Date()) {
    this.#now = now;
  }

  /**
   * Follows one server event.
   *
   * @param {object} event
   * @param {number} [receivedMs] audio of the event's reply that has come so far
   * @returns {string | undefined} the id of the entry that changed
   */
  receive(event, receivedMs = 0) {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        return this.#said(event.item_id).id;
      case "voxfleet.transcript.partial":
        return this.#partial(event);
      case "conversation.item.input_audio_transcription.completed":
        return this.#finalise(event.item_id, event.transcript);
      case "conversation.item.done":
        return this.#item(event.item);
      case "response.output_item.added":
        return this.#begin(event);
      case "response.output_audio_transcript.delta":
      case "response.output_text.delta":
        return this.#speak(event, receivedMs);
      case "response.output_audio_transcript.done":
        this.#finals.set(event.item_id, event.transcript);
        return undefined;
      case "voxfleet.turn.marks":
        return this.#measured(event);
      case "voxfleet.playout.resumed":
        return this.#nothingSaid();
      case "response.done":
        return this.#done(event.response);
      default:
        return undefined;
    }
  }

  /** The loudspeaker is `heardMs` into a reply. @returns {string | undefined} the id of the entry, if it changed */
  played(itemId, heardMs) {
    const reply = this.entries.get(itemId);
    if (reply?.kind !== "reply" || heardMs <= reply.heardMs) return undefined;
    const before = heardPieces(reply);
    reply.heardMs = heardMs;
    return heardPieces(reply) === before ? undefined : itemId;
  }

  /** A mark that the page has measured itself. @returns {string | undefined} */
  mark(itemId, name, ms) {
    const reply = this.entries.get(itemId);
    if (reply?.kind !== "reply") return undefined;
    reply.marks = { ...reply.marks, [name]: ms };
    return itemId;
  }

  clear() {
    this.entries.clear();
    this.#finals.clear();
  }

  #partial({ item_id: id, stable, unstable }) {
    const said = this.#said(id);
    if (said.final) return undefined;
    Object.assign(said, { stable, unstable });
    return id;
  }

  #finalise(id, text) {
    if (!text.trim()) {
      this.entries.delete(id);
      return id;
    }
    Object.assign(this.#said(id), { stable: text.trim(), unstable: "", final: true });
    return id;
  }

  #item(item) {
    if (item.type !== "message") return undefined;
    const text = item.content.map((part) => part.transcript ?? part.text ?? "").join(" ");
    if (item.role === "user") {
      const typed = item.content.some((part) => part.type === "input_text");
      if (!typed || this.entries.has(item.id)) return undefined;
      Object.assign(this.#said(item.id), { stable: text, final: true, written: true });
      return item.id;
    }
    const reply = this.entries.get(item.id);
    if (reply?.kind !== "reply") return undefined;
    reply.heard = text;
    return item.id;
  }

  #begin({ response_id: responseId, item }) {
    if (item.type !== "message" || this.entries.has(item.id)) return undefined;
    this.entries.set(item.id, {
      kind: "reply",
      id: item.id,
      responseId,
      pieces: [],
      heardMs: 0,
      status: "speaking",
      reason: "",
      heard: "",
      cut: "",
      marks: {},
      draft: false,
      language: "",
      at: this.#now(),
    });
    return item.id;
  }

  #speak({ item_id: id, delta, type }, receivedMs) {
    const reply = this.entries.get(id);
    if (reply?.kind !== "reply") return undefined;
    reply.pieces.push({ text: delta, atMs: type === "response.output_text.delta" ? -1 : receivedMs });
    return id;
  }

  #measured({ response_id, user_item_id, marks, draft, language }) {
    const said = this.entries.get(user_item_id);
    if (said) said.language = language;
    const reply = this.#replyOf(response_id);
    if (!reply) return said?.id;
    Object.assign(reply, { marks: { ...reply.marks, ...marks }, draft: draft === "kept", language });
    return reply.id;
  }

  #nothingSaid() {
    const said = [...this.entries.values()].findLast((entry) => entry.kind === "user");
    if (!said || said.final) return undefined;
    this.entries.delete(said.id);
    return said.id;
  }

  #done({ id, status, status_details: details }) {
    const reply = this.#replyOf(id);
    if (!reply) return undefined;
    const sent = this.#finals.get(reply.id) ?? textOf(reply);
    reply.status = status;
    reply.reason = details?.reason ?? details?.error?.code ?? "";
    if (status === "completed" || status === "incomplete") {
      reply.heard = sent;
    } else {
      reply.cut = rest(sent, reply.heard);
    }
    if (!reply.heard.trim() && !reply.cut.trim() && status !== "failed") this.entries.delete(reply.id);
    return reply.id;
  }

  #said(id) {
    const known = this.entries.get(id);
    if (known?.kind === "user") return known;
    const at = this.#now();
    const said = { kind: "user", id, stable: "", unstable: "", final: false, written: false, language: "", at };
    this.entries.set(id, said);
    return said;
  }

  #replyOf(responseId) {
    return [...this.entries.values()].find((entry) => entry.kind === "reply" && entry.responseId === responseId);
  }
}

/** All words of a reply that have come. @param {Reply} reply */
export function textOf(reply) {
  return reply.pieces.map(({ text }) => text).join("");
}

/** How many pieces of a reply have begun to be heard. @param {Reply} reply */
export function heardPieces(reply) {
  return reply.pieces.filter(({ atMs }) => atMs < reply.heardMs).length;
}

/** What `sent` goes on with behind `heard`; empty where it does not begin with it. */
function rest(sent, heard) {
  const start = sent.trimStart();
  return start.startsWith(heard.trim()) ? start.slice(heard.trim().length) : "";
}
