/** The panel of figures: one turn in large, its waterfall, and all turns of the session beside each other. */

import { h } from "./dom.js";
import { duration, quantile, voiceToVoice } from "./latency.js";
import { ghost, waterfall } from "./waterfall_view.js";

const MAX_COLUMNS = 24;

/**
 * @typedef {object} Measured one turn that has figures
 * @property {string} id of the reply
 * @property {string} question
 * @property {Record<string, number>} marks
 * @property {boolean} draft
 */

/**
 * @param {HTMLElement} pane
 * @param {Measured[]} turns
 * @param {string | undefined} selected the id of the turn that is shown; undefined: the latest
 * @param {number} interruptions
 * @param {(id: string) => void} onselect
 */
export function showLatency(pane, turns, selected, interruptions, onselect) {
  const shown = turns.find(({ id }) => id === selected) ?? turns.at(-1);
  const times = turns.map(({ marks }) => voiceToVoice(marks)).filter((ms) => ms !== undefined);
  pane.replaceChildren(
    ...figure(shown),
    facts(times, interruptions),
    ...(shown ? picture(shown) : empty()),
    ...(turns.length > 1 ? [history(turns.slice(-MAX_COLUMNS), shown, onselect)] : []),
  );
}

function figure(shown) {
  const ms = shown && voiceToVoice(shown.marks);
  const [number, unit] = ms === undefined ? ["No turn yet", ""] : duration(ms);
  const heard = shown?.marks.heard !== undefined;
  const note = heard ? "from your last sound to the first you hear" : "from your last sound to the reply's first";
  return [
    h("h2", { class: "eyebrow" }, "Voice to voice"),
    h(
      "p",
      { class: "figure", data: { empty: ms === undefined } },
      h("span", { class: "number" }, number),
      unit && h("span", { class: "unit" }, unit),
    ),
    h("p", { class: "note" }, note),
  ];
}

function facts(times, interruptions) {
  const tell = (ms) => (ms === undefined ? "—" : duration(ms).join(" "));
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h(
    "dl",
    { class: "facts" },
    fact("p50", tell(quantile(times, 0.5))),
    fact("p90", tell(quantile(times, 0.9))),
    fact("Turns", String(times.length)),
    fact("Interrupted", String(interruptions)),
  );
}

function picture({ question, marks, draft }) {
  const note = draft
    ? "The lighter steps were done while your pause was still being counted. The dotted line is the end of your turn."
    : "The dotted line is the end of your turn.";
  return [
    h("h2", { class: "eyebrow" }, "Where the time went"),
    h("p", { class: "of", title: question }, question),
    waterfall(marks),
    h("p", { class: "note" }, note),
  ];
}

function empty() {
  const words = "Every spoken turn is drawn like this: the silence that made sure you had finished, and what was done meanwhile.";
  return [h("h2", { class: "eyebrow" }, "Where the time goes"), ghost(), h("p", { class: "note" }, words)];
}

function history(turns, shown, onselect) {
  const longest = Math.max(...turns.map(({ marks }) => voiceToVoice(marks) ?? 0), 1);
  const column = (turn) => {
    const ms = voiceToVoice(turn.marks) ?? 0;
    const told = duration(ms).join(" ");
    const pick = h(
      "button",
      {
        type: "button",
        class: "column",
        title: told,
        "aria-label": `${turn.question}: ${told}`,
        "aria-pressed": String(turn === shown),
        onclick: () => onselect(turn.id),
      },
      h("i"),
    );
    pick.style.setProperty("--share", `${(ms / longest) * 100}%`);
    return pick;
  };
  return h(
    "div",
    { class: "history" },
    h("h2", { class: "eyebrow" }, "This session"),
    h("div", { class: "columns" }, ...turns.map(column)),
  );
}
