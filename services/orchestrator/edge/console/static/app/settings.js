/** What a person has chosen, and what that means for the session. Pure but for `load` and `store`. */

const KEY = "voxfleet.settings";

/**
 * @typedef {object} Settings
 * @property {string} voice empty: the language's own
 * @property {string} language ISO 639-1; empty: detected
 * @property {"meaning" | "silence" | "push"} turns what ends a turn
 * @property {"auto" | "low" | "medium" | "high"} eagerness
 * @property {number} silenceMs
 * @property {string} instructions empty: the server's own
 * @property {"" | "near_field" | "far_field"} noise
 * @property {"websocket" | "webrtc"} transport
 * @property {string} microphone a device id; empty: the browser's default
 */

/** @type {Readonly<Settings>} */
export const DEFAULTS = Object.freeze({
  voice: "",
  language: "",
  turns: "meaning",
  eagerness: "auto",
  silenceMs: 500,
  instructions: "",
  noise: "",
  transport: "websocket",
  microphone: "",
});

/** What changes with these is not the session but the connection or the device. */
export const LOCAL = Object.freeze(["transport", "microphone"]);

/**
 * @param {Settings} settings
 * @param {string} instructions the server's own
 * @returns {object} fields of `session.update`
 */
export function sessionOf(settings, instructions = "") {
  const told = settings.instructions.trim() || instructions;
  return {
    ...(told && { instructions: told }),
    audio: {
      input: {
        transcription: { language: settings.language || null },
        turn_detection: turnDetection(settings),
        noise_reduction: settings.noise ? { type: settings.noise } : null,
      },
      output: { voice: settings.voice || "auto" },
    },
  };
}

function turnDetection({ turns, eagerness, silenceMs }) {
  if (turns === "push") return null;
  if (turns === "silence") return { type: "server_vad", silence_duration_ms: silenceMs };
  return { type: "semantic_vad", eagerness };
}

/** @param {Storage} storage @returns {Settings} what was stored, defaults for what was not or is of another type */
export function load(storage) {
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "{}");
    const known = Object.entries(DEFAULTS).filter(([name, value]) => typeof stored[name] === typeof value);
    return { ...DEFAULTS, ...Object.fromEntries(known.map(([name]) => [name, stored[name]])) };
  } catch (error) {
    if (error instanceof SyntaxError) return { ...DEFAULTS };
    throw error;
  }
}

/** @param {Storage} storage @param {Settings} settings */
export function store(storage, settings) {
  storage.setItem(KEY, JSON.stringify(settings));
}
