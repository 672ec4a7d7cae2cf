import type { Instant } from "../../core/clock.ts";
import type { OutStream } from "./out_streams.ts";

const EVENTS = "0123456789*#ABCD";
/** Time between the packets of an event, ms. */
const INTERVAL = 20;
/** Between the end of one event and the start of the next, ms. */
const GAP = 50;
/** The last packet is sent three times (RFC 4733 2.5.1.4). */
const ENDS = 3;
const MIN_DURATION = 40;
/** -10 dBm0. */
const VOLUME = 10;
/** Digits that wait; more than any number has. */
const MAX_QUEUE = 64;
const MAX_UNITS = 0xffff;

export function digitOf(event: number): string | null {
  return EVENTS[event] ?? null;
}

/** One telephone-event packet's words, RFC 4733 2.3. */
export interface EventPacket {
  readonly marker: boolean;
  readonly timestamp: number;
  readonly event: number;
  readonly isEnd: boolean;
  readonly volume: number;
  /** In units of the clock rate. */
  readonly duration: number;
}

/** Plays digits as telephone-events in the place of audio, one after the other. */
export class DtmfSender {
  readonly #queue: { readonly event: number; readonly ms: number }[] = [];
  #event = -1;
  #ms = 0;
  #startedAt: Instant = 0;
  #timestamp = 0;
  #sent = 0;
  #ends = 0;
  /** When `step` is wanted next. */
  nextAt: Instant = Infinity;

  /** While true audio is left out: the event takes its place. */
  get isActive(): boolean {
    return this.#event >= 0;
  }

  /** Characters that are no digits are left out. */
  add(digits: string, durationMs: number, now: Instant): void {
    for (const digit of digits.toUpperCase()) {
      const event = EVENTS.indexOf(digit);
      if (event < 0 || this.#queue.length >= MAX_QUEUE) continue;
      this.#queue.push({ event, ms: Math.max(MIN_DURATION, durationMs) });
    }
    if (this.nextAt === Infinity && this.#queue.length > 0) this.nextAt = now;
  }

  clear(): void {
    this.#queue.length = 0;
    this.#event = -1;
    this.nextAt = Infinity;
  }

  /** Does what is due, and sets `nextAt`. */
  step(
    stream: OutStream,
    clockRate: number,
    now: Instant,
    send: (packet: EventPacket) => void,
  ): void {
    while (now >= this.nextAt) {
      if (this.#event < 0) this.#start(stream, clockRate, now);
      else this.#packet(stream, clockRate, send);
    }
  }

  #start(stream: OutStream, clockRate: number, now: Instant): void {
    const next = this.#queue.shift();
    if (next === undefined) {
      this.nextAt = Infinity;
      return;
    }
    this.#event = next.event;
    // The duration field has 16 bits; what would take longer ends there.
    this.#ms = Math.min(next.ms, Math.floor(MAX_UNITS * 1000 / clockRate));
    this.#startedAt = now;
    this.#timestamp = stream.timestampAt(now);
    this.#sent = this.#ends = 0;
    this.nextAt = now + INTERVAL;
  }

  #packet(stream: OutStream, clockRate: number, send: (packet: EventPacket) => void): void {
    const elapsed = Math.min(this.#ms, (this.#sent + 1) * INTERVAL);
    const isEnd = elapsed >= this.#ms;
    const packet: EventPacket = {
      marker: this.#sent === 0,
      timestamp: this.#timestamp,
      event: this.#event,
      isEnd,
      volume: VOLUME,
      duration: Math.round(elapsed * clockRate / 1000),
    };
    // Sending comes last: should it fail, time goes on all the same.
    this.#advance(stream, isEnd);
    send(packet);
  }

  #advance(stream: OutStream, isEnd: boolean): void {
    if (!isEnd) {
      this.#sent++;
      const next = Math.min(this.#ms, (this.#sent + 1) * INTERVAL);
      this.nextAt = this.#startedAt + next;
      return;
    }
    this.#sent++;
    this.#ends++;
    if (this.#ends < ENDS) {
      this.nextAt = this.#startedAt + this.#ms + this.#ends * INTERVAL;
      return;
    }
    this.#event = -1;
    stream.beginChange();
    stream.rebase = true;
    stream.endChange();
    this.nextAt = this.#queue.length > 0 ? this.#startedAt + this.#ms + GAP : Infinity;
  }
}
