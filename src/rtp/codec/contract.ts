import type { SocketAddress } from "../contract.ts";
import type { CodecAvailability, CodecName } from "./codec.ts";

/**
 * What passes between the main thread (later: the relay workers, by a ring in shared memory) and
 * the codec workers. Plain data. A transcoder joins two sides, `a` and `b`; RTP of one side,
 * unprotected, comes out for the other side in that side's codec. RTCP does not pass: each side's
 * is terminated by whoever holds its sockets.
 */

export type Side = "a" | "b";

/** One side of a call, as negotiated with it. */
export interface TranscoderSide {
  readonly codec: CodecName;
  readonly payloadType: number;
  /** Packets to this side carry so much audio, ms (`a=ptime`); 10 to 60. */
  readonly packetMs: number;
  /** RFC 4733, null where this side has not negotiated it; `clockRate` is that of its rtpmap. */
  readonly telephoneEvent: { readonly payloadType: number; readonly clockRate: number } | null;
  /** RFC 3389 payload type, null where not negotiated. */
  readonly comfortNoise: number | null;
  /** This side allows silence to be left out (Opus `usedtx`, G.729 `annexb`, Speex `vbr`, CN). */
  readonly dtx: boolean;
  /** Opus: this side decodes in-band FEC (`useinbandfec=1`). */
  readonly fec: boolean;
  /** Opus: `maxaveragebitrate` or our own choice, bits per second; null: by rate. */
  readonly bitrate: number | null;
  /** Of the stream that we send to this side; drawn at random by the caller (RFC 3550 5.1, 8.1). */
  readonly ssrc: number;
  readonly firstSequence: number;
  readonly firstTimestamp: number;
}

export interface TranscoderOptions {
  readonly a: TranscoderSide;
  readonly b: TranscoderSide;
  /** Bounds of the jitter buffers' delay, ms. */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

export const DEFAULT_DELAY = { minDelayMs: 20, maxDelayMs: 400 } as const;

/** An RTP packet, unprotected, from or to one side of a transcoder. */
export interface TranscoderPacket {
  readonly id: number;
  /** From this side in a command; to this side in an event. */
  readonly side: Side;
  readonly bytes: Uint8Array;
}

/** Sockets on loopback that the two sides of a transcoder are reached at. */
export interface TranscoderHop {
  readonly a: SocketAddress;
  readonly b: SocketAddress;
  /** Payload types of other media, alike on both sides, that pass as they are. */
  readonly passed: readonly number[];
}

export type CodecCommand =
  /** First; answered by `ready` or `start-failed`. */
  | {
    readonly type: "start";
    readonly allowCrash: boolean;
    /** Call the system's libraries; absent: yes. */
    readonly ffi?: boolean;
  }
  | {
    readonly type: "open";
    readonly id: number;
    readonly options: TranscoderOptions;
    /**
     * Packets of the two sides come from there and go there, past the main thread; how far our
     * streams have got is written to `places`, as `StreamPlace` does.
     */
    readonly hop?: TranscoderHop & {
      readonly places: Readonly<Record<Side, SharedArrayBuffer>>;
    };
  }
  | { readonly type: "packets"; readonly packets: readonly TranscoderPacket[] }
  /** What the side's RTCP receiver reports say of the packets that we send to it. */
  | {
    readonly type: "loss";
    readonly id: number;
    readonly side: Side;
    readonly percent: number;
  }
  | { readonly type: "close"; readonly id: number }
  | { readonly type: "crash" }
  | { readonly type: "shutdown" };

export type CodecEvent =
  | {
    readonly type: "ready";
    readonly codecs: readonly CodecAvailability[];
    /** Where the packets of hops are taken. */
    readonly local?: SocketAddress;
  }
  | { readonly type: "start-failed"; readonly text: string }
  /** Nothing follows for this id; a codec that is missing, or options that make no sense. */
  | { readonly type: "failed"; readonly id: number; readonly text: string }
  | { readonly type: "packets"; readonly packets: readonly TranscoderPacket[] }
  | CodecWorkerStatistics
  /** Something of ours threw and was contained; the transcoder is closed. */
  | { readonly type: "fault"; readonly id: number; readonly text: string }
  /** The same, but it cost one datagram and nothing else. */
  | { readonly type: "worker-fault"; readonly text: string };

/** Once a second, while transcoders are open. */
export interface CodecWorkerStatistics {
  readonly type: "statistics";
  readonly transcoders: readonly {
    readonly id: number;
    /** What came from `a` and went to `b`, and the other way. */
    readonly fromA: DirectionStatistics;
    readonly fromB: DirectionStatistics;
  }[];
  /** Share of the last second that the worker's thread was busy, 0 to 1. */
  readonly load: number;
  /** By which frames were made later than they should have been in the last second, mean, ms. */
  readonly lateMs: number;
}

/** Counters since the transcoder was opened; delays are of the present. */
export interface DirectionStatistics {
  readonly receivePackets: number;
  readonly sendPackets: number;
  /** Between a packet's arrival at its best and its way out, ms; and what is aimed at. */
  readonly delayMs: number;
  readonly targetDelayMs: number;
  /** Packets that never came, or too late, ms of audio made up for them. */
  readonly lost: number;
  readonly late: number;
  readonly concealedMs: number;
  /** Packets that forward error correction brought back. */
  readonly recovered: number;
  readonly duplicate: number;
  readonly reordered: number;
  /** ms of audio taken out and put in to follow the delay and the sender's clock. */
  readonly acceleratedMs: number;
  readonly expandedMs: number;
  /** Payload types that were not negotiated, payloads that the codec refuses, RTCP. */
  readonly refused: number;
  /** What the receiver says that it misses of what is sent to it, percent. */
  readonly reportedLossPercent: number;
  /** Of the packets' senders, by RFC 3550 6.4.1, ms. */
  readonly jitterMs: number;
}
