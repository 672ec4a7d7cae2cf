/** Tones that a browser's fake microphone and phones play. */

const SAMPLE_RATE = 48_000;
/** Whole periods of any whole frequency, so that the file can be repeated without a click. */
const SECONDS = 4;
const AMPLITUDE = 12_000;

/** A 16-bit WAV file of a sine of `hertz`, a whole number; `rate` in Hz. */
export function toneWav(
  hertz: number,
  { rate = SAMPLE_RATE, seconds = SECONDS, channels = 1 } = {},
): Uint8Array<ArrayBuffer> {
  const samples = rate * seconds;
  const frame = 2 * channels;
  const bytes = new Uint8Array(44 + frame * samples);
  const view = new DataView(bytes.buffer);
  const text = (at: number, word: string) => bytes.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + frame * samples, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, frame * rate, true);
  view.setUint16(32, frame, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, frame * samples, true);
  for (let i = 0; i < samples; i++) {
    const value = AMPLITUDE * Math.sin((2 * Math.PI * hertz * i) / rate);
    for (let channel = 0; channel < channels; channel++) {
      view.setInt16(44 + frame * i + 2 * channel, Math.round(value), true);
    }
  }
  return bytes;
}
