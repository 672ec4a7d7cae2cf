import type { Instant } from "../../core/clock.ts";
import type { SourceRecord } from "./source_book.ts";

interface Entry {
  /** Undefined: an exempt source. */
  readonly source: SourceRecord | undefined;
  /** INVITEs outside dialogs with this Call-ID beyond what repeats itself. */
  calls: number;
  repeats: number;
  isAnswered: boolean;
  readonly since: Instant;
}

/**
 * A request repeats itself this often at most (RFC 3261 17.1.1.2: timers A and B, one challenge).
 */
const MOST_REPEATS = 8;
/** No call rings longer: timer C and some more, ms. */
const RINGING_MS = 300_000;
/** No call lasts longer without anybody having noticed its end, ms. */
const LASTING_MS = 12 * 3_600_000;
/** Between two searches for calls that are over, ms. */
const SWEEP_MS = 1_000;

/** Calls that wires have begun, by Call-ID, and how many each source has. */
export class CallLedger {
  readonly #most: number;
  readonly #entries = new Map<string, Entry>();
  #sweepAt: Instant = -Infinity;
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Nothing is known of any call, so that nothing need be looked up. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Whether an INVITE is a repetition of one that was let in. */
  isRepeat(callId: string): boolean {
    const entry = this.#entries.get(callId);
    return entry !== undefined && ++entry.repeats <= MOST_REPEATS;
  }

  isFull(now: Instant): boolean {
    if (this.#size >= this.#most) this.#sweep(now);
    return this.#size >= this.#most;
  }

  isFullFor(source: SourceRecord, most: number, now: Instant): boolean {
    if (source.calls >= most) this.#sweep(now);
    return source.calls >= most;
  }

  begin(callId: string, source: SourceRecord | undefined, now: Instant): void {
    const known = this.#entries.get(callId);
    const entry = known ?? { source, calls: 0, repeats: 0, isAnswered: false, since: now };
    entry.calls++;
    this.#size++;
    if (entry.source) entry.source.calls++;
    if (!known) this.#entries.set(callId, entry);
  }

  answered(callId: string): void {
    const entry = this.#entries.get(callId);
    if (entry) entry.isAnswered = true;
  }

  /** An INVITE was refused: where others of its Call-ID were answered, those stand. */
  refused(callId: string): void {
    const entry = this.#entries.get(callId);
    if (!entry) return;
    if (!entry.isAnswered) this.end(callId);
    else if (entry.calls > 1) this.#take(entry, 1);
  }

  end(callId: string): void {
    const entry = this.#entries.get(callId);
    if (!entry) return;
    this.#entries.delete(callId);
    this.#take(entry, entry.calls);
  }

  #take(entry: Entry, calls: number): void {
    entry.calls -= calls;
    this.#size -= calls;
    if (entry.source) entry.source.calls -= calls;
  }

  #sweep(now: Instant): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_MS;
    for (const [callId, { since, isAnswered }] of this.#entries) {
      if (since + (isAnswered ? LASTING_MS : RINGING_MS) <= now) this.end(callId);
    }
  }
}
