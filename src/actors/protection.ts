import type { Clock, Instant, Timer } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { FlowId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import { err, ok, type Result } from "../core/result.ts";
import { isLoopback, sourceOf } from "../core/sources.ts";
import type { Flow } from "../sip/flow.ts";
import { SipGuard } from "../sip/protect/guard.ts";
import { DEFAULT_PROTECTION_LIMITS, type ProtectionLimits } from "../sip/protect/limits.ts";
import { Overload, type OverloadLimits } from "../sip/protect/overload.ts";
import type { Reason, SourceRecord } from "../sip/protect/source_book.ts";
import type { WireInput } from "../sip/stack_io.ts";
import type { TransactionShares } from "../sip/transaction/shares.ts";
import type {
  CommandRefusal,
  Page,
  PageQuery,
  ProtectedSourceView,
  ProtectionView,
} from "./control_plane.ts";
import { iso } from "./views.ts";

export interface ProtectionOptions {
  readonly limits?: Partial<ProtectionLimits>;
  readonly overload: OverloadLimits;
  /** Whether loopback is counted like any other source. */
  readonly limitsLoopback: boolean;
  /** IP addresses of whom the operator trusts. */
  readonly exempt: readonly string[];
}

export interface ProtectionPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  pass(input: WireInput): void;
  send(flow: Flow, bytes: Uint8Array): void;
  isFlowUsed(flow: FlowId): boolean;
  /** Trunks. */
  isTrusted(flow: Flow): boolean;
  /** Live SIP transactions. */
  transactions(): number;
}

/** How often the load is looked at, ms. */
const SAMPLE_MS = 250;
/** A source is called limited for this long after it was last held back, ms. */
const LIMITED_MS = 60_000;

const WORDS: Readonly<Record<Reason, string>> = {
  "registrations": "too many registrations",
  "requests": "too many requests outside dialogs",
  "messages": "too many messages",
  "calls": "too many calls at a time",
  "overload": "the server was overloaded",
  "wrong credentials": "wrong credentials, or speaking for others",
  "malformed": "messages that cannot be read",
  "not found": "asking for what is not there",
  "unanswered challenges": "challenges that were not answered",
  "scanner": "a client that looks for open servers",
  "amplification": "answers would have been much longer than what was sent",
  "blocked": "messages while blocked",
};

/** What keeps strangers and too much work from the calls that stand (limits in `sip.limits`). */
export class Protection {
  readonly #ports: ProtectionPorts;
  readonly #options: ProtectionOptions;
  readonly #limits: ProtectionLimits;
  readonly #guard: SipGuard;
  readonly #overload: Overload;
  readonly #exempt: ReadonlySet<string>;
  #timer: Timer | undefined;

  constructor(ports: ProtectionPorts, options: ProtectionOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#limits = { ...DEFAULT_PROTECTION_LIMITS, ...options.limits };
    this.#exempt = new Set(options.exempt.map(sourceOf));
    this.#overload = new Overload(options.overload);
    const { clock, entropy, log } = ports;
    this.#guard = new SipGuard({
      clock,
      entropy,
      log,
      limits: this.#limits,
      pass: (input) => ports.pass(input),
      send: (flow, bytes) => ports.send(flow, bytes),
      isFlowUsed: (flow) => ports.isFlowUsed(flow),
      isExempt: (flow, address) => this.#isExempt(flow, address),
      isOverloaded: () => this.#overload.isActive,
    });
  }

  /** Watches the load until `stop`. */
  start(): void {
    const { clock } = this.#ports;
    let due = clock.now() + SAMPLE_MS;
    const look = () => {
      const now = clock.now();
      this.sample(now - due, now);
      due = now + SAMPLE_MS;
      this.#timer = clock.setTimeout(look, SAMPLE_MS);
    };
    this.#timer = clock.setTimeout(look, SAMPLE_MS);
  }

  stop(): void {
    this.#ports.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @param lagMs how late the event loop is */
  sample(lagMs: number, now: Instant): void {
    const { log, transactions } = this.#ports;
    const was = this.#overload.isActive;
    this.#overload.sample({ lagMs, transactions: transactions() }, now);
    if (this.#overload.isActive === was) return;
    if (was) log.info("no longer overloaded: new calls are welcome");
    else log.warn("overloaded: new calls and registrations wait", { why: this.overloadReasons });
  }

  get isOverloaded(): boolean {
    return this.#overload.isActive;
  }

  /** Sentences; none: all is well. */
  get overloadReasons(): readonly string[] {
    return this.#overload.reasons;
  }

  /** False for a blocked address: it can't even connect. */
  isWelcome(address: string): boolean {
    return this.#guard.isWelcome(address);
  }

  receive(input: WireInput): void {
    this.#guard.receive(input);
  }

  maySend(flow: Flow, bytes: Uint8Array): boolean {
    return this.#guard.maySend(flow, bytes);
  }

  view(query: PageQuery): ProtectionView {
    const { registrations, requests, failures, callsPerSource, calls, blockMs } = this.#limits;
    const { last, limits, isActive, reasons } = this.#overload;
    const page = this.#sources(query);
    return {
      overload: {
        active: isActive,
        reasons,
        lagMs: Math.max(0, Math.round(last.lagMs)),
        transactions: last.transactions,
      },
      limits: {
        registrationsPerSecond: registrations.perSecond,
        requestsPerSecond: requests.perSecond,
        failures: failures.burst,
        blockSeconds: blockMs / 1000,
        calls,
        callsPerSource,
        transactions: limits.transactions,
        lagMs: limits.lagMs,
      },
      calls: this.#guard.calls,
      sources: page.items,
      next: page.next,
    };
  }

  /** @param source as the view names it, or an address of it */
  lift(source: string): Result<void, CommandRefusal> {
    const name = sourceOf(source.replace(/::\/64$/, "::"));
    if (this.#guard.lift(name)) return ok(undefined);
    return err({ code: "not_found", text: `Nothing is held against ${source}` });
  }

  /** What one source may have of the transactions that are under way or linger. */
  get shares(): TransactionShares {
    return {
      most: this.#limits.transactionsPerSource,
      sourceOf: (flow) => {
        const address = flow.peer?.address;
        if (address === undefined || this.#isExempt(flow, address)) return undefined;
        return sourceOf(address);
      },
    };
  }

  #isExempt(flow: Flow, address: string): boolean {
    if (isLoopback(address) && !this.#options.limitsLoopback) return true;
    return this.#exempt.size > 0 && this.#exempt.has(sourceOf(address)) ||
      this.#ports.isTrusted(flow);
  }

  /** Those held back last come first; the cursor counts. */
  #sources({ cursor, limit }: PageQuery): Page<ProtectedSourceView> {
    const from = cursor === undefined ? 0 : Number(cursor);
    const all = [...this.#guard.heldBack()].sort((a, b) => b.last - a.last);
    const items = all.slice(from, from + limit).map((record) => this.#toView(record));
    const end = from + items.length;
    return { items, next: end < all.length ? String(end) : null };
  }

  #toView(record: SourceRecord): ProtectedSourceView {
    const { clock } = this.#ports;
    const now = clock.now();
    const at = (instant: Instant) => iso(clock.epoch() + instant - now);
    const isBlocked = record.isBlocked(now);
    return {
      source: record.source.includes(":") ? `${record.source}::/64` : record.source,
      state: isBlocked ? "blocked" : now - record.last < LIMITED_MS ? "limited" : "free",
      reasons: [...record.why].map(([reason, count]) => ({ reason: WORDS[reason], count })),
      since: at(record.since ?? now),
      last: at(record.last),
      until: isBlocked ? at(record.blockedUntil) : null,
      calls: record.calls,
      refused: record.refused,
      dropped: record.dropped,
      failurePointsLeft: Math.floor(record.failures.level(now)),
    };
  }
}
