/// <reference lib="dom" />
import type { Sdk, SdkCall, SdkConnection, SdkFailure, SdkSession, ServerMessage } from "./sdk.ts";
import { withTappedSocket } from "./sdk.ts";
import type { Settings } from "./settings.ts";

/** What the server says of a call that goes on. */
export interface CallNews {
  readonly caller: string;
  readonly callee: string;
  /** Status of a transfer that has just failed; 200: none has. */
  readonly sipStatus: number;
}

/** What the server said about the end of a call. */
export interface CallNote {
  /** 0: nothing. */
  readonly sipStatus: number;
  readonly info: string;
}

export interface LineEvents {
  established(connection: SdkConnection): void;
  registered(): void;
  closed(end: LineEnd): void;
  incoming(call: SdkCall, hasVideo: boolean): void;
  /** Before the SDK tells the call's status. */
  news(sdkCallId: string, news: CallNews): void;
  /** A refusal that belongs to no call and did not close the line. */
  warned(info: string): void;
}

export interface LineEnd {
  /** It was established before. */
  readonly wasUp: boolean;
  /** Name and password do not fit. */
  readonly isWrongPassword: boolean;
  /** No WebSocket came about, or it broke. */
  readonly isUnreachable: boolean;
  /** The server's words; empty where it gave none. */
  readonly info: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** From the attempt to `getUserData`. */
const ESTABLISH_TIMEOUT_MS = 15_000;
/** The server pings every 5 s; after four silent intervals the line is taken for dead. */
const PROBE_INTERVAL_MS = 5_000;
const PROBES = 4;
const NO_NOTE: CallNote = { sipStatus: 0, info: "" };
const MAX_NOTES = 100;

/**
 * One connection to the server, from the attempt to its end. `closed` comes exactly once, or never
 * after `close`.
 */
export class Line {
  #session: SdkSession | undefined;
  #isUp = false;
  #isOver = false;
  #lastInfo = "";
  #isWrongPassword = false;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  readonly #notes = new Map<string, CallNote>();
  readonly #withVideo = new Set<string>();

  constructor(readonly events: LineEvents) {}

  get session(): SdkSession | undefined {
    return this.#isOver ? undefined : this.#session;
  }

  /**
   * @param authToken empty: a fresh login
   * @param isTokenAlone send the token without the login, as Phone Min does
   * @throws what the browser says of a URL that it does not take
   */
  open(sdk: Sdk, settings: Settings, authToken: string, isTokenAlone: boolean): void {
    const session = withTappedSocket(
      (message) => this.#read(message),
      () =>
        sdk.createSession({
          urlServer: settings.serverUrl.trim(),
          keepAlive: true,
          timeout: CONNECT_TIMEOUT_MS,
          receiveProbes: PROBES,
          probesInterval: PROBE_INTERVAL_MS,
          ...(authToken === "" ? {} : { authToken }),
          ...(isTokenAlone ? {} : { sipOptions: sipOptionsOf(settings) }),
        }),
    );
    this.#session = session;
    this.#watchdog = setTimeout(() => {
      this.#end({ isUnreachable: false, info: "The server did not answer in time" });
      session.disconnect();
    }, ESTABLISH_TIMEOUT_MS);
    session
      .on("ESTABLISHED", (_session, connection) => {
        if (this.#isOver) return;
        clearTimeout(this.#watchdog);
        this.#isUp = true;
        this.events.established(connection ?? {});
      })
      .on("REGISTERED", () => {
        if (!this.#isOver) this.events.registered();
      })
      .on("DISCONNECTED", () => this.#end({ isUnreachable: false, info: this.#lastInfo }))
      .on("FAILED", () => this.#end({ isUnreachable: true, info: this.#lastInfo }))
      .on("WARN", (failure) => this.#warn(failure))
      .on("INCOMING_CALL", (call) => {
        if (!this.#isOver) this.events.incoming(call, this.#withVideo.has(call.id()));
      });
  }

  /** Ends it from this side; no event follows. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#watchdog);
    this.#session?.disconnect();
  }

  note(sdkCallId: string): CallNote {
    return this.#notes.get(sdkCallId) ?? NO_NOTE;
  }

  #end(end: Pick<LineEnd, "isUnreachable" | "info">): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#watchdog);
    const isWrongPassword = this.#isWrongPassword;
    this.events.closed({ ...end, wasUp: this.#isUp, isWrongPassword });
  }

  #warn(failure: SdkFailure): void {
    const info = failure.info ?? failure.status ?? "";
    if (failure.id !== undefined && failure.apiMethod === "CallStatusEvent") {
      this.#addNote(failure.id, failure.sipStatus ?? 0, info);
      return;
    }
    this.#lastInfo = info;
    if (failure.status === "AUTHENTICATION_FAIL") this.#isWrongPassword = true;
    // A refused login is followed by the end of the line, which tells it.
    if (this.#isUp && !this.#isOver) this.events.warned(info);
  }

  #read({ name, first }: ServerMessage): void {
    const id = first["callId"];
    if (typeof id !== "string") return;
    if (name === "notifyIncomingCall" && first["hasVideo"] === true) this.#withVideo.add(id);
    const { sipStatus, info, caller, callee } = first;
    if (name === "talk" || name === "hold") {
      this.events.news(id, {
        caller: typeof caller === "string" ? caller : "",
        callee: typeof callee === "string" ? callee : "",
        sipStatus: typeof sipStatus === "number" ? sipStatus : 200,
      });
    }
    if (name !== "finish" && name !== "busy") return;
    this.#withVideo.delete(id);
    this.#addNote(
      id,
      typeof sipStatus === "number" ? sipStatus : 0,
      typeof info === "string" ? info : "",
    );
  }

  /** The first words are the most exact ones; `finish` only fills what is missing. */
  #addNote(id: string, sipStatus: number, info: string): void {
    const known = this.note(id);
    this.#notes.set(id, {
      sipStatus: known.sipStatus || sipStatus,
      info: known.info || info,
    });
    if (this.#notes.size > MAX_NOTES) {
      const oldest = this.#notes.keys().next().value;
      if (oldest !== undefined) this.#notes.delete(oldest);
    }
  }
}

function sipOptionsOf(settings: Settings) {
  const login = settings.login.trim();
  return {
    login,
    authenticationName: settings.authName.trim() || login,
    password: settings.password,
    domain: settings.domain.trim(),
    outboundProxy: settings.outboundProxy.trim() || settings.domain.trim(),
    port: settings.port.trim(),
    registerRequired: settings.isRegisterRequired,
  };
}
