import assert from "node:assert/strict";
import type { Codec, PcmRate } from "../../src/rtp/codec/codec.ts";
import type { DirectionStatistics } from "../../src/rtp/codec/contract.ts";
import { PCMU } from "../../src/rtp/codec/g711.ts";
import { G722 } from "../../src/rtp/codec/g722.ts";
import { parseRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { Transcoder } from "../../src/rtp/codec/transcoder.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { compareStretched } from "../support/audio_quality.ts";
import { needs } from "../support/needs.ts";
import { arrivals, type NetworkOptions } from "../support/network_trace.ts";
import { speak } from "../support/speech.ts";
import {
  decodeStream,
  drive,
  encodeStream,
  readied,
  side,
  type TimedPacket,
} from "../support/transcoder_bench.ts";

/**
 * Speech in every codec through seeded networks: what is heard behind jitter buffer, concealment
 * and stretching, against what the codec alone makes of it, piece by piece where it has moved.
 */

const espeak = needs("espeak-ng");
const missing = needs("libopus").ignore || needs("libspeex").ignore || needs("libbcg729").ignore;
const ignore = espeak.ignore || missing;

const PACKET_MS = 20;
const MAX_DELAY_MS = 300;
/** What is heard may be so late, ms; none of these networks asks for more. */
const LOOK_MS = 120;

interface Trace {
  readonly name: string;
  readonly network: NetworkOptions;
  /** By which it may sound further from the speech than without a network, dB. */
  readonly distanceDb: number;
  /** Pieces of voice that may be missing, a share of all. */
  readonly goneShare: number;
  /** What must have happened, or the trace shows nothing. */
  readonly happened: (statistics: DirectionStatistics, sent: number) => boolean;
}

const TRACES: readonly Trace[] = [
  {
    name: "5 % loss",
    network: { seed: 21, loss: 0.05 },
    distanceDb: 1.7,
    goneShare: 0.018,
    happened: ({ lost }, sent) => lost > sent * 0.03 && lost < sent * 0.08,
  },
  {
    name: "5 % loss in bursts of 3",
    network: { seed: 22, loss: 0.05, burst: 3 },
    distanceDb: 1.6,
    goneShare: 0.03,
    happened: ({ lost }, sent) => lost > sent * 0.02 && lost < sent * 0.1,
  },
  {
    name: "every tenth packet overtaken by two",
    network: { seed: 23, overtaken: { share: 0.1, by: 2 } },
    distanceDb: 0.7,
    goneShare: 0.012,
    happened: ({ reordered, lost }, sent) => reordered > sent * 0.05 && lost < sent * 0.02,
  },
  {
    name: "jitter of 60 ms",
    network: { seed: 24, jitterMs: 60 },
    distanceDb: 0.7,
    goneShare: 0.012,
    happened: ({ jitterMs }) => jitterMs > 10,
  },
  {
    name: "a clock that is 0.3 % fast",
    network: { seed: 25, driftPpm: 3000 },
    distanceDb: 0.7,
    goneShare: 0.012,
    happened: ({ acceleratedMs, expandedMs }) => acceleratedMs - expandedMs > 15,
  },
  {
    name: "a clock that is 0.3 % slow",
    network: { seed: 26, driftPpm: -3000 },
    distanceDb: 0.7,
    goneShare: 0.012,
    happened: ({ acceleratedMs, expandedMs }) => expandedMs - acceleratedMs > 15,
  },
];

const spoken = new Map<PcmRate, Int16Array>();

/** Twice, so that a network has time to be learned. */
function speech(rate: PcmRate): Int16Array {
  let pcm = spoken.get(rate);
  if (pcm === undefined) {
    const once = speak(espeak.path, rate);
    pcm = new Int16Array(2 * once.length);
    pcm.set(once);
    pcm.set(once, once.length);
    spoken.set(rate, pcm);
  }
  return pcm;
}

interface Line {
  readonly name: string;
  readonly codec: Codec;
  readonly rate: PcmRate;
  readonly packets: readonly Uint8Array[];
  /** Of the codec alone. */
  readonly distanceDb: number;
}

async function lineOf(name: string, codec: Codec): Promise<Line> {
  const rate = codec.sampleRates.includes(16_000) ? 16_000 : 8000;
  const ready = await readied(codec, {
    sampleRate: rate,
    packetMs: PACKET_MS,
    dtx: false,
    fec: true,
  });
  const packets = encodeStream(ready, speech(rate), rate, { fec: true }).map(({ bytes }) => bytes);
  const alone = decodeStream(ready, packets.map((bytes) => parseRtp(bytes)!), rate);
  const { spectralDistanceDb } = compareStretched(speech(rate), alone, rate, 60);
  return { name, codec, rate, packets, distanceDb: spectralDistanceDb };
}

async function lines(): Promise<Line[]> {
  const native = (await openCatalogue()).codecs;
  const portable = (await openCatalogue({ ffi: false })).codecs.get("OPUS")!;
  const all = [...native.values()].map((codec) => lineOf(codec.name, codec));
  return await Promise.all([...all, lineOf("OPUS by WebAssembly", portable)]);
}

/** Through a transcoder to what changes speech least at this rate, and decoded again. */
async function listen({ codec, rate, packets }: Line, network: NetworkOptions) {
  const far = rate === 16_000 ? G722 : PCMU;
  const options = { sampleRate: rate, packetMs: PACKET_MS, dtx: false } as const;
  const transcoder = new Transcoder({
    from: side(codec.name),
    to: side(far.name),
    fromCodec: await readied(codec, options),
    toCodec: far,
    minDelayMs: 20,
    maxDelayMs: MAX_DELAY_MS,
  });
  const sent: TimedPacket[] = arrivals(packets.length, PACKET_MS, network)
    .map(({ at, index }) => ({ at, bytes: packets[index]! }));
  const out = drive(transcoder, sent, sent.at(-1)!.at + 100);
  const statistics = transcoder.statistics();
  transcoder.close();
  return { heard: decodeStream(far, out, rate), statistics };
}

Deno.test({
  name: "speech in every codec through networks: no further from what was said than they cost",
  ignore,
  fn: async (t) => {
    const all = await lines();
    for (const { name, network, distanceDb, goneShare, happened } of TRACES) {
      for (const line of all) {
        await t.step(`${name}: ${line.name}`, async () => {
          const { heard, statistics } = await listen(line, network);
          assert.ok(happened(statistics, line.packets.length), JSON.stringify(statistics));
          const found = compareStretched(speech(line.rate), heard, line.rate, LOOK_MS);
          const cost = found.spectralDistanceDb - line.distanceDb;
          assert.ok(cost <= distanceDb, `${cost.toFixed(2)} dB further, bound ${distanceDb}`);
          assert.ok(found.goneShare <= goneShare, `${found.goneShare} of the voice is gone`);
        });
      }
    }
  },
});

Deno.test({
  name: "played as it arrives, holes left empty: networks cost more than the bounds",
  ignore,
  fn: async () => {
    const [loss, , order] = TRACES;
    for (const codec of [PCMU, (await openCatalogue()).codecs.get("G729")!]) {
      const line = await lineOf(codec.name, codec);
      const judge = (heard: Int16Array) => compareStretched(speech(8000), heard, 8000, LOOK_MS);
      const decoder = codec.decoder({ sampleRate: 8000 });
      const play = (indexes: readonly (number | null)[]) => {
        const pcm = new Int16Array(indexes.length * 160);
        const room = new Int16Array(960);
        indexes.forEach((index, i) => {
          if (index === null) return;
          decoder.decode(parseRtp(line.packets[index]!)!.payload, room);
          pcm.set(room.subarray(0, 160), i * 160);
        });
        return pcm;
      };
      const arrived = (network: NetworkOptions) =>
        arrivals(line.packets.length, PACKET_MS, network).map(({ index }) => index);
      const inOrder = judge(play(arrived(order!.network)));
      const cost = inOrder.spectralDistanceDb - line.distanceDb;
      assert.ok(cost > order!.distanceDb, `${codec.name}: ${cost} dB`);
      const came = new Set(arrived(loss!.network));
      const withHoles = judge(play(line.packets.map((_, i) => came.has(i) ? i : null)));
      assert.ok(withHoles.goneShare > loss!.goneShare, `${codec.name}: ${withHoles.goneShare}`);
      decoder.close();
    }
  },
});
