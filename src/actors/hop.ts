import type { Clock } from "../core/clock.ts";
import type { SipMessage } from "../sip/message/mod.ts";
import type { Flow } from "../sip/stack.ts";

/**
 * What carries serialised messages between our user agents and our proxy. In production nothing is
 * lost and it counts as TCP; the simulator loses, repeats and reorders, and calls it UDP.
 */
export interface Hop {
  readonly transport: "TCP" | "UDP";
  /** Calls `deliver` later, at least never if the message gets lost. */
  carry(deliver: () => void): void;
}

/** Delivers in order, after the present event is through. */
export function memoryHop(clock: Clock): Hop {
  return { transport: "TCP", carry: (deliver) => clock.defer(deliver) };
}

export interface HopMessage {
  readonly flow: Flow;
  /** Who sends it: a user agent to the proxy, or the proxy to a user agent. */
  readonly sender: "agent" | "proxy";
  readonly message: SipMessage;
}
