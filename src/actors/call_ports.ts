import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { CallId, EndpointToken, SessionId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import type { Result } from "../core/result.ts";
import type { EndpointHandle, MediaPort } from "../rtp/media_port.ts";
import type { SessionTimerWish } from "../sip/user_agent/session_timer.ts";
import type { Credentials } from "../sip/user_agent/credentials.ts";
import type { Identity, InviteUsage } from "../sip/user_agent/invite_usage.ts";
import type { IncomingInvite, UserAgent } from "../sip/user_agent/user_agent.ts";
import { createResponse } from "../sip/message/mod.ts";
import type { ClientNotice } from "./client.ts";
import type { DomainEvent, SipMediaView } from "./control_plane.ts";
import type { AnchorDialog } from "./edge/contract.ts";
import type { Callee } from "./routing.ts";

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

/** Rights of whoever asks for a transfer; names are URIs. */
export interface TransferRights {
  mayTransfer(transferor: string, target: string): boolean;
  /** The INVITE of this Call-ID is sent by the rights of `transferor`, until `takeBack`. */
  lend(callId: string, transferor: string): void;
  takeBack(callId: string): void;
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
  /** What the user of this session means by `text`. */
  parseTarget(text: string): Result<Callee, string>;
  /** Whose rights count where somebody is sent to call somebody else. */
  readonly rights: TransferRights;
  /** Codecs between which calls can be transcoded; absent: none. */
  transcodable?(): ReadonlySet<string>;
  /** Telephone-events towards the far side of this call, whose endpoint is named. */
  sendDtmf(peer: EndpointToken, digits: string): void;
  /** The call has a dialog of another Call-ID now, beside those that it had. */
  joined(sipCallId: string): void;
  /** The call goes on without its client. */
  leftClient(): void;
  publish(type: DomainEvent["type"], data: DomainEvent["data"]): void;
  /** Media where a dialog crosses a wire; undefined: it crosses none. */
  wireMedia?(dialog: AnchorDialog): SipMediaView | null | undefined;
  /** Told of every state that a machine enters; a test's hook. */
  trace?(machine: string, state: string): void;
}

/** The session's side of a call. */
export interface CallParty {
  readonly sessionId: SessionId;
  readonly agent: UserAgent;
  readonly identity: Identity;
  readonly credentials: Credentials | null;
  /** Absent: who vanishes is noticed by his media alone. */
  readonly sessionTimer?: SessionTimerWish;
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

/** One SIP dialog of a call, and what it is to the call. */
export interface DialogResources {
  /**
   * `next`: of a transfer that may come to nothing, `former`: one that a transfer has replaced,
   * `bridged`: of the party that talks with the current one's. The call hears the current one as
   * its own.
   */
  role: "current" | "next" | "former" | "bridged";
  /** An INVITE that no dialog has taken yet. */
  unanswered: { readonly agent: UserAgent; readonly invite: IncomingInvite } | null;
  usage: InviteUsage | null;
  /** Gives back the rights by which its INVITE was sent. */
  takeBack: (() => void) | null;
}

/**
 * What a call holds outside its machines. A machine that dies of a fault can't let go of anything,
 * so the supervisor does it by this record: the call's will.
 */
export interface CallResources {
  dialog: DialogResources;
  /** Dialogs that come or go with a transfer. */
  readonly others: Set<DialogResources>;
  endpoint: EndpointHandle | null;
}

export function noDialog(role: DialogResources["role"]): DialogResources {
  return { role, unanswered: null, usage: null, takeBack: null };
}

export function noResources(): CallResources {
  return { dialog: noDialog("current"), others: new Set(), endpoint: null };
}

/** Lets go of all that is left, in the order of `docs/closures.md`; never throws. */
export function releaseResources(resources: CallResources, sipStatus: number, log: Log): void {
  const { dialog, others, endpoint } = resources;
  const dialogs = [dialog, ...others];
  others.clear();
  resources.endpoint = null;
  for (const each of dialogs) releaseDialog(each, sipStatus, log);
  if (endpoint) attempt("the media endpoint", log, () => endpoint.close());
}

/** Answers an INVITE that nobody has taken. */
export function refuseInvite(agent: UserAgent, invite: IncomingInvite, status: number): void {
  const toTag = agent.token(64);
  agent.respond(invite.id, createResponse(invite.request, status, undefined, { toTag }));
}

function releaseDialog(dialog: DialogResources, sipStatus: number, log: Log): void {
  const { unanswered, usage, takeBack } = dialog;
  dialog.unanswered = null;
  dialog.usage = null;
  dialog.takeBack = null;
  if (unanswered) {
    attempt("an INVITE", log, () => refuseInvite(unanswered.agent, unanswered.invite, sipStatus));
  }
  if (takeBack) attempt("lent rights", log, takeBack);
  if (usage) attempt("the SIP dialog", log, () => usage.abandon(sipStatus));
}

function attempt(what: string, log: Log, release: () => void): void {
  try {
    release();
  } catch (error) {
    log.error(`could not let go of ${what}`, { error });
  }
}
