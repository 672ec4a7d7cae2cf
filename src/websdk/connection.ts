import type {
  ClientCommand,
  ClientConnection,
  ClientNotice,
  DisconnectReason,
  SessionHandle,
  Sessions,
} from "../actors/client.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { CallId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import { CallBook } from "./call_book.ts";
import { callFailure, connectionFailure, registrationFailure } from "./call_messages.ts";
import type { WireFault } from "./codec.ts";
import { decode, encode } from "./codec.ts";
import { toCallCommand, toDtmfCommand, toRefusedCall, toTransferCommand } from "./commands.ts";
import type { WebSdkOptions } from "./options.ts";
import { MAX_EARLY_NOTICES, MAX_LOGGED_FAULTS, MAX_UNKNOWN_NAMES } from "./options.ts";
import { toProfile } from "./profile.ts";
import { RateLimit } from "./rate_limit.ts";
import { answerSideMessage } from "./side_messages.ts";
import type { CallData, ClientMessage, ConnectionData, ServerMessage } from "./wire.ts";

/** One WebSocket as its shell offers it. */
export interface ClientSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  readonly remoteAddress: string;
  /** Bytes that wait to be sent; absent where the shell cannot say. */
  readonly bufferedAmount?: number;
}

export interface WebSdkConnectionPorts {
  readonly socket: ClientSocket;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly options: WebSdkOptions;
  readonly log: Log;
}

/** WebSocket close codes (RFC 6455 7.4.1). */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const POLICY = 1008;
const TOO_BIG = 1009;
const INTERNAL = 1011;

const FAREWELLS: Readonly<Record<DisconnectReason, string | null>> = {
  replaced: "This session was connected from another place, which took its connection over",
  // The client has had the failure itself.
  registration_failed: null,
  operator: "An operator ended this session",
  shutdown: "The server is shutting down",
  internal_error: "A fault in the server ended this session",
};

/**
 * One client's socket and the session behind it. Frames go in by `receive` in the order in which
 * they came, so what was sent before a close is done before the close. No frame can do more harm
 * than end this very socket.
 */
export class WebSdkConnection implements ClientConnection {
  readonly #socket: ClientSocket;
  readonly #sessions: Sessions;
  readonly #clock: Clock;
  readonly #options: WebSdkOptions;
  readonly #log: Log;
  readonly #rate: RateLimit;
  readonly #calls: CallBook;
  readonly #unknownNames = new Set<string>();
  /** `closed` is final; `open`: the client has its `getUserData`. */
  #state: "waiting" | "open" | "closed" = "waiting";
  #session: SessionHandle | undefined;
  #early: ClientNotice[] = [];
  #timer: Timer | undefined;
  #unansweredPings = 0;
  #faults = 0;

  constructor({ socket, sessions, clock, options, log }: WebSdkConnectionPorts) {
    this.#socket = socket;
    this.#sessions = sessions;
    this.#clock = clock;
    this.#options = options;
    this.#log = log;
    const { frameRate, frameBurst, connectTimeout } = options.limits;
    this.#rate = new RateLimit(frameRate, frameBurst, clock.now());
    this.#calls = new CallBook((message) => this.#send(message), options.busyStatus, log);
    this.#timer = clock.setTimeout(() => {
      this.#refuse("No connection message came in time");
    }, connectTimeout);
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  /** One text frame from the client. Never throws. */
  receive(frame: string): void {
    if (this.#state === "closed") return;
    const { frameLength, firstFrameLength } = this.#options.limits;
    const allowed = this.#state === "waiting" ? firstFrameLength : frameLength;
    if (frame.length > allowed) {
      this.#log.warn("a frame is too long", { length: frame.length, allowed });
      return this.#end(TOO_BIG, "frame too long");
    }
    if (!this.#rate.admit(frame.length, this.#clock.now())) {
      this.#log.warn("a client sends too much", { remoteAddress: this.remoteAddress });
      return this.#end(POLICY, "too many messages");
    }
    try {
      const decoded = decode(frame);
      if (decoded.ok) this.#handle(decoded.value);
      else this.#onFault(decoded.error);
    } catch (error) {
      // Our own fault; whoever is behind another socket must not pay for it.
      this.#log.error("a frame could not be handled", { error });
      this.#end(INTERNAL, "internal error");
    }
  }

  /** The socket is gone: whichever side closed it, or the network. */
  closed(): void {
    this.#leave();
  }

  /** A notice before `getUserData` waits for it: the SDK knows no session until then. */
  notify(notice: ClientNotice): void {
    if (this.#state === "open") this.#tell(notice);
    else if (this.#state === "waiting" && this.#early.length < MAX_EARLY_NOTICES) {
      this.#early.push(notice);
    }
  }

  /** The session lets go of this connection: it is not told of the close (`detach`) any more. */
  disconnect(reason: DisconnectReason): void {
    if (this.#state === "closed") return;
    this.#session = undefined;
    for (const notice of this.#early.splice(0)) this.#tell(notice);
    const farewell = FAREWELLS[reason];
    if (farewell !== null) this.#send(connectionFailure(farewell));
    this.#end(reason === "shutdown" ? GOING_AWAY : NORMAL, reason);
  }

  #handle(message: ClientMessage): void {
    switch (message.message) {
      case "connection":
        return this.#connect(message.data, message.raw);
      case "pong":
        this.#unansweredPings = 0;
        return;
      case "ping":
        // Needs no answer: our own pings are the sign of life that the SDK counts.
        return;
      case "connectMediaTransport":
        // Belongs on a socket of its own, for players that are not served.
        if (this.#state === "waiting") this.#end(NORMAL, "no media over WebSocket");
        return;
      case "unknown":
        return this.#onUnknown(message.name);
    }
    if (!this.#session) {
      this.#log.debug("ignored a message before connection", { message: message.message });
      return;
    }
    const answers = answerSideMessage(message);
    if (answers) { for (const answer of answers) this.#send(answer); }
    else this.#command(this.#session, message);
  }

  #connect(data: ConnectionData, raw: unknown): void {
    if (this.#state !== "waiting" || this.#session) {
      this.#log.debug("ignored a second connection message");
      return;
    }
    if (data.authToken) {
      const resumed = this.#sessions.resume(data.authToken, this);
      if (resumed) return this.#open(resumed);
      // iOS sends both, and is a newcomer once its token has run out.
      if (!data.sipLogin) {
        return this.#refuse(
          "authToken: unknown or expired, connect again with login and password",
          "authToken",
        );
      }
    }
    const profile = toProfile(data, raw, this.#options);
    if (!profile.ok) return this.#refuse(profile.error.text, profile.error.field);
    const opened = this.#sessions.open(profile.value, this);
    if (opened.ok) return this.#open(opened.value);
    const { field, text } = opened.error;
    this.#refuse(text.includes(field) ? text : `${field}: ${text}`, field);
  }

  #open(session: SessionHandle): void {
    // Ended while the session was made: by a dead socket, or by the session itself.
    if (this.#isClosed()) return session.detach();
    this.#session = session;
    this.#state = "open";
    const { profile, authToken } = session;
    this.#send({
      message: "getUserData",
      data: [{ sipLogin: profile.login, ...profile.echo, status: "ESTABLISHED", authToken }],
    });
    this.#schedulePing();
    for (const notice of this.#early.splice(0)) this.#tell(notice);
    if (!this.#isClosed()) session.ready();
  }

  #command(session: SessionHandle, message: ClientMessage): void {
    switch (message.message) {
      case "call":
        return this.#call(session, message.data);
      case "answer":
        return this.#pass(session, this.#calls.answer(message.data.callId, message.data.sdp));
      case "hangup":
        return this.#pass(session, this.#calls.hangup(message.data.callId));
    }
    if (!("data" in message) || message.data === null || !("callId" in message.data)) return;
    if (!this.#calls.isUnderWay(message.data.callId)) return;
    const callId = message.data.callId as CallId;
    switch (message.message) {
      case "hold": {
        const forTransfer = message.data.holdForTransfer ?? false;
        return session.command({ type: "hold", callId, forTransfer });
      }
      case "unhold":
        return session.command({ type: "unhold", callId });
      case "sendDtmf":
        return this.#pass(session, toDtmfCommand(message.data));
      case "transfer": {
        const command = toTransferCommand(message.data);
        if (command.ok) session.command(command.value);
        else this.#send(callFailure(callId, command.error.text));
      }
    }
  }

  #call(session: SessionHandle, data: CallData): void {
    if (this.#calls.has(data.callId)) {
      this.#log.debug("ignored a call that there is already", { callId: data.callId });
      return;
    }
    const refused = toRefusedCall(data.callId, data.callee, session.profile);
    const { calls } = this.#options.limits;
    if (this.#calls.size >= calls) {
      return this.#calls.refuse(refused, 503, `A client may have ${calls} calls at a time`);
    }
    const command = toCallCommand(data);
    if (!command.ok) return this.#calls.refuse(refused, 400, command.error.text);
    this.#calls.start(data.callId);
    session.command(command.value);
  }

  #pass(session: SessionHandle, command: ClientCommand | undefined): void {
    if (command) session.command(command);
  }

  /**
   * A frame that does not fit. Where somebody waits for an answer there is one: a `call` fails, a
   * `connection` is refused, an `answer` ends its own call. The rest is ignored (protocol
   * description 1.1: ignore and log, do not close).
   */
  #onFault(fault: WireFault): void {
    this.#faults++;
    if (this.#faults <= MAX_LOGGED_FAULTS) {
      this.#log.info("a frame does not fit", { kind: fault.kind, text: fault.text });
    }
    const session = this.#session;
    if (fault.message === "connection" && !session) return this.#refuse(fault.text, fault.field);
    if (!session) return;
    if (fault.message === "call") {
      if (fault.callId === undefined) this.#send(callFailure("", fault.text));
      else if (!this.#calls.has(fault.callId)) {
        this.#calls.refuse(toRefusedCall(fault.callId, "", session.profile), 400, fault.text);
      }
    }
    if (fault.message === "answer" && fault.callId !== undefined) {
      this.#pass(session, this.#calls.answer(fault.callId, "", fault.text));
    }
  }

  #onUnknown(name: string): void {
    const short = name.slice(0, 64);
    if (this.#unknownNames.size >= MAX_UNKNOWN_NAMES || this.#unknownNames.has(short)) return;
    this.#unknownNames.add(short);
    this.#log.info("ignored an unknown message", { message: short });
  }

  #tell(notice: ClientNotice): void {
    switch (notice.type) {
      case "registered":
        return this.#send({
          message: "registered",
          data: [{ status: "REGISTERED", sipMessageRaw: null }],
        });
      case "registrationFailed":
        return this.#send(
          registrationFailure(notice.sipStatus, notice.authentication, notice.text),
        );
      default:
        this.#calls.notify(notice);
    }
  }

  #schedulePing(): void {
    if (this.#isClosed()) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.#ping(), this.#options.limits.pingInterval);
  }

  #ping(): void {
    if (this.#unansweredPings >= this.#options.limits.pingProbes) {
      this.#log.info("a client is gone: no pong", { remoteAddress: this.remoteAddress });
      return this.#end(NORMAL, "no pong");
    }
    this.#unansweredPings++;
    this.#send({ message: "ping", data: [null] });
    this.#schedulePing();
  }

  #send(message: ServerMessage): void {
    if (this.#isClosed()) return;
    const waiting = this.#socket.bufferedAmount ?? 0;
    if (waiting > this.#options.limits.bufferedBytes) {
      this.#log.warn("a client does not read", { remoteAddress: this.remoteAddress, waiting });
      return this.#end(POLICY, "client does not read");
    }
    try {
      this.#socket.send(encode(message));
    } catch (error) {
      this.#log.debug("the socket takes nothing any more", { error });
      this.#end(NORMAL, "socket closed");
    }
  }

  /** A client that gets no session: told why, and closed, so that its page leaves "connecting". */
  #refuse(info: string, field?: string): void {
    this.#log.info("refused a client", { remoteAddress: this.remoteAddress, info });
    this.#send(connectionFailure(info, field));
    this.#end(NORMAL, "connection refused");
  }

  #end(code: number, reason: string): void {
    if (this.#isClosed()) return;
    this.#leave();
    try {
      this.#socket.close(code, reason);
    } catch (error) {
      this.#log.debug("the socket was closed already", { error });
    }
  }

  /** Once: nothing goes out or comes in any more, and the session knows. */
  #leave(): void {
    if (this.#isClosed()) return;
    this.#state = "closed";
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#early = [];
    const session = this.#session;
    this.#session = undefined;
    try {
      session?.detach();
    } catch (error) {
      this.#log.error("a session could not be told that its client left", { error });
    }
  }

  // A method, because a comparison would narrow the type across calls that change the state.
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
