import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { CallId, SessionId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import type { EndpointHandle, MediaPort } from "../rtp/media_port.ts";
import type { Credentials } from "../sip/user_agent/credentials.ts";
import type { Identity, InviteUsage } from "../sip/user_agent/invite_usage.ts";
import type { IncomingInvite, UserAgent } from "../sip/user_agent/user_agents.ts";
import { createResponse } from "../sip/message/mod.ts";
import type { ClientNotice } from "./client.ts";
import type { DomainEvent } from "./control_plane.ts";

/** Limits of time and policy for calls; all times in ms. */
export interface CallOptions {
  readonly ringTimeoutMs: number;
  /** From the browser's description to ICE and DTLS connected. */
  readonly setupTimeoutMs: number;
  /** No packet from a browser that is not on hold. */
  readonly silenceTimeoutMs: number;
  /** Status of a callee who hangs up while it rings: 603 or 486. */
  readonly rejectStatus: number;
}

/** What the machines of a call may do to the world. */
export interface CallPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly media: MediaPort;
  readonly options: CallOptions;
  /** To the client of the call's session; dropped where none is connected. */
  notify(notice: ClientNotice): void;
  publish(type: DomainEvent["type"], data: DomainEvent["data"]): void;
  /** Told of every state that a machine enters; a test's hook. */
  trace?(machine: string, state: string): void;
}

/** The session's side of a call. */
export interface CallParty {
  readonly sessionId: SessionId;
  readonly agent: UserAgent;
  readonly identity: Identity;
  readonly credentials: Credentials | null;
}

/** How a call comes into being. */
export type CallOrigin =
  /** A client's `call`. */
  | { readonly type: "client"; readonly sdp: string; readonly sipSdp: readonly string[] }
  /** An INVITE to this session. */
  | { readonly type: "invite"; readonly invite: IncomingInvite }
  /** An operator's: the session rings first, then the callee. */
  | { readonly type: "startup"; readonly hasVideo: boolean };

export interface CallInput {
  readonly callId: CallId;
  readonly sipCallId: string;
  readonly ports: CallPorts;
  readonly party: CallParty;
  readonly origin: CallOrigin;
  readonly resources: CallResources;
  readonly caller: string;
  readonly callee: string;
  /** Request-URI of the INVITE to send; empty for an inbound call. */
  readonly target: string;
  readonly visibleName: string;
  readonly inviteParameters: Readonly<Record<string, string>> | null;
  readonly custom: unknown;
}

/**
 * What a call holds outside its machines. A machine that dies of a fault can't let go of anything, so
 * the supervisor does it by this record: the call's will.
 */
export interface CallResources {
  /** An INVITE that no dialog has taken yet. */
  unanswered: { readonly agent: UserAgent; readonly invite: IncomingInvite } | null;
  usage: InviteUsage | null;
  endpoint: EndpointHandle | null;
}

export function noResources(): CallResources {
  return { unanswered: null, usage: null, endpoint: null };
}

/** Lets go of all that is left, in the order of `docs/closures.md`; never throws. */
export function releaseResources(resources: CallResources, sipStatus: number, log: Log): void {
  const { unanswered, usage, endpoint } = resources;
  resources.unanswered = null;
  resources.usage = null;
  resources.endpoint = null;
  const attempt = (what: string, release: () => void) => {
    try {
      release();
    } catch (error) {
      log.error(`could not let go of ${what}`, { error });
    }
  };
  if (unanswered) {
    attempt("an INVITE", () => {
      const { agent, invite } = unanswered;
      const toTag = agent.token(64);
      agent.respond(invite.id, createResponse(invite.request, sipStatus, undefined, { toTag }));
    });
  }
  if (usage) attempt("the SIP dialog", () => usage.abandon(sipStatus));
  if (endpoint) attempt("the media endpoint", () => endpoint.close());
}
