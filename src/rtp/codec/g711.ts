import { type Codec, type Decoder, type Encoder, mustHaveRoom, type PcmRate } from "./codec.ts";
import { WaveformConcealer } from "./concealer.ts";

/** ITU-T G.711: companding by table, 8 bits a sample at 8 kHz, and concealment of lost packets. */

const RATE = 8000;
/** Added to the magnitude before the mu-law segment is looked for. */
const MU_BIAS = 0x84;
const MU_CLIP = 32635;
/** Every second bit of A-law is inverted on the wire. */
const A_INVERT = 0x55;

interface Law {
  /** By byte. */
  readonly decode: Int16Array;
  /** By the sample's low 16 bits. */
  readonly encode: Uint8Array;
}

function muDecode(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + MU_BIAS) << ((code >> 4) & 7)) - MU_BIAS;
  return code & 0x80 ? -magnitude : magnitude;
}

function muEncode(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const biased = Math.min(MU_CLIP, Math.abs(sample)) + MU_BIAS;
  // The segment is the place of the highest bit, counted from bit 7.
  const segment = 24 - Math.clz32(biased);
  return ~(sign | segment << 4 | (biased >> (segment + 3)) & 0x0f) & 0xff;
}

function aDecode(byte: number): number {
  const code = byte ^ A_INVERT;
  const segment = (code >> 4) & 7;
  const step = ((code & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return code & 0x80 ? magnitude : -magnitude;
}

function aEncode(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  // Negative values count from -1 down, so that the two signs are mirror images (13 bits).
  const magnitude = (sample < 0 ? ~sample : sample) >> 3;
  const segment = Math.max(0, 27 - Math.clz32(magnitude | 1));
  const mantissa = segment < 2 ? magnitude >> 1 : magnitude >> segment;
  return (sign | segment << 4 | mantissa & 0x0f) ^ A_INVERT;
}

function law(decode: (byte: number) => number, encode: (sample: number) => number): Law {
  return {
    decode: Int16Array.from({ length: 256 }, (_, byte) => decode(byte)),
    encode: Uint8Array.from({ length: 65536 }, (_, bits) => encode((bits << 16) >> 16)),
  };
}

class G711Encoder implements Encoder {
  readonly #table: Uint8Array;

  constructor(table: Uint8Array) {
    this.#table = table;
  }

  encode(pcm: Int16Array, payload: Uint8Array): number {
    mustHaveRoom(payload, pcm.length);
    const table = this.#table;
    for (let i = 0; i < pcm.length; i++) payload[i] = table[pcm[i]! & 0xffff]!;
    return pcm.length;
  }

  close(): void {}
}

class G711Decoder implements Decoder {
  readonly #table: Int16Array;
  readonly #concealer = new WaveformConcealer(RATE);

  constructor(table: Int16Array) {
    this.#table = table;
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    if (payload.length === 0 || payload.length > pcm.length) return -1;
    const table = this.#table;
    for (let i = 0; i < payload.length; i++) pcm[i] = table[payload[i]!]!;
    this.#concealer.good(pcm, payload.length);
    return payload.length;
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    this.#concealer.conceal(samples, pcm);
  }

  close(): void {}
}

const RATES: readonly PcmRate[] = [RATE];

function g711(name: "PCMU" | "PCMA", { decode, encode }: Law): Codec {
  return {
    name,
    clockRate: RATE,
    channels: 1,
    frameMs: 10,
    packetMs: [10, 20, 30, 40, 50, 60],
    sampleRates: RATES,
    ownComfortNoise: false,
    encoder: () => new G711Encoder(encode),
    decoder: () => new G711Decoder(decode),
    duration: (payload) => payload.length,
    isSilence: () => false,
  };
}

export const PCMU: Codec = g711("PCMU", law(muDecode, muEncode));
export const PCMA: Codec = g711("PCMA", law(aDecode, aEncode));
