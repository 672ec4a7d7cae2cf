/** Tones that a browser's fake microphone plays. */

const SAMPLE_RATE = 48_000;
/** Whole periods of any whole frequency, so that the file can be repeated without a click. */
const SECONDS = 4;
const AMPLITUDE = 12_000;

/** A mono 16-bit WAV file of a sine of `hertz`, a whole number. */
export function toneWav(hertz: number): Uint8Array {
  const samples = SAMPLE_RATE * SECONDS;
  const bytes = new Uint8Array(44 + 2 * samples);
  const view = new DataView(bytes.buffer);
  const text = (at: number, word: string) => bytes.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, SAMPLE_RATE, true);
  view.setUint32(28, 2 * SAMPLE_RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples, true);
  for (let i = 0; i < samples; i++) {
    const value = AMPLITUDE * Math.sin((2 * Math.PI * hertz * i) / SAMPLE_RATE);
    view.setInt16(44 + 2 * i, Math.round(value), true);
  }
  return bytes;
}
