/** Starts the console on this page. */

import { Console } from "./console.js";

export const voxfleet = new Console(new URL("/", location.href));

void voxfleet.start();
