/** A turn's steps as a picture: one bar a step, all on one time axis. */

import { svg } from "./dom.js";
import { duration, EXPLANATIONS, steps, ticks } from "./latency.js";

const WIDTH = 344;
const NAMES = 84;
const NUMBERS = 58;
const ROW = 25;
const BAR = 10;
const TOP = 6;
const AXIS = 22;
/** From here on the axis counts seconds. */
const LONG_MS = 4_000;

/**
 * @param {Record<string, number>} marks
 * @returns {SVGElement}
 */
export function waterfall(marks) {
  const drawn = steps(marks);
  const height = TOP + drawn.length * ROW;
  const from = Math.min(0, ...drawn.map(({ startMs }) => startMs));
  const to = Math.max(1, ...drawn.map(({ endMs }) => endMs));
  const width = WIDTH - NAMES - NUMBERS;
  const x = (ms) => NAMES + ((ms - from) / (to - from)) * width;
  const label = drawn.map((step) => `${step.name} ${duration(step.endMs - step.startMs).join(" ")}`).join(", ");
  const picture = svg("svg", {
    class: "waterfall",
    viewBox: `0 0 ${WIDTH} ${height + AXIS}`,
    role: "img",
    "aria-label": label,
  });
  for (const at of ticks(from, to, 4)) {
    picture.append(
      svg("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP, y2: height }),
      svg("text", { class: "tick", x: x(at), y: height + 16 }, to > LONG_MS ? `${at / 1000} s` : String(at)),
    );
  }
  drawn.forEach((step, row) => picture.append(...bar(step, TOP + row * ROW + ROW / 2, x, marks.endpoint)));
  if (marks.endpoint !== undefined) {
    const at = x(marks.endpoint);
    picture.append(svg("line", { class: "over", x1: at, x2: at, y1: TOP, y2: height }));
  }
  return picture;
}

/** A turn as it might look, without figures: what will be drawn where nothing was measured yet. */
export function ghost() {
  const marks = { endpoint: 62, flush: 8, transcript: 24, generate: 25, first_token: 44, first_clause: 54, first_audio: 58 };
  const picture = waterfall({ ...marks, audio_sent: 64, heard: 72 });
  picture.classList.add("ghost");
  for (const figure of picture.querySelectorAll(".took, .tick, title")) figure.remove();
  picture.setAttribute("aria-label", "The steps of a turn");
  return picture;
}

function bar({ mark, name, startMs, endMs }, middle, x, endpoint) {
  // What was done before the turn was over costs nobody any time.
  const early = mark !== "endpoint" && endMs <= endpoint;
  const box = { y: middle - BAR / 2, height: BAR, rx: 3 };
  const shape = { class: "bar", x: x(startMs), width: Math.max(2, x(endMs) - x(startMs)), ...box };
  return [
    svg("text", { class: "name", x: 0, y: middle + 4 }, name),
    svg("rect", { ...shape, data: { mark, early } }, svg("title", {}, EXPLANATIONS[mark])),
    svg("text", { class: "took", x: WIDTH, y: middle + 4 }, duration(endMs - startMs).join(" ")),
  ];
}
