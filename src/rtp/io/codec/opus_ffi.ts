import {
  type Codec,
  type Decoder,
  type DecoderOptions,
  type Encoder,
  type EncoderOptions,
  MAX_PAYLOAD,
  mustBe,
  mustHaveRoom,
  type PcmRate,
} from "../../codec/codec.ts";
import { hasOpusFec, isOpusSilence } from "../../codec/opus_packet.ts";
import { SilenceGate } from "../../codec/silence_gate.ts";
import { canCallVariadic, mustExist, openLibrary } from "./library.ts";
import {
  bitrateFor,
  concealable,
  expectedLoss,
  OPUS_COMPLEXITY,
  OPUS_FACTS,
  OPUS_LOSS,
} from "./opus_facts.ts";

/** Opus by the system's libopus. */

const SYMBOLS = {
  opus_get_version_string: { parameters: [], result: "pointer" },
  opus_encoder_create: { parameters: ["i32", "i32", "i32", "buffer"], result: "pointer" },
  opus_encoder_destroy: { parameters: ["pointer"], result: "void" },
  opus_encode: { parameters: ["pointer", "buffer", "i32", "buffer", "i32"], result: "i32" },
  opus_encoder_ctl: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  opus_decoder_create: { parameters: ["i32", "i32", "buffer"], result: "pointer" },
  opus_decoder_destroy: { parameters: ["pointer"], result: "void" },
  opus_decode: {
    parameters: ["pointer", "buffer", "i32", "buffer", "i32", "i32"],
    result: "i32",
  },
} as const;
type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const APPLICATION_VOIP = 2048;
const SET_BITRATE = 4002;
const SET_COMPLEXITY = 4010;
const SET_FEC = 4012;
const SET_LOSS = 4014;
const SET_DTX = 4016;
const SET_SIGNAL = 4024;
const SIGNAL_VOICE = 3001;

class FfiOpusEncoder implements Encoder {
  readonly #library: Symbols;
  readonly #gate: SilenceGate;
  readonly #samples: number;
  #state: Deno.PointerValue;

  constructor(library: Symbols, options: EncoderOptions) {
    const { sampleRate, packetMs, dtx, fec = false } = options;
    this.#library = library;
    this.#samples = packetMs * sampleRate / 1000;
    const error = new Int32Array(1);
    this.#state = mustExist(
      library.opus_encoder_create(sampleRate, 1, APPLICATION_VOIP, error),
      `opus_encoder_create(${sampleRate}), error ${error[0]}`,
    );
    this.#gate = new SilenceGate(packetMs);
    this.#control(SET_BITRATE, options.bitrate ?? bitrateFor(sampleRate));
    this.#control(SET_COMPLEXITY, options.complexity ?? OPUS_COMPLEXITY);
    this.#control(SET_SIGNAL, SIGNAL_VOICE);
    this.#control(SET_FEC, fec ? 1 : 0);
    this.#control(SET_LOSS, fec ? OPUS_LOSS : 0);
    this.#control(SET_DTX, dtx ? 1 : 0);
  }

  encode(pcm: Int16Array, payload: Uint8Array): number {
    mustBe(pcm.length, this.#samples);
    const length = this.#library.opus_encode(
      mustExist(this.#state, "Opus encoder"),
      pcm as Int16Array<ArrayBuffer>,
      pcm.length,
      payload as Uint8Array<ArrayBuffer>,
      Math.min(payload.length, MAX_PAYLOAD),
    );
    if (length < 0) throw new Error(`opus_encode of ${pcm.length} samples: error ${length}`);
    return this.#gate.pass(length, isOpusSilence(payload.subarray(0, length)));
  }

  setLoss(percent: number): void {
    this.#control(SET_LOSS, expectedLoss(percent));
  }

  close(): void {
    if (this.#state !== null) this.#library.opus_encoder_destroy(this.#state);
    this.#state = null;
  }

  #control(request: number, value: number): void {
    const state = mustExist(this.#state, "Opus encoder");
    const result = this.#library.opus_encoder_ctl(state, request, value);
    if (result < 0) throw new Error(`opus_encoder_ctl(${request}, ${value}): error ${result}`);
  }
}

class FfiOpusDecoder implements Decoder {
  readonly #library: Symbols;
  readonly #rate: PcmRate;
  #state: Deno.PointerValue;

  constructor(library: Symbols, { sampleRate }: DecoderOptions) {
    this.#library = library;
    this.#rate = sampleRate;
    const error = new Int32Array(1);
    this.#state = mustExist(
      library.opus_decoder_create(sampleRate, 1, error),
      `opus_decoder_create(${sampleRate}), error ${error[0]}`,
    );
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    return this.#decode(payload, pcm, pcm.length, 0);
  }

  recover(next: Uint8Array, samples: number, pcm: Int16Array): number {
    if (samples > pcm.length || !hasOpusFec(next)) return -1;
    return this.#decode(next, pcm, samples, 1);
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    const whole = concealable(samples, this.#rate);
    const made = whole > 0 ? this.#decode(null, pcm, whole, 0) : 0;
    pcm.fill(0, Math.max(0, made), samples);
  }

  close(): void {
    if (this.#state !== null) this.#library.opus_decoder_destroy(this.#state);
    this.#state = null;
  }

  #decode(payload: Uint8Array | null, pcm: Int16Array, samples: number, fec: 0 | 1): number {
    if (payload?.length === 0) return -1;
    mustHaveRoom(pcm, samples);
    const made = this.#library.opus_decode(
      mustExist(this.#state, "Opus decoder"),
      payload as Uint8Array<ArrayBuffer> | null,
      payload?.length ?? 0,
      pcm as Int16Array<ArrayBuffer>,
      samples,
      fec,
    );
    return made < 0 ? -1 : made;
  }
}

/** @throws Error in words where libopus cannot be used */
export function openOpus(): { readonly codec: Codec; readonly library: string } {
  if (!canCallVariadic()) throw new Error("its variadic functions cannot be called here");
  const { symbols } = openLibrary(
    { linux: ["libopus.so.0"], darwin: ["libopus.0.dylib"] },
    SYMBOLS,
  );
  const version = symbols.opus_get_version_string();
  const library = version === null ? "libopus" : Deno.UnsafePointerView.getCString(version);
  return {
    codec: {
      ...OPUS_FACTS,
      encoder: (options) => new FfiOpusEncoder(symbols, options),
      decoder: (options) => new FfiOpusDecoder(symbols, options),
    },
    library,
  };
}
