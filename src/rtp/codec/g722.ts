import { type Codec, type Decoder, type Encoder, mustHaveRoom } from "./codec.ts";
import { clamp16, WaveformConcealer } from "./concealer.ts";
import { HighBand, LowBand } from "./g722_band.ts";

/**
 * ITU-T G.722 in its mode 1 (64 kbit/s): two sub-bands of 16 kHz audio, one byte for two samples.
 * RTP counts it at 8 kHz (RFC 3551 4.5.2), so a byte is one unit of the timestamp.
 */

const RATE = 16000;
/** Half of the quadrature mirror filter, whose other half is its mirror image (Table 11). */
const QMF = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
const TAPS = QMF.length;

/**
 * Two delay lines of the filter, each written twice so that a run of `TAPS` is never broken.
 */
class DelayLines {
  readonly even = new Int32Array(2 * TAPS);
  readonly odd = new Int32Array(2 * TAPS);
  /** Start of the present run. */
  at = 0;

  push(even: number, odd: number): void {
    const at = this.at;
    this.even[at] = this.even[at + TAPS] = even;
    this.odd[at] = this.odd[at + TAPS] = odd;
    this.at = at + 1 === TAPS ? 0 : at + 1;
  }
}

class G722Encoder implements Encoder {
  readonly #lines = new DelayLines();
  readonly #low = new LowBand();
  readonly #high = new HighBand();

  encode(pcm: Int16Array, payload: Uint8Array): number {
    const lines = this.#lines;
    const bytes = pcm.length >> 1;
    mustHaveRoom(payload, bytes);
    for (let k = 0; k < bytes; k++) {
      lines.push(pcm[2 * k]!, pcm[2 * k + 1]!);
      let even = 0;
      let odd = 0;
      for (let i = 0, at = lines.at; i < TAPS; i++, at++) {
        odd += lines.even[at]! * QMF[i]!;
        even += lines.odd[at]! * QMF[TAPS - 1 - i]!;
      }
      const low = this.#low.encode((even + odd) >> 14);
      payload[k] = this.#high.encode((even - odd) >> 14) << 6 | low;
    }
    return bytes;
  }

  close(): void {}
}

class G722Decoder implements Decoder {
  readonly #lines = new DelayLines();
  readonly #low = new LowBand();
  readonly #high = new HighBand();
  readonly #concealer = new WaveformConcealer(RATE);

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const samples = 2 * payload.length;
    if (samples === 0 || samples > pcm.length) return -1;
    const lines = this.#lines;
    for (let k = 0; k < payload.length; k++) {
      const byte = payload[k]!;
      const low = this.#low.decode(byte & 0x3f);
      const high = this.#high.decode(byte >> 6);
      lines.push(low + high, low - high);
      let first = 0;
      let second = 0;
      for (let i = 0, at = lines.at; i < TAPS; i++, at++) {
        second += lines.even[at]! * QMF[i]!;
        first += lines.odd[at]! * QMF[TAPS - 1 - i]!;
      }
      pcm[2 * k] = clamp16(first >> 11);
      pcm[2 * k + 1] = clamp16(second >> 11);
    }
    this.#concealer.good(pcm, samples);
    return samples;
  }

  conceal(samples: number, pcm: Int16Array): void {
    mustHaveRoom(pcm, samples);
    this.#concealer.conceal(samples, pcm);
  }

  close(): void {}
}

export const G722: Codec = {
  name: "G722",
  clockRate: 8000,
  channels: 1,
  frameMs: 10,
  packetMs: [10, 20, 30, 40, 50, 60],
  sampleRates: [RATE],
  ownComfortNoise: false,
  encoder: () => new G722Encoder(),
  decoder: () => new G722Decoder(),
  duration: (payload) => payload.length,
  isSilence: () => false,
};
