import type { Instant } from "../../core/clock.ts";
import type { PayloadKind } from "../contract.ts";
import { rtpHeaderLength } from "../srtp/context.ts";
import { int16, int32, putInt16, putInt32 } from "./bytes.ts";
import type { PacketCache } from "./packet_cache.ts";
import type { ReceiveStream } from "./receive_statistics.ts";
import { TransportWide } from "./transport_wide.ts";

/** Streams towards one far end; more are a peer's mischief, and the oldest is given up. */
const MAX_STREAMS = 32;
/** A jump beyond these is a new start of the sequence (RFC 3550 A.1). */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 1024;

export type Kind = "audio" | "video";
/** Streams of one kind that stand side by side: the media, their retransmissions, their repair. */
type Role = "main" | "rtx" | "repair";

function roleOf(payload: PayloadKind | null): Role {
  const codec = payload?.codec.toLowerCase() ?? "";
  if (codec === "rtx") return "rtx";
  return codec.startsWith("flexfec") ? "repair" : "main";
}

/** Where a stream comes from: an endpoint of this worker, by identity. */
export interface StreamSource {
  readonly id: number;
  /** Its streams of one kind are one. */
  readonly isSingle: boolean;
}

/** One stream as a far end sees it, and how it is made of what its present source sends. */
export class OutStream {
  source: StreamSource | null = null;
  sourceSsrc = 0;
  sequenceOffset = 0;
  timestampOffset = 0;
  /** Newest sequence number sent, or -1; its time stamp, and when that was. */
  highest = -1;
  timestamp = 0;
  at: Instant = 0;
  clockRate = 0;
  packets = 0;
  octets = 0;
  packetsAtReport = 0;
  /** Packets of our own went in between: the next one of the source comes right behind them. */
  rebase = false;
  /**
   * The last sender report about it was ours: what comes back about it is nothing to the source.
   */
  reportIsOurs = false;
  /** Sent packets kept for those who ask again; null: the source repeats them itself. */
  cache: PacketCache | null = null;

  constructor(readonly ssrc: number, readonly kind: Kind, readonly role: Role) {}

  /** Takes the place right behind what was sent last: gives its sequence number. */
  next(): number {
    this.highest = (this.highest + 1) & 0xffff;
    return this.highest;
  }

  /** What the time stamp would be now, had the stream run on. */
  timestampAt(now: Instant): number {
    if (this.highest < 0) return this.timestamp;
    return (this.timestamp + Math.round(Math.max(0, now - this.at) * this.clockRate / 1000)) | 0;
  }
}

/**
 * All streams towards one far end. When the source of a stream changes, SSRC, sequence numbers and
 * time stamps go on where the old one has stopped, so that the far end notices nothing and no index
 * of SRTP is used twice.
 */
export class OutStreams {
  readonly streams: OutStream[] = [];
  readonly transportWide = new TransportWide();
  #last: OutStream | null = null;

  /** @param isSingle the far end takes one stream of a kind only, whoever sends it (a phone) */
  constructor(readonly isSingle: boolean) {}

  /**
   * Makes a packet of `source` one of the stream that its kind and SSRC stand for, in place.
   * Gives the stream.
   */
  rtp(
    buffer: Uint8Array,
    offset: number,
    length: number,
    source: StreamSource,
    kind: Kind,
    payload: PayloadKind | null,
    now: Instant,
  ): OutStream {
    const ssrc = int32(buffer, offset + 8);
    const sequence = int16(buffer, offset + 2);
    const timestamp = int32(buffer, offset + 4);
    let stream = this.#last;
    if (stream === null || stream.source !== source || stream.sourceSsrc !== ssrc) {
      stream = this.find(source, ssrc);
      if (stream === null) {
        stream = this.#take(source, ssrc, kind, roleOf(payload));
        if (stream.highest >= 0) this.#continue(stream, sequence, timestamp, payload, now);
        if (stream.highest >= 0 && kind === "audio") buffer[offset + 1]! |= 0x80;
      }
      this.#last = stream;
    }
    if (stream.rebase) {
      stream.rebase = false;
      stream.sequenceOffset = (stream.highest + 1 - sequence) & 0xffff;
    }
    if (payload !== null && payload.clockRate > 0) stream.clockRate = payload.clockRate;
    const jump = (sequence + stream.sequenceOffset - stream.highest) & 0xffff;
    if (stream.highest >= 0 && jump > MAX_DROPOUT && jump <= 0x10000 - MAX_MISORDER) {
      // The source has begun anew under the same SSRC.
      this.#continue(stream, sequence, timestamp, payload, now);
    }
    const out = (sequence + stream.sequenceOffset) & 0xffff;
    const time = (timestamp + stream.timestampOffset) | 0;
    putInt16(buffer, offset + 2, out);
    putInt32(buffer, offset + 4, time);
    putInt32(buffer, offset + 8, stream.ssrc);
    if (stream.role === "rtx") this.#originalSequence(buffer, offset, length, source, kind);
    if (stream.highest < 0 || ((out - stream.highest) & 0xffff) < 0x8000) {
      stream.highest = out;
      stream.timestamp = time;
      stream.at = now;
    }
    stream.packets++;
    stream.octets += length - 12;
    return stream;
  }

  /** The stream that this source's SSRC has become, or null. */
  find(source: StreamSource, ssrc: number): OutStream | null {
    for (const stream of this.streams) {
      if (stream.source === source && stream.sourceSsrc === ssrc) return stream;
    }
    return null;
  }

  /** The stream with this SSRC at the far end, or null. */
  named(ssrc: number): OutStream | null {
    for (const stream of this.streams) if (stream.ssrc === ssrc) return stream;
    return null;
  }

  main(kind: Kind): OutStream | null {
    for (const stream of this.streams) {
      if (stream.kind === kind && stream.role === "main") return stream;
    }
    return null;
  }

  /** A stream of our own making, before any source has one. */
  begin(ssrc: number, kind: Kind, clockRate: number, sequence: number, now: Instant): OutStream {
    const stream = new OutStream(this.#free(ssrc), kind, "main");
    stream.clockRate = clockRate;
    stream.highest = sequence & 0xffff;
    stream.timestamp = Math.imul(ssrc, 0x9e3779b1);
    stream.at = now;
    this.#add(stream);
    return stream;
  }

  /** Takes note of a stream that has run so far without us changing anything about it. */
  adopt(source: StreamSource, received: ReceiveStream): void {
    const { payload, highestSequence } = received;
    if (payload === null || highestSequence < 0 || this.find(source, received.ssrc)) return;
    const stream = new OutStream(received.ssrc, payload.kind, roleOf(payload));
    stream.source = source;
    stream.sourceSsrc = received.ssrc;
    stream.highest = highestSequence;
    stream.timestamp = received.timestamp;
    stream.at = received.at;
    stream.clockRate = payload.clockRate;
    stream.packets = received.received;
    this.#add(stream);
  }

  /** This source sends no more; its streams wait for the next one. */
  detach(source: StreamSource): void {
    for (const stream of this.streams) if (stream.source === source) stream.source = null;
    this.#last = null;
  }

  /** The stream that a new SSRC goes on with, or a new one. */
  #take(source: StreamSource, ssrc: number, kind: Kind, role: Role): OutStream {
    const isSingle = this.isSingle || source.isSingle;
    let stream: OutStream | null = null;
    for (const candidate of this.streams) {
      if (candidate.kind !== kind || candidate.role !== role) continue;
      if (candidate.source === null || (isSingle && candidate.source === source)) {
        stream = candidate;
        break;
      }
    }
    if (stream === null) {
      stream = new OutStream(this.#free(ssrc), kind, role);
      this.#add(stream);
    }
    stream.source = source;
    stream.sourceSsrc = ssrc;
    return stream;
  }

  #continue(
    stream: OutStream,
    sequence: number,
    timestamp: number,
    payload: PayloadKind | null,
    now: Instant,
  ): void {
    if (payload !== null && payload.clockRate > 0) stream.clockRate = payload.clockRate;
    stream.sequenceOffset = (stream.highest + 1 - sequence) & 0xffff;
    stream.timestampOffset = (stream.timestampAt(now) - timestamp) | 0;
    stream.rebase = false;
  }

  #add(stream: OutStream): void {
    if (this.streams.length >= MAX_STREAMS) {
      let oldest = 0;
      for (let i = 1; i < this.streams.length; i++) {
        if (this.streams[i]!.at < this.streams[oldest]!.at) oldest = i;
      }
      this.streams.splice(oldest, 1);
    }
    this.streams.push(stream);
  }

  /** This SSRC, or one near it that no other stream has. */
  #free(ssrc: number): number {
    let free = ssrc;
    while (this.named(free) !== null) free = Math.imul(free, 0x9e3779b1) + 0x7f4a7c15 | 0;
    return free;
  }

  /** The first two bytes of a retransmission name the packet that it repeats (RFC 4588 4). */
  #originalSequence(
    buffer: Uint8Array,
    offset: number,
    length: number,
    source: StreamSource,
    kind: Kind,
  ): void {
    const header = rtpHeaderLength(buffer, offset, length);
    if (header < 0 || header + 2 > length) return;
    for (const main of this.streams) {
      if (main.source !== source || main.kind !== kind || main.role !== "main") continue;
      const at = offset + header;
      putInt16(buffer, at, int16(buffer, at) + main.sequenceOffset);
      return;
    }
  }
}
