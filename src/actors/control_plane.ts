import type { DtlsState, EndpointStatistics, IceState, WorkerView } from "../rtp/media_port.ts";
import type { Result } from "../core/result.ts";
import type { Termination } from "../core/termination.ts";

/** The control plane as REST and the pages see it: views to read, commands to send, facts to hear. */

/** Glossary words; `docs/glossary.md`. */
export type CallState = "trying" | "ringing" | "active" | "held" | "ending" | "ended";
/** `transit`: between two wire sides; no session has part in it. */
export type Direction = "inbound" | "outbound" | "transit";

export interface CallSummary {
  readonly id: string;
  /** Empty for a transit call. */
  readonly sessionId: string;
  readonly direction: Direction;
  readonly caller: string;
  readonly callee: string;
  readonly state: CallState;
  /** When the present state began, ISO 8601. */
  readonly since: string;
  /** When the call began, ISO 8601. */
  readonly startedAt: string;
  readonly sipCallId: string;
  /** Negotiated codec names, audio first; empty before the answer. */
  readonly codecs: readonly string[];
  /** The other client's call of the same conversation, where it is ours. */
  readonly peerCallId: string | null;
  /** Packets missing in what this client sent, percent of what was expected. */
  readonly lossPercent: number;
  readonly termination: Termination | null;
}

export interface WebrtcLegView {
  readonly kind: "webrtc";
  readonly codecs: readonly string[];
  readonly ice: IceState;
  readonly dtls: DtlsState;
  readonly remoteAddress: string | null;
  readonly worker: number | null;
  readonly statistics: EndpointStatistics | null;
}

export interface SipLegView {
  readonly kind: "sip";
  /** RFC 3261 12: early, confirmed; before and after: none, terminated. */
  readonly dialogState: "none" | "early" | "confirmed" | "terminated";
  readonly localTag: string;
  readonly remoteTag: string | null;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly nextHop: string;
  readonly codecs: readonly string[];
  /** Where the dialog crosses a wire and media is ours or passes by us; null before it is known. */
  readonly media?: SipMediaView | null;
}

/** The media of a SIP leg: RTP, WebRTC, or past us from wire side to wire side. */
export interface SipMediaView {
  readonly kind: "rtp" | "webrtc" | "direct";
  readonly codecs: readonly string[];
  /** `address:port`. */
  readonly remoteAddress: string | null;
  readonly localAddress: string | null;
  readonly worker: number | null;
  readonly isSecure: boolean;
  readonly statistics: EndpointStatistics | null;
}

export interface CallView extends CallSummary {
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly visibleName: string;
  /** Hold is two bits, one a side. */
  readonly hold: { readonly local: boolean; readonly remote: boolean };
  readonly answeredAt: string | null;
  readonly endedAt: string | null;
  readonly legs: readonly [WebrtcLegView | SipLegView, SipLegView];
  /** What is wrong, in words, where something is (no packets from this side, ICE not connected ...). */
  readonly warnings: readonly string[];
  readonly custom: unknown;
  readonly inviteParameters: Readonly<Record<string, string>> | null;
}

export interface SessionView {
  readonly id: string;
  readonly login: string;
  readonly domain: string;
  readonly port: number;
  readonly state: "connecting" | "established" | "registered" | "detached" | "ended";
  readonly since: string;
  readonly remoteAddress: string | null;
  readonly client: string;
  readonly calls: number;
}

/** One binding of our registrar. */
export interface RegistrationView {
  readonly aor: string;
  readonly contact: string;
  readonly sessionId: string | null;
  readonly source: string;
  readonly transport: string;
  readonly expiresAt: string;
  readonly userAgent: string | null;
}

export interface HealthView {
  readonly status: "ok" | "degraded";
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly sessions: number;
  readonly calls: number;
  readonly workers: { readonly running: number; readonly total: number };
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; hand it in as `cursor` for the next page. */
  readonly next: string | null;
}

export interface PageQuery {
  readonly cursor?: string;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface CallQuery extends PageQuery {
  readonly state?: CallState;
  /** Caller or callee. */
  readonly user?: string;
}

export interface SessionQuery extends PageQuery {
  readonly state?: SessionView["state"];
  readonly user?: string;
}

export interface StartCall {
  /** Chosen by whoever asks; a new UUID where absent. */
  readonly callId?: string;
  /** Login of the connected session that rings first. */
  readonly login: string;
  readonly callee: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly visibleName?: string;
  readonly inviteParameters?: Readonly<Record<string, string>>;
  readonly custom?: unknown;
}

/** A refused command: a stable code, and a sentence. */
export interface CommandRefusal {
  readonly code: "not_found" | "conflict" | "invalid" | "ended";
  readonly text: string;
}

/** A fact for the outside, numbered without gaps. */
export interface DomainEvent {
  readonly sequence: number;
  readonly at: string;
  readonly type:
    | "session.opened"
    | "session.registered"
    | "session.detached"
    | "session.ended"
    | "call.started"
    | "call.ringing"
    | "call.connected"
    | "call.held"
    | "call.unheld"
    | "call.ended"
    | "worker.started"
    | "worker.died";
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ControlPlane {
  health(): HealthView;
  sessions(query: SessionQuery): Page<SessionView>;
  calls(query: CallQuery): Page<CallSummary>;
  /** Live calls, then the last 1,000 ended ones. */
  call(id: string): CallView | undefined;
  registrations(query: PageQuery & { readonly user?: string }): Page<RegistrationView>;
  workers(): readonly WorkerView[];
  endCall(id: string): Result<void, CommandRefusal>;
  startCall(request: StartCall): Result<{ readonly callId: string }, CommandRefusal>;
  /** Ends a session and its calls. */
  endSession(id: string): Result<void, CommandRefusal>;
  /**
   * Hears facts from `after` on (the bus keeps the last 1,000). Returns how to stop hearing. A listener
   * that throws is dropped.
   */
  subscribe(after: number | undefined, listener: (event: DomainEvent) => void): () => void;
}
