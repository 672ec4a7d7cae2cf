import type { Result } from "../core/result.ts";
import type {
  CallState,
  CallSummary,
  CallView,
  DtmfMethod,
  LadderView,
} from "./control_plane_calls.ts";
import type {
  AccountView,
  CodecWorkerView,
  HealthView,
  MediaWorkerView,
  ProtectionView,
  RegistrationView,
  SessionView,
  TrunkView,
} from "./control_plane_server.ts";

export type * from "./control_plane_calls.ts";
export type * from "./control_plane_server.ts";

/**
 * The control plane as REST and the pages see it: views to read, commands to send, facts to hear.
 */

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

/** A refused command: a stable code, and a sentence. */
export interface CommandRefusal {
  readonly code: "not_found" | "conflict" | "invalid" | "ended";
  readonly text: string;
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
    | "worker.replaced"
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
  /** Those of media first. */
  workers(): readonly (MediaWorkerView | CodecWorkerView)[];
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
