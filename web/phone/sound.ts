/// <reference lib="dom" />
/** Level meters and tones, by one audio context. */

let context: AudioContext | undefined;

/** Call it in a click: browsers start sound only for a person. */
export function wakeSound(): void {
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume().catch(() => {});
}

export interface Meter {
  /** Loudness now, 0 (silence, -60 dBFS and below) to 1 (full scale). */
  level(): number;
  close(): void;
}

const QUIETEST_DB = -60;

/** Undefined where the stream has no sound, or sound was never woken. */
export function openMeter(stream: MediaStream): Meter | undefined {
  if (context === undefined || stream.getAudioTracks().length === 0) return undefined;
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    level() {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      const decibel = 10 * Math.log10(sum / samples.length + 1e-12);
      return Math.min(1, Math.max(0, 1 - decibel / QUIETEST_DB));
    },
    close() {
      source.disconnect();
    },
  };
}

export type Tone =
  /** Somebody calls. */
  | "ring"
  /** Somebody calls while one talks. */
  | "knock"
  /** It rings at the other end. */
  | "ringback";

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const DIGIT_ROWS = ["123A", "456B", "789C", "*0#D"];

/** The key's two tones (ITU-T Q.23), softly and here alone: so one hears that it was pressed. */
export function playDigit(digit: string): void {
  const row = DIGIT_ROWS.findIndex((keys) => keys.includes(digit));
  const column = DIGIT_ROWS[row]?.indexOf(digit) ?? -1;
  const [low, high] = [ROWS[row], COLUMNS[column]];
  if (context === undefined || low === undefined || high === undefined) return;
  burst(context, { hertz: [low, high], onMs: 140, everyMs: 0, gain: 0.02 });
}

interface Pattern {
  readonly hertz: readonly number[];
  readonly onMs: number;
  readonly everyMs: number;
  readonly gain: number;
}

const PATTERNS: Readonly<Record<Tone, Pattern>> = {
  ring: { hertz: [660, 880], onMs: 900, everyMs: 2500, gain: 0.08 },
  knock: { hertz: [660], onMs: 180, everyMs: 4000, gain: 0.03 },
  ringback: { hertz: [425], onMs: 1000, everyMs: 5000, gain: 0.03 },
};

let playing:
  | { readonly tone: Tone; readonly timer: ReturnType<typeof setInterval>; stop(): void }
  | undefined;

/** Plays one tone until another, or null, is asked for. */
export function playTone(tone: Tone | null): void {
  if (playing?.tone === tone) return;
  if (playing !== undefined) {
    clearInterval(playing.timer);
    playing.stop();
    playing = undefined;
  }
  if (tone === null || context === undefined) return;
  const pattern = PATTERNS[tone];
  let stop = burst(context, pattern);
  const timer = setInterval(() => {
    if (context !== undefined) stop = burst(context, pattern);
  }, pattern.everyMs);
  playing = { tone, timer, stop: () => stop() };
}

/** One burst with soft edges. Returns how to silence it. */
function burst(audio: AudioContext, pattern: Pattern): () => void {
  const gain = audio.createGain();
  gain.connect(audio.destination);
  const start = audio.currentTime;
  const end = start + pattern.onMs / 1000;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(pattern.gain, start + 0.03);
  gain.gain.setValueAtTime(pattern.gain, end - 0.05);
  gain.gain.linearRampToValueAtTime(0, end);
  const oscillators = pattern.hertz.map((hertz) => {
    const oscillator = audio.createOscillator();
    oscillator.frequency.value = hertz;
    oscillator.connect(gain);
    oscillator.start(start);
    oscillator.stop(end);
    return oscillator;
  });
  return () => {
    for (const oscillator of oscillators) oscillator.stop();
    gain.disconnect();
  };
}
