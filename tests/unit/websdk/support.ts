import assert from "node:assert/strict";
import type {
  ClientCall,
  ClientCommand,
  ClientConnection,
  ClientNotice,
  SessionHandle,
  SessionProfile,
  SessionRefusal,
  Sessions,
} from "../../../src/actors/client.ts";
import type { CallId, SessionId } from "../../../src/core/ids.ts";
import type { LogFields } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { Result } from "../../../src/core/result.ts";
import { err, ok } from "../../../src/core/result.ts";
import type { ClientSocket } from "../../../src/websdk/connection.ts";
import { WebSdkConnection } from "../../../src/websdk/connection.ts";
import type { WebSdkLimits, WebSdkOptions } from "../../../src/websdk/options.ts";
import { DEFAULT_LIMITS } from "../../../src/websdk/options.ts";
import { serverSchemas } from "../../../src/websdk/wire.ts";

export type Frame = { message: string; data: unknown[] };

/** The server's end of a WebSocket. Every frame is checked against the wire's schemas. */
export class TestSocket implements ClientSocket {
  readonly remoteAddress = "127.0.0.1:50000";
  bufferedAmount = 0;
  broken = false;
  readonly frames: Frame[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  /** Hears each frame as it is sent. */
  onFrame: (text: string) => void = () => {};
  onClose: () => void = () => {};

  send(text: string): void {
    if (this.broken) throw new Error("the socket is not open");
    assert.equal(this.closes.length, 0, `frame after close: ${text}`);
    const frame = JSON.parse(text) as Frame;
    assert.ok(Array.isArray(frame.data), `data is no array: ${text}`);
    const schema = serverSchemas[frame.message as keyof typeof serverSchemas];
    assert.ok(schema, `not a server message: ${text}`);
    schema.parse(frame.data);
    this.frames.push(frame);
    this.onFrame(text);
  }

  close(code: number, reason: string): void {
    assert.ok(reason.length <= 123, "a close reason has at most 123 bytes");
    this.closes.push({ code, reason });
    this.onClose();
  }

  names(): string[] {
    return this.frames.map(({ message }) => message);
  }

  /** The first argument of the last frame of that name. */
  last(message: string): Record<string, unknown> {
    const frame = this.frames.findLast((candidate) => candidate.message === message);
    assert.ok(frame, `no ${message} among ${this.names().join(", ")}`);
    return frame.data[0] as Record<string, unknown>;
  }

  take(): Frame[] {
    return this.frames.splice(0);
  }
}

export class TestSession implements SessionHandle {
  readonly id: SessionId;
  readonly authToken: string;
  readonly log: string[] = [];
  readonly commands: ClientCommand[] = [];
  connection: ClientConnection;
  onReady: () => void = () => {};
  onCommand: (command: ClientCommand) => void = () => {};
  onDetach: () => void = () => {};

  constructor(readonly profile: SessionProfile, connection: ClientConnection, number: number) {
    this.id = `s${number}` as SessionId;
    this.authToken = `token-${number}`;
    this.connection = connection;
  }

  ready(): void {
    this.log.push("ready");
    this.onReady();
  }

  command(command: ClientCommand): void {
    this.log.push(command.type);
    this.commands.push(command);
    this.onCommand(command);
  }

  detach(): void {
    this.log.push("detach");
    this.onDetach();
  }
}

/** The sessions' side of the contract: keeps what comes, does what a test tells it. */
export class TestSessions implements Sessions {
  readonly opened: TestSession[] = [];
  refusal: SessionRefusal | undefined;
  /** Runs before `open` returns. */
  onOpen: (session: TestSession) => void = () => {};

  open(
    profile: SessionProfile,
    connection: ClientConnection,
  ): Result<SessionHandle, SessionRefusal> {
    if (this.refusal) return err(this.refusal);
    const session = new TestSession(profile, connection, this.opened.length + 1);
    this.opened.push(session);
    this.onOpen(session);
    return ok(session);
  }

  resume(authToken: string, connection: ClientConnection): SessionHandle | undefined {
    const session = this.opened.find((candidate) => candidate.authToken === authToken);
    if (!session) return undefined;
    const before = session.connection;
    session.connection = connection;
    before.disconnect("replaced");
    return session;
  }
}

export class TestLog {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  debug = (message: string, fields: LogFields = {}) => this.#add("debug", message, fields);
  info = (message: string, fields: LogFields = {}) => this.#add("info", message, fields);
  warn = (message: string, fields: LogFields = {}) => this.#add("warn", message, fields);
  error = (message: string, fields: LogFields = {}) => this.#add("error", message, fields);

  #add(level: string, message: string, fields: LogFields): void {
    this.lines.push({ level, message, fields });
  }

  errors(): string[] {
    return this.lines.filter(({ level }) => level === "error").map(({ message }) => message);
  }
}

export interface Bench {
  readonly clock: ManualClock;
  readonly sessions: TestSessions;
  readonly log: TestLog;
  readonly options: WebSdkOptions;
  /** A new socket with its connection. */
  dial(): { socket: TestSocket; connection: WebSdkConnection };
}

export function bench(
  options: Partial<Omit<WebSdkOptions, "limits">> & { limits?: Partial<WebSdkLimits> } = {},
): Bench {
  const clock = new ManualClock();
  const sessions = new TestSessions();
  const log = new TestLog();
  const all: WebSdkOptions = {
    mayReachOutside: () => false,
    isOwnDomain: (host) => ["localhost", "127.0.0.1", "pz.example"].includes(host.toLowerCase()),
    isOwnSipPort: (port) => port === 5060,
    domain: "pz.example",
    busyStatus: "FINISH",
    ...options,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  };
  return {
    clock,
    sessions,
    log,
    options: all,
    dial() {
      const socket = new TestSocket();
      return {
        socket,
        connection: new WebSdkConnection({ socket, sessions, clock, options: all, log }),
      };
    },
  };
}

export function frame(message: string, ...data: unknown[]): string {
  return JSON.stringify({ message, data });
}

/** The `connection` of the vendor's phone page, against SIP Port 0. */
export const PHONE: Readonly<Record<string, unknown>> = {
  appKey: "defaultApp",
  mediaProviders: ["WebRTC", "MSE", "WSPlayer"],
  keepAlive: true,
  clientVersion: "2.0",
  clientOSVersion: "5.0 (X11; Linux x86_64)",
  clientBrowserVersion: "Mozilla/5.0 (X11; Linux x86_64)",
  msePacketizationVersion: 2,
  clientInfo: {},
  sipLogin: "alice",
  sipAuthenticationName: "alice",
  sipPassword: "secret",
  sipDomain: "192.0.2.10",
  sipOutboundProxy: "192.0.2.10",
  sipPort: "0",
  sipRegisterRequired: false,
};

/** A client that is connected; the frames of the handshake are taken off. */
export function connected(
  on: Bench = bench(),
  fields: Readonly<Record<string, unknown>> = {},
): {
  on: Bench;
  socket: TestSocket;
  connection: WebSdkConnection;
  session: TestSession;
  notify: (notice: ClientNotice) => void;
} {
  const { socket, connection } = on.dial();
  connection.receive(frame("connection", { ...PHONE, ...fields }));
  const session = on.sessions.opened.at(-1);
  assert.ok(session, `refused: ${JSON.stringify(socket.frames)}`);
  socket.take();
  return { on, socket, connection, session, notify: (notice) => connection.notify(notice) };
}

/** Version 1, as web clients make them; version 4, as Android and the server do. */
export const WEB_ID = "738cbfd0-e4ba-11f1-9540-dd0d583b63a4";
export const SERVER_ID = "0c9f6f3e-3a4b-4e0c-9c55-3f6d5f5d2a10";

export const OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" +
  "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";

export const CALL: Readonly<Record<string, unknown>> = {
  callId: WEB_ID,
  incoming: false,
  hasVideo: false,
  hasAudio: true,
  status: "PENDING",
  mediaProvider: "WebRTC",
  sdp: OFFER,
  caller: "alice",
  callee: "bob",
  visibleName: "Alice",
};

export const OUTGOING: ClientCall = {
  callId: WEB_ID as CallId,
  incoming: false,
  caller: "alice",
  callee: "bob",
  visibleName: "Alice",
  hasAudio: true,
  hasVideo: false,
  inviteParameters: null,
  custom: { k: 1 },
};

export const INCOMING: ClientCall = {
  ...OUTGOING,
  callId: SERVER_ID as CallId,
  incoming: true,
};

/** Name and status of what was sent, the way the protocol's tables write it. */
export function statuses(frames: readonly Frame[]): string[] {
  return frames.map(({ message, data }) => {
    const first = data[0];
    const status = typeof first === "object" && first !== null && "status" in first
      ? ` ${first.status}`
      : "";
    return `${message}${status}`;
  });
}
