import type { Instant } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Reason, SourceRecord } from "./source_book.ts";

/** Between two lines on one source, and of what `MOST_LINES` counts, ms. */
const MINUTE_MS = 60_000;
/** Lines a minute on all sources: whoever can forge addresses must not fill a disk. */
const MOST_LINES = 30;

/** One line a source and minute, and not too many in all; what stays unsaid is counted. */
export class SourceLog {
  readonly #log: Log;
  #from: Instant = -Infinity;
  #lines = 0;
  #unsaid = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  say(record: SourceRecord, reason: Reason, now: Instant): void {
    if (now < record.nextLineAt) {
      record.unsaid++;
      return;
    }
    if (now >= this.#from + MINUTE_MS) {
      if (this.#unsaid > 0) {
        this.#log.warn("more SIP sources were held back", { sources: this.#unsaid });
      }
      this.#from = now;
      this.#lines = this.#unsaid = 0;
    }
    record.nextLineAt = now + MINUTE_MS;
    if (++this.#lines > MOST_LINES) {
      this.#unsaid++;
      return;
    }
    const { source, refused, dropped, unsaid } = record;
    this.#log.warn(
      record.isBlocked(now) ? "a SIP source is blocked" : "a SIP source is limited",
      { source, why: reason, refused, dropped, ...(unsaid > 0 ? { unsaid } : {}) },
    );
    record.unsaid = 0;
  }
}
