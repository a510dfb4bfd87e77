// Waiting for a condition with a deadline; nothing here sleeps for a guessed time.

import { setTimeout as pause } from "node:timers/promises";

// Ends what will never come true, on however loaded a machine.
const DEADLINE = 120_000;

/** Asks again until the answer is something true, and gives that. */
export async function until(what, condition) {
  const ends = Date.now() + DEADLINE;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > ends) throw new Error(`not within ${DEADLINE / 1000} s: ${what}`);
    await pause(50);
  }
}
