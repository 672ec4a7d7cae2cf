import type { Instant } from "../../core/clock.ts";
import type { PayloadKind } from "../contract.ts";
import type { ReceiveRow } from "./receive_record.ts";

/** What was received of each SSRC: RFC 3550 A.1 (sequence), A.3 (loss) and A.8 (jitter). */

/** A jump ahead of this many packets is a new start of the sequence, not loss (RFC 3550 A.1). */
const MAX_DROPOUT = 3000;
/** So many packets may come late by the same token. */
const MAX_MISORDER = 1024;
const MAX_STREAMS = 64;

function lostOf(row: ReceiveRow): number {
  const before = Math.max(0, row.expectedBefore - row.receivedBefore);
  const expected = row.extendedHighest - row.base + 1;
  return before + Math.max(0, expected - (row.received - row.receivedBefore));
}

export class ReceiveStream {
  /** What it is a stream of, inside RED where that is used. */
  payload: PayloadKind | null = null;
  /** The payload type that told so: RED itself, or the same as `payload`; null before. */
  outer: PayloadKind | null = null;
  received = 0;
  /** Expected and received before the sequence last started anew. */
  #expectedBefore = 0;
  #receivedBefore = 0;
  #base = 0;
  #highest = -1;
  #cycles = 0;
  /** Arrival less time stamp, modulo 2^32, in units of the clock rate. */
  #transit = 0;
  #hasTransit = false;
  /**
   * RFC 3550 A.8 in its form for whole numbers: 16 times the jitter, in units of the clock rate. A
   * fraction would be a new object for each packet.
   */
  #jitter = 0;
  /** When a key frame was last asked for. */
  keyFrameAskedAt = -Infinity;
  /** Of the newest packet: its time stamp, and when it came. */
  timestamp = 0;
  at: Instant = 0;
  /** Middle 32 bits of the last sender report's NTP time stamp, and when it came. */
  lastReport = 0;
  lastReportAt: Instant = 0;
  #expectedAtReport = 0;
  #receivedAtReport = 0;

  constructor(readonly ssrc: number) {}

  /**
   * A stream that another worker has counted, at the first packet that comes of it here. What has
   * come between is taken for received: nobody knows.
   */
  static resume(row: ReceiveRow, sequence: number): ReceiveStream {
    const stream = new ReceiveStream(row.ssrc);
    stream.#base = row.base;
    stream.#highest = row.extendedHighest & 0xffff;
    stream.#cycles = row.extendedHighest - stream.#highest;
    stream.#expectedBefore = row.expectedBefore;
    stream.#receivedBefore = row.receivedBefore;
    const between = ((sequence - stream.#highest) & 0xffff) - 1;
    const isKnown = between >= 0 && between < MAX_DROPOUT;
    stream.received = row.received + (isKnown ? between : 0);
    stream.#expectedAtReport = stream.#expectedBefore + stream.#expectedNow() +
      (isKnown ? between : 0);
    stream.#receivedAtReport = stream.received;
    return stream;
  }

  // As a `ReceiveRow`.

  get base(): number {
    return this.#base;
  }

  get expectedBefore(): number {
    return this.#expectedBefore;
  }

  get receivedBefore(): number {
    return this.#receivedBefore;
  }

  /** @param arrival ms */
  packet(sequence: number, timestamp: number, clockRate: number, arrival: number): void {
    this.received++;
    if (this.#highest < 0) {
      this.#base = this.#highest = sequence;
    } else {
      const ahead = (sequence - this.#highest) & 0xffff;
      if (ahead < MAX_DROPOUT) {
        if (sequence < this.#highest) this.#cycles += 0x10000;
        this.#highest = sequence;
      } else if (ahead <= 0x10000 - MAX_MISORDER) this.#restart(sequence);
    }
    if (sequence === this.#highest) {
      this.timestamp = timestamp;
      this.at = arrival;
    }
    if (clockRate === 0) return;
    const transit = (Math.floor(arrival * clockRate / 1000) - timestamp) | 0;
    const difference = Math.abs((transit - this.#transit) | 0);
    // A new start of the time stamps is no jitter.
    if (this.#hasTransit && difference < clockRate * 10) {
      this.#jitter += difference - ((this.#jitter + 8) >> 4);
    }
    this.#hasTransit = true;
    this.#transit = transit;
  }

  #restart(sequence: number): void {
    this.#expectedBefore += this.#expectedNow();
    this.#receivedBefore = this.received - 1;
    this.#base = this.#highest = sequence;
    this.#cycles = 0;
  }

  #expectedNow(): number {
    return this.#cycles + this.#highest - this.#base + 1;
  }

  get lost(): number {
    return this.#highest < 0 ? 0 : lostOf(this);
  }

  /** -1 before the first packet. */
  get highestSequence(): number {
    return this.#highest;
  }

  /** With the number of rollovers above it (RFC 3550 6.4.1). */
  get extendedHighest(): number {
    return (this.#cycles + this.#highest) >>> 0;
  }

  /** RFC 3550 A.8, in units of the clock rate. */
  get jitter(): number {
    return this.#jitter >>> 4;
  }

  /** Loss since the last call, as RFC 3550 A.3 writes it: 0 to 255 of 256. */
  fractionLost(): number {
    const expectedAll = this.#expectedBefore + (this.#highest < 0 ? 0 : this.#expectedNow());
    const expected = expectedAll - this.#expectedAtReport;
    const lost = expected - (this.received - this.#receivedAtReport);
    this.#expectedAtReport = expectedAll;
    this.#receivedAtReport = this.received;
    return expected <= 0 || lost <= 0 ? 0 : Math.min(255, Math.floor(lost * 256 / expected));
  }

  get jitterMs(): number {
    const rate = this.payload?.clockRate ?? 0;
    return rate === 0 ? 0 : this.#jitter / 16 * 1000 / rate;
  }
}

/** Codecs that carry repair, events or noise beside the real one. */
const BESIDES: ReadonlySet<string> = new Set([
  "rtx",
  "red",
  "ulpfec",
  "flexfec-03",
  "telephone-event",
  "cn",
]);

/** A payload that says which codec a side speaks. */
export function isMainCodec(payload: PayloadKind): boolean {
  return !BESIDES.has(payload.codec.toLowerCase());
}

/**
 * Redundant audio data, which browsers also use to carry video with its FEC (RFC 2198, RFC 5109).
 */
export function isRed(payload: PayloadKind): boolean {
  return payload.codec.toLowerCase() === "red";
}

/** All streams of one endpoint. */
export class ReceiveStatistics {
  readonly streams: ReceiveStream[] = [];
  #last: ReceiveStream | null = null;
  #lostBefore = 0;
  /** Streams that another worker has counted, and of which nothing has come here yet. */
  left: ReceiveRow[] = [];
  audio: PayloadKind | null = null;
  video: PayloadKind | null = null;

  /**
   * The stream of an SSRC, new where it has not been seen.
   * @param sequence of the packet that has come of it
   */
  stream(ssrc: number, sequence: number): ReceiveStream {
    const last = this.#last;
    if (last !== null && last.ssrc === ssrc) return last;
    for (const stream of this.streams) {
      if (stream.ssrc === ssrc) {
        this.#last = stream;
        return stream;
      }
    }
    if (this.streams.length >= MAX_STREAMS) this.#forgetOldest();
    const stream = this.#resume(ssrc, sequence) ?? new ReceiveStream(ssrc);
    this.streams.push(stream);
    this.#last = stream;
    return stream;
  }

  /** Another worker has counted so many lost, those of these streams among them. */
  goOn(lost: number, left: ReceiveRow[]): void {
    this.#lostBefore = lost;
    this.left = left;
  }

  #resume(ssrc: number, sequence: number): ReceiveStream | null {
    const at = this.left.findIndex((row) => row.ssrc === ssrc);
    if (at < 0) return null;
    const [row] = this.left.splice(at, 1);
    this.#lostBefore = Math.max(0, this.#lostBefore - lostOf(row!));
    return ReceiveStream.resume(row!, sequence);
  }

  /** Makes room for another stream: some change their SSRC with each song on hold. */
  #forgetOldest(): void {
    let oldest = 0;
    for (let i = 1; i < this.streams.length; i++) {
      if (this.streams[i]!.at < this.streams[oldest]!.at) oldest = i;
    }
    const [gone] = this.streams.splice(oldest, 1);
    this.#lostBefore += gone?.lost ?? 0;
  }

  /** The stream of an SSRC, or null where it was never seen. */
  find(ssrc: number): ReceiveStream | null {
    for (const stream of this.streams) if (stream.ssrc === ssrc) return stream;
    return null;
  }

  get lost(): number {
    let lost = this.#lostBefore;
    for (let i = 0; i < this.streams.length; i++) lost += this.streams[i]!.lost;
    return lost;
  }

  /** Of the audio stream that brings most. */
  get audioJitterMs(): number {
    let most: ReceiveStream | null = null;
    for (let i = 0; i < this.streams.length; i++) {
      const stream = this.streams[i]!;
      if (stream.payload?.kind !== "audio") continue;
      if (most === null || stream.received > most.received) most = stream;
    }
    return most?.jitterMs ?? 0;
  }
}
