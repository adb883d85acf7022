/** A limit on waiting. */

import { RealtimeError } from "./errors.js";

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @param {string} message what is said when it is too late
 * @returns {Promise<T>} Rejects with RealtimeError `timeout` where the promise takes longer.
 */
export async function within(ms, promise, message) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new RealtimeError("timeout", message)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
