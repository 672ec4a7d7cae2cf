import type { Clock } from "../../core/clock.ts";
import type { TranscoderSide } from "./contract.ts";

/** Of a place, in 32-bit words: sequence number and one (0: nothing sent yet), timestamp. */
const SEQUENCE_AT = 0;
const TIMESTAMP_AT = 1;
/** In bytes, a double: wall clock time of that timestamp, ms. */
const TIME_AT = 8;
const PLACE_LENGTH = 16;

/**
 * Where one of our streams has got to, in memory that outlives the worker that sends it. Written
 * before the packet goes out, the sequence number last: a worker that ends in between has not sent
 * it.
 */
export class StreamPlace {
  readonly shared: SharedArrayBuffer;
  readonly #words: Uint32Array;
  readonly #time: Float64Array;
  readonly #eventType: number | undefined;

  constructor(side: TranscoderSide, shared = new SharedArrayBuffer(PLACE_LENGTH)) {
    this.shared = shared;
    this.#words = new Uint32Array(shared, 0, 2);
    this.#time = new Float64Array(shared, TIME_AT, 1);
    this.#eventType = side.telephoneEvent?.payloadType;
  }

  /** @param epoch wall clock time, which threads have in common, ms */
  sends(bytes: Uint8Array, epoch: number): void {
    const words = this.#words;
    // An event keeps the timestamp of its beginning: its packets don't say what time it is.
    if ((bytes[1]! & 0x7f) !== this.#eventType || words[SEQUENCE_AT] === 0) {
      Atomics.store(words, TIMESTAMP_AT, (bytes[4]! << 24 | int24(bytes, 5)) >>> 0);
      this.#time[0] = epoch;
    }
    Atomics.store(words, SEQUENCE_AT, (bytes[2]! << 8 | bytes[3]!) + 1);
  }

  /** Undefined where nothing has been sent. */
  last():
    | { readonly sequence: number; readonly timestamp: number; readonly epoch: number }
    | undefined {
    const sequence = Atomics.load(this.#words, SEQUENCE_AT);
    if (sequence === 0) return undefined;
    const timestamp = Atomics.load(this.#words, TIMESTAMP_AT);
    return { sequence: sequence - 1, timestamp, epoch: this.#time[0]! };
  }
}

function int24(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
}

/**
 * One of our streams as whoever goes on with it must: with later sequence numbers and timestamps,
 * or the receiver (and SRTP) drops it, and with the SSRC that the receiver knows, since browsers
 * take no other beside video.
 */
export class StreamMemory {
  readonly place: StreamPlace;
  readonly #side: TranscoderSide;
  readonly #clock: Clock;
  readonly #since: number;
  /** Of timestamps, units a ms. */
  readonly #perMs: number;

  constructor(side: TranscoderSide, clock: Clock) {
    this.place = new StreamPlace(side);
    this.#side = side;
    this.#clock = clock;
    this.#since = clock.now();
    this.#perMs = side.codec === "OPUS" ? 48 : side.codec === "SPEEX/16000" ? 16 : 8;
  }

  sends(bytes: Uint8Array): void {
    this.place.sends(bytes, this.#clock.epoch());
  }

  /** The side with the values at which its stream goes on. */
  resume(): TranscoderSide {
    const last = this.place.last();
    if (last === undefined) return this.#side;
    // The wall clock may have been set meanwhile; the other one says what is possible.
    const most = this.#clock.now() - this.#since;
    const passed = Math.min(most, Math.max(0, this.#clock.epoch() - last.epoch));
    // One packet more than the clock says: the last one's own duration is not over.
    const ms = Math.ceil(passed) + this.#side.packetMs;
    return {
      ...this.#side,
      firstSequence: (last.sequence + 1) & 0xffff,
      firstTimestamp: (last.timestamp + ms * this.#perMs) >>> 0,
    };
  }
}
