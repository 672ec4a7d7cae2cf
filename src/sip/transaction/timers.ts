/** Named base values of SIP's timers, ms (RFC 3261 17, table 4; RFC 6026). */
export interface SipTimers {
  /** Round-trip estimate: first retransmission interval. */
  readonly t1: number;
  /** Longest interval between retransmissions of non-INVITE requests and INVITE responses. */
  readonly t2: number;
  /** How long a message can stay in the network. */
  readonly t4: number;
  /** How long an INVITE server transaction waits for its user before it says 100 (17.2.1). */
  readonly trying: number;
  /** Timer C: how long a proxy's INVITE branch may ring (16.6 step 11: more than 3 minutes). */
  readonly c: number;
}

export const DEFAULT_TIMERS: SipTimers = {
  t1: 500,
  t2: 4_000,
  t4: 5_000,
  trying: 200,
  c: 185_000,
};

/**
 * Letters are the RFC's; `100` sends Trying; `cancel` ends an INVITE whose CANCEL had no effect
 * (9.1).
 */
export type TimerName =
  | "A"
  | "B"
  | "D"
  | "E"
  | "F"
  | "G"
  | "H"
  | "I"
  | "K"
  | "L"
  | "M"
  | "100"
  | "cancel";

/** Timers B, F, H, J, L, M: the life of a transaction without news. */
export function transactionTimeout(timers: SipTimers): number {
  return 64 * timers.t1;
}

/** Timer D: at least 32 s over unreliable transports, 0 otherwise (17.1.1.2). */
export function timerD(timers: SipTimers, reliable: boolean): number {
  return reliable ? 0 : Math.max(32_000, 64 * timers.t1);
}
