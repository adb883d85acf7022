/** A client of the Realtime protocol for web pages: `import { RealtimeClient } from "/console/voxfleet.js"`. */

export { askFleet, checkKey } from "./client/diagnosis.js";
export { RealtimeError } from "./client/errors.js";
export { microphones } from "./client/microphone.js";
export { RealtimeClient } from "./client/realtime.js";
