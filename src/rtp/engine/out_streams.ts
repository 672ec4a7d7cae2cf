import type { Instant } from "../../core/clock.ts";
import type { PayloadKind } from "../contract.ts";
import { rtpHeaderLength } from "../srtp/context.ts";
import { int16, int32, putInt16, putInt32 } from "./bytes.ts";
import { type Kind, NOBODY, OutStream, type StreamRole } from "./out_stream.ts";
import type { ReceiveStream } from "./receive_statistics.ts";
import { Role, StateMemory, type StatePlace } from "./state_memory.ts";
import { TransportWide, type WidePlace } from "./transport_wide.ts";

export { type Kind, OutStream } from "./out_stream.ts";

/** Streams towards one far end; more are a peer's mischief, and the oldest is given up. */
const MAX_STREAMS = 32;

function roleOf(payload: PayloadKind | null): StreamRole {
  const codec = payload?.codec.toLowerCase() ?? "";
  if (codec === "rtx") return "rtx";
  return codec.startsWith("flexfec") ? "repair" : "main";
}

/** Where what is known of the streams towards one far end lies. */
export interface OutPlace extends Omit<StatePlace, "role"> {
  readonly transportWide?: WidePlace;
}

/** Where a stream comes from: an endpoint of this worker. */
export interface StreamSource {
  /** More than 0. */
  readonly id: number;
  /** Its streams of one kind are one. */
  readonly isSingle: boolean;
}

/**
 * All streams towards one far end. When the source of a stream changes, SSRC, sequence numbers and
 * time stamps go on where the old one has stopped, so that the far end notices nothing and no index
 * of SRTP is used twice.
 */
export class OutStreams {
  readonly streams: OutStream[] = [];
  readonly transportWide: TransportWide;
  #last: OutStream | null = null;
  readonly #place: StatePlace;
  #order = 0;

  /**
   * @param isSingle the far end takes one stream of a kind only, whoever sends it (a phone)
   * @param place where the streams' state lies, or lay when another worker ended; absent: here
   */
  constructor(readonly isSingle: boolean, place: OutPlace = ownPlace()) {
    this.#place = { ...place, role: Role.out };
    this.transportWide = new TransportWide(place.transportWide);
    const { memory } = place;
    for (const block of memory.claim(this.#place)) this.streams.push(new OutStream(memory, block));
    this.streams.sort((a, b) => a.order - b.order);
    this.#order = this.streams.at(-1)?.order ?? 0;
  }

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
    const clockRate = payload?.clockRate ?? 0;
    let stream = this.#last;
    if (stream === null || !stream.isFrom(source.id, ssrc)) {
      stream = this.find(source, ssrc);
      if (stream === null) {
        stream = this.#take(source, ssrc, kind, roleOf(payload));
        if (stream.highest >= 0) {
          stream.goOn(sequence, timestamp, clockRate, now);
          if (kind === "audio") buffer[offset + 1]! |= 0x80;
        }
        stream.endChange();
      }
      this.#last = stream;
    }
    const out = stream.pass(sequence, timestamp, clockRate, length - 12, now);
    putInt16(buffer, offset + 2, out);
    putInt32(buffer, offset + 4, timestamp + stream.timestampOffset);
    putInt32(buffer, offset + 8, stream.ssrc);
    if (stream.role === "rtx") this.#originalSequence(buffer, offset, length, source, kind);
    return stream;
  }

  /** The stream that this source's SSRC has become, or null. */
  find(source: StreamSource, ssrc: number): OutStream | null {
    for (const stream of this.streams) {
      if (stream.isFrom(source.id, ssrc)) return stream;
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
    const stream = this.#add(this.#free(ssrc), kind, "main");
    stream.beginChange();
    stream.clockRate = clockRate;
    stream.highest = sequence & 0xffff;
    stream.timestamp = Math.imul(ssrc, 0x9e3779b1);
    stream.at = now;
    stream.endChange();
    return stream;
  }

  /** Takes note of a stream that has run so far without us changing anything about it. */
  adopt(source: StreamSource, received: ReceiveStream): void {
    const { payload, highestSequence } = received;
    if (payload === null || highestSequence < 0 || this.find(source, received.ssrc)) return;
    const stream = this.#add(received.ssrc, payload.kind, roleOf(payload));
    stream.beginChange();
    stream.source = source.id;
    stream.sourceSsrc = received.ssrc;
    stream.highest = highestSequence;
    stream.timestamp = received.timestamp;
    stream.at = received.at;
    stream.clockRate = payload.clockRate;
    stream.packets = received.received;
    stream.endChange();
  }

  /** This source sends no more; its streams wait for the next one. */
  detach(source: StreamSource): void {
    for (const stream of this.streams) {
      if (stream.source !== source.id) continue;
      stream.beginChange();
      stream.source = NOBODY;
      stream.endChange();
    }
    this.#last = null;
  }

  /** The stream that a new SSRC goes on with, or a new one; its change is not ended. */
  #take(source: StreamSource, ssrc: number, kind: Kind, role: StreamRole): OutStream {
    const isSingle = this.isSingle || source.isSingle;
    let stream: OutStream | null = null;
    for (const candidate of this.streams) {
      if (candidate.kind !== kind || candidate.role !== role) continue;
      if (candidate.source === NOBODY || (isSingle && candidate.source === source.id)) {
        stream = candidate;
        break;
      }
    }
    stream ??= this.#add(this.#free(ssrc), kind, role);
    stream.beginChange();
    stream.source = source.id;
    stream.sourceSsrc = ssrc;
    return stream;
  }

  #add(ssrc: number, kind: Kind, role: StreamRole): OutStream {
    if (this.streams.length >= MAX_STREAMS) {
      let oldest = 0;
      for (let i = 1; i < this.streams.length; i++) {
        if (this.streams[i]!.at < this.streams[oldest]!.at) oldest = i;
      }
      this.#give(...this.streams.splice(oldest, 1));
    }
    const { owner } = this.#place;
    let { memory } = this.#place;
    let block = memory.take(owner, Role.out);
    if (block < 0) {
      // It works here all the same, and begins anew in another worker.
      memory = StateMemory.own(1);
      block = memory.take(owner, Role.out);
    }
    const stream = OutStream.begin(memory, block, ++this.#order, { ssrc, kind, role });
    this.streams.push(stream);
    return stream;
  }

  #give(...streams: OutStream[]): void {
    for (const { memory, block } of streams) if (memory === this.#place.memory) memory.give(block);
  }

  /** Gives the memory back; nothing is called after it. */
  close(): void {
    this.#give(...this.streams.splice(0));
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
      if (main.source !== source.id || main.kind !== kind || main.role !== "main") continue;
      const at = offset + header;
      putInt16(buffer, at, int16(buffer, at) + main.sequenceOffset);
      return;
    }
  }
}

/** For streams that no other worker goes on with. */
function ownPlace(): OutPlace {
  return { memory: StateMemory.own(MAX_STREAMS), owner: 1 };
}
