/** Speech from eSpeak NG as PCM at any rate. */

const TEXT =
  "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. " +
  "These days a chicken leg is a rare dish.";
/** Half the width of the interpolating filter, samples of the lower rate. */
const HALF_TAPS = 24;
const PEAK = 16000;

/** @param program path of espeak-ng */
export function speak(program: string, rate: number, text = TEXT): Int16Array {
  const { code, stdout, stderr } = new Deno.Command(program, {
    args: ["-v", "en", "-s", "150", "--stdout", text],
  }).outputSync();
  if (code !== 0) throw new Error(`espeak-ng: ${new TextDecoder().decode(stderr)}`);
  const view = new DataView(stdout.buffer, stdout.byteOffset, stdout.byteLength);
  // A header of 44 bytes whose lengths are wrong when written to a pipe; then 16 bits, one channel.
  const sourceRate = view.getUint32(24, true);
  const pcm = new Int16Array(stdout.slice(44, 44 + (stdout.length - 44 & ~1)).buffer);
  return interpolate(pcm, sourceRate, rate);
}

/** Changes the rate by any ratio, by a windowed sinc for each sample, and levels the peak. */
function interpolate(pcm: Int16Array, from: number, to: number): Int16Array {
  const cutoff = Math.min(1, to / from) * 0.95;
  const half = HALF_TAPS / cutoff;
  const out = new Float64Array(Math.floor(pcm.length * to / from));
  let peak = 1;
  for (let i = 0; i < out.length; i++) {
    const middle = i * from / to;
    let sum = 0;
    const last = Math.min(pcm.length - 1, Math.floor(middle + half));
    for (let k = Math.max(0, Math.ceil(middle - half)); k <= last; k++) {
      const x = (k - middle) * cutoff;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      sum += pcm[k]! * sinc * cutoff * (0.5 + 0.5 * Math.cos(Math.PI * (k - middle) / half));
    }
    out[i] = sum;
    peak = Math.max(peak, Math.abs(sum));
  }
  return Int16Array.from(out, (value) => Math.round(value * PEAK / peak));
}
