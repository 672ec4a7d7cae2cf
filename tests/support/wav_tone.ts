/** What is heard in sound that a phone has written to a WAV file, while it still writes. */

const HEADER_BYTES = 44;
/** Frequencies looked for, and how near to one another, Hz. */
const LOWEST = 200;
const HIGHEST = 2_400;
const STEP = 10;
/** A peak of 16 bit samples below which there is silence: comfort noise stays under it. */
const SILENCE = 200;

export interface HeardTone {
  /** The strongest frequency; 0: silence. */
  readonly hertz: number;
  /** Its share of all the energy, 0 to 1: noise and broken sound have a low one. */
  readonly purity: number;
}

/** The newest `ms` of a 16-bit PCM file; undefined while there is not so much. */
export function newestSound(
  bytes: Uint8Array,
  ms: number,
): { samples: Float64Array; rate: number } | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const channels = view.getUint16(22, true);
  const rate = view.getUint32(24, true);
  const count = Math.floor(rate * ms / 1000);
  const frame = 2 * channels;
  const frames = Math.floor((bytes.length - HEADER_BYTES) / frame);
  if (rate === 0 || channels === 0 || frames < count) return undefined;
  const samples = new Float64Array(count);
  const first = HEADER_BYTES + (frames - count) * frame;
  for (let at = 0; at < count; at++) samples[at] = view.getInt16(first + at * frame, true);
  return { samples, rate };
}

export function loudestTone({ samples, rate }: { samples: Float64Array; rate: number }): HeardTone {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  if (peak < SILENCE) return { hertz: 0, purity: 0 };
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  let best = { hertz: 0, power: 0 };
  for (let hertz = LOWEST; hertz <= Math.min(HIGHEST, rate / 2 - STEP); hertz += STEP) {
    const power = goertzel(samples, hertz / rate);
    if (power > best.power) best = { hertz, power };
  }
  return { hertz: best.hertz, purity: 2 * best.power / (samples.length * energy) };
}

/** Squared magnitude of one frequency, in periods a sample. */
function goertzel(samples: Float64Array, frequency: number): number {
  const factor = 2 * Math.cos(2 * Math.PI * frequency);
  let last = 0;
  let before = 0;
  for (const sample of samples) {
    const next = sample + factor * last - before;
    before = last;
    last = next;
  }
  return last * last + before * before - factor * last * before;
}

/** Purer than this is a tone and hardly anything else. */
const PURITY = 0.6;
const HERTZ_OFF = 15;
const POLL_MS = 50;

/** Asks for the newest sound until it has this tone and hardly anything else; 0: silence. */
export async function untilHeard(
  newest: () => Promise<HeardTone>,
  hertz: number,
  ms: number,
): Promise<void> {
  for (const end = performance.now() + ms;;) {
    const last = await newest();
    if (Math.abs(last.hertz - hertz) < HERTZ_OFF && (hertz === 0 || last.purity > PURITY)) return;
    if (performance.now() > end) {
      throw new Error(`hears ${hertz} Hz: not within ${ms} ms, last ${JSON.stringify(last)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
