import type { Codec } from "../../../src/rtp/codec/codec.ts";
import { compare } from "../../support/audio_quality.ts";

/** Whether what comes out of a transcoder is the speech that went in. */

const RATE = 8000;
const FRAME = RATE / 50;
/** Decoders begin with their state at rest. */
const SETTLE = 5;
/** Compared piece by piece, frames: a jitter buffer may shorten or lengthen what lies between. */
const PIECE = 25;
const PIECES = 6;
const MOST_FRAMES = SETTLE + PIECES * PIECE;
/** So many of them have to be alike; another one may be a pause. */
const LEAST_ALIKE = 2;
/** Of two lossy codings in a row of the same speech; silence and noise have next to none. */
const LEAST_LIKENESS = 0.6;
const MOST_LEVEL_DB = 6;

/** What one side of one call got, as `frames.c` writes it. */
interface Heard {
  readonly side: number;
  readonly call: number;
  readonly frames: readonly Uint8Array[];
}

export interface Coding {
  readonly codec: Codec;
  /** Payloads that are sent over and over. */
  readonly frames: readonly Uint8Array[];
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The ends of the longest runs without a gap: by then jitter buffers have settled. */
function readSamples(text: string): Heard[] {
  const rows = text.trim().split("\n").map((line) => line.split(" "));
  const found: Heard[] = [];
  for (const [name, packets] of Map.groupBy(rows, ([side, call]) => `${side} ${call}`)) {
    const [side = NaN, call = NaN] = name.split(" ").map(Number);
    let best: Uint8Array[] = [];
    let run: Uint8Array[] = [];
    let before = -1;
    for (const [, , sequence, hex = ""] of packets) {
      if (Number(sequence) !== (before + 1 & 0xffff)) run = [];
      before = Number(sequence);
      run.push(bytesOf(hex));
      if (run.length > best.length) best = run;
    }
    found.push({ side, call, frames: best.slice(-MOST_FRAMES) });
  }
  return found;
}

function decode(codec: Codec, frames: readonly Uint8Array[]): Int16Array {
  const decoder = codec.decoder({ sampleRate: RATE });
  const pcm = new Int16Array(frames.length * FRAME);
  const room = new Int16Array(RATE * 120 / 1000);
  for (const [i, frame] of frames.entries()) {
    const samples = decoder.decode(frame, room);
    if (samples !== FRAME) throw new Error(`a frame of ${codec.name} has ${samples} samples`);
    pcm.set(room.subarray(0, FRAME), i * FRAME);
  }
  decoder.close();
  return pcm;
}

/**
 * Compares what the calls in `text` got with what their far ends sent.
 * @param sides what A and B are sent as and send
 * @throws Error where something else came out, or too little to say
 */
export function checkSpeech(name: string, text: string, sides: readonly [Coding, Coding]): void {
  const heard = readSamples(text);
  if (heard.length === 0) throw new Error(`${name}: nothing came out`);
  for (const { side, call, frames } of heard) {
    const where = `${name}, side ${"AB"[side]} of call ${call}`;
    if (frames.length < MOST_FRAMES) {
      throw new Error(`${where}: ${frames.length} frames in a row, expected ${MOST_FRAMES}`);
    }
    const out = decode(sides[side]!.codec, frames).subarray(SETTLE * FRAME);
    const { codec, frames: sent } = sides[1 - side]!;
    const loop = decode(codec, [...sent, ...sent.slice(0, MOST_FRAMES)]);
    const pieces = Array.from({ length: PIECES }, (_, i) => {
      const piece = out.subarray(i * PIECE * FRAME, (i + 1) * PIECE * FRAME);
      return compare(piece, loop, RATE, sent.length * 20);
    });
    const alike = pieces.filter(({ likeness, levelDb }) =>
      likeness >= LEAST_LIKENESS && Math.abs(levelDb) <= MOST_LEVEL_DB
    );
    if (alike.length >= LEAST_ALIKE) continue;
    const found = pieces.map(({ likeness, levelDb }) =>
      `likeness ${likeness.toFixed(2)}, level ${(-levelDb).toFixed(1)} dB`
    );
    throw new Error(`${where}: what came out is not what went in (${found.join("; ")})`);
  }
}

const BANDS = ["narrow", "medium", "wide", "super-wide", "full"] as const;

/** How most packets of Opus that side A got are coded (RFC 6716 3.1). */
export function codingOf(text: string): string {
  const counts = new Map<number, number>();
  for (const { side, frames } of readSamples(text)) {
    if (side !== 0) continue;
    for (const [toc = 0] of frames) counts.set(toc & 0xfc, (counts.get(toc & 0xfc) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [0];
  const config = most >> 3;
  const mode = config < 12 ? "SILK" : config < 16 ? "hybrid" : "CELT";
  const band = config < 12
    ? BANDS[config >> 2]
    : config < 16
    ? BANDS[3 + (config - 12 >> 1)]
    : BANDS[[0, 2, 3, 4][config - 16 >> 2]!];
  return `${mode}, ${band} band, ${(most & 4) === 0 ? "mono" : "stereo"}`;
}
