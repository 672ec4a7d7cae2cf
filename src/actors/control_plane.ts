import type { DtlsState, EndpointStatistics, IceState, WorkerView } from "../rtp/media_port.ts";
import type { Result } from "../core/result.ts";
import type { Termination } from "../core/termination.ts";

/**
 * The control plane as REST and the pages see it: views to read, commands to send, facts to hear.
 */

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
  /** Null: audio passes as it is. */
  readonly transcoding: TranscodingView | null;
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
  /** Null: audio passes as it is. */
  readonly transcoding: TranscodingView | null;
  readonly statistics: EndpointStatistics | null;
}

/** A transcoder between a leg and whoever it talks with. */
export interface TranscodingView {
  /** What the leg's phone or browser sends and hears. */
  readonly from: string;
  /** What the other side does. */
  readonly to: string;
  /** How long audio waits in the jitter buffer, either way, ms; null before it is known. */
  readonly delayMs: number | null;
  /** Audio that was made up for what was lost or late, both ways, ms. */
  readonly concealedMs: number;
}

/** A codec of the transcoders, and what it is by or why it is missing. */
export interface CodecView {
  readonly codec: string;
  readonly available: boolean;
  /** `built in`, `libopus 1.3.1`, ... */
  readonly library: string | null;
  readonly why: string | null;
}

/** A digit that was pressed on either side (RFC 4733 event, or INFO). */
export interface DtmfView {
  readonly digit: string;
  /** ISO 8601. */
  readonly at: string;
  /** Who pressed it, as in `caller` and `callee`. */
  readonly from: string;
  readonly method: DtmfMethod;
}

/** The Web SDK's words: telephone-event, `application/dtmf`, `application/dtmf-relay`. */
export type DtmfMethod = "RFC2833" | "INFO" | "INFO_RELAY";

/** A transfer that this call asked for, or that was asked of it. */
export interface TransferView {
  /**
   * `requested`: the far party is to call `target`; `dialling`: this call's user is joined with it;
   * `replacing`: `target` has called in the place of the far party (RFC 3891); `bridging`: the far
   * party knows no REFER, so the server itself joins it with `target`.
   */
  readonly role: "requested" | "dialling" | "replacing" | "bridging";
  readonly target: string;
  readonly status: "trying" | "ringing" | "completed" | "failed";
  /** Of the call to `target`; null before it has one. */
  readonly sipStatus: number | null;
}

export interface CallView extends CallSummary {
  /** All SIP Call-IDs that this call has had, oldest first: one more with each transfer. */
  readonly sipCallIds: readonly string[];
  /** What the far side pressed, the last 64. */
  readonly dtmf: readonly DtmfView[];
  /** The latest one; null for none. */
  readonly transfer: TransferView | null;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly visibleName: string;
  /** Hold is two bits, one a side. */
  readonly hold: { readonly local: boolean; readonly remote: boolean };
  readonly answeredAt: string | null;
  readonly endedAt: string | null;
  readonly legs: readonly [WebrtcLegView | SipLegView, SipLegView];
  /**
   * What is wrong, in words, where something is (no packets from this side, ICE not connected ...).
   */
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
  /** Where the session is a client of a server of others; null: of this one. */
  readonly outside: OutsideView | null;
}

/** A session's registration at a server of others. */
export interface OutsideView {
  /** `host:port`. */
  readonly server: string;
  /** `none`: it calls without; `failing`: it was registered, and is tried again. */
  readonly registration: "none" | "registering" | "registered" | "failing";
  /** Why it fails; null: it does not. */
  readonly reason: string | null;
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

/** A way to a carrier or a gateway. */
export interface TrunkView {
  readonly name: string;
  readonly host: string;
  /** Null: by DNS. */
  readonly port: number | null;
  readonly transport: "udp" | "tcp" | "tls";
  /** Lower is tried first. */
  readonly priority: number;
  readonly state: "starting" | "up" | "down";
  /** Why it is down, in words. */
  readonly reason: string | null;
  /** When the present state began, ISO 8601. */
  readonly since: string;
  /** It is registered at the carrier. */
  readonly isRegistered: boolean;
  /** The only audio codecs in its calls, preferred first; null: all. */
  readonly codecs: readonly string[] | null;
  readonly dtmf: "rfc2833" | "info";
}

export interface HealthView {
  readonly status: "ok" | "degraded";
  /** Why it is degraded, in sentences; empty where it is not. */
  readonly reasons: readonly string[];
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly sessions: number;
  readonly calls: number;
  readonly workers: {
    readonly running: number;
    readonly total: number;
    /** Those whose calls outlive them: all with the fast shell, none with the portable one. */
    readonly adopting: number;
    /** How often one went on with the calls of another, since the start. */
    readonly adoptions: number;
  };
  /** What calls without a common codec are transcoded by; empty where that is off. */
  readonly codecs: readonly CodecView[];
}

/** A source that was held back: an IPv4 address or an IPv6 /64. */
export interface ProtectedSourceView {
  readonly source: string;
  /** `limited`: held back within the last minute; `free`: it was before. */
  readonly state: "limited" | "blocked" | "free";
  /** What it did, in words, and how often. */
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
  /** First and last time that it was held back, ISO 8601. */
  readonly since: string;
  readonly last: string;
  /** End of the block; null: none. */
  readonly until: string | null;
  readonly calls: number;
  /** Answered by 503. */
  readonly refused: number;
  /** Not answered. */
  readonly dropped: number;
  /** A source without points is blocked; they come back with time. */
  readonly failurePointsLeft: number;
}

/** What protects the server on SIP's wires, and whom it holds back. */
export interface ProtectionView {
  readonly overload: {
    readonly active: boolean;
    /** Sentences; empty where all is well. */
    readonly reasons: readonly string[];
    /** How late the event loop was when last looked at. */
    readonly lagMs: number;
    readonly transactions: number;
  };
  readonly limits: {
    readonly registrationsPerSecond: number;
    readonly requestsPerSecond: number;
    /** Points that a source may lose by failures. */
    readonly failures: number;
    readonly blockSeconds: number;
    readonly calls: number;
    readonly callsPerSource: number;
    readonly transactions: number;
    readonly lagMs: number;
  };
  /** Calls that came over wires. */
  readonly calls: number;
  readonly sources: readonly ProtectedSourceView[];
  readonly next: string | null;
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

export interface RegistrationQuery extends PageQuery {
  readonly user?: string;
  /** Words that all stand in AoR, Contact, source, transport or User-Agent; case does not matter. */
  readonly q?: string;
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

/** One column of a call's ladder. */
export interface LadderPartyView {
  readonly id: string;
  readonly kind: "session" | "wire" | "server";
  readonly name: string;
  /** Null: the server. */
  readonly transport: string | null;
  readonly address: string;
}

/** One SIP message of a call, on the hop inside the process or on the wire. */
export interface LadderMessage {
  /** Counts all messages of the process: the true order. */
  readonly sequence: number;
  readonly at: string;
  /** Since the first message of the call, ms. */
  readonly offsetMs: number;
  /** As the server sees it. */
  readonly direction: "send" | "receive";
  /** Ids of parties. */
  readonly from: string;
  readonly to: string;
  readonly transport: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Of a response: what it answers. */
  readonly method: string;
  readonly cseq: number | null;
  /** Null: a request. */
  readonly status: number | null;
  /** `INVITE`, or `180 Ringing`. */
  readonly summary: string;
  readonly hasSdp: boolean;
  /** What its session description means for the call, in words, where that is worth saying. */
  readonly note?: string;
  /** The whole message; secrets are asterisks. */
  readonly text: string;
}

export interface LadderView {
  readonly callId: string;
  readonly sipCallIds: readonly string[];
  /** Messages that had to make room. */
  readonly dropped: number;
  readonly parties: readonly LadderPartyView[];
  readonly messages: readonly LadderMessage[];
}

/** A refused command: a stable code, and a sentence. */
export interface CommandRefusal {
  readonly code: "not_found" | "conflict" | "invalid" | "ended";
  readonly text: string;
}

/** An account of our registrar, without its secrets. */
export interface AccountView {
  readonly name: string;
  /** `config`: it can be changed there only. */
  readonly source: "config" | "stored";
  /** What its user may do beside calling inside, such as `pstn`. */
  readonly rights: readonly string[];
  /** Its number on trunks. */
  readonly number: string | null;
  /** Places where it is registered now. */
  readonly bindings: number;
}

export interface AccountQuery extends PageQuery {
  readonly user?: string;
}

export interface NewAccount extends Partial<AccountGrants> {
  readonly name: string;
  readonly password: string;
}

export interface AccountGrants {
  /** What its owner may do, by words that the dial plan uses. */
  readonly rights: readonly string[];
  /** Its number on trunks; null: none. */
  readonly number: string | null;
}

/** Hears the outcome of a command that takes its time; later, once. */
export type Outcome = (result: Result<void, CommandRefusal>) => void;

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
    | "call.dtmf"
    | "call.transfer"
    | "call.ended"
    | "trunk.up"
    | "trunk.down"
    | "worker.started"
    | "worker.adopted"
    | "worker.died";
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ControlPlane {
  health(): HealthView;
  sessions(query: SessionQuery): Page<SessionView>;
  calls(query: CallQuery): Page<CallSummary>;
  /** Live calls, then the last 1,000 ended ones. */
  call(id: string): CallView | undefined;
  registrations(query: RegistrationQuery): Page<RegistrationView>;
  /** Whom the server holds back on SIP's wires, the latest first. */
  protection(query: PageQuery): ProtectionView;
  /** Forgives a source. */
  liftProtection(source: string): Result<void, CommandRefusal>;
  /** By priority. */
  trunks(): readonly TrunkView[];
  workers(): readonly WorkerView[];
  /** Replaces a media worker; its calls go on in the next one, where they can. */
  restartWorker(id: number): Result<void, CommandRefusal>;
  accounts(query: AccountQuery): Page<AccountView>;
  /** Only digests of the password are kept. */
  createAccount(account: NewAccount): Result<AccountView, CommandRefusal>;
  /** Asked for when its phones register the next time. */
  setAccountPassword(name: string, password: string): Result<void, CommandRefusal>;
  /** From its next call on. */
  grantAccount(name: string, grants: AccountGrants): Result<AccountView, CommandRefusal>;
  /** Its registrations end with it. */
  removeAccount(name: string): Result<void, CommandRefusal>;
  endCall(id: string): Result<void, CommandRefusal>;
  startCall(request: StartCall): Result<{ readonly callId: string }, CommandRefusal>;
  /** SIP messages of a call, as long as there is the call's view. */
  messages(id: string): LadderView | undefined;
  /** Presses digits in place of the call's client. */
  sendDtmf(id: string, digits: string, method: DtmfMethod): Result<void, CommandRefusal>;
  /** Holds or takes back; `done` hears the outcome once, after the re-INVITE or its deadline. */
  setHold(id: string, on: boolean, done: Outcome): void;
  /**
   * Asks that the far party is joined with `target` and this call ends; `done` hears once whether
   * that is under way. How it goes on is told by events and the call's view.
   */
  transferCall(id: string, target: string, done: Outcome): void;
  /** Ends a session and its calls. */
  endSession(id: string): Result<void, CommandRefusal>;
  /**
   * Hears facts from `after` on (the bus keeps the last 1,000). Returns how to stop hearing. A
   * listener that throws is dropped.
   */
  subscribe(after: number | undefined, listener: (event: DomainEvent) => void): () => void;
}
