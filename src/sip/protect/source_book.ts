import type { Instant } from "../../core/clock.ts";
import type { ProtectionLimits } from "./limits.ts";
import { TokenBucket } from "./token_bucket.ts";

/** Why something of a source was refused, or counts against it. */
export type Reason =
  | "registrations"
  | "requests"
  | "messages"
  | "calls"
  | "overload"
  | "wrong credentials"
  | "malformed"
  | "not found"
  | "unanswered challenges"
  | "scanner"
  | "amplification"
  | "blocked";

/** What is known of one source: an IPv4 address or an IPv6 /64. */
export class SourceRecord {
  readonly source: string;
  readonly registrations: TokenBucket;
  readonly requests: TokenBucket;
  readonly messages: TokenBucket;
  readonly failures: TokenBucket;
  /** How often each reason was met. */
  readonly why = new Map<Reason, number>();
  /** Somebody there has proven an account. */
  isProven = false;
  /** Challenges that nobody has answered well yet. */
  challenges = 0;
  calls = 0;
  /** Of UDP, before anything is proven. */
  receivedBytes = 0;
  sentBytes = 0;
  /** Refused with an answer, and without one. */
  refused = 0;
  dropped = 0;
  /** When it was first held back, and last. */
  since: Instant | undefined;
  last: Instant = -Infinity;
  blockedUntil: Instant = -Infinity;
  /** Refusals told in the present window. */
  told = 0;
  toldFrom: Instant = -Infinity;
  /** Of the log. */
  nextLineAt: Instant = -Infinity;
  unsaid = 0;

  constructor(source: string, limits: ProtectionLimits, now: Instant) {
    this.source = source;
    this.registrations = new TokenBucket(limits.registrations, now);
    this.requests = new TokenBucket(limits.requests, now);
    this.messages = new TokenBucket(limits.messages, now);
    this.failures = new TokenBucket(limits.failures, now);
  }

  isBlocked(now: Instant): boolean {
    return this.blockedUntil > now;
  }

  note(reason: Reason, now: Instant): void {
    this.why.set(reason, (this.why.get(reason) ?? 0) + 1);
    this.since ??= now;
    this.last = now;
  }

  /** As if it had just come, but for the calls that it has. */
  lift(now: Instant): void {
    for (const bucket of [this.registrations, this.requests, this.messages, this.failures]) {
      bucket.refill(now);
    }
    this.why.clear();
    this.challenges =
      this.receivedBytes =
      this.sentBytes =
      this.refused =
      this.dropped =
        0;
    this.since = undefined;
    this.last =
      this.blockedUntil =
      this.toldFrom =
      this.nextLineAt =
        -Infinity;
    this.told = this.unsaid = 0;
  }
}

/** Looked at to find one that may be forgotten. */
const LOOKED_AT = 16;

/** The sources that were heard last. A table that strangers fill must not grow. */
export class SourceBook {
  readonly #limits: ProtectionLimits;
  /** In order of the last message. */
  readonly #records = new Map<string, SourceRecord>();

  constructor(limits: ProtectionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#records.size;
  }

  find(source: string): SourceRecord | undefined {
    return this.#records.get(source);
  }

  /** Known or new, and from now on the last to be forgotten. */
  at(source: string, now: Instant): SourceRecord {
    const known = this.#records.get(source);
    if (known) {
      this.#records.delete(source);
      this.#records.set(source, known);
      return known;
    }
    if (this.#records.size >= this.#limits.sources) this.#forgetOne(now);
    const record = new SourceRecord(source, this.#limits, now);
    this.#records.set(source, record);
    return record;
  }

  values(): Iterable<SourceRecord> {
    return this.#records.values();
  }

  /**
   * The one quiet longest; those with a block or with calls only where there are no others near.
   */
  #forgetOne(now: Instant): void {
    let oldest: string | undefined;
    let looked = 0;
    for (const [source, record] of this.#records) {
      oldest ??= source;
      if (!record.isBlocked(now) && record.calls === 0) {
        oldest = source;
        break;
      }
      if (++looked === LOOKED_AT) break;
    }
    if (oldest !== undefined) this.#records.delete(oldest);
  }
}
