import type { Termination } from "../core/termination.ts";
import type { Result } from "../core/result.ts";
import type { CallId, SessionId } from "../core/ids.ts";
import type { DtmfMethod } from "./control_plane.ts";

/**
 * What passes between a client's connection (any wire protocol) and its session actor. The actors
 * know nothing of frames and JSON; `websdk/` translates.
 */

/** Who a client says it is, validated (design section 9). */
export interface SessionProfile {
  readonly appKey: string;
  /** User part of the AoR, as the client wrote it. */
  readonly login: string;
  readonly authName: string;
  readonly password: string;
  readonly domain: string;
  readonly outboundProxy: string;
  /** 0: SIP Port 0, our own proxy without an account. */
  readonly port: number;
  /** The session is a client of another server, `outboundProxy` at `port`; absent: of ours. */
  readonly isOutside?: true;
  readonly registerRequired: boolean;
  readonly visibleName: string | null;
  /** Keep the session for a later token when the socket goes. */
  readonly keepAlive: boolean;
  /** What `getUserData` echoes: the client's own object without the password. */
  readonly echo: Readonly<Record<string, unknown>>;
}

/**
 * From the client to its session. `callId` of an unknown call is ignored or answered, never an
 * error.
 */
export type ClientCommand =
  | {
    readonly type: "call";
    readonly callId: CallId;
    readonly callee: string;
    readonly sdp: string;
    readonly visibleName: string | null;
    /** Extra SDP lines for the SIP leg, checked. */
    readonly sipSdp: readonly string[];
    /** Extra INVITE headers, checked: neither core nor identity headers. */
    readonly inviteParameters: Readonly<Record<string, string>>;
    readonly custom: unknown;
    /** The user gave up before the offer was ready: answer `finished`, create nothing. */
    readonly alreadyCancelled: boolean;
  }
  | { readonly type: "answer"; readonly callId: CallId; readonly sdp: string }
  | { readonly type: "hangup"; readonly callId: CallId }
  | { readonly type: "hold"; readonly callId: CallId; readonly forTransfer: boolean }
  | { readonly type: "unhold"; readonly callId: CallId }
  | {
    readonly type: "dtmf";
    readonly callId: CallId;
    /** `0-9*#A-D`, at least one. */
    readonly digits: string;
    readonly method: DtmfMethod;
  }
  | { readonly type: "transfer"; readonly callId: CallId; readonly target: string };

/** A call as a client is told of it. */
export interface ClientCall {
  readonly callId: CallId;
  readonly incoming: boolean;
  readonly caller: string;
  readonly callee: string;
  readonly visibleName: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly inviteParameters: Readonly<Record<string, string>> | null;
  readonly custom: unknown;
}

/** From a session to its client. */
export type ClientNotice =
  | { readonly type: "registered" }
  | {
    readonly type: "registrationFailed";
    readonly sipStatus: number;
    /** True for 401, 403 and 407 after credentials were tried. */
    readonly authentication: boolean;
    readonly text: string;
  }
  | { readonly type: "trying"; readonly call: ClientCall }
  | {
    readonly type: "remoteDescription";
    readonly callId: CallId;
    readonly sdp: string;
    /** True: the client offered and this is the answer. */
    readonly isAnswer: boolean;
  }
  | { readonly type: "incoming"; readonly call: ClientCall }
  | { readonly type: "ringing"; readonly call: ClientCall; readonly sipStatus: number }
  | {
    readonly type: "talking" | "held";
    readonly call: ClientCall;
    /** SIP status of the transfer that has just failed and left the call as it was. */
    readonly transferStatus?: number;
  }
  | { readonly type: "finished"; readonly call: ClientCall; readonly termination: Termination };

/** Why the server closes a client's connection. */
export type DisconnectReason =
  | "replaced"
  | "registration_failed"
  | "operator"
  | "shutdown"
  | "internal_error";

/** One live connection as its session sees it. */
export interface ClientConnection {
  notify(notice: ClientNotice): void;
  disconnect(reason: DisconnectReason): void;
  /** Address of the client, for the operators' view. */
  readonly remoteAddress: string;
}

/** What a connection may do with the session that it is attached to. */
export interface SessionHandle {
  readonly id: SessionId;
  readonly profile: SessionProfile;
  /** Opaque credential for a later `resume`. */
  readonly authToken: string;
  /**
   * To be called right after the client was told that it is connected: what waits (registration
   * state, ringing calls) is notified from here on.
   */
  ready(): void;
  command(command: ClientCommand): void;
  /** The connection is gone; what becomes of the session follows from its profile. */
  detach(): void;
}

/** Why a session could not be opened. `field` is the wire name of what is at fault. */
export interface SessionRefusal {
  readonly field: string;
  readonly text: string;
}

/** The door from the connections to the sessions. */
export interface Sessions {
  open(
    profile: SessionProfile,
    connection: ClientConnection,
  ): Result<SessionHandle, SessionRefusal>;
  /**
   * Attaches to a kept-alive session; the newest connection wins. Undefined: unknown or expired.
   */
  resume(authToken: string, connection: ClientConnection): SessionHandle | undefined;
}
