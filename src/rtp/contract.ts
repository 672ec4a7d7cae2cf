import type { EndpointStatistics, IceState } from "./media_port.ts";

/**
 * What passes between the main thread and the workers of the media plane. Plain data without
 * functions, promises or shared references, so that it travels by `postMessage` today and through a
 * ring in shared memory with the fast shell. Endpoints are named by a number that the pool chooses.
 */

/** Number of a SRTP protection profile in the DTLS registry (RFC 5764 4.1.2, RFC 7714 14.2). */
export type SrtpProfile = 1 | 2 | 7 | 8;
export const AES_CM_128_HMAC_SHA1_80: SrtpProfile = 1;
export const AES_CM_128_HMAC_SHA1_32: SrtpProfile = 2;
export const AEAD_AES_128_GCM: SrtpProfile = 7;
export const AEAD_AES_256_GCM: SrtpProfile = 8;

/** Master keys and salts of both directions; `local` protects what we send. */
export interface SrtpKeys {
  readonly profile: SrtpProfile;
  readonly localKey: Uint8Array;
  readonly localSalt: Uint8Array;
  readonly remoteKey: Uint8Array;
  readonly remoteSalt: Uint8Array;
}

/** What a payload type means, so that packets can be counted by kind. */
export interface PayloadKind {
  readonly payloadType: number;
  readonly kind: "audio" | "video";
  readonly codec: string;
  readonly clockRate: number;
}

/** What a payload type of a SIP leg means, and what the joined endpoint calls it. */
export interface RtpPayload extends PayloadKind {
  readonly peerPayloadType: number;
}

/** One media section of a SIP leg: where its packets go, and by which keys. */
export interface RtpSectionRemote {
  /** Null where the far end's address is not one that can be sent to (`0.0.0.0`). */
  readonly rtp: SocketAddress | null;
  /** Null: RTCP on the RTP port (RFC 5761). */
  readonly rtcpPort: number | null;
  readonly keys: SrtpKeys | null;
  readonly payloads: readonly RtpPayload[];
  /** RTCP feedback is understood there (RFC 4585). */
  readonly hasFeedback: boolean;
  /** Key frames are asked for by FIR in place of PLI (RFC 5104 4.3.1). */
  readonly wantsFir?: boolean;
}

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * A socket that the main thread has opened. A descriptor's number is good in every thread; only the
 * main thread closes it, so that it outlives the worker that it was handed to.
 */
export interface HandedSocket {
  readonly descriptor: number;
  readonly local: SocketAddress;
}

/** First command to a media worker; answered by `ready` or `start-failed`. */
export interface MediaWorkerStart {
  readonly type: "start";
  /** One UDP socket is bound to each; IPv4 or IPv6. */
  readonly addresses: readonly string[];
  /** First and last UDP port, both included; one port serves all addresses. */
  readonly portRange: readonly [number, number];
  /** Where in the range this worker starts looking for the port pairs of SIP legs. */
  readonly firstPair: number;
  readonly silentAfterMs: number;
  /** SRTP without libcrypto even where it would serve; for tests and comparisons. */
  readonly typescriptSrtp?: boolean;
  /** In the order of `addresses`; absent: the worker opens its own. */
  readonly sockets?: readonly HandedSocket[];
  /** Whether packets are marked, where the shell can (RFC 8837); default true. */
  readonly dscp?: boolean;
  /** Honour `crash`; tests only. */
  readonly allowCrash: boolean;
}

export type MediaCommand =
  | MediaWorkerStart
  /** ICE credentials are drawn by the pool, so that chance has one source. */
  | {
    readonly type: "open";
    readonly endpoint: number;
    readonly kind: "webrtc";
    readonly iceUfrag: string;
    readonly icePwd: string;
  }
  /** Plain RTP with RTCP on the same port, on a loopback socket of its own: one end of a bridge. */
  | {
    readonly type: "open";
    readonly endpoint: number;
    readonly kind: "plain";
    /** It stands for a SIP leg: what comes of one kind is one stream, whatever its SSRC. */
    readonly isSingle?: boolean;
    /** A codec worker lies behind it, where reports on audio end and streams begin anew. */
    readonly isHop?: boolean;
    readonly sockets?: readonly HandedSocket[];
  }
  /** A SIP leg: a port pair of this address for each media section. */
  | {
    readonly type: "open";
    readonly endpoint: number;
    readonly kind: "rtp";
    readonly address: string;
    readonly media: readonly ("audio" | "video")[];
    /** First SSRC of our own, and where our sequence numbers start; drawn by the pool. */
    readonly seed: number;
    /** Two for each section: RTP, RTCP. */
    readonly sockets?: readonly HandedSocket[];
  }
  /** In the order of `media`; null: the section was refused. */
  | {
    readonly type: "set-remote-rtp";
    readonly endpoint: number;
    readonly sections: readonly (RtpSectionRemote | null)[];
  }
  /** Telephone-events towards a SIP leg, one after the other. */
  | {
    readonly type: "send-dtmf";
    readonly endpoint: number;
    readonly digits: string;
    readonly durationMs: number;
  }
  | {
    readonly type: "set-remote";
    readonly endpoint: number;
    readonly payloads: readonly PayloadKind[];
    /** Id of the transport-wide sequence number's header extension. */
    readonly transportWideId?: number;
    /** Of a plain endpoint: the only place that packets are taken from and sent to. */
    readonly remote?: SocketAddress;
  }
  /** New credentials of ours; the old ones serve until the browser has nominated by these. */
  | {
    readonly type: "ice-restart";
    readonly endpoint: number;
    readonly iceUfrag: string;
    readonly icePwd: string;
  }
  /** Opens the endpoint for media: sent only after the fingerprint was checked. */
  | { readonly type: "keys"; readonly endpoint: number; readonly keys: SrtpKeys }
  /** Packets of `endpoint` go to `peer`, an endpoint of the same worker. */
  | { readonly type: "connect"; readonly endpoint: number; readonly peer: number }
  | { readonly type: "set-flowing"; readonly endpoint: number; readonly flowing: boolean }
  | { readonly type: "dtls-send"; readonly endpoint: number; readonly data: Uint8Array }
  | { readonly type: "key-frame"; readonly endpoint: number }
  | { readonly type: "close"; readonly endpoint: number }
  /**
   * To a worker that has taken another's place: all that was open has been opened again. What the
   * other one has left beside that is freed; answered by `adopted`.
   */
  | { readonly type: "adopt" }
  /**
   * Dies of an uncaught exception, where the start command allows it: at once, in the middle of a
   * change to what is known of an endpoint, or not at all but hanging for some time, at once or in
   * the middle of the next packet that it sends on.
   */
  | {
    readonly type: "crash";
    readonly tear?: number;
    readonly hangMs?: number;
    readonly inPacket?: boolean;
  }
  | { readonly type: "shutdown" };

export type MediaEvent =
  | {
    readonly type: "ready";
    /** What is announced as host candidates, in the order of the start command. */
    readonly addresses: readonly SocketAddress[];
    readonly shell: string;
    /** Why this shell and this SRTP engine, for the log; absent: there was no choice. */
    readonly why?: string;
    /** It can take the place of a worker that has died, and its calls go on. */
    readonly adopts?: boolean;
    /** Profiles that the SRTP engine can do, best first. */
    readonly profiles: readonly SrtpProfile[];
  }
  | { readonly type: "start-failed"; readonly text: string }
  /** `local` is the own socket of a plain endpoint, `sections` the RTP ports of a SIP leg. */
  | {
    readonly type: "opened";
    readonly endpoint: number;
    readonly local?: SocketAddress;
    readonly sections?: readonly SocketAddress[];
  }
  | { readonly type: "open-failed"; readonly endpoint: number; readonly text: string }
  /** What a worker before this one has left of the endpoint cannot be trusted; it is not open. */
  | { readonly type: "torn"; readonly endpoint: number }
  | { readonly type: "adopted" }
  /** A handed socket is not used any more. */
  | { readonly type: "released"; readonly descriptor: number }
  | {
    readonly type: "ice";
    readonly endpoint: number;
    readonly state: IceState;
    readonly remoteAddress: string | null;
  }
  | { readonly type: "dtls-receive"; readonly endpoint: number; readonly data: Uint8Array }
  | { readonly type: "media"; readonly endpoint: number; readonly kind: "audio" | "video" }
  | { readonly type: "silent"; readonly endpoint: number; readonly ms: number }
  | {
    readonly type: "latched";
    readonly endpoint: number;
    readonly kind: "audio" | "video";
    /** `address:port`, or `[address]:port`. */
    readonly address: string;
  }
  | {
    readonly type: "dtmf";
    readonly endpoint: number;
    readonly digit: string;
    readonly durationMs: number;
  }
  | { readonly type: "key-frame-wanted"; readonly endpoint: number }
  | WorkerStatistics
  /** Something of ours threw and was contained; the worker goes on. */
  | { readonly type: "fault"; readonly text: string };

/**
 * The totals, and the endpoints whose turn it is and whose counters have moved: each once a second.
 */
export interface WorkerStatistics {
  readonly type: "statistics";
  readonly endpoints: readonly {
    readonly endpoint: number;
    readonly statistics: EndpointStatistics;
  }[];
  /** Packets forwarded since start. */
  readonly packets: number;
  /** Datagrams that belonged to no endpoint, since start. */
  readonly strays: number;
}

/** The process's DTLS identity; PEM texts. */
export interface Certificate {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** SHA-256 of the DER form, `AA:BB:...`. */
  readonly fingerprint: string;
}

export type HandshakeCommand =
  /** Without a certificate the worker makes one; a restarted worker gets that of the first. */
  | {
    readonly type: "start";
    readonly certificate: Certificate | null;
    readonly allowCrash: boolean;
  }
  | {
    readonly type: "open";
    readonly endpoint: number;
    /** In our order of preference. */
    readonly profiles: readonly SrtpProfile[];
  }
  /** What the browser's SDP promised; keys are given out only when its certificate fits. */
  | {
    readonly type: "fingerprints";
    readonly endpoint: number;
    readonly fingerprints: readonly { readonly algorithm: string; readonly value: string }[];
  }
  | { readonly type: "dtls-receive"; readonly endpoint: number; readonly data: Uint8Array }
  | { readonly type: "close"; readonly endpoint: number }
  | { readonly type: "crash" }
  | { readonly type: "shutdown" };

export type HandshakeEvent =
  | {
    readonly type: "ready";
    readonly certificate: Certificate;
    /** What does the handshakes, and why, for the log. */
    readonly library: string;
  }
  | { readonly type: "start-failed"; readonly text: string }
  | { readonly type: "dtls-send"; readonly endpoint: number; readonly data: Uint8Array }
  | {
    readonly type: "dtls";
    readonly endpoint: number;
    readonly state: "handshaking" | "connected" | "failed" | "closed";
    readonly text?: string;
  }
  | { readonly type: "keys"; readonly endpoint: number; readonly keys: SrtpKeys }
  | { readonly type: "fault"; readonly text: string };

/** One worker, or what stands for it in a test. Nothing is reported after `terminate`. */
export interface WorkerPort<Command> {
  send(command: Command): void;
  /**
   * Ends the worker. Twice is harmless.
   * @param isReplaced another of the same name follows, and may go on with what this one leaves
   */
  terminate(isReplaced?: boolean): void;
}

export interface WorkerListener<Event> {
  onEvent(event: Event): void;
  /** The worker is gone and will say no more. */
  onDeath(text: string): void;
}

/** Starts a worker and gives its port; used again for each restart. */
export type WorkerFactory<Command, Event> = (
  name: string,
  listener: WorkerListener<Event>,
) => WorkerPort<Command>;
