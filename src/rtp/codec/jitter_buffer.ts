import type { Instant } from "../../core/clock.ts";
import { DelayEstimate } from "./delay_estimate.ts";
import { SequenceBook } from "./sequence_book.ts";

/** Packets kept at most: two seconds of 10 ms. */
const CAPACITY = 200;
/** A hole longer than this is a pause, not loss, ms. */
const LONGEST_GAP_MS = 200;
/** A timestamp that leaps further than this, either way, begins a new stream, ms. */
const LEAP_MS = 3000;
/** Made up or quiet at a time, ms. */
const STEP_MS = 10;
/** So much of a hole is made up at a time, ms, apart from what the packet behind it may hold. */
const HOLE_STEP_MS = 20;
/** Nothing for so long, and the play-out rests; in announced silence it takes longer, ms. */
const REST_MS = 1000;
/**
 * After a pause so long, packets that seem delayed beyond measure come from a sender's new count.
 */
const PAUSE_MS = 300;
/** So far above the limit of the delay, packets are skipped, ms. */
const SKIP_MARGIN_MS = 50;
const SILENT_REST_MS = 5000;

export interface BufferedPacket {
  readonly sequence: number;
  /** Timestamp on a line without wraps, units of the clock rate. */
  readonly at: number;
  /** Units of the clock rate; 0 for one that only says that silence begins. */
  readonly duration: number;
  readonly payload: Uint8Array;
  /** Until the next packet nothing is missing. */
  readonly isSilence: boolean;
  /** RFC 3389 payload, RFC 4733 event, or the codec's own. */
  readonly kind: "audio" | "noise" | "event";
}

export interface ArrivedPacket {
  readonly sequence: number;
  readonly timestamp: number;
  readonly duration: number;
  readonly payload: Uint8Array;
  readonly isSilence: boolean;
  readonly kind: "audio" | "noise" | "event";
}

/** What to play next; `units` are of the clock rate. */
export type Step =
  /** Nothing is due yet, or nobody sends. */
  | { readonly type: "rest" }
  | { readonly type: "packet"; readonly packet: BufferedPacket }
  /**
   * A hole before a packet that is there, or a piece of it. With `next`, that packet follows the
   * hole directly and is as long (FEC may serve).
   */
  | { readonly type: "lost"; readonly units: number; readonly next: BufferedPacket | undefined }
  /** The next packet is late or lost; nobody knows yet. */
  | { readonly type: "late"; readonly units: number }
  | { readonly type: "silence"; readonly units: number };

export interface JitterBufferOptions {
  readonly clockRate: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Audio is taken out in pieces of this length, ms. */
  readonly tickMs: number;
}

/**
 * Orders packets and says what to play when: holds them as long as their jitter asks for, tells
 * loss from lateness and from silence. Time comes in; audio does not pass through here. The present
 * delay is `now` minus the media time being played minus the fastest packet's transit time, so it
 * is exact to the sample; whoever stretches the audio keeps it at `target`.
 */
export class JitterBuffer {
  readonly #options: JitterBufferOptions;
  readonly #perMs: number;
  #packets: BufferedPacket[] = [];
  #estimate = new DelayEstimate();
  #last: { timestamp: number; at: number } | undefined;
  #lastArrival: Instant = 0;
  /** Media time up to which steps were given out; undefined: resting. */
  #position: number | undefined;
  /** Made up since without moving on, because the next packet was not there. */
  #stalled = 0;
  /** Where announced silence began; packets after it are never late. */
  #silentFrom: number | undefined;
  /** Counts what is lost, comes twice or out of order. */
  readonly book = new SequenceBook();
  late = 0;

  constructor(options: JitterBufferOptions) {
    this.#options = options;
    this.#perMs = options.clockRate / 1000;
  }

  get jitterMs(): number {
    return this.#estimate.jitterMs;
  }

  /** Delay aimed at, ms. */
  get targetMs(): number {
    const { minDelayMs, maxDelayMs, tickMs } = this.#options;
    return Math.min(maxDelayMs, Math.max(minDelayMs, this.#estimate.needed() + tickMs));
  }

  /** True while a sender is being played. */
  get isPlaying(): boolean {
    return this.#position !== undefined;
  }

  get isSilent(): boolean {
    return this.#silentFrom !== undefined;
  }

  get length(): number {
    return this.#packets.length;
  }

  /**
   * Present delay, ms.
   * @param unplayed taken out by steps and not yet played, units
   */
  delayMs(now: Instant, unplayed: number): number {
    if (this.#position === undefined) return 0;
    return now - (this.#position - unplayed) / this.#perMs - this.#estimate.fastest;
  }

  /** Forgets the stream; counters stay. */
  reset(): void {
    this.#packets = [];
    this.#estimate = new DelayEstimate();
    this.#last = undefined;
    this.#position = undefined;
    this.#silentFrom = undefined;
    this.#stalled = 0;
    this.book.reset();
  }

  insert(packet: ArrivedPacket, now: Instant): void {
    const at = this.#unwrap(packet.timestamp);
    if (this.#last !== undefined && Math.abs(at - this.#expected(now)) > LEAP_MS * this.#perMs) {
      this.reset();
      return this.insert(packet, now);
    }
    if (!this.book.arrived(packet.sequence)) return;
    if (this.#last === undefined || at >= this.#last.at) {
      this.#last = { timestamp: packet.timestamp, at };
    }
    // A call may begin with a digit; without any transit time it would never be due.
    if (packet.kind === "audio" || this.#estimate.isEmpty) this.#learn(at / this.#perMs, now);
    this.#lastArrival = now;
    if (this.#isPast(at, packet)) {
      this.late++;
      return;
    }
    this.#place({ ...packet, at });
  }

  /** What comes next; called until enough audio is there. */
  next(now: Instant): Step {
    const first = this.#packets[0];
    if (this.#position === undefined) {
      if (first === undefined || !this.#isDue(first, now)) return { type: "rest" };
      this.#position = first.at;
    }
    if (first === undefined) return this.#nextOfNothing(now);
    if (this.#skip(now)) return this.next(now);
    if (first.at <= this.#position || this.#silentFrom !== undefined && this.#isDue(first, now)) {
      return this.#take(first);
    }
    if (this.#silentFrom !== undefined) return this.#quiet(first.at);
    return this.#bridge(first, now);
  }

  #learn(mediaMs: number, now: Instant): void {
    const delay = now - mediaMs - this.#estimate.fastest;
    if (now - this.#lastArrival >= PAUSE_MS && delay > this.#options.maxDelayMs) {
      // A sender that stops its clock while muted, or a network that froze: learn anew.
      this.#estimate = new DelayEstimate();
    }
    this.#estimate.arrived(mediaMs, now);
  }

  /** Gives up what is older than the limit allows, where newer packets are there. */
  #skip(now: Instant): boolean {
    const packets = this.#packets;
    const age = (packet: BufferedPacket) => now - packet.at / this.#perMs - this.#estimate.fastest;
    if (packets.length < 2 || age(packets[0]!) <= this.#options.maxDelayMs + SKIP_MARGIN_MS) {
      return false;
    }
    const target = this.targetMs;
    while (packets.length > 1 && age(packets[0]!) > target) {
      packets.shift();
      this.late++;
    }
    this.#position = packets[0]!.at;
    this.#stalled = 0;
    return true;
  }

  /** Media time of `now` by the last packet, on the line without wraps. */
  #expected(now: Instant): number {
    return this.#last!.at + (now - this.#lastArrival) * this.#perMs;
  }

  #unwrap(timestamp: number): number {
    if (this.#last === undefined) return timestamp;
    return this.#last.at + ((timestamp - this.#last.timestamp) | 0);
  }

  /** Its time is over. In silence or a stall nothing was played in its place that counts. */
  #isPast(at: number, packet: ArrivedPacket): boolean {
    if (this.#position === undefined) return false;
    const from = this.#silentFrom ?? this.#position;
    return packet.duration === 0 ? at < from : at + packet.duration <= from;
  }

  #place(packet: BufferedPacket): void {
    const packets = this.#packets;
    let i = packets.length;
    while (i > 0 && packets[i - 1]!.at > packet.at) i--;
    packets.splice(i, 0, packet);
    if (packets.length > CAPACITY) packets.shift();
  }

  #isDue(packet: BufferedPacket, now: Instant): boolean {
    return now - packet.at / this.#perMs - this.#estimate.fastest >= this.targetMs;
  }

  #take(packet: BufferedPacket): Step {
    this.#packets.shift();
    this.book.played(packet.sequence);
    this.#stalled = 0;
    const end = packet.at + packet.duration;
    this.#position = this.#silentFrom === undefined ? Math.max(this.#position!, end) : end;
    this.#silentFrom = packet.isSilence ? end : undefined;
    return { type: "packet", packet };
  }

  #nextOfNothing(now: Instant): Step {
    const isSilent = this.#silentFrom !== undefined;
    if (now - this.#lastArrival >= (isSilent ? SILENT_REST_MS : REST_MS)) {
      this.#position = undefined;
      this.#silentFrom = undefined;
      this.#stalled = 0;
      return { type: "rest" };
    }
    if (isSilent) return this.#quiet(Infinity);
    const units = STEP_MS * this.#perMs;
    // Waiting makes the delay grow; at the limit time goes on without the packet.
    if (this.delayMs(now, 0) >= this.#options.maxDelayMs) this.#position! += units;
    else this.#stalled += units;
    return { type: "late", units };
  }

  /** Silence up to `end`; there it waits until the packet is due. */
  #quiet(end: number): Step {
    const units = STEP_MS * this.#perMs;
    this.#position = Math.max(this.#position!, Math.min(end, this.#position! + units));
    return { type: "silence", units };
  }

  /** A hole before `first`. What a stall made up already counts as the hole's beginning. */
  #bridge(first: BufferedPacket, now: Instant): Step {
    const gap = first.at - this.#position!;
    if (gap > LONGEST_GAP_MS * this.#perMs) {
      this.#silentFrom = this.#position;
      return this.#isDue(first, now) ? this.#take(first) : this.#quiet(first.at);
    }
    const covered = Math.min(this.#stalled, gap);
    if (this.#stalled > 0 || first.duration === 0) {
      this.#stalled = 0;
      this.#position! += first.duration === 0 ? gap : covered;
      return this.next(now);
    }
    // Senders choose how far apart and how long packets are: no piece follows from that alone.
    const most = HOLE_STEP_MS * this.#perMs;
    const isRecoverable = gap === first.duration;
    const ahead = gap > first.duration ? gap - first.duration : gap;
    const units = isRecoverable ? gap : Math.min(most, ahead);
    this.#position! += units;
    return { type: "lost", units, next: isRecoverable ? first : undefined };
  }
}
