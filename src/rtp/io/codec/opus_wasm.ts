import {
  Application,
  createDecoder,
  createEncoder,
  loadLibopus,
  type OpusDecoderHandle,
  type OpusEncoderHandle,
  Signal,
} from "libopus-wasm";
import {
  type Codec,
  CodecRefusal,
  type Decoder,
  type DecoderOptions,
  type Encoder,
  type EncoderOptions,
  mustBe,
  mustHaveRoom,
  type PcmRate,
} from "../../codec/codec.ts";
import { hasOpusFec, isOpusSilence } from "../../codec/opus_packet.ts";
import { SilenceGate } from "../../codec/silence_gate.ts";
import {
  bitrateFor,
  concealable,
  expectedLoss,
  OPUS_COMPLEXITY,
  OPUS_FACTS,
  OPUS_LOSS,
} from "./opus_facts.ts";

/**
 * Opus by a WebAssembly build of libopus. Its states are made by promises that are fulfilled at
 * once when the module is loaded, that is, before the next event; until then there is silence.
 */

/** A state to be: there, not yet, or refused. */
class LateState<T extends { free(): void }> {
  #state: T | undefined;
  #refusal: CodecRefusal | undefined;
  #isClosed = false;

  constructor(what: string, made: Promise<T>) {
    made.then((state) => {
      if (this.#isClosed) state.free();
      else this.#state = state;
    }, (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#refusal = new CodecRefusal(`the ${what} by WebAssembly cannot be used: ${why}`);
    });
  }

  /** Undefined before it is there. @throws CodecRefusal where it never will be */
  get(): T | undefined {
    if (this.#refusal !== undefined) throw this.#refusal;
    return this.#state;
  }

  free(): void {
    this.#isClosed = true;
    this.#state?.free();
    this.#state = undefined;
  }
}

class WasmOpusEncoder implements Encoder {
  readonly #gate: SilenceGate;
  readonly #samples: number;
  readonly #state: LateState<OpusEncoderHandle>;

  constructor(options: EncoderOptions) {
    const { sampleRate, packetMs, dtx, fec = false } = options;
    this.#gate = new SilenceGate(packetMs);
    this.#samples = packetMs * sampleRate / 1000;
    const made = createEncoder({
      sampleRate,
      channels: 1,
      application: Application.Voip,
      signal: Signal.Voice,
      bitrate: options.bitrate ?? bitrateFor(sampleRate),
      complexity: options.complexity ?? OPUS_COMPLEXITY,
      frameSize: packetMs * sampleRate / 1000,
      dtx,
      fec,
      packetLossPercent: fec ? OPUS_LOSS : 0,
    });
    this.#state = new LateState("Opus encoder", made);
  }

  encode(pcm: Int16Array, payload: Uint8Array): number {
    mustBe(pcm.length, this.#samples);
    const state = this.#state.get();
    if (state === undefined) return 0;
    const bytes = state.encode(pcm, { frameSize: pcm.length });
    mustHaveRoom(payload, bytes.length);
    payload.set(bytes);
    return this.#gate.pass(bytes.length, isOpusSilence(bytes));
  }

  setLoss(percent: number): void {
    this.#state.get()?.setPacketLossPercent(expectedLoss(percent));
  }

  close(): void {
    this.#state.free();
  }
}

class WasmOpusDecoder implements Decoder {
  readonly #rate: PcmRate;
  readonly #state: LateState<OpusDecoderHandle>;

  constructor({ sampleRate }: DecoderOptions) {
    this.#rate = sampleRate;
    this.#state = new LateState("Opus decoder", createDecoder({ sampleRate, channels: 1 }));
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const state = this.#state.get();
    try {
      return this.#copy(state?.decode(payload), pcm);
    } catch {
      return -1;
    }
  }

  recover(next: Uint8Array, samples: number, pcm: Int16Array): number {
    if (samples > pcm.length || !hasOpusFec(next)) return -1;
    const state = this.#state.get();
    try {
      const made = state?.decode(next, { decodeFec: true, frameSize: samples });
      return this.#copy(made, pcm);
    } catch {
      return -1;
    }
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    const whole = concealable(samples, this.#rate);
    const lost = whole > 0 ? this.#state.get()?.decodePacketLoss(whole) : undefined;
    pcm.fill(0, Math.max(0, this.#copy(lost, pcm)), samples);
  }

  close(): void {
    this.#state.free();
  }

  #copy(made: Int16Array | undefined, pcm: Int16Array): number {
    if (made === undefined || made.length > pcm.length) return -1;
    pcm.set(made);
    return made.length;
  }
}

/** Loads the module. */
export async function openOpusWasm(): Promise<{ codec: Codec; library: string }> {
  const { version } = await loadLibopus();
  return {
    codec: {
      ...OPUS_FACTS,
      encoder: (options) => new WasmOpusEncoder(options),
      decoder: (options) => new WasmOpusDecoder(options),
    },
    library: `${version} (WebAssembly)`,
  };
}
