import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Codec } from "../../../src/rtp/codec/codec.ts";
import { describeNoise, NoiseMaker, rms } from "../../../src/rtp/codec/comfort_noise.ts";
import { WaveformConcealer } from "../../../src/rtp/codec/concealer.ts";
import { PCMA, PCMU } from "../../../src/rtp/codec/g711.ts";
import { G722 } from "../../../src/rtp/codec/g722.ts";
import { Resampler } from "../../../src/rtp/codec/resampler.ts";
import { likeness, prepareTrial, vowel } from "../../../src/rtp/codec/self_test.ts";
import { StretchQueue } from "../../../src/rtp/codec/time_stretch.ts";
import { powerSpectrum } from "../../support/audio_quality.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

function decodeAll(codec: Codec): Int16Array {
  const pcm = new Int16Array(960);
  codec.decoder({ sampleRate: 8000 }).decode(ALL_BYTES, pcm);
  return pcm.subarray(0, 256);
}

function tone(rate: number, hertz: number, samples: number, amplitude = 10000): Int16Array {
  return Int16Array.from(
    { length: samples },
    (_, i) => Math.round(amplitude * Math.sin(2 * Math.PI * hertz * i / rate)),
  );
}

Deno.test("G.711: values of the Recommendation's tables", () => {
  const mu = decodeAll(PCMU);
  const a = decodeAll(PCMA);
  // Tables 2a and 1a, scaled to 16 bits: largest, smallest and the values at segment ends.
  assert.deepEqual([mu[0x80], mu[0x00], mu[0xff], mu[0xfe], mu[0x8f]], [
    32124,
    -32124,
    0,
    8,
    16764,
  ]);
  assert.deepEqual([a[0xaa], a[0x2a], a[0xd5], a[0x55], a[0xa5]], [32256, -32256, 8, -8, 16896]);
});

for (const codec of [PCMU, PCMA]) {
  Deno.test(`G.711: every sample gets its value of ${codec.name}`, () => {
    const values = decodeAll(codec);
    const sorted = [...values].sort((x, y) => x - y);
    const encoder = codec.encoder({ sampleRate: 8000, packetMs: 20, dtx: false });
    const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
    const payload = new Uint8Array(65536);
    encoder.encode(all, payload);
    for (let i = 0; i < all.length; i++) {
      const value = values[payload[i]!]!;
      const at = sorted.indexOf(value);
      const below = value - (sorted[at - 1] ?? -32768);
      const above = (sorted[at + 1] ?? 32767) - value;
      const error = Math.abs(all[i]! - value);
      // Half the wider step, since at a segment's end the decision value is not in the middle; and
      // the 14 and 13 bits that the laws know.
      assert.ok(
        error <= Math.max(below, above) / 2 + 8 || at < 1 || at > 253,
        `${all[i]}: ${value}`,
      );
    }
    encoder.encode(values, payload);
    for (const byte of ALL_BYTES) {
      assert.equal(values[payload[byte]!], values[byte], `byte ${byte} comes back`);
    }
  });
}

Deno.test("G.722: known answer, equal to SpanDSP's (see the library test)", () => {
  const pcm = vowel(16000, 400);
  const encoder = G722.encoder({ sampleRate: 16000, packetMs: 20, dtx: false });
  const payload = new Uint8Array(pcm.length / 2);
  assert.equal(encoder.encode(pcm, payload), payload.length);
  const heard = new Int16Array(pcm.length);
  G722.decoder({ sampleRate: 16000 }).decode(payload, heard);
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  assert.equal(hash(payload), "3ee5f7e6223122a1");
  assert.equal(hash(new Uint8Array(heard.buffer)), "29d266adeade2b9b");
  assert.ok(likeness(pcm, 1000, heard, 1022, 4000) > 0.99, "22 samples of delay");
});

for (const [from, to] of [[8000, 16000], [16000, 8000], [16000, 48000], [48000, 8000]] as const) {
  Deno.test(`resampler ${from} to ${to}: level in the band, nothing beside it`, () => {
    const low = Math.min(from, to);
    for (const share of [0.02, 0.1, 0.25, 0.4]) {
      // On a line of the spectrum that is looked at below.
      const hertz = Math.round(share * low * 2048 / to) * to / 2048;
      const resampler = new Resampler(from, to);
      const input = tone(from, hertz, from / 2);
      const output = new Int16Array(to / 2);
      // In ticks, so that their seams are tested too.
      const [step, outStep] = [from / 50, to / 50];
      for (let k = 0; k < 25; k++) {
        const piece = output.subarray(k * outStep);
        const made = resampler.process(input.subarray(k * step), step, piece);
        assert.equal(made, outStep);
      }
      const at = to / 5;
      const level = 20 * Math.log10(rms(output.subarray(at), to / 5) / (10000 / Math.SQRT2));
      assert.ok(Math.abs(level) < 0.5, `${hertz} Hz: ${level.toFixed(2)} dB`);
      const size = 2048;
      const power = powerSpectrum(output, at, size);
      const bin = Math.round(hertz * size / to);
      let beside = 0;
      for (let k = 0; k < power.length; k++) if (Math.abs(k - bin) > 4) beside += power[k]!;
      const ratio = 10 * Math.log10(beside / power[bin]!);
      assert.ok(ratio < -50, `${hertz} Hz: ${ratio.toFixed(1)} dB beside the tone`);
    }
  });
}

Deno.test("resampler 16 to 8 kHz: what would alias is gone", () => {
  for (const hertz of [4400, 5000, 7000]) {
    const output = new Int16Array(4000);
    new Resampler(16000, 8000).process(tone(16000, hertz, 8000), 8000, output);
    const level = 20 * Math.log10((rms(output.subarray(500), 3000) + 0.1) / 7071);
    assert.ok(level < -50, `${hertz} Hz leaves ${level.toFixed(1)} dB`);
  }
});

Deno.test("concealment: a lost 20 ms of a vowel is like what was lost, then fades", () => {
  for (const rate of [8000, 16000] as const) {
    const pcm = vowel(rate, 400, 0);
    const size = rate / 50;
    const concealer = new WaveformConcealer(rate);
    for (let at = 0; at < 10 * size; at += size) {
      concealer.good(pcm.slice(at, at + size), size);
    }
    const made = new Int16Array(6 * size);
    concealer.conceal(size, made);
    const like = likeness(made, 0, pcm, 10 * size, size);
    assert.ok(like > 0.6, `${rate} Hz: ${like.toFixed(2)} like the original`);
    const step = Math.abs(made[0]! - pcm[10 * size]!);
    assert.ok(step < rms(pcm, pcm.length), `${step} beside the original at the seam`);
    concealer.conceal(5 * size, made);
    assert.equal(rms(made.subarray(3 * size), 2 * size), 0, "muted after 60 ms");
    const good = pcm.slice(16 * size, 17 * size);
    concealer.good(good, size);
    assert.deepEqual([...good.slice(-40)], [...pcm.slice(17 * size - 40, 17 * size)]);
  }
});

Deno.test("comfort noise: level and colour of the background come back (RFC 3389)", () => {
  const maker = new NoiseMaker();
  const payload = new Uint8Array(20);
  // Red noise: white noise through a leaky sum.
  const white = new NoiseMaker();
  white.take(Uint8Array.of(40));
  const pcm = new Int16Array(8000);
  white.make(8000, pcm);
  let last = 0;
  for (let i = 0; i < pcm.length; i++) pcm[i] = last = Math.round(0.9 * last + pcm[i]!);
  assert.equal(describeNoise(pcm, 8000, payload), 11);
  maker.take(payload.subarray(0, 11));
  const made = new Int16Array(8000);
  maker.make(80, made);
  maker.make(8000, made);
  const level = 20 * Math.log10(rms(made, 8000) / rms(pcm, 8000));
  assert.ok(Math.abs(level + 2) < 1.5, `level ${level.toFixed(1)} dB, expected 2 below`);
  const slope = (samples: Int16Array) => likeness(samples, 0, samples, 1, 7900);
  assert.ok(Math.abs(slope(made) - slope(pcm)) < 0.05, "colour");
});

Deno.test("time stretch: one period less or more, and the vowel goes on without a seam", () => {
  for (const change of ["accelerate", "expand"] as const) {
    const rate = 8000;
    const queue = new StretchQueue(rate);
    const pcm = tone(rate, 125, 400);
    queue.push(pcm, 400);
    const samples = queue[change](false);
    assert.equal(samples % 64, 0, `${samples} samples are whole periods of 64`);
    assert.ok(samples > 0);
    assert.equal(queue.length, change === "accelerate" ? 400 - samples : 400 + samples);
    const out = new Int16Array(queue.length);
    queue.shift(queue.length, out);
    for (let i = 1; i < out.length; i++) {
      assert.ok(Math.abs(out[i]! - out[i - 1]!) < 1100, `step at ${i}`);
    }
  }
});

Deno.test("trial at start: a codec that does not give back what it got is found out", () => {
  const broken: Readonly<Record<string, Codec>> = {
    "the other law": { ...PCMU, decoder: PCMA.decoder },
    "half the level": {
      ...PCMU,
      decoder: (options) => {
        const decoder = PCMU.decoder(options);
        return {
          decode: (payload, pcm) => {
            const count = decoder.decode(payload, pcm);
            for (let i = 0; i < count; i++) pcm[i] = pcm[i]! >> 2;
            return count;
          },
          conceal: (samples, pcm) => decoder.conceal(samples, pcm),
          close: () => {},
        };
      },
    },
    "nothing sent": { ...PCMU, encoder: () => ({ encode: () => 0, close: () => {} }) },
    "another duration": { ...PCMU, duration: (payload) => 2 * payload.length },
  };
  prepareTrial(PCMU, 8000).run();
  for (const [what, codec] of Object.entries(broken)) {
    assert.throws(() => prepareTrial(codec, 8000).run(), Error, what);
  }
});
