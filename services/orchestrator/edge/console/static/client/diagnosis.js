/** Why a connection was refused: a browser does not tell of a WebSocket's HTTP status, so the server is asked. */

import { RealtimeError } from "./errors.js";

const TIMEOUT_MS = 5_000;

/**
 * What the server says of itself before a session is opened.
 *
 * @typedef {object} Fleet
 * @property {Record<string, string>} stages each stage, "ready" or what is wrong with it
 * @property {{open: number, limit: number}} sessions
 * @property {boolean} key_needed
 * @property {boolean} noise_reduction whether it can be had
 * @property {string[]} voices
 */

/**
 * @param {URL} base the server
 * @returns {Promise<Fleet>} Rejects with RealtimeError `unreachable`.
 */
export async function askFleet(base) {
  const response = await request(new URL("/console/fleet", base), {});
  if (!response.ok) throw new RealtimeError("unreachable", `The server answered ${response.status}.`);
  return response.json();
}

/**
 * @param {URL} base the server
 * @param {string} [key]
 * @returns {Promise<void>} Rejects with RealtimeError `key_missing`, `key_wrong`, `origin` or `unreachable`.
 */
export async function checkKey(base, key) {
  // A client secret opens sessions and nothing else: only a session can tell whether it is good.
  if (key?.startsWith("ek_")) return;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await request(new URL("/v1/models", base), { headers });
  if (response.ok) return;
  const { error } = await response.json().catch(() => ({ error: {} }));
  if (response.status === 401 && !key) throw new RealtimeError("key_missing", "The server asks for an API key.");
  if (response.status === 401) throw new RealtimeError("key_wrong", "The server does not know this API key.");
  if (response.status === 403) throw new RealtimeError("origin", error.message ?? "This page may not use the server.");
  throw new RealtimeError("refused", error.message ?? `The server answered ${response.status}.`);
}

/**
 * @param {URL} base the server
 * @param {string} [key]
 * @returns {Promise<RealtimeError>} why a session could not be opened just now
 */
export async function diagnose(base, key) {
  try {
    const fleet = await askFleet(base);
    if (fleet.key_needed) await checkKey(base, key);
    if (fleet.sessions.open >= fleet.sessions.limit) {
      return new RealtimeError("full", `All ${fleet.sessions.limit} sessions of the server are taken.`, fleet);
    }
    if (Object.values(fleet.stages).some((state) => state !== "ready")) {
      return new RealtimeError("not_ready", "A stage of the fleet is not ready.", fleet);
    }
    return new RealtimeError("refused", "The server refused the connection.", fleet);
  } catch (error) {
    if (error instanceof RealtimeError) return error;
    throw error;
  }
}

async function request(url, options) {
  try {
    return await fetch(url, { ...options, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new RealtimeError("unreachable", "The server does not answer.", { error });
  }
}
