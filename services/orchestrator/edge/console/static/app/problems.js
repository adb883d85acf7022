/** What goes wrong, in words that say what to do. Pure. */

const STAGES = Object.freeze({
  vad: ["voice detection", "it cannot hear when you speak"],
  stt: ["speech recognition", "it cannot read what you say"],
  llm: ["the language model", "it cannot think of an answer"],
  tts: ["the voice", "it cannot speak"],
});

const TEXTS = Object.freeze({
  microphone_refused: [
    "The microphone was refused",
    "Allow it for this page, beside the address, and press the button again. You can type meanwhile.",
  ],
  microphone_missing: [
    "No microphone was found",
    "Plug one in or choose another in the settings. You can type meanwhile.",
  ],
  microphone_busy: ["The microphone cannot be read", "Another program may hold it. Close that one and try again."],
  insecure: [
    "No microphone on an insecure page",
    "Browsers give it to https:// and to localhost only. Open the console there, or put TLS in front of the server.",
  ],
  unreachable: ["The server does not answer", "Is the fleet running? It starts with: make run"],
  timeout: ["The server took too long", "It may be starting or under load. Try again in a moment."],
  origin: ["This page may not use the server", "Its address has to be among the server's allowed origins."],
  refused: ["The server refused the connection", ""],
  closed: ["The connection was closed", "Talk or type, and it is opened again."],
});

/**
 * @param {import("../client/errors.js").RealtimeError} error
 * @returns {{kind: "problem" | "warning" | "info", title: string, text: string}}
 */
export function describe(error) {
  const { reason, details, message } = error;
  if (reason === "full") {
    const text = `All ${details.sessions.limit} are taken. Try again in a few seconds.`;
    return { kind: "warning", title: "The server is full", text };
  }
  if (reason === "not_ready") return describeStages(details.stages);
  if (reason === "closed" && details.code === 1008) {
    return { kind: "info", title: "Closed after a long silence", text: "Talk or type, and a new session begins." };
  }
  const [title, text] = TEXTS[reason] ?? [message, ""];
  const words = reason === "refused" || reason === "origin" ? message : text;
  return { kind: "problem", title, text: words };
}

/** Stages that are down, as a notice. @param {Record<string, string>} stages */
export function describeStages(stages) {
  const down = Object.keys(stages).filter((stage) => stages[stage] !== "ready");
  const warming = down.every((stage) => stages[stage] === "warming");
  const [name, loss] = STAGES[down[0]] ?? [down[0], "it cannot work"];
  const others = down.length > 1 ? ` So are ${down.length - 1} more.` : "";
  if (down.length === Object.keys(stages).length) {
    return { kind: "warning", title: "No stage is ready", text: "The fleet is starting, or has stopped." };
  }
  return {
    kind: "warning",
    title: `${name[0].toUpperCase()}${name.slice(1)} (${down[0]}) is ${warming ? "warming up" : "down"}`,
    text: `Until it is back, ${loss}.${others}`,
  };
}

/** A server's `error` event as a notice. @param {{message: string, code: string | null}} error */
export function describeEvent({ message, code, type }) {
  const kind = type === "server_error" ? "problem" : "warning";
  return { kind, title: message[0].toUpperCase() + message.slice(1), text: code ?? "" };
}
