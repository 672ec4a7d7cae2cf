import assert from "node:assert/strict";
import type { Codec, CodecName, PcmRate } from "../../src/rtp/codec/codec.ts";
import { PCMA, PCMU } from "../../src/rtp/codec/g711.ts";
import { rms } from "../../src/rtp/codec/comfort_noise.ts";
import { parseRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { likeness } from "../../src/rtp/codec/self_test.ts";
import { ratesOf, Transcoder } from "../../src/rtp/codec/transcoder.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { compare, type Quality } from "../support/audio_quality.ts";
import { needs } from "../support/needs.ts";
import { speak } from "../support/speech.ts";
import { decodeStream, drive, encodeStream, side } from "../support/transcoder_bench.ts";

/** Speech through each codec and through the pairs that calls need, against measured bounds. */

const espeak = needs("espeak-ng");
const opus = needs("libopus");
const speex = needs("libspeex");
const bcg729 = needs("libbcg729");
const ignore = espeak.ignore || opus.ignore || speex.ignore || bcg729.ignore;

/** Worst that a codec may do to speech in one encoding; delays in ms, the rest in dB. */
interface Bounds {
  readonly likeness: number;
  readonly segmentalSnrDb: number;
  readonly spectralDistanceDb: number;
  readonly levelDb: number;
  readonly delayMs: readonly [number, number];
}

/** About a fifth of what was measured is left for other versions of the libraries. */
const BOUNDS: Readonly<Record<CodecName, Bounds>> = {
  PCMU: bounds(0.999, 33, 1.2, 0.1, [0, 0]),
  PCMA: bounds(0.999, 33, 1.2, 0.1, [0, 0]),
  G722: bounds(0.99, 24, 1.6, 0.2, [1.3, 1.5]),
  OPUS: bounds(0.92, 6.5, 3.9, 0.8, [4, 9]),
  "SPEEX/8000": bounds(0.75, 2.4, 5.2, 1, [8, 12]),
  "SPEEX/16000": bounds(0.88, 5, 4.4, 1, [12, 16]),
  G729: bounds(0.75, 2.3, 7.5, 1.6, [4, 7]),
};

function bounds(
  likeness: number,
  segmentalSnrDb: number,
  spectralDistanceDb: number,
  levelDb: number,
  delayMs: readonly [number, number],
): Bounds {
  return { likeness, segmentalSnrDb, spectralDistanceDb, levelDb, delayMs };
}

/** What is out of bounds, in words; empty where all is well. */
function faults(quality: Quality, bounds: Bounds): string[] {
  const found: string[] = [];
  const check = (isFine: boolean, name: keyof Quality) => {
    if (!isFine) found.push(`${name} ${quality[name].toFixed(2)}, bound ${bounds[name]}`);
  };
  check(quality.likeness >= bounds.likeness, "likeness");
  check(quality.segmentalSnrDb >= bounds.segmentalSnrDb, "segmentalSnrDb");
  check(quality.spectralDistanceDb <= bounds.spectralDistanceDb, "spectralDistanceDb");
  check(Math.abs(quality.levelDb) <= bounds.levelDb, "levelDb");
  const [least, most] = bounds.delayMs;
  check(quality.delayMs >= least && quality.delayMs <= most, "delayMs");
  return found;
}

const spoken = new Map<PcmRate, Int16Array>();

function speech(rate: PcmRate): Int16Array {
  let pcm = spoken.get(rate);
  if (pcm === undefined) spoken.set(rate, pcm = speak(espeak.path, rate));
  return pcm;
}

function onceThrough(codec: Codec, rate: PcmRate): Int16Array {
  const packets = encodeStream(codec, speech(rate), rate);
  return decodeStream(codec, packets.map(({ bytes }) => parseRtp(bytes)!), rate);
}

Deno.test({
  name: "each codec at each of its rates: speech comes back as good as the codec is",
  ignore,
  fn: async (t) => {
    const { codecs } = await openCatalogue();
    for (const codec of codecs.values()) {
      for (const rate of codec.sampleRates) {
        await t.step(`${codec.name} at ${rate} Hz`, () => {
          const quality = compare(speech(rate), onceThrough(codec, rate), rate, 60);
          assert.deepEqual(faults(quality, BOUNDS[codec.name]), []);
        });
      }
    }
  },
});

Deno.test({
  name: "broken codecs miss the bounds",
  ignore: espeak.ignore,
  fn: () => {
    const pcm = speech(8000);
    const packets = encodeStream(PCMU, pcm, 8000).map(({ bytes }) => parseRtp(bytes)!);
    const judge = (heard: Int16Array) => faults(compare(pcm, heard, 8000, 60), BOUNDS.G729);
    // The wrong law; frames in the wrong order; a frame of twenty missing; half the level.
    const asPcma = packets.map((packet) => ({ ...packet, payloadType: 8 }));
    assert.notDeepEqual(judge(decodeStream(PCMA, asPcma, 8000)), []);
    const whole = decodeStream(PCMU, packets, 8000);
    const swapped = whole.map((_, i) => whole[i ^ 256] ?? 0);
    assert.notDeepEqual(judge(swapped), []);
    assert.notDeepEqual(judge(whole.filter((_, i) => i % 3200 >= 160)), []);
    assert.notDeepEqual(judge(whole.map((sample) => sample >> 1)), []);
  },
});

const PAIRS = [
  ["OPUS", "PCMU"],
  ["OPUS", "PCMA"],
  ["OPUS", "G722"],
  ["OPUS", "G729"],
  ["OPUS", "SPEEX/8000"],
  ["OPUS", "SPEEX/16000"],
  ["G729", "PCMA"],
] as const;

Deno.test({
  name: "the named pairs, both ways: the second coding costs what it costs alone",
  ignore,
  fn: async (t) => {
    const { codecs } = await openCatalogue();
    for (const [a, b] of PAIRS) {
      for (const [from, to] of [[a, b], [b, a]] as const) {
        await t.step(`${from} to ${to}`, () => {
          const [fromCodec, toCodec] = [codecs.get(from)!, codecs.get(to)!];
          const [rate, outRate] = ratesOf(fromCodec, toCodec);
          assert.equal(rate, outRate, "no resampler between these");
          const sent = encodeStream(fromCodec, speech(rate), rate);
          const transcoder = new Transcoder({
            from: side(from),
            to: side(to),
            fromCodec,
            toCodec,
            minDelayMs: 20,
            maxDelayMs: 200,
          });
          const out = drive(transcoder, sent, sent.at(-1)!.at + 40);
          const heard = decodeStream(toCodec, out, rate);
          // Against the first coding alone, the second is judged by its own bounds ...
          const first = onceThrough(fromCodec, rate);
          assert.deepEqual(faults(compare(first, heard, rate, 60), BOUNDS[to]), []);
          // ... and against the speech itself, by what each does alone.
          const both = compare(speech(rate), heard, rate, 90);
          const alone = [fromCodec, toCodec]
            .map((codec) => compare(speech(rate), onceThrough(codec, rate), rate, 60));
          const distance = alone.reduce(
            (sum, { spectralDistanceDb }) => sum + spectralDistanceDb,
            0,
          );
          assert.ok(both.spectralDistanceDb <= distance + 0.5, `${both.spectralDistanceDb} dB`);
          const delay = alone.reduce((sum, { delayMs }) => sum + delayMs, 0);
          assert.ok(Math.abs(both.delayMs - delay) < 2, `${both.delayMs} ms of delay`);
          const { concealedMs, lost, late, delayMs } = transcoder.statistics();
          assert.deepEqual([lost, late], [0, 0]);
          assert.ok(concealedMs <= 40 && delayMs <= 70, `${concealedMs} ms made up, ${delayMs} ms`);
          transcoder.close();
        });
      }
    }
  },
});

Deno.test({
  name: "with 5 % loss each codec's concealment keeps speech together",
  ignore,
  fn: async (t) => {
    const { codecs } = await openCatalogue();
    for (const codec of codecs.values()) {
      await t.step(codec.name, () => {
        const rate = codec.sampleRates.at(-1)!;
        const packets = encodeStream(codec, speech(rate), rate)
          .map(({ bytes }) => parseRtp(bytes)!);
        const whole = decodeStream(codec, packets, rate);
        const kept = packets.filter((_, i) => i % 20 !== 10);
        const concealed = decodeStream(codec, kept, rate);
        const size = rate / 50;
        const inHoles = (pcm: Int16Array) =>
          pcm.filter((_, i) => Math.floor(i / size) % 20 === 10 && i < concealed.length);
        const [wanted, made] = [inHoles(whole), inHoles(concealed)];
        const level = 20 * Math.log10(rms(made, made.length) / rms(wanted, wanted.length));
        assert.ok(level > -6 && level < 2, `level ${level.toFixed(2)} dB in the holes`);
        const like = likeness(wanted, 0, made, 0, made.length);
        assert.ok(like > 0.2, `likeness ${like.toFixed(2)} in the holes`);
        const all = compare(whole, concealed, rate, 5);
        assert.ok(all.likeness > 0.85, `likeness ${all.likeness.toFixed(2)}`);
        assert.ok(Math.abs(all.levelDb) < 1, `level ${all.levelDb.toFixed(2)} dB`);
      });
    }
  },
});
