import type { Instant } from "../../core/clock.ts";
import type { Deadline, SansIo } from "../../core/sans_io.ts";
import { type Codec, commonRate, MAX_PACKET_MS, nearestRate, type PcmRate } from "./codec.ts";
import type { DirectionStatistics, TranscoderSide } from "./contract.ts";
import { EventRelay } from "./event_relay.ts";
import { Packetizer } from "./packetizer.ts";
import { Playout } from "./playout.ts";
import { Resampler } from "./resampler.ts";
import { parseRtp, type RtpPacket } from "./rtp_packet.ts";

/** Ticks that are made up for when the worker was held up; beyond these, time is skipped. */
const MOST_TICKS_LATE = 10;
const LONGEST_TICK_MS = 20;

export interface TranscoderDirection {
  readonly from: TranscoderSide;
  readonly to: TranscoderSide;
  readonly fromCodec: Codec;
  readonly toCodec: Codec;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * One direction of a transcoder: RTP packets of one codec in, RTP packets of another out, at an
 * even pace of its own (10 or 20 ms) while the sender is heard; no deadline while nobody is.
 */
export class Transcoder implements SansIo<Uint8Array, Uint8Array> {
  readonly #from: TranscoderSide;
  readonly #to: TranscoderSide;
  readonly #codec: Codec;
  readonly #playout: Playout;
  readonly #packetizer: Packetizer;
  readonly #resampler: Resampler | undefined;
  readonly #events: EventRelay | undefined;
  readonly #out: Uint8Array[] = [];
  readonly #tickMs: number;
  readonly #inSamples: number;
  readonly #inPcm: Int16Array;
  readonly #outPcm: Int16Array;
  #ssrc: number | undefined;
  /** All ticks lie at whole multiples of the tick after this. */
  #origin: Instant | undefined;
  #ticks = 0;
  #isTicking = false;
  #lastTimestamp = 0;
  #received = 0;
  #refused = 0;
  #reportedLoss = 0;

  constructor(options: TranscoderDirection) {
    const { from, to, fromCodec, toCodec, minDelayMs, maxDelayMs } = options;
    this.#from = from;
    this.#to = to;
    this.#codec = fromCodec;
    const [inRate, outRate] = ratesOf(fromCodec, toCodec);
    this.#packetizer = new Packetizer(to, toCodec, outRate);
    this.#tickMs = this.#packetizer.packetMs % LONGEST_TICK_MS === 0 ? LONGEST_TICK_MS : 10;
    try {
      this.#playout = new Playout({
        codec: fromCodec,
        sampleRate: inRate,
        tickMs: this.#tickMs,
        minDelayMs,
        maxDelayMs,
      });
    } catch (error) {
      this.#packetizer.close();
      throw error;
    }
    this.#resampler = inRate === outRate ? undefined : new Resampler(inRate, outRate);
    this.#inSamples = this.#tickMs * inRate / 1000;
    this.#inPcm = new Int16Array(this.#inSamples);
    this.#outPcm = new Int16Array(this.#tickMs * outRate / 1000);
    this.#events = from.telephoneEvent === null || to.telephoneEvent === null
      ? undefined
      : new EventRelay(to.telephoneEvent.clockRate / from.telephoneEvent.clockRate);
  }

  handle(bytes: Uint8Array, now: Instant): void {
    const packet = parseRtp(bytes);
    if (packet === undefined) {
      this.#refused++;
      return;
    }
    this.#received++;
    if (packet.ssrc !== this.#ssrc) {
      if (this.#ssrc !== undefined) {
        this.#playout.reset();
        this.#events?.reset();
      }
      this.#ssrc = packet.ssrc;
    }
    if (this.#take(packet, now)) this.#start(now);
  }

  wake(now: Instant): void {
    if (this.#origin === undefined) return;
    const late = Math.floor((now - this.#tickAt()) / this.#tickMs);
    if (late > MOST_TICKS_LATE) this.#passTicks(late);
    while (this.#isTicking && this.#tickAt() <= now) this.#tick(this.#tickAt());
  }

  poll(): Uint8Array | undefined {
    return this.#out.shift();
  }

  deadline(): Deadline | undefined {
    return this.#isTicking ? { at: this.#tickAt(), reason: "transcoder tick" } : undefined;
  }

  /** The far side's RTCP reports this loss of what we send, percent. */
  setLoss(percent: number): void {
    this.#reportedLoss = percent;
    this.#packetizer.setLoss(percent);
  }

  statistics(): DirectionStatistics {
    const [playout, buffer] = [this.#playout, this.#playout.buffer];
    return {
      receivePackets: this.#received,
      sendPackets: this.#packetizer.sent,
      delayMs: this.#isTicking ? playout.delayMs : 0,
      targetDelayMs: buffer.targetMs,
      lost: buffer.book.lost,
      late: buffer.late,
      concealedMs: playout.concealedMs,
      recovered: playout.recovered,
      duplicate: buffer.book.duplicate,
      reordered: buffer.book.reordered,
      acceleratedMs: playout.acceleratedMs,
      expandedMs: playout.expandedMs,
      refused: this.#refused + playout.refused,
      reportedLossPercent: this.#reportedLoss,
      jitterMs: buffer.jitterMs,
    };
  }

  close(): void {
    this.#isTicking = false;
    this.#out.length = 0;
    this.#playout.close();
    this.#packetizer.close();
  }

  /** @returns true where there is something to play */
  #take(packet: RtpPacket, now: Instant): boolean {
    const from = this.#from;
    const { payloadType, payload, sequence, timestamp } = packet;
    if (payloadType === from.payloadType) {
      const duration = this.#codec.duration(payload);
      if (duration === 0 || duration * 1000 > MAX_PACKET_MS * this.#codec.clockRate) {
        this.#refused++;
        return false;
      }
      const isSilence = this.#codec.isSilence(payload);
      this.#lastTimestamp = (timestamp + duration) >>> 0;
      this.#playout.insert(
        { sequence, timestamp, duration, payload, isSilence, kind: "audio" },
        now,
      );
      return true;
    }
    if (payloadType === from.comfortNoise) {
      this.#insertMark(sequence, timestamp, payload, "noise", now);
      return true;
    }
    if (payloadType === from.telephoneEvent?.payloadType) return this.#takeEvent(packet, now);
    this.#refused++;
    return false;
  }

  #insertMark(
    sequence: number,
    timestamp: number,
    payload: Uint8Array,
    kind: "noise" | "event",
    now: Instant,
  ): void {
    this.#playout.insert(
      { sequence, timestamp, duration: 0, payload, isSilence: true, kind },
      now,
    );
  }

  /** Events don't wait in the jitter buffer; they only tell it that voice pauses. */
  #takeEvent(packet: RtpPacket, now: Instant): boolean {
    const [events, event] = [this.#events, this.#to.telephoneEvent];
    if (events === undefined || event === null) {
      this.#refused++;
      return false;
    }
    if (events.isLate(packet.timestamp, packet.payload, now)) {
      this.#playout.buffer.book.note(packet.sequence);
      return false;
    }
    const isNew = events.isNew(packet.timestamp, packet.payload);
    if (isNew && !events.isActive(now)) {
      this.#start(now);
      this.#packetizer.cut();
    }
    const relayed = events.relay(packet, this.#packetizer.timestamp, now);
    if (relayed === undefined) {
      this.#refused++;
      return false;
    }
    if (isNew) {
      const isSameClock = this.#from.telephoneEvent?.clockRate === this.#codec.clockRate;
      const timestamp = isSameClock ? packet.timestamp : this.#lastTimestamp;
      this.#insertMark(packet.sequence, timestamp, packet.payload, "event", now);
    } else this.#playout.buffer.book.note(packet.sequence);
    this.#out.push(
      this.#packetizer.wrap(event.payloadType, relayed.marker, relayed.timestamp, relayed.payload),
    );
    return true;
  }

  #tickAt(): Instant {
    return this.#origin! + this.#ticks * this.#tickMs;
  }

  /** Begins to tick; the time of a pause is in the timestamps that follow. */
  #start(now: Instant): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    if (this.#origin === undefined) {
      // So that the first packet is due on a tick, and not held until the next.
      this.#origin = now + this.#playout.buffer.targetMs % this.#tickMs;
      return;
    }
    this.#passTicks(Math.ceil((now - this.#tickAt()) / this.#tickMs));
  }

  #passTicks(count: number): void {
    if (count <= 0) return;
    this.#packetizer.cut();
    this.#ticks += count;
    this.#packetizer.pass(count * this.#tickMs);
  }

  #tick(at: Instant): void {
    this.#ticks++;
    const isHeard = this.#playout.pull(this.#inSamples, at, this.#inPcm);
    const isEvent = this.#events?.isActive(at) ?? false;
    if (!isHeard) {
      this.#packetizer.cut();
      this.#packetizer.pass(this.#tickMs);
      // Before the first packet is due there is nothing to hear either.
      this.#isTicking = this.#playout.buffer.length > 0 || isEvent;
      return;
    }
    let pcm = this.#inPcm;
    let samples = this.#inSamples;
    if (this.#resampler !== undefined) {
      samples = this.#resampler.process(pcm, samples, this.#outPcm);
      pcm = this.#outPcm;
    }
    const packet = this.#packetizer.push(pcm, samples, isEvent);
    if (packet !== undefined) this.#out.push(packet);
  }
}

/** The rates at which a pair of codecs meets, for tests and the operators' view. */
export function ratesOf(from: Codec, to: Codec): readonly [PcmRate, PcmRate] {
  const wanted = commonRate(from, to);
  return [nearestRate(from, wanted), nearestRate(to, wanted)];
}
