import assert from "node:assert/strict";
import type { Codec } from "../../../src/rtp/codec/codec.ts";
import { PCMA, PCMU } from "../../../src/rtp/codec/g711.ts";
import { inTurn } from "../../bench/media/bench.ts";
import { Summary } from "../../bench/media/summary.ts";
import { checkSpeech, type Coding } from "../../bench/media/transcoding_check.ts";

/** What the bench of the media engine takes for measured, and for met. */

const FRAME = 160;
const FRAMES = 150;

Deno.test("bench: a must is met by the median of three values at least", () => {
  const isMet = (values: number[], isMoreBetter = false) => {
    const summary = new Summary();
    summary.add({ name: "x", values, must: 1, isMoreBetter });
    return summary.isMet;
  };
  assert.equal(isMet([0.9, 0.8, 3]), true);
  assert.equal(isMet([0.9, 2, 3]), false);
  assert.equal(isMet([0.9, 0.8]), false, "two are too few");
  assert.equal(isMet([]), false, "nothing was measured");
  assert.equal(isMet([1, 2, 3], true), true);
  const summary = new Summary();
  summary.add({ name: "no must", values: [5] });
  assert.equal(summary.isMet, true);
});

Deno.test("bench: each contender has each place once", () => {
  const orders = [0, 1, 2].map((turn) => inTurn(["a", "b", "c"], turn));
  for (const place of [0, 1, 2]) {
    assert.deepEqual(orders.map((order) => order[place]).sort(), ["a", "b", "c"]);
  }
});

/** Sound that is like itself alone. */
function sound(seed: number): Int16Array {
  let state = seed;
  return Int16Array.from({ length: FRAME * FRAMES }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    return state >> 18;
  });
}

function framesOf(codec: Codec, pcm: Int16Array): Uint8Array[] {
  const encoder = codec.encoder({ sampleRate: 8000, packetMs: 20, dtx: false });
  const room = new Uint8Array(1500);
  return Array.from({ length: FRAMES }, (_, i) => {
    return room.slice(0, encoder.encode(pcm.subarray(i * FRAME, (i + 1) * FRAME), room));
  });
}

/** As the generator writes what side A got: from somewhere in the middle on. */
function samplesOf(frames: readonly Uint8Array[], gaps: readonly number[] = []): string {
  const lines = [...frames.slice(40), ...frames].map((frame, i) => `0 3 ${i} ${frame.toHex()}`);
  return lines.filter((_, i) => !gaps.includes(i)).join("\n");
}

Deno.test("bench: what comes out of a transcoder has to be what went in, and no silence", () => {
  const sent = sound(1);
  const sides: [Coding, Coding] = [
    { codec: PCMU, frames: framesOf(PCMU, sound(2)) },
    { codec: PCMA, frames: framesOf(PCMA, sent) },
  ];
  const check = (pcm: Int16Array, gaps?: readonly number[]) =>
    checkSpeech("x", samplesOf(framesOf(PCMU, pcm), gaps), sides);
  check(sent);
  assert.throws(() => check(new Int16Array(sent.length)), /not what went in/);
  assert.throws(() => check(sound(3)), /not what went in/);
  assert.throws(() => check(sent.map((value) => value >> 3)), /not what went in/, "too quiet");
  assert.throws(() => check(sent, [60, 120, 180]), /frames in a row/);
  assert.throws(() => checkSpeech("x", "", sides));
});
