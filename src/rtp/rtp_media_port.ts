import type { EndpointId, EndpointToken, WorkerId } from "../core/ids.ts";
import type { CodecName } from "./codec/codec.ts";
import type { DirectionStatistics, TranscoderSide } from "./codec/contract.ts";
import type { PayloadKind } from "./contract.ts";
import type { EndpointStatistics } from "./media_port.ts";

/**
 * Endpoints of SIP legs as the actors see them: RTP or SRTP by SDES on a port of their own, joined
 * with any other endpoint by tokens, in the same way as those of `MediaPort`.
 */
export interface RtpMediaPort {
  /** Opens an endpoint. The handle is usable at once; `opened` or `failed` follows. */
  openRtp(options: OpenRtp, listener: (event: RtpEndpointEvent) => void): RtpEndpointHandle;
}

export interface OpenRtp {
  /** Place the endpoint in the worker of this one; unknown or absent: the least loaded worker. */
  readonly near?: EndpointToken;
  /** Drawn beforehand, 128 random bits, and told to others before the endpoint is opened. */
  readonly token?: EndpointToken;
  /** For the log and the operators' view only. */
  readonly label: string;
  /** Address of the far end, so that a local address that it can reach is taken; IPv4 or IPv6. */
  readonly towards: string;
  /** Media sections, in the order of the SDP; each has a port pair of its own. */
  readonly media: readonly ("audio" | "video")[];
}

export interface RtpEndpointHandle {
  readonly id: EndpointId;
  readonly token: EndpointToken;
  /** Where to send, what to expect, and by which keys; again after a re-offer. */
  setRemote(remote: readonly (RemoteRtp | null)[]): void;
  /** From now on packets of this endpoint go to the one named (see `EndpointHandle.connect`). */
  connect(peer: EndpointToken): void;
  setFlowing(flowing: boolean): void;
  /** Full intra request towards the far end by RTCP, where it was negotiated. */
  requestKeyFrame(): void;
  /** RFC 4733 events on the audio stream, one after the other, 50 ms apart. */
  sendDtmf(digits: string, durationMs: number): void;
  /**
   * Puts a transcoder between this endpoint and whatever it is joined with, or takes it away. The
   * same again changes nothing. Payload types of audio in `setRemote` are then those of this side
   * alone.
   */
  transcode(sides: TranscodedSides | null): void;
  close(): void;
}

/** One side of a transcoder, as negotiated; its stream's first numbers are drawn by the pool. */
export interface TranscodedSide extends
  Omit<
    TranscoderSide,
    "ssrc" | "firstSequence" | "firstTimestamp"
  > {
  /** What this side has been told to expect; absent: nothing, so it is drawn too. */
  readonly ssrc?: number;
}

export interface TranscodedSides {
  /** Towards the far end of this leg. */
  readonly own: TranscodedSide;
  /** Towards the joined endpoint. */
  readonly peer: TranscodedSide;
  /**
   * What passes between the two sides untouched, by the joined endpoint's numbers: other media, and
   * the joined side's own codec, where this side happens to send it all the same.
   */
  readonly passed: readonly PayloadKind[];
}

/** What a transcoder has done so far, and how it stands. */
export interface TranscodingStatistics {
  /** Name of the codec worker that it is in. */
  readonly worker: string;
  /** What came from this leg's far end, and what went to it. */
  readonly fromOwn: DirectionStatistics;
  readonly fromPeer: DirectionStatistics;
}

/** Codecs between which a pool can transcode; empty until its codec workers run. */
export type Transcodable = () => ReadonlySet<CodecName>;

/** Where one section's packets are received. */
export interface LocalRtp {
  readonly kind: "audio" | "video";
  readonly address: string;
  /** Even; RTCP is the next one, unless it is muxed. */
  readonly port: number;
}

/** SRTP master key and salt of one direction, as SDES has them (RFC 4568). */
export interface SdesKey {
  readonly suite: "AES_CM_128_HMAC_SHA1_80" | "AES_CM_128_HMAC_SHA1_32";
  /** 30 bytes: key, then salt. */
  readonly material: Uint8Array;
}

/** What the far end's SDP says of one section; null in `setRemote` where it was refused. */
export interface RemoteRtp {
  readonly address: string;
  readonly port: number;
  /** Null: RTCP on the RTP port (RFC 5761). */
  readonly rtcpPort: number | null;
  /** Null: RTP in the clear. `receive` is theirs, `send` is ours. */
  readonly keys: { readonly receive: SdesKey; readonly send: SdesKey } | null;
  readonly payloads: readonly {
    readonly payloadType: number;
    readonly codec: string;
    readonly clockRate: number;
    /** What the joined endpoint calls it, where that differs. */
    readonly peerPayloadType?: number;
  }[];
  /** RTCP feedback (PLI, FIR, NACK) is understood there (AVPF). */
  readonly hasFeedback: boolean;
  /** Key frames are to be asked for by FIR (RFC 5104 4.3.1): PLI was not agreed on. */
  readonly wantsFir?: boolean;
}

export type RtpEndpointEvent =
  | { readonly type: "opened"; readonly local: readonly LocalRtp[]; readonly worker: WorkerId }
  | { readonly type: "failed"; readonly reason: "no_worker" | "no_port"; readonly text: string }
  /** First packet, and again when the source was learned anew: the address behind a NAT. */
  | { readonly type: "latched"; readonly kind: "audio" | "video"; readonly address: string }
  /** A telephone-event has ended (RFC 4733 2.5). */
  | { readonly type: "dtmf"; readonly digit: string; readonly durationMs: number }
  /** The joined side asks for a key frame and this one has no RTCP feedback: say it by INFO. */
  | { readonly type: "key-frame-wanted" }
  | { readonly type: "silent"; readonly ms: number }
  | { readonly type: "statistics"; readonly statistics: EndpointStatistics }
  | { readonly type: "transcoding"; readonly statistics: TranscodingStatistics }
  | { readonly type: "lost"; readonly text: string };
