import type { WorkerView } from "../rtp/media_port.ts";

/** The server as REST and the pages see it: who is there, its ways out, and how it is. */

/** A codec of the transcoders, and what it is by or why it is missing. */
export interface CodecView {
  readonly codec: string;
  readonly available: boolean;
  /** `built in`, `libopus 1.3.1`, ... */
  readonly library: string | null;
  readonly why: string | null;
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
  /** Of the sessions: those whose connection is gone, kept for a while for their client. */
  readonly sessionsAway: number;
  readonly calls: number;
  /** Of the media pool. */
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

/** A worker of the media pool. */
export interface MediaWorkerView extends WorkerView {
  readonly kind: "media";
}

/** A worker that transcodes. */
export interface CodecWorkerView {
  readonly kind: "codec";
  /** As in the log, and in the views of the calls that it works for. */
  readonly name: string;
  readonly state: WorkerView["state"];
  readonly restarts: number;
  /** Transcoders that are open in it. */
  readonly transcodings: number;
  /** Share of the last second that it was busy, 0 to 1. */
  readonly load: number;
  /** It has more than it can do in time: it gets no more transcoders. */
  readonly isFull: boolean;
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
