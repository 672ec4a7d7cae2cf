import {
  type Codec,
  type Decoder,
  type DecoderOptions,
  type Encoder,
  type EncoderOptions,
  mustBe,
  mustHaveRoom,
} from "../../codec/codec.ts";
import { SilenceGate } from "../../codec/silence_gate.ts";
import { isSpeexSilence, speexFrames } from "../../codec/speex_packet.ts";
import { mustExist, openLibrary } from "./library.ts";

/** Speex, narrow and wide band, by the system's libspeex. */

const SYMBOLS = {
  speex_lib_get_mode: { parameters: ["i32"], result: "pointer" },
  speex_lib_ctl: { parameters: ["i32", "buffer"], result: "i32" },
  speex_encoder_init: { parameters: ["pointer"], result: "pointer" },
  speex_encoder_destroy: { parameters: ["pointer"], result: "void" },
  speex_encode_int: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  speex_encoder_ctl: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
  speex_decoder_init: { parameters: ["pointer"], result: "pointer" },
  speex_decoder_destroy: { parameters: ["pointer"], result: "void" },
  speex_decode_int: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  speex_decoder_ctl: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
  speex_bits_init: { parameters: ["buffer"], result: "void" },
  speex_bits_destroy: { parameters: ["buffer"], result: "void" },
  speex_bits_reset: { parameters: ["buffer"], result: "void" },
  speex_bits_write: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  speex_bits_read_from: { parameters: ["buffer", "buffer", "i32"], result: "void" },
  speex_bits_insert_terminator: { parameters: ["buffer"], result: "void" },
} as const;
type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
type Bytes = Uint8Array<ArrayBuffer>;

const SET_ENHANCEMENT = 0;
const GET_FRAME_SIZE = 3;
const SET_QUALITY = 4;
const SET_COMPLEXITY = 16;
const SET_VAD = 30;
const SET_DTX = 34;
const GET_VERSION_STRING = 9;

/** 11 kbit/s narrow, 20.6 wide: libspeex' own default is 8, which few can tell from 6. */
const QUALITY = 8;
const COMPLEXITY = 2;
const FRAME_MS = 20;

/**
 * `SpeexBits`: a pointer, seven ints, a pointer. The buffer is longer than the structure, and what
 * lies behind it must stay as it was.
 */
const BITS_LENGTH = 48;
const GUARD_LENGTH = 16;
const GUARD = 0xa5;
/** Where `owner` and `buf_size` stand. */
const OWNER_AT = 20;
const SIZE_AT = 28;
/** `buf_size` after `speex_bits_init` in every version so far. */
const INITIAL_SIZE = 2000;

/** @throws Error where the structure is not laid out as expected */
function makeBits(library: Symbols): Bytes {
  const bits = new Uint8Array(BITS_LENGTH + GUARD_LENGTH).fill(GUARD);
  library.speex_bits_init(bits);
  const view = new DataView(bits.buffer);
  const isAsExpected = view.getBigUint64(0, true) !== 0n &&
    view.getInt32(OWNER_AT, true) === 1 && view.getInt32(SIZE_AT, true) === INITIAL_SIZE &&
    bits.subarray(BITS_LENGTH).every((byte) => byte === GUARD);
  if (!isAsExpected) throw new Error("SpeexBits is not laid out as expected");
  return bits;
}

class SpeexEncoder implements Encoder {
  readonly #library: Symbols;
  readonly #bits: Bytes;
  readonly #frame: Int16Array<ArrayBuffer>;
  readonly #gate: SilenceGate;
  readonly #samples: number;
  #state: Deno.PointerValue;

  constructor(library: Symbols, mode: Deno.PointerValue, options: EncoderOptions) {
    this.#gate = new SilenceGate(options.packetMs);
    this.#library = library;
    this.#bits = makeBits(library);
    this.#state = mustExist(library.speex_encoder_init(mode), "speex_encoder_init");
    this.#frame = new Int16Array(FRAME_MS * options.sampleRate / 1000);
    this.#samples = options.packetMs * options.sampleRate / 1000;
    this.#control(SET_QUALITY, QUALITY);
    this.#control(SET_COMPLEXITY, options.complexity ?? COMPLEXITY);
    this.#control(SET_VAD, options.dtx ? 1 : 0);
    this.#control(SET_DTX, options.dtx ? 1 : 0);
  }

  encode(pcm: Int16Array, payload: Uint8Array): number {
    const [library, bits, frame] = [this.#library, this.#bits, this.#frame];
    const state = mustExist(this.#state, "Speex encoder");
    mustBe(pcm.length, this.#samples);
    library.speex_bits_reset(bits);
    let isHeard = false;
    for (let at = 0; at < pcm.length; at += frame.length) {
      // libspeex changes its input.
      frame.set(pcm.subarray(at, at + frame.length));
      if (library.speex_encode_int(state, frame, bits) !== 0) isHeard = true;
    }
    library.speex_bits_insert_terminator(bits);
    const length = library.speex_bits_write(bits, payload as Bytes, payload.length);
    return this.#gate.pass(length, !isHeard);
  }

  close(): void {
    if (this.#state === null) return;
    this.#library.speex_encoder_destroy(this.#state);
    this.#library.speex_bits_destroy(this.#bits);
    this.#state = null;
  }

  #control(request: number, value: number): void {
    const state = mustExist(this.#state, "Speex encoder");
    this.#library.speex_encoder_ctl(state, request, Int32Array.of(value));
  }
}

class SpeexDecoder implements Decoder {
  readonly #library: Symbols;
  readonly #bits: Bytes;
  readonly #frame: Int16Array<ArrayBuffer>;
  #state: Deno.PointerValue;
  /** Made up beyond what was asked for: concealment goes by 20 ms. */
  #left = 0;

  constructor(library: Symbols, mode: Deno.PointerValue, { sampleRate }: DecoderOptions) {
    this.#library = library;
    this.#bits = makeBits(library);
    this.#state = mustExist(library.speex_decoder_init(mode), "speex_decoder_init");
    const size = Int32Array.of(0);
    library.speex_decoder_ctl(this.#state, GET_FRAME_SIZE, size);
    this.#frame = new Int16Array(FRAME_MS * sampleRate / 1000);
    if (size[0] !== this.#frame.length) {
      this.close();
      throw new Error(`libspeex decodes ${size[0]} samples, expected ${this.#frame.length}`);
    }
    library.speex_decoder_ctl(this.#state, SET_ENHANCEMENT, Int32Array.of(1));
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const frames = speexFrames(payload);
    if (frames === 0 || frames * this.#frame.length > pcm.length) return -1;
    const state = mustExist(this.#state, "Speex decoder");
    this.#left = 0;
    this.#library.speex_bits_read_from(this.#bits, payload as Bytes, payload.length);
    for (let i = 0; i < frames; i++) {
      if (this.#library.speex_decode_int(state, this.#bits, this.#frame) !== 0) return -1;
      pcm.set(this.#frame, i * this.#frame.length);
    }
    return frames * this.#frame.length;
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    const state = mustExist(this.#state, "Speex decoder");
    const frame = this.#frame;
    for (let at = 0; at < samples;) {
      if (this.#left === 0) {
        this.#library.speex_decode_int(state, null, frame);
        this.#left = frame.length;
      }
      const count = Math.min(samples - at, this.#left);
      const from = frame.length - this.#left;
      pcm.set(frame.subarray(from, from + count), at);
      this.#left -= count;
      at += count;
    }
  }

  close(): void {
    if (this.#state === null) return;
    this.#library.speex_decoder_destroy(this.#state);
    this.#library.speex_bits_destroy(this.#bits);
    this.#state = null;
  }
}

function speex(library: Symbols, sampleRate: 8000 | 16000): Codec {
  const mode = mustExist(library.speex_lib_get_mode(sampleRate === 8000 ? 0 : 1), "Speex mode");
  return {
    name: `SPEEX/${sampleRate}`,
    clockRate: sampleRate,
    channels: 1,
    frameMs: FRAME_MS,
    packetMs: [20, 40, 60],
    sampleRates: [sampleRate],
    ownComfortNoise: true,
    encoder: (options) => new SpeexEncoder(library, mode, options),
    decoder: (options) => new SpeexDecoder(library, mode, options),
    duration: (payload) => speexFrames(payload) * FRAME_MS * sampleRate / 1000,
    isSilence: isSpeexSilence,
  };
}

/** @throws Error in words where libspeex cannot be used */
export function openSpeex(): { narrow: Codec; wide: Codec; library: string } {
  const { symbols } = openLibrary(
    { linux: ["libspeex.so.1"], darwin: ["libspeex.1.dylib"] },
    SYMBOLS,
  );
  const version = new BigUint64Array(1);
  symbols.speex_lib_ctl(GET_VERSION_STRING, version);
  const text = Deno.UnsafePointer.create(version[0]!);
  return {
    narrow: speex(symbols, 8000),
    wide: speex(symbols, 16000),
    library: text === null ? "libspeex" : `libspeex ${Deno.UnsafePointerView.getCString(text)}`,
  };
}
