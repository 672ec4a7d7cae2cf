/** What connections are told from outside: who we are, and how much a client may ask for. */
export interface WebSdkOptions {
  /** Whether a SIP Domain or outbound proxy (host, without port) means this server. */
  readonly isOwnDomain: (host: string) => boolean;
  /** Whether a SIP Port, 1 to 65535, is one of ours. */
  readonly isOwnSipPort: (port: number) => boolean;
  /** Whether clients may name this host as SIP server of others (`sip.outside.allow`). */
  readonly mayReachOutside: (host: string) => boolean;
  /** The canonical domain: of every login on Port 0, whatever its client calls us. */
  readonly domain: string;
  /**
   * Status of `finish` after 486 and 600. With `BUSY` the SDK tells its application so; the
   * vendor's example pages know only `FINISH` and would stay in the call.
   */
  readonly busyStatus: "FINISH" | "BUSY";
  readonly limits: WebSdkLimits;
}

export interface WebSdkLimits {
  /** Ping interval, ms; clients may take more than 5 s of silence for a dead server. */
  readonly pingInterval: number;
  /** Pings in a row without a pong after which the client is gone. */
  readonly pingProbes: number;
  /** From the open socket to `connection`, ms. */
  readonly connectTimeout: number;
  /** Longest frame, characters. An SDP with video has 7 to 10 thousand, logs have more. */
  readonly frameLength: number;
  /** The same until the client is connected; `connection` is kept for as long as its session. */
  readonly firstFrameLength: number;
  /** Frames a second, sustained, and how many may come at once. */
  readonly frameRate: number;
  readonly frameBurst: number;
  /** Bytes waiting in the socket after which the client does not read any more. */
  readonly bufferedBytes: number;
  /** Calls of one connection at a time. */
  readonly calls: number;
}

export const DEFAULT_LIMITS: WebSdkLimits = {
  pingInterval: 5_000,
  pingProbes: 10,
  connectTimeout: 10_000,
  frameLength: 256 * 1024,
  firstFrameLength: 32 * 1024,
  frameRate: 50,
  frameBurst: 200,
  bufferedBytes: 1024 * 1024,
  calls: 64,
};

/** Waiting frames before a client is ready, and names of unknown messages that are logged. */
export const MAX_EARLY_NOTICES = 256;
export const MAX_UNKNOWN_NAMES = 32;
/** Frames that could not be read are logged up to this number a connection. */
export const MAX_LOGGED_FAULTS = 16;
