/** Looks after the fleet, gently: what it can, which stage is down, whether it is there at all. */

import { askFleet } from "../voxfleet.js";

const READY_MS = 15_000;
const NOT_READY_MS = 3_000;

export class FleetWatch {
  /** @type {import("../client/diagnosis.js").Fleet | undefined} */
  fleet;
  #base;
  #tell;
  #timer;

  /**
   * @param {URL} base the server
   * @param {(fleet: import("../client/diagnosis.js").Fleet | undefined) => void} tell undefined: it does not answer
   */
  constructor(base, tell) {
    this.#base = base;
    this.#tell = tell;
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  /** Asks now, and again in a while. A page that nobody sees asks nothing. */
  async look() {
    clearTimeout(this.#timer);
    try {
      this.fleet = await askFleet(this.#base);
    } catch (error) {
      if (error.reason !== "unreachable") throw error;
      this.fleet = undefined;
    }
    this.#tell(this.fleet);
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.look(), isReady(this.fleet) ? READY_MS : NOT_READY_MS);
  }
}

/** Whether every stage can serve. @param {import("../client/diagnosis.js").Fleet | undefined} fleet */
export function isReady(fleet) {
  return fleet !== undefined && Object.values(fleet.stages).every((state) => state === "ready");
}
