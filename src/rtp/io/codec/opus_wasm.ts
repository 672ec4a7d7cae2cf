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

class WasmOpusEncoder implements Encoder {
  readonly #gate: SilenceGate;
  readonly #samples: number;
  #handle: OpusEncoderHandle | undefined;
  #closed = false;

  constructor(options: EncoderOptions) {
    const { sampleRate, packetMs, dtx, fec = false } = options;
    this.#gate = new SilenceGate(packetMs);
    this.#samples = packetMs * sampleRate / 1000;
    createEncoder({
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
    }).then((handle) => {
      if (this.#closed) handle.free();
      else this.#handle = handle;
    });
  }

  encode(pcm: Int16Array, payload: Uint8Array): number {
    mustBe(pcm.length, this.#samples);
    if (this.#handle === undefined) return 0;
    const bytes = this.#handle.encode(pcm, { frameSize: pcm.length });
    mustHaveRoom(payload, bytes.length);
    payload.set(bytes);
    return this.#gate.pass(bytes.length, isOpusSilence(bytes));
  }

  setLoss(percent: number): void {
    this.#handle?.setPacketLossPercent(expectedLoss(percent));
  }

  close(): void {
    this.#closed = true;
    this.#handle?.free();
    this.#handle = undefined;
  }
}

class WasmOpusDecoder implements Decoder {
  readonly #rate: PcmRate;
  #handle: OpusDecoderHandle | undefined;
  #closed = false;

  constructor({ sampleRate }: DecoderOptions) {
    this.#rate = sampleRate;
    createDecoder({ sampleRate, channels: 1 }).then((handle) => {
      if (this.#closed) handle.free();
      else this.#handle = handle;
    });
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    try {
      return this.#copy(this.#handle?.decode(payload), pcm);
    } catch {
      return -1;
    }
  }

  recover(next: Uint8Array, samples: number, pcm: Int16Array): number {
    if (samples > pcm.length || !hasOpusFec(next)) return -1;
    try {
      const made = this.#handle?.decode(next, { decodeFec: true, frameSize: samples });
      return this.#copy(made, pcm);
    } catch {
      return -1;
    }
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    const whole = concealable(samples, this.#rate);
    const lost = whole > 0 ? this.#handle?.decodePacketLoss(whole) : undefined;
    pcm.fill(0, Math.max(0, this.#copy(lost, pcm)), samples);
  }

  close(): void {
    this.#closed = true;
    this.#handle?.free();
    this.#handle = undefined;
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
