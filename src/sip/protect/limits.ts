import type { BucketSize } from "./token_bucket.ts";

/** What one source may do to us, and all of them together; `sip.limits` of the configuration. */
export interface ProtectionLimits {
  /** REGISTER requests of one source. */
  readonly registrations: BucketSize;
  /** Other requests outside dialogs of one source: INVITE, OPTIONS, MESSAGE ... */
  readonly requests: BucketSize;
  /** All messages of one source, answers and requests inside dialogs too. */
  readonly messages: BucketSize;
  /** Points that one source may collect by failures before it is blocked. */
  readonly failures: BucketSize;
  /** How long it is blocked then, ms. */
  readonly blockMs: number;
  /** Calls that one source may have begun and not ended. */
  readonly callsPerSource: number;
  /** Calls over wires at a time. */
  readonly calls: number;
  /** Transactions but for INVITEs that one source may have under way or lingering. */
  readonly transactionsPerSource: number;
  /** Sources remembered. */
  readonly sources: number;
  /** Refusals that a limited source is told, in `tellMs`; after that it gets no answers. */
  readonly told: number;
  readonly tellMs: number;
  /** Bytes that a UDP source which has proven nothing is answered for each byte it sent. */
  readonly amplification: number;
}

export const DEFAULT_PROTECTION_LIMITS: ProtectionLimits = {
  registrations: { burst: 500, perSecond: 50 },
  requests: { burst: 500, perSecond: 50 },
  messages: { burst: 10_000, perSecond: 2_000 },
  failures: { burst: 20, perSecond: 20 / 600 },
  blockMs: 300_000,
  callsPerSource: 1_000,
  calls: 20_000,
  transactionsPerSource: 20_000,
  sources: 20_000,
  told: 5,
  tellMs: 60_000,
  // As QUIC has it (RFC 9000 8.1).
  amplification: 3,
};

/** Points of `failures` that an outcome costs. */
export const COST = {
  wrongCredentials: 1,
  /** Cannot be read, or is answered 400. */
  malformed: 1,
  /** 403, 404, 484 ...: looking for what may be there. */
  refused: 0.5,
  /** Challenged; given back once somebody there proves an account. */
  challenged: 0.1,
  /** Names itself as a tool that looks for open servers. */
  scanner: 5,
} as const;
