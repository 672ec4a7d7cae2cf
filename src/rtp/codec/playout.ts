import type { Instant } from "../../core/clock.ts";
import { type Codec, type Decoder, MAX_PACKET_MS, type PcmRate } from "./codec.ts";
import { NoiseMaker } from "./comfort_noise.ts";
import {
  type ArrivedPacket,
  type BufferedPacket,
  JitterBuffer,
  type Step,
} from "./jitter_buffer.ts";
import { StretchQueue } from "./time_stretch.ts";

/** The delay may be so far from its target before audio is stretched, ms. */
const ABOVE_MS = 12;
const BELOW_MS = 5;
/** So far above it, audio is shortened whatever it sounds like, ms. */
const URGENT_MS = 120;
/** Shortening needs two long pitch periods at hand, ms. */
const STRETCH_MS = 30;
/** Concealed at a time, ms: what decoders are asked for does not grow with what senders say. */
const CONCEAL_MS = 20;
/** Steps that one pull may take, above what the buffer holds; more: it breaks its promises. */
const MAX_STEPS = 300;

export interface PlayoutOptions {
  readonly codec: Codec;
  readonly sampleRate: PcmRate;
  readonly tickMs: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * The receiving half: packets in, an even stream of PCM out, by jitter buffer, decoder,
 * concealment, comfort noise and stretching.
 */
export class Playout {
  readonly buffer: JitterBuffer;
  readonly #codec: Codec;
  readonly #decoder: Decoder;
  readonly #queue: StretchQueue;
  readonly #noise = new NoiseMaker();
  readonly #scratch: Int16Array;
  readonly #samplesPerUnit: number;
  readonly #perMs: number;
  /** Who fills silence: the codec's decoder, or RFC 3389 noise. */
  #codecIsSilent = false;
  #lastStep: Step["type"] = "rest";
  #delayMs = 0;

  concealedMs = 0;
  recovered = 0;
  acceleratedMs = 0;
  expandedMs = 0;
  refused = 0;

  constructor(options: PlayoutOptions) {
    const { codec, sampleRate, tickMs, minDelayMs, maxDelayMs } = options;
    this.#codec = codec;
    this.#decoder = codec.decoder({ sampleRate });
    this.#perMs = sampleRate / 1000;
    this.#samplesPerUnit = sampleRate / codec.clockRate;
    this.#queue = new StretchQueue(sampleRate);
    this.#scratch = new Int16Array(MAX_PACKET_MS * this.#perMs);
    this.buffer = new JitterBuffer({ clockRate: codec.clockRate, minDelayMs, maxDelayMs, tickMs });
  }

  /** Delay of what was played last, ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  insert(packet: ArrivedPacket, now: Instant): void {
    this.buffer.insert(packet, now);
  }

  /** The stream has ended or another has begun. */
  reset(): void {
    this.buffer.reset();
    this.#queue.clear();
    this.#noise.reset();
    this.#codecIsSilent = false;
  }

  /**
   * Fills `pcm` with the next `samples`.
   * @returns false: nobody is sending, and `pcm` is as it was
   */
  pull(samples: number, now: Instant, pcm: Int16Array): boolean {
    this.#fill(samples, now);
    if (this.#queue.length === 0) return false;
    this.#stretch(samples, now);
    this.#delayMs = this.#delay(now);
    if (this.#queue.length < samples) {
      // The sender stopped in the middle of a tick.
      const rest = samples - this.#queue.length;
      this.#scratch.fill(0, 0, rest);
      this.#queue.push(this.#scratch, rest);
    }
    this.#queue.shift(samples, pcm);
    return true;
  }

  close(): void {
    this.#decoder.close();
  }

  #delay(now: Instant): number {
    return this.buffer.delayMs(now, this.#queue.length / this.#samplesPerUnit);
  }

  /** @param isOptional do without what would have to be made up */
  #fill(samples: number, now: Instant, isOptional = false): void {
    for (let steps = 0; this.#queue.length < samples; steps++) {
      if (isOptional && this.buffer.length === 0) return;
      if (steps > MAX_STEPS) throw new Error(`jitter buffer gave ${steps} steps and no audio`);
      const step = this.buffer.next(now);
      this.#lastStep = step.type;
      if (step.type === "rest") return;
      this.#play(step);
    }
  }

  #play(step: Exclude<Step, { type: "rest" }>): void {
    if (step.type === "packet") return this.#playPacket(step.packet);
    const count = Math.round(step.units * this.#samplesPerUnit);
    switch (step.type) {
      case "silence":
        return this.#inPieces(count, (piece) => {
          if (this.#codecIsSilent) this.#decoder.conceal(piece, this.#scratch);
          else this.#noise.make(piece, this.#scratch);
        });
      case "lost":
        if (step.next?.kind === "audio" && this.#recover(step.next.payload, count)) return;
        return this.#conceal(count);
      case "late":
        return this.#conceal(count);
    }
  }

  /** Has `count` samples made, some at a time, and queues them. */
  #inPieces(count: number, make: (piece: number) => void): void {
    const most = CONCEAL_MS * this.#perMs;
    for (let left = count; left > 0;) {
      const piece = Math.min(most, left);
      make(piece);
      this.#queue.push(this.#scratch, piece);
      left -= piece;
    }
  }

  #recover(next: Uint8Array, count: number): boolean {
    if (count > this.#scratch.length) return false;
    if (this.#decoder.recover?.(next, count, this.#scratch) !== count) return false;
    this.recovered++;
    this.#queue.push(this.#scratch, count);
    return true;
  }

  #conceal(count: number): void {
    this.#inPieces(count, (piece) => this.#decoder.conceal(piece, this.#scratch));
    this.concealedMs += count / this.#perMs;
  }

  #playPacket(packet: BufferedPacket): void {
    if (packet.kind === "noise") {
      this.#noise.take(packet.payload);
      this.#codecIsSilent = false;
    } else if (packet.kind === "event") {
      this.#noise.reset();
      this.#codecIsSilent = false;
    } else {
      this.#codecIsSilent = packet.isSilence && this.#codec.ownComfortNoise;
      const count = this.#decoder.decode(packet.payload, this.#scratch);
      if (count >= 0) return this.#queue.push(this.#scratch, count);
      this.refused++;
      this.#conceal(Math.round(packet.duration * this.#samplesPerUnit));
    }
  }

  #stretch(samples: number, now: Instant): void {
    if (this.#lastStep !== "packet" && this.#lastStep !== "rest") return;
    const { buffer } = this;
    if (!buffer.isPlaying || buffer.isSilent) return;
    const excess = this.#delay(now) - buffer.targetMs;
    if (excess > ABOVE_MS) {
      this.#fill(samples + STRETCH_MS * this.#perMs / 2, now, true);
      const room = this.#queue.length - samples;
      if (room < STRETCH_MS * this.#perMs / 2 && excess <= URGENT_MS) return;
      this.acceleratedMs += this.#queue.accelerate(excess > URGENT_MS) / this.#perMs;
      this.#fill(samples, now);
    } else if (excess < -BELOW_MS) {
      this.expandedMs += this.#queue.expand(false) / this.#perMs;
    }
  }
}
