import type { Instant } from "../../core/clock.ts";

/**
 * Telephone events (RFC 4733) from one stream to another whose timestamps and clock rate differ.
 * All packets of an event keep one timestamp, and durations are in the clock of the new stream.
 */

/** E bit, in the byte after the event's number. */
const END = 0x80;
const DURATION_AT = 2;
const EVENT_LENGTH = 4;
const LONGEST = 0xffff;
/** An event without its end is over so long after its last packet, ms. */
const LOST_END_MS = 200;
/**
 * So long after what was relayed last, an older timestamp is a late packet's; later, it comes of a
 * sender that has begun to count anew.
 */
const LATEST_MS = 5000;

export interface RelayedEvent {
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

export class EventRelay {
  readonly #ratio: number;
  #event = -1;
  #timestamp = 0;
  #outTimestamp = 0;
  #ended = false;
  #last: Instant = -Infinity;

  /** @param ratio our clock rate by theirs */
  constructor(ratio: number) {
    this.#ratio = ratio;
  }

  /** While an event is sent, voice is not (it would be heard twice as a tone). */
  isActive(now: Instant): boolean {
    return !this.#ended && now - this.#last < LOST_END_MS;
  }

  /** Another sender, whose timestamps have nothing to do with the last one's. */
  reset(): void {
    this.#event = -1;
    this.#ended = false;
    this.#last = -Infinity;
  }

  /**
   * True for a packet of an event that is over: it has an older timestamp (mod 2^32), or goes on
   * after the end. Relayed, it would be taken for a digit of its own.
   */
  isLate(timestamp: number, payload: Uint8Array, now: Instant): boolean {
    if (now - this.#last >= LATEST_MS) return false;
    const behind = (this.#timestamp - timestamp) | 0;
    if (behind !== 0) return behind > 0;
    return payload[0] === this.#event && this.#ended && ((payload[1] ?? 0) & END) === 0;
  }

  /** True where the packet begins an event that was not known. */
  isNew(timestamp: number, payload: Uint8Array): boolean {
    return payload[0] !== this.#event || timestamp !== this.#timestamp;
  }

  /**
   * @param outTimestamp of our stream now: that of an event which begins here
   * @returns undefined where the payload is none
   */
  relay(
    packet: { timestamp: number; marker: boolean; payload: Uint8Array },
    outTimestamp: number,
    now: Instant,
  ): RelayedEvent | undefined {
    const { payload, timestamp } = packet;
    const event = payload[0];
    if (event === undefined || payload.length < EVENT_LENGTH) return undefined;
    if (this.isNew(timestamp, payload)) this.#begin(packet, event, outTimestamp);
    this.#last = now;
    const duration = payload[DURATION_AT]! << 8 | payload[DURATION_AT + 1]!;
    const isEnd = (payload[1]! & END) !== 0;
    this.#ended = isEnd;
    // A long event is cut into segments that each begin where the last one ended (2.5.1.3).
    const scaled = Math.round(duration * this.#ratio);
    const segments = Math.max(0, Math.ceil(scaled / LONGEST) - 1);
    const left = scaled - segments * LONGEST;
    return {
      timestamp: (this.#outTimestamp + segments * LONGEST) >>> 0,
      marker: packet.marker,
      payload: Uint8Array.of(event, payload[1]!, left >> 8, left & 0xff),
    };
  }

  #begin(packet: { timestamp: number; marker: boolean }, event: number, out: number): void {
    const ahead = (packet.timestamp - this.#timestamp) | 0;
    const isNextSegment = event === this.#event && !packet.marker && !this.#ended &&
      ahead > 0 && ahead <= LONGEST;
    this.#outTimestamp = isNextSegment
      ? (this.#outTimestamp + Math.round(ahead * this.#ratio)) >>> 0
      : out;
    this.#event = event;
    this.#timestamp = packet.timestamp;
    this.#ended = false;
  }
}
