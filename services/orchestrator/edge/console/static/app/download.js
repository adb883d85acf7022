/** The conversation as a file. */

import { textOf } from "./conversation.js";

/** @param {import("./conversation.js").Entry[]} entries @returns {string} plain text, what was not heard in brackets */
export function asText(entries) {
  const lines = entries.map((entry) => {
    const time = entry.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    if (entry.kind === "user") return `[${time}] You: ${entry.stable}${entry.unstable}`;
    const words = entry.status === "speaking" ? textOf(entry) : entry.heard;
    return `[${time}] voxfleet: ${words}${entry.cut.trim() ? ` [not heard: ${entry.cut.trim()}]` : ""}`;
  });
  return `${lines.join("\n")}\n`;
}

/** @param {import("./conversation.js").Entry[]} entries @returns {string} JSON */
export function asJson(entries) {
  const turns = entries.map((entry) =>
    entry.kind === "user"
      ? { role: "user", at: entry.at, text: entry.stable, language: entry.language, written: entry.written }
      : {
          role: "assistant",
          at: entry.at,
          text: entry.status === "speaking" ? textOf(entry) : entry.heard,
          not_heard: entry.cut.trim(),
          status: entry.status,
          language: entry.language,
          marks_ms: entry.marks,
        },
  );
  return `${JSON.stringify({ conversation: turns }, null, 2)}\n`;
}

/** Offers `text` as a download. @param {string} name @param {string} text @param {string} type */
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
