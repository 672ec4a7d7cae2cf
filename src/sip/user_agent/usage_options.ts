import type { Clock } from "../../core/clock.ts";
import { NameAddr } from "../message/mod.ts";
import type { Credentials } from "./credentials.ts";
import type { SessionTimerWish } from "./session_timer.ts";
import type { UsageHooks } from "./usage_events.ts";
import type { IncomingInvite, UserAgent } from "./user_agent.ts";

/** What an INVITE usage is begun with. */

export interface Identity {
  /** AoR as a URI, `sip:alice@portzero.local`. */
  readonly uri: string;
  readonly displayName: string | null;
}

export interface UsageOptions {
  readonly agent: UserAgent;
  readonly clock: Clock;
  readonly hooks?: UsageHooks;
  /** Absent: no session timer of our own accord (RFC 4028). */
  readonly sessionTimer?: SessionTimerWish;
}

export interface OutboundInvite extends UsageOptions {
  readonly local: Identity;
  readonly target: string;
  readonly callId: string;
  /** The offer; null: the callee offers, and `acknowledge` brings our answer. */
  readonly body: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials | null;
}

export interface InboundInvite extends UsageOptions {
  readonly invite: IncomingInvite;
}

/** From and To of a request of ours, without a tag. */
export function nameAddr(identity: Identity): string {
  const { uri, displayName } = identity;
  const parsed = NameAddr.parse(`<${uri}>`);
  return displayName === null || !parsed.ok
    ? `<${uri}>`
    : NameAddr.of({ displayName, uri: parsed.value.uri }).toString();
}
