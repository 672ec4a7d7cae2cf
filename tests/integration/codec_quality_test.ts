import assert from "node:assert/strict";
import type { Codec, CodecName, PcmRate } from "../../src/rtp/codec/codec.ts";
import { PCMA, PCMU } from "../../src/rtp/codec/g711.ts";
import { rms } from "../../src/rtp/codec/comfort_noise.ts";
import { Resampler } from "../../src/rtp/codec/resampler.ts";
import { parseRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { likeness } from "../../src/rtp/codec/self_test.ts";
import { ratesOf, Transcoder } from "../../src/rtp/codec/transcoder.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { compare, type Quality } from "../support/audio_quality.ts";
import { needs } from "../support/needs.ts";
import { speak } from "../support/speech.ts";
import { decodeStream, drive, encodeStream, readied, side } from "../support/transcoder_bench.ts";

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
  /** From 3,400 to 7,000 Hz; what has lost all above 4 kHz is at 7.5. */
  readonly highDistanceDb: number;
  readonly levelDb: number;
  readonly delayMs: readonly [number, number];
}

/** About a fifth of what was measured is left for other versions of the libraries. */
const BOUNDS: Readonly<Record<CodecName, Bounds>> = {
  PCMU: bounds(0.999, 33, [1.2], 0.1, [0, 0]),
  PCMA: bounds(0.999, 33, [1.2], 0.1, [0, 0]),
  G722: bounds(0.99, 24, [1.6, 2.3], 0.2, [1.3, 1.5]),
  OPUS: bounds(0.92, 6.5, [3.9, 3.3], 0.8, [4, 9]),
  "SPEEX/8000": bounds(0.75, 2.4, [5.2], 1, [8, 12]),
  "SPEEX/16000": bounds(0.88, 5, [4.4, 3.2], 1, [12, 16]),
  G729: bounds(0.75, 2.3, [7.5], 1.6, [4, 7]),
};

function bounds(
  likeness: number,
  segmentalSnrDb: number,
  [spectralDistanceDb, highDistanceDb = 0]: readonly [number, number?],
  levelDb: number,
  delayMs: readonly [number, number],
): Bounds {
  return { likeness, segmentalSnrDb, spectralDistanceDb, highDistanceDb, levelDb, delayMs };
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
  check(quality.highDistanceDb <= bounds.highDistanceDb, "highDistanceDb");
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

async function onceThrough(codec: Codec, rate: PcmRate): Promise<Int16Array> {
  const ready = await readied(codec, { sampleRate: rate, packetMs: 20, dtx: false });
  const packets = encodeStream(ready, speech(rate), rate);
  return decodeStream(ready, packets.map(({ bytes }) => parseRtp(bytes)!), rate);
}

/** By the libraries, and Opus also as machines have it that have none. */
async function catalogues() {
  const native = (await openCatalogue()).codecs;
  const portable = (await openCatalogue({ ffi: false })).codecs.get("OPUS")!;
  return [
    { by: "", codecs: native, isNew: () => true },
    {
      by: " by WebAssembly",
      codecs: new Map([...native, ["OPUS", portable] as const]),
      isNew: (...names: CodecName[]) => names.includes("OPUS"),
    },
  ];
}

Deno.test({
  name: "each codec at each of its rates: speech comes back as good as the codec is",
  ignore,
  fn: async (t) => {
    for (const { by, codecs, isNew } of await catalogues()) {
      for (const codec of codecs.values()) {
        for (const rate of isNew(codec.name) ? codec.sampleRates : []) {
          await t.step(`${codec.name}${by} at ${rate} Hz`, async () => {
            const quality = compare(speech(rate), await onceThrough(codec, rate), rate, 60);
            assert.deepEqual(faults(quality, BOUNDS[codec.name]), []);
          });
        }
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
    for (const { by, codecs, isNew } of await catalogues()) {
      for (const [a, b] of PAIRS.filter((pair) => isNew(...pair))) {
        for (const [from, to] of [[a, b], [b, a]] as const) {
          await t.step(
            `${from} to ${to}${by}`,
            () => judgePair(codecs.get(from)!, codecs.get(to)!),
          );
        }
      }
    }
  },
});

async function judgePair(fromCodec: Codec, toCodec: Codec): Promise<void> {
  const [rate, outRate] = ratesOf(fromCodec, toCodec);
  assert.equal(rate, outRate, "no resampler between these");
  const options = { sampleRate: rate, packetMs: 20, dtx: false } as const;
  const sent = encodeStream(await readied(fromCodec, options), speech(rate), rate);
  const transcoder = new Transcoder({
    from: side(fromCodec.name),
    to: side(toCodec.name),
    fromCodec: await readied(fromCodec, options),
    toCodec: await readied(toCodec, options),
    minDelayMs: 20,
    maxDelayMs: 200,
  });
  const out = drive(transcoder, sent, sent.at(-1)!.at + 40);
  const heard = decodeStream(await readied(toCodec, options), out, rate);
  // Against the first coding alone, the second is judged by its own bounds ...
  const first = await onceThrough(fromCodec, rate);
  assert.deepEqual(faults(compare(first, heard, rate, 60), BOUNDS[toCodec.name]), []);
  // ... and against the speech itself, by what each does alone.
  const both = compare(speech(rate), heard, rate, 90);
  const alone = [first, await onceThrough(toCodec, rate)]
    .map((heard) => compare(speech(rate), heard, rate, 60));
  for (const band of ["spectralDistanceDb", "highDistanceDb"] as const) {
    const distance = alone.reduce((sum, quality) => sum + quality[band], 0);
    assert.ok(both[band] <= distance + 0.5, `${band}: ${both[band]} dB, alone ${distance}`);
  }
  const delay = alone.reduce((sum, { delayMs }) => sum + delayMs, 0);
  assert.ok(Math.abs(both.delayMs - delay) < 2, `${both.delayMs} ms of delay`);
  const { concealedMs, lost, late, delayMs } = transcoder.statistics();
  assert.deepEqual([lost, late], [0, 0]);
  assert.ok(concealedMs <= 40 && delayMs <= 70, `${concealedMs} ms made up, ${delayMs} ms`);
  transcoder.close();
}

Deno.test({
  name: "a wide-band codec that has lost all above 4 kHz misses the bounds",
  ignore,
  fn: async () => {
    const { codecs } = await openCatalogue();
    for (const name of ["G722", "OPUS", "SPEEX/16000"] as const) {
      const whole = await onceThrough(codecs.get(name)!, 16_000);
      const [down, up] = [new Resampler(16_000, 8000), new Resampler(8000, 16_000)];
      const narrowed = new Int16Array(whole.length);
      const [low, high] = [new Int16Array(160), new Int16Array(320)];
      for (let at = 0; at + 320 <= whole.length; at += 320) {
        const count = down.process(whole.subarray(at, at + 320), 320, low);
        narrowed.set(high.subarray(0, up.process(low, count, high)), at);
      }
      const found = faults(compare(speech(16_000), narrowed, 16_000, 60), BOUNDS[name]);
      assert.match(found.join(), /highDistanceDb/, name);
    }
  },
});

Deno.test({
  name: "with 5 % loss each codec's concealment keeps speech together",
  ignore,
  fn: async (t) => {
    const all = (await catalogues()).flatMap(({ by, codecs, isNew }) =>
      [...codecs.values()].filter(({ name }) => isNew(name)).map((codec) => [by, codec] as const)
    );
    for (const [by, codec] of all) {
      await t.step(`${codec.name}${by}`, async () => {
        const rate = codec.sampleRates.at(-1)!;
        const ready = () => readied(codec, { sampleRate: rate, packetMs: 20, dtx: false });
        const packets = encodeStream(await ready(), speech(rate), rate)
          .map(({ bytes }) => parseRtp(bytes)!);
        const whole = decodeStream(await ready(), packets, rate);
        const kept = packets.filter((_, i) => i % 20 !== 10);
        const concealed = decodeStream(await ready(), kept, rate);
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
