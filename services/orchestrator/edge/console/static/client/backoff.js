/** How long to wait before the next attempt: doubled each time up to a limit, spread so that clients do not come in step. */

const FIRST_MS = 250;
const LONGEST_MS = 5_000;

/**
 * @param {number} attempt 0 for the first
 * @param {() => number} [random] a number from 0 up to 1
 * @returns {number} milliseconds, between half of the step and all of it
 */
export function backoffMs(attempt, random = Math.random) {
  const step = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(step * (0.5 + random() / 2));
}
