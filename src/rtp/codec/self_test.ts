import { type Codec, MAX_PACKET_MS, MAX_PAYLOAD, type PcmRate } from "./codec.ts";
import { rms } from "./comfort_noise.ts";

/**
 * Trial of a codec at start: a synthetic vowel goes through and must come back. A library of
 * another version with another structure or meaning of an argument fails here and not in a call.
 */

const PACKET_MS = 20;
const PACKETS = 20;
/** Codecs begin slowly; what comes before is not compared, ms. */
const WARM_UP_MS = 100;
/** Longest delay of encoder and decoder, ms. */
const MOST_DELAY_MS = 40;
/** Least likeness (normalized cross-correlation), and bounds of the level. */
const LIKENESS = 0.6;
const LEVEL = [0.5, 1.6] as const;

/**
 * A vowel: harmonics under a formant-like envelope.
 * @param glide how far the pitch goes up and down, Hz
 */
export function vowel(rate: PcmRate, ms: number, glide = 25): Int16Array {
  const pcm = new Int16Array(rate * ms / 1000);
  let phase = 0;
  for (let i = 0; i < pcm.length; i++) {
    const t = i / rate;
    phase += 2 * Math.PI * (130 + glide * Math.sin(2 * Math.PI * 3 * t)) / rate;
    let value = 0;
    for (let k = 1; k <= 20; k++) {
      const f = 130 * k;
      const formant = 1 / (1 + ((f - 600) / 200) ** 2) + 0.5 / (1 + ((f - 1500) / 300) ** 2);
      value += formant * Math.sin(k * phase);
    }
    pcm[i] = Math.round(4000 * value);
  }
  return pcm;
}

/** Encoder and decoder under trial; made apart, because some need a moment to be ready. */
export interface Trial {
  readonly rate: PcmRate;
  run(): void;
  close(): void;
}

/** @throws Error in words where the codec refuses or gives back something else */
export function prepareTrial(codec: Codec, rate: PcmRate): Trial {
  const encoder = codec.encoder({ sampleRate: rate, packetMs: PACKET_MS, dtx: false });
  const decoder = codec.decoder({ sampleRate: rate });
  const run = () => {
    const sent = vowel(rate, PACKET_MS * PACKETS);
    const heard = new Int16Array(sent.length);
    const size = PACKET_MS * rate / 1000;
    const payload = new Uint8Array(MAX_PAYLOAD);
    const pcm = new Int16Array(MAX_PACKET_MS * rate / 1000);
    for (let at = 0; at < sent.length; at += size) {
      const length = encoder.encode(sent.subarray(at, at + size), payload);
      const duration = codec.duration(payload.subarray(0, length));
      if (duration * 1000 !== PACKET_MS * codec.clockRate) {
        throw new Error(`a packet of ${PACKET_MS} ms says that it lasts ${duration} units`);
      }
      const count = decoder.decode(payload.subarray(0, length), pcm);
      if (count !== size) throw new Error(`decoding gave ${count} samples, expected ${size}`);
      heard.set(pcm.subarray(0, count), at);
    }
    judge(sent, heard, rate);
    decoder.conceal(size / 2, pcm);
  };
  return {
    rate,
    run,
    close: () => {
      encoder.close();
      decoder.close();
    },
  };
}

function judge(sent: Int16Array, heard: Int16Array, rate: PcmRate): void {
  const from = WARM_UP_MS * rate / 1000;
  const most = MOST_DELAY_MS * rate / 1000;
  const length = sent.length - from - most;
  let best = 0;
  for (let delay = 0; delay <= most; delay++) {
    best = Math.max(best, likeness(sent, from, heard, from + delay, length));
  }
  const level = rms(heard.subarray(from), length) / rms(sent.subarray(from), length);
  if (best < LIKENESS || level < LEVEL[0] || level > LEVEL[1]) {
    const found = `likeness ${best.toFixed(2)}, level ${level.toFixed(2)}`;
    throw new Error(`what came back is not what went in: ${found}`);
  }
}

/** Normalized cross-correlation of two pieces, -1 to 1. */
export function likeness(
  a: Int16Array,
  aFrom: number,
  b: Int16Array,
  bFrom: number,
  length: number,
): number {
  let [ab, aa, bb] = [0, 1, 1];
  for (let i = 0; i < length; i++) {
    const [x, y] = [a[aFrom + i]!, b[bFrom + i]!];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}
