/** What can go wrong between a page and the server, each with a `reason` for programs and a `message` for people. */

/**
 * @typedef {"unreachable" | "key_missing" | "key_wrong" | "origin" | "full" | "not_ready" | "refused" | "timeout"
 *   | "closed" | "microphone_refused" | "microphone_missing" | "microphone_busy" | "insecure"
 *   | "request"} Reason
 */

export class RealtimeError extends Error {
  /**
   * @param {Reason} reason
   * @param {string} message
   * @param {object} [details] what else is known, such as `stages` or the server's own error
   */
  constructor(reason, message, details = {}) {
    super(message);
    this.name = "RealtimeError";
    this.reason = reason;
    this.details = details;
  }
}
