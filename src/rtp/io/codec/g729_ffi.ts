import {
  type Codec,
  type Decoder,
  type Encoder,
  type EncoderOptions,
  mustBe,
  mustHaveRoom,
} from "../../codec/codec.ts";
import { mustExist, openLibrary } from "./library.ts";

/** G.729 (annex A, and annex B for silence) by the system's libbcg729. */

const SYMBOLS = {
  initBcg729EncoderChannel: { parameters: ["u8"], result: "pointer" },
  closeBcg729EncoderChannel: { parameters: ["pointer"], result: "void" },
  bcg729Encoder: { parameters: ["pointer", "buffer", "buffer", "buffer"], result: "void" },
  initBcg729DecoderChannel: { parameters: [], result: "pointer" },
  closeBcg729DecoderChannel: { parameters: ["pointer"], result: "void" },
  bcg729Decoder: {
    parameters: ["pointer", "buffer", "u8", "u8", "u8", "u8", "buffer"],
    result: "void",
  },
} as const;
type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
type Bytes = Uint8Array<ArrayBuffer>;

const RATE = 8000;
const FRAME_SAMPLES = 80;
const FRAME_LENGTH = 10;
/** Annex B: silence insertion descriptor, only as the last frame of a packet (RFC 3551 4.5.6). */
const SILENCE_LENGTH = 2;

class G729Encoder implements Encoder {
  readonly #library: Symbols;
  readonly #frame = new Uint8Array(16);
  readonly #length = new Uint8Array(8);
  readonly #pcm = new Int16Array(FRAME_SAMPLES);
  readonly #samples: number;
  #state: Deno.PointerValue;

  constructor(library: Symbols, { dtx, packetMs }: EncoderOptions) {
    this.#library = library;
    this.#samples = packetMs * RATE / 1000;
    this.#state = mustExist(library.initBcg729EncoderChannel(dtx ? 1 : 0), "G.729 encoder");
  }

  skipped = 0;

  encode(pcm: Int16Array, payload: Uint8Array): number {
    const state = mustExist(this.#state, "G.729 encoder");
    mustBe(pcm.length, this.#samples);
    mustHaveRoom(payload, pcm.length / FRAME_SAMPLES * FRAME_LENGTH);
    let written = 0;
    this.skipped = 0;
    for (let at = 0; at < pcm.length; at += FRAME_SAMPLES) {
      this.#pcm.set(pcm.subarray(at, at + FRAME_SAMPLES));
      this.#library.bcg729Encoder(state, this.#pcm, this.#frame, this.#length);
      const length = this.#length[0]!;
      if (length === 0) continue;
      // Nothing follows a silence descriptor in a packet: voice that begins there takes its place.
      if (written % FRAME_LENGTH !== 0) written = 0;
      if (written === 0) this.skipped = at;
      payload.set(this.#frame.subarray(0, length), written);
      written += length;
    }
    return written;
  }

  close(): void {
    if (this.#state !== null) this.#library.closeBcg729EncoderChannel(this.#state);
    this.#state = null;
  }
}

class G729Decoder implements Decoder {
  readonly #library: Symbols;
  readonly #pcm = new Int16Array(FRAME_SAMPLES);
  readonly #frame = new Uint8Array(FRAME_LENGTH);
  #state: Deno.PointerValue;

  constructor(library: Symbols) {
    this.#library = library;
    this.#state = mustExist(library.initBcg729DecoderChannel(), "G.729 decoder");
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const duration = g729Duration(payload);
    if (duration === 0 || duration > pcm.length) return -1;
    let made = 0;
    for (let at = 0; at < payload.length; at += FRAME_LENGTH, made += FRAME_SAMPLES) {
      const frame = payload.subarray(at, at + FRAME_LENGTH);
      this.#frame.set(frame);
      this.#decodeFrame(frame.length, false, frame.length === SILENCE_LENGTH);
      pcm.set(this.#pcm, made);
    }
    return made;
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    for (let made = 0; made < samples; made += FRAME_SAMPLES) {
      // After a silence descriptor the library takes an erased frame for one that was not sent.
      this.#decodeFrame(0, true, false);
      pcm.set(this.#pcm.subarray(0, Math.min(FRAME_SAMPLES, samples - made)), made);
    }
  }

  close(): void {
    if (this.#state !== null) this.#library.closeBcg729DecoderChannel(this.#state);
    this.#state = null;
  }

  #decodeFrame(length: number, isErased: boolean, isSilence: boolean): void {
    const frame: Bytes = this.#frame;
    this.#library.bcg729Decoder(
      mustExist(this.#state, "G.729 decoder"),
      frame,
      length,
      isErased ? 1 : 0,
      isSilence ? 1 : 0,
      0,
      this.#pcm,
    );
  }
}

function g729Duration(payload: Uint8Array): number {
  const rest = payload.length % FRAME_LENGTH;
  if (rest !== 0 && rest !== SILENCE_LENGTH) return 0;
  return Math.ceil(payload.length / FRAME_LENGTH) * FRAME_SAMPLES;
}

/** @throws Error in words where libbcg729 cannot be used */
export function openG729(): { codec: Codec; library: string } {
  const { symbols } = openLibrary(
    { linux: ["libbcg729.so.0"], darwin: ["libbcg729.0.dylib", "libbcg729.dylib"] },
    SYMBOLS,
  );
  return {
    codec: {
      name: "G729",
      clockRate: RATE,
      channels: 1,
      frameMs: 10,
      packetMs: [10, 20, 30, 40, 50, 60],
      sampleRates: [RATE],
      ownComfortNoise: true,
      encoder: (options) => new G729Encoder(symbols, options),
      decoder: () => new G729Decoder(symbols),
      duration: g729Duration,
      isSilence: (payload) => payload.length % FRAME_LENGTH === SILENCE_LENGTH,
    },
    library: "libbcg729",
  };
}
