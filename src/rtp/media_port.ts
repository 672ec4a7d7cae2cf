import type { EndpointId, EndpointToken, WorkerId } from "../core/ids.ts";
import type { RemoteTransport } from "../core/remote_transport.ts";
import type { TranscodedSides, TranscodingStatistics } from "./rtp_media_port.ts";

export type { RemoteTransport } from "../core/remote_transport.ts";

/**
 * The media plane as the actors see it: endpoints that are opened, told their remote side, joined
 * by tokens and closed. Nothing here is a promise; answers come as events to the listener.
 */
export interface MediaPort {
  /**
   * Opens an endpoint. The handle is usable at once; `opened` or `failed` follows.
   * @param listener gets every event of this endpoint until `close`
   */
  open(options: OpenEndpoint, listener: (event: EndpointEvent) => void): EndpointHandle;
}

export interface OpenEndpoint {
  readonly kind: "webrtc";
  /** Place the endpoint in the worker of this one; unknown or absent: the least loaded worker. */
  readonly near?: EndpointToken;
  /** For the log and the operators' view only. */
  readonly label: string;
}

export interface EndpointHandle {
  readonly id: EndpointId;
  /** Names this endpoint inside the process; valid from `open` to `close`. */
  readonly token: EndpointToken;
  /** Tells who the browser is; media stays closed until its certificate fits the fingerprint. */
  setRemote(remote: RemoteTransport): void;
  /**
   * The browser restarts ICE: gives what our side announces from now on. The media goes on; the old
   * credentials serve until the browser has nominated by the new ones.
   */
  restartIce(): Pick<LocalTransport, "iceUfrag" | "icePwd">;
  /**
   * From now on packets of this endpoint go to the one named. Both ends call it, each for its own
   * direction. When the peer lives in another worker the pool bridges the two.
   */
  connect(peer: EndpointToken): void;
  /** Hold: nothing is forwarded to or from this endpoint while false. */
  setFlowing(flowing: boolean): void;
  /** Asks the browser behind this endpoint for a key frame of each of its video streams. */
  requestKeyFrame(): void;
  /**
   * Puts a transcoder between this endpoint and whatever it is joined with, or takes it away.
   */
  transcode(sides: TranscodedSides | null): void;
  /** Frees everything; no event follows. Closing twice is harmless. */
  close(): void;
}

/** What our side of a WebRTC leg announces (ICE-lite, always DTLS server). */
export interface LocalTransport {
  readonly iceUfrag: string;
  readonly icePwd: string;
  /** SHA-256 of our certificate, `AA:BB:...`. */
  readonly fingerprint: string;
  /** Host candidates, one for each announced address; never empty. */
  readonly candidates: readonly { readonly address: string; readonly port: number }[];
}

export type IceState = "new" | "checking" | "connected" | "disconnected";
export type DtlsState = "new" | "handshaking" | "connected" | "failed" | "closed";

/** Counters of one endpoint since it was opened. `receive` is from the browser, `send` to it. */
export interface EndpointStatistics {
  readonly receivePackets: number;
  readonly receiveBytes: number;
  /** Packets missing from the sequence numbers seen, by RFC 3550 A.3. */
  readonly receiveLost: number;
  /** Interarrival jitter of the audio stream, ms (RFC 3550 6.4.1). */
  readonly jitterMs: number;
  readonly sendPackets: number;
  readonly sendBytes: number;
  /** Packets that failed authentication, were replayed, or came from an unknown address. */
  readonly dropped: number;
  /** Round trip between the two browsers' reports where it is known, ms. */
  readonly roundTripMs: number | null;
  /** Codec of the last audio and video packet received. */
  readonly audioCodec: string | null;
  readonly videoCodec: string | null;
}

export type EndpointEvent =
  | { readonly type: "opened"; readonly local: LocalTransport; readonly worker: WorkerId }
  | { readonly type: "failed"; readonly reason: "no_worker" | "no_port"; readonly text: string }
  | { readonly type: "ice"; readonly state: IceState; readonly remoteAddress: string | null }
  | { readonly type: "dtls"; readonly state: DtlsState; readonly text?: string }
  /** First authenticated packet of this kind from the browser. */
  | { readonly type: "media"; readonly kind: "audio" | "video" }
  /**
   * No packet, RTP or RTCP, from the browser for this long: told when the pool's time for it
   * (`silentAfterMs`) is over, and again each time that as much has passed. A packet or
   * `setFlowing` starts it over.
   */
  | { readonly type: "silent"; readonly ms: number }
  | { readonly type: "statistics"; readonly statistics: EndpointStatistics }
  | { readonly type: "transcoding"; readonly statistics: TranscodingStatistics }
  /** The worker died and took the endpoint with it. */
  | { readonly type: "lost"; readonly text: string };

/** One worker as `/api/workers` shows it. */
export interface WorkerView {
  readonly id: WorkerId;
  readonly state: "starting" | "running" | "restarting" | "stopped";
  readonly restarts: number;
  readonly endpoints: number;
  /** Pairs of endpoints that meet by an RTP hop because they live in two workers. */
  readonly bridges: number;
  readonly packets: number;
  /** Its calls outlive it. */
  readonly adopts: boolean;
  /** How often it went on with the calls of one that had died or been replaced. */
  readonly adoptions: number;
  /** How long those calls stood still the last time, ms; null: never. */
  readonly lastGapMs: number | null;
  readonly addresses: readonly string[];
  /** "portable" or "ffi", and which SRTP engine. */
  readonly shell: string;
}
