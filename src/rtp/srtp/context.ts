import type { SrtpCipher } from "./cipher.ts";

/**
 * Cryptographic contexts of RFC 3711 3.2: rollover counter, replay window and SRTCP index for each
 * SSRC of one direction. Nothing is remembered of a packet before it has been authenticated.
 */

/** Packets that may come this far behind the newest one; a burst of retransmissions fits. */
const RTP_WINDOW = 1024;
const RTCP_WINDOW = 128;
/** More synchronization sources than this under one key are not a call. */
const MAX_STREAMS = 64;
const HALF = 0x8000;

/** Which of the last `size` indices were seen; `size` is a power of two, at most 2^16. */
export class ReplayWindow {
  readonly #bits: Int32Array;
  readonly #mask: number;

  constructor(readonly size: number) {
    this.#bits = new Int32Array(size >> 5);
    this.#mask = size - 1;
  }

  has(index: number): boolean {
    const at = index & this.#mask;
    return (this.#bits[at >> 5]! & (1 << (at & 31))) !== 0;
  }

  mark(index: number): void {
    const at = index & this.#mask;
    this.#bits[at >> 5]! |= 1 << (at & 31);
  }

  /** Forgets what falls out when the newest index moves up by `by` to `index`. */
  advance(index: number, by: number): void {
    if (by >= this.size) {
      this.#bits.fill(0);
      return;
    }
    for (let i = 0; i < by; i++) {
      const at = (index - i) & this.#mask;
      this.#bits[at >> 5]! &= ~(1 << (at & 31));
    }
  }
}

/** What is known of one SSRC in one direction. */
class Stream {
  rolloverCounter = 0;
  /** -1 before the first packet. */
  highestSequence = -1;
  readonly rtp = new ReplayWindow(RTP_WINDOW);
  rtcp: ReplayWindow | null = null;
  highestRtcpIndex = -1;
  /** Result of `guess`: the rollover counter of the packet, and its distance to the newest. */
  guessedCounter = 0;
  guessedDelta = 0;

  /** RFC 3711 3.3.1; false where the index was used or lies before the window. */
  guess(sequence: number): boolean {
    const highest = this.highestSequence;
    let counter = this.rolloverCounter;
    if (highest < 0) {
      this.guessedCounter = counter;
      this.guessedDelta = 1;
      return true;
    }
    if (highest < HALF) {
      if (sequence - highest > HALF) counter--;
    } else if (highest - HALF > sequence) counter++;
    const delta = (counter - this.rolloverCounter) * 0x10000 + sequence - highest;
    this.guessedCounter = counter;
    this.guessedDelta = delta;
    if (counter < 0) return false;
    return delta > 0 || (delta > -RTP_WINDOW && !this.rtp.has(sequence));
  }

  /** Takes over what `guess` found. */
  accept(sequence: number): void {
    const delta = this.guessedDelta;
    if (delta > 0) {
      this.rtp.advance(sequence, this.highestSequence < 0 ? RTP_WINDOW : delta);
      this.highestSequence = sequence;
      this.rolloverCounter = this.guessedCounter;
    }
    this.rtp.mark(sequence);
  }

  rtcpIsNew(index: number): boolean {
    const delta = index - this.highestRtcpIndex;
    return delta > 0 || (delta > -RTCP_WINDOW && this.rtcp !== null && !this.rtcp.has(index));
  }

  acceptRtcp(index: number): void {
    const window = this.rtcp ??= new ReplayWindow(RTCP_WINDOW);
    const delta = index - this.highestRtcpIndex;
    if (delta > 0) {
      window.advance(index, this.highestRtcpIndex < 0 ? RTCP_WINDOW : delta);
      this.highestRtcpIndex = index;
    }
    window.mark(index);
  }
}

/** Streams by SSRC: a handful, nearly always the one of the last packet. */
class Streams {
  readonly #ssrcs = new Int32Array(MAX_STREAMS);
  readonly #streams: Stream[] = [];
  #last = 0;

  find(ssrc: number): Stream | null {
    const streams = this.#streams;
    if (this.#last < streams.length && this.#ssrcs[this.#last] === ssrc) {
      return streams[this.#last]!;
    }
    for (let i = 0; i < streams.length; i++) {
      if (this.#ssrcs[i] === ssrc) {
        this.#last = i;
        return streams[i]!;
      }
    }
    return null;
  }

  get full(): boolean {
    return this.#streams.length >= MAX_STREAMS;
  }

  add(ssrc: number, stream: Stream): void {
    this.#ssrcs[this.#streams.length] = ssrc;
    this.#streams.push(stream);
  }
}

/** Length of an RTP header with CSRCs and extension, or -1 where it does not fit (RFC 3550 5.1). */
export function rtpHeaderLength(buffer: Uint8Array, offset: number, length: number): number {
  if (length < 12) return -1;
  let header = 12 + 4 * (buffer[offset]! & 15);
  if ((buffer[offset]! & 0x10) !== 0) {
    if (header + 4 > length) return -1;
    const at = offset + header;
    header += 4 + 4 * ((buffer[at + 2]! << 8) | buffer[at + 3]!);
  }
  return header <= length ? header : -1;
}

function int32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}

/** Opens what the other side sends. */
export class SrtpReceiver {
  readonly #cipher: SrtpCipher;
  readonly #streams = new Streams();
  /** A stream in waiting, so that forged SSRCs cost no memory. */
  #spare = new Stream();

  constructor(cipher: SrtpCipher) {
    this.#cipher = cipher;
  }

  /** In place; gives the length of the plain packet, or -1: malformed, forged or seen before. */
  unprotectRtp(buffer: Uint8Array, offset: number, length: number): number {
    const header = rtpHeaderLength(buffer, offset, length - this.#cipher.rtpTagLength);
    if (header < 0) return -1;
    const ssrc = int32(buffer, offset + 8);
    const known = this.#streams.find(ssrc);
    if (known === null && this.#streams.full) return -1;
    const stream = known ?? this.#spare;
    const sequence = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    if (!stream.guess(sequence)) return -1;
    const plain = this.#cipher.openRtp(buffer, offset, header, length, stream.guessedCounter);
    if (plain < 0) return -1;
    stream.accept(sequence);
    if (known === null) this.#keepSpare(ssrc);
    return plain;
  }

  /** In place; gives the length of the plain compound packet, or -1. */
  unprotectRtcp(buffer: Uint8Array, offset: number, length: number): number {
    if (length < 8 + this.#cipher.rtcpTrailerLength) return -1;
    const ssrc = int32(buffer, offset + 4);
    const known = this.#streams.find(ssrc);
    if (known === null && this.#streams.full) return -1;
    const stream = known ?? this.#spare;
    const index = this.#cipher.rtcpIndex(buffer, offset, length);
    if (!stream.rtcpIsNew(index)) return -1;
    const plain = this.#cipher.openRtcp(buffer, offset, length);
    if (plain < 0) return -1;
    stream.acceptRtcp(index);
    if (known === null) this.#keepSpare(ssrc);
    return plain;
  }

  close(): void {
    this.#cipher.close?.();
  }

  #keepSpare(ssrc: number): void {
    this.#streams.add(ssrc, this.#spare);
    this.#spare = new Stream();
  }
}

/** Closes what we send. One index is never used for two packets of one SSRC. */
export class SrtpSender {
  readonly #cipher: SrtpCipher;
  readonly #streams = new Streams();
  #rtcpIndex = 0;

  constructor(cipher: SrtpCipher) {
    this.#cipher = cipher;
  }

  /** In place; gives the new length, or -1: malformed, or its index was used or is too old. */
  protectRtp(buffer: Uint8Array, offset: number, length: number): number {
    const header = rtpHeaderLength(buffer, offset, length);
    if (header < 0) return -1;
    const ssrc = int32(buffer, offset + 8);
    let stream = this.#streams.find(ssrc);
    if (stream === null) {
      if (this.#streams.full) return -1;
      stream = new Stream();
      this.#streams.add(ssrc, stream);
    }
    const sequence = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    if (!stream.guess(sequence)) return -1;
    stream.accept(sequence);
    return this.#cipher.sealRtp(buffer, offset, header, length, stream.guessedCounter);
  }

  /** In place; gives the new length. One index counts for all SSRCs, which keeps it unique for each. */
  protectRtcp(buffer: Uint8Array, offset: number, length: number): number {
    if (length < 8) return -1;
    this.#rtcpIndex = (this.#rtcpIndex + 1) & 0x7fffffff;
    return this.#cipher.sealRtcp(buffer, offset, length, this.#rtcpIndex);
  }

  close(): void {
    this.#cipher.close?.();
  }
}
