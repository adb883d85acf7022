/** A turn's marks as steps on one time axis, and what the turns of a session have in common. Pure. */

/** Mark that ends a step, its name, and the marks it may begin with: the first that is there and not too late. */
const STEPS = [
  ["endpoint", "End of turn", []],
  ["transcript", "Transcript", ["flush", "endpoint"]],
  ["first_token", "First token", ["generate", "transcript"]],
  ["first_clause", "First clause", ["first_token"]],
  ["first_audio", "First audio", ["first_clause"]],
  ["audio_sent", "Sent", ["first_audio"]],
  ["heard", "Heard", ["audio_sent"]],
];

/** What each step is, for those who ask. */
export const EXPLANATIONS = Object.freeze({
  endpoint: "Silence counted until it was certain that you had finished",
  transcript: "Your words, from the moment their text was asked for",
  first_token: "The language model's first word",
  first_clause: "Enough words to begin to speak",
  first_audio: "The voice's first sound",
  audio_sent: "The reply leaves the server",
  heard: "The way to your loudspeaker, measured in this page",
});

const TICKS_MS = [10, 20, 50, 100, 200, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000];

/**
 * @typedef {{mark: string, name: string, startMs: number, endMs: number}} Step in ms since the last sound of the person
 */

/**
 * @param {Record<string, number>} marks those of `voxfleet.turn.marks`, and `heard`
 * @returns {Step[]} the steps whose end is known, in the order of a turn
 */
export function steps(marks) {
  const found = [];
  let previous = 0;
  for (const [mark, name, causes] of STEPS) {
    const endMs = marks[mark];
    if (endMs === undefined) continue;
    const cause = causes.find((each) => marks[each] <= endMs);
    let startMs = cause === undefined ? Math.min(previous, endMs) : marks[cause];
    if (!causes.length) startMs = Math.min(0, endMs);
    // The first audio of a draft waits for the end of the turn before it is sent.
    if (mark === "audio_sent" && startMs < marks.endpoint && marks.endpoint <= endMs) startMs = marks.endpoint;
    found.push({ mark, name, startMs, endMs });
    previous = endMs;
  }
  return found;
}

/** What a turn took from the last sound of the person to the first of the reply, as far as is known. */
export function voiceToVoice(marks) {
  return marks.heard ?? marks.audio_sent;
}

/**
 * @param {number[]} values
 * @param {number} share 0.5 for the median
 * @returns {number | undefined} the value of the nearest rank, undefined where there is none
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1];
}

/**
 * @param {number} ms
 * @returns {[string, string]} number and unit: milliseconds, and seconds where those would be five digits
 */
export function duration(ms) {
  return ms < 9_999.5 ? [String(Math.round(ms)), "ms"] : [(ms / 1000).toFixed(1), "s"];
}

/** Round numbers from `from` to `to`, at most `most`. @returns {number[]} */
export function ticks(from, to, most) {
  const step = TICKS_MS.find((each) => (to - from) / each <= most) ?? TICKS_MS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}
