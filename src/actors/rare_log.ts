import type { Clock } from "../core/clock.ts";

/** Between two lines of a kind that strangers can cause, ms. */
const RARE_LOG_MS = 10_000;

/** Says what strangers can cause at will now and then, with how often it was left unsaid. */
export class RareLog {
  readonly #clock: Clock;
  readonly #write: (fields: Readonly<Record<string, unknown>>) => void;
  #nextAt = -Infinity;
  #unsaid = 0;

  constructor(clock: Clock, write: (fields: Readonly<Record<string, unknown>>) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  say(fields: Readonly<Record<string, unknown>>): void {
    const now = this.#clock.now();
    if (now < this.#nextAt) {
      this.#unsaid++;
      return;
    }
    this.#write(this.#unsaid === 0 ? fields : { ...fields, unsaid: this.#unsaid });
    this.#nextAt = now + RARE_LOG_MS;
    this.#unsaid = 0;
  }
}
