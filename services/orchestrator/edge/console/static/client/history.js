/** The conversation's messages as the server told them, to be told again to a session that knows nothing of them. */

const MAX_ITEMS = 200;

export class History {
  /** @type {Map<string, {role: string, text: string}>} */
  #items = new Map();

  /** Follows one server event. */
  receive(event) {
    if (event.type === "conversation.item.done" || event.type === "conversation.item.created") this.#keep(event.item);
    if (event.type === "conversation.item.input_audio_transcription.completed") {
      this.#set(event.item_id, { role: "user", text: event.transcript });
    }
    if (event.type === "conversation.item.deleted") this.#items.delete(event.item_id);
  }

  #keep(item) {
    if (item.type !== "message") return;
    const text = item.content.map((part) => part.transcript ?? part.text ?? "").join("\n");
    this.#set(item.id, { role: item.role, text });
  }

  #set(id, message) {
    this.#items.set(id, message);
    if (this.#items.size > MAX_ITEMS) this.#items.delete(this.#items.keys().next().value);
  }

  clear() {
    this.#items.clear();
  }

  /** @returns {object[]} the items of `conversation.item.create` events, in order; those without words are left out */
  items() {
    return [...this.#items]
      .filter(([, { text }]) => text.trim())
      .map(([id, { role, text }]) => ({
        id,
        type: "message",
        role,
        content: [{ type: role === "assistant" ? "output_text" : "input_text", text }],
      }));
  }
}
