import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { PCMA, PCMU } from "../../src/rtp/codec/g711.ts";
import { G722 } from "../../src/rtp/codec/g722.ts";
import { vowel } from "../../src/rtp/codec/self_test.ts";
import { Transcoder } from "../../src/rtp/codec/transcoder.ts";
import type { DirectionStatistics } from "../../src/rtp/codec/contract.ts";
import { type Arrival, arrivals, type NetworkOptions } from "../support/network_trace.ts";
import {
  drive,
  encodeStream,
  nonsense,
  side,
  type TimedPacket,
} from "../support/transcoder_bench.ts";

/** The jitter buffer under seeded networks, seen from outside: through a transcoder of G.711. */

const PACKET_MS = 20;
const MAX_DELAY_MS = 300;
/** Above the limit, until packets are skipped. */
const SKIP_MARGIN_MS = 50;

interface Run {
  readonly statistics: DirectionStatistics;
  readonly arrived: readonly Arrival[];
  /** Packets sent, received at least once, and made. */
  readonly sent: number;
  readonly unique: number;
  readonly made: number;
  readonly longestDelayMs: number;
  /** Delay in the last five seconds, mean, ms. */
  readonly lastDelayMs: number;
  readonly endMs: number;
}

const streams = new Map<number, TimedPacket[]>();

function stream(seconds: number): TimedPacket[] {
  let found = streams.get(seconds);
  if (found === undefined) {
    found = encodeStream(PCMU, vowel(8000, seconds * 1000), 8000);
    streams.set(seconds, found);
  }
  return found;
}

function run(seconds: number, network: NetworkOptions): Run {
  const packets = stream(seconds);
  const transcoder = new Transcoder({
    from: side("PCMU"),
    to: side("PCMA"),
    fromCodec: PCMU,
    toCodec: PCMA,
    minDelayMs: 20,
    maxDelayMs: MAX_DELAY_MS,
  });
  const arrived = arrivals(packets.length, PACKET_MS, network);
  const endMs = arrived.at(-1)?.at ?? 0;
  let [longest, sum, count, made] = [0, 0, 0, 0];
  // In pieces of 100 ms, so that the delay can be looked at on the way.
  for (let from = 0, at = 0; at < endMs;) {
    at = Math.min(endMs, at + 100);
    let to = from;
    while (to < arrived.length && arrived[to]!.at <= at) to++;
    const piece = arrived.slice(from, to)
      .map(({ at, index }) => ({ at, bytes: packets[index]!.bytes }));
    made += drive(transcoder, piece, at).length;
    from = to;
    const { delayMs } = transcoder.statistics();
    longest = Math.max(longest, delayMs);
    if (at > endMs - 5000) [sum, count] = [sum + delayMs, count + 1];
  }
  return {
    statistics: transcoder.statistics(),
    arrived,
    sent: packets.length,
    unique: new Set(arrived.map(({ index }) => index)).size,
    made,
    longestDelayMs: longest,
    lastDelayMs: sum / Math.max(1, count),
    endMs,
  };
}

const network = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  loss: fc.constantFrom(0, 0.01, 0.05, 0.1, 0.2),
  burst: fc.constantFrom(1, 2, 5),
  jitterMs: fc.constantFrom(0, 5, 20, 50, 100),
  duplicates: fc.constantFrom(0, 0.05),
  driftPpm: fc.constantFrom(-200, 0, 200),
});

Deno.test("any network: an even stream, bounded delay, every packet played or accounted for", () => {
  fc.assert(
    fc.property(network, (network) => {
      const { statistics, arrived, unique, made, longestDelayMs, endMs } = run(12, network);
      assert.ok(longestDelayMs <= MAX_DELAY_MS + SKIP_MARGIN_MS, `delay of ${longestDelayMs} ms`);
      // One packet for each 20 ms from the first that is due on, whatever the network did.
      const due = (endMs - arrived[0]!.at) / PACKET_MS;
      assert.ok(Math.abs(made - due) < 2 + MAX_DELAY_MS / PACKET_MS, `${made} made of ${due} due`);
      assert.ok(made <= due + 1, `${made} made of ${due} due`);
      assert.equal(statistics.receivePackets, arrived.length);
      assert.equal(statistics.duplicate, arrived.length - unique);
      // Lost ones are counted when what follows is played: the last may be on their way.
      const first = arrived.reduce((least, { index }) => Math.min(least, index), Infinity);
      const last = arrived.reduce((most, { index }) => Math.max(most, index), 0);
      const truth = last - first + 1 - unique;
      assert.ok(statistics.lost <= truth + statistics.late + 2, `${statistics.lost} of ${truth}`);
      assert.ok(statistics.lost >= truth - 25, `${statistics.lost} lost of ${truth}`);
      assert.equal(statistics.refused, 0);
    }),
    { numRuns: 25, seed: 20261 },
  );
});

for (const loss of [0, 0.01, 0.05, 0.1, 0.2]) {
  for (const burst of [1, 4]) {
    Deno.test(`loss of ${loss * 100} % in bursts of ${burst}: counted, concealed, no delay`, () => {
      const { statistics, sent, unique, lastDelayMs } = run(20, { seed: 7, loss, burst });
      const truth = sent - unique;
      assert.ok(Math.abs(statistics.lost - truth) <= 2 * burst, `${statistics.lost} of ${truth}`);
      const concealed = statistics.concealedMs / PACKET_MS;
      assert.ok(
        concealed >= truth * 0.7 - 2 && concealed <= truth * 1.1 + 2,
        `${concealed} packets concealed of ${truth}`,
      );
      assert.ok(lastDelayMs < 60, `delay ${lastDelayMs} ms`);
      assert.equal(statistics.late, 0);
    });
  }
}

for (const driftPpm of [-200, 200]) {
  for (const jitterMs of [0, 20]) {
    Deno.test(`clock drift of ${driftPpm} ppm, jitter ${jitterMs} ms: followed for 3 minutes`, () => {
      const { statistics, lastDelayMs } = run(180, { seed: 3, driftPpm, jitterMs });
      // 36 ms of drift: taken out or put in, and the delay where it was.
      const moved = statistics.acceleratedMs - statistics.expandedMs;
      const drift = 180_000 * driftPpm * 1e-6;
      assert.ok(Math.abs(moved - drift) < 25, `${moved} ms moved, drift ${drift} ms`);
      assert.ok(Math.abs(lastDelayMs - statistics.targetDelayMs) < 15, `delay ${lastDelayMs} ms`);
      assert.ok(statistics.concealedMs <= 60, `${statistics.concealedMs} ms concealed`);
    });
  }
}

Deno.test("jitter: the delay grows with it, and few packets are late", () => {
  let former = 0;
  for (const jitterMs of [0, 20, 60, 120]) {
    const { statistics, sent, lastDelayMs } = run(30, { seed: 11, jitterMs });
    assert.ok(lastDelayMs > former, `${jitterMs} ms of jitter: delay ${lastDelayMs} ms`);
    assert.ok(lastDelayMs < jitterMs + 60, `${jitterMs} ms of jitter: delay ${lastDelayMs} ms`);
    const share = statistics.late / sent;
    assert.ok(share < 0.03, `${jitterMs} ms of jitter: ${share * 100} % late`);
    if (jitterMs > 20) assert.ok(statistics.reordered > 0);
    former = lastDelayMs;
  }
});

for (const ms of [100, 600]) {
  Deno.test(`the network becomes ${ms} ms slower: played through, and the delay comes back`, () => {
    const { statistics, sent, made, lastDelayMs } = run(30, { seed: 5, step: { at: 500, ms } });
    assert.ok(lastDelayMs < 60, `delay ${lastDelayMs} ms`);
    assert.ok(statistics.concealedMs >= ms * 0.8 && statistics.concealedMs < 2 * ms + 100);
    assert.ok(statistics.late < 40, `${statistics.late} late`);
    assert.ok(made >= sent - 5);
  });
}

Deno.test("the network freezes for a second: what is too old is skipped, the delay comes back", () => {
  const freeze = { at: 500, ms: 1000 };
  const { statistics, longestDelayMs, lastDelayMs } = run(30, { seed: 5, freeze });
  assert.ok(longestDelayMs <= MAX_DELAY_MS + SKIP_MARGIN_MS, `delay of ${longestDelayMs} ms`);
  assert.ok(statistics.late >= 30 && statistics.late <= 55, `${statistics.late} skipped`);
  assert.ok(lastDelayMs < 60, `delay ${lastDelayMs} ms at the end`);
});

Deno.test("any packets at any time: nothing throws, time and numbers run on, and it comes to rest", () => {
  const codecs = [PCMU, G722] as const;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.boolean(), (seed, turned) => {
      const [fromCodec, toCodec] = turned ? [codecs[1], codecs[0]] : codecs;
      const more = {
        comfortNoise: 13,
        telephoneEvent: { payloadType: 101, clockRate: 8000 },
        dtx: true,
      };
      const from = side(fromCodec.name, more);
      const to = side(toCodec.name, more);
      const transcoder = new Transcoder({
        from,
        to,
        fromCodec,
        toCodec,
        minDelayMs: 20,
        maxDelayMs: MAX_DELAY_MS,
      });
      const out = drive(transcoder, nonsense(from, stream(12), seed, 600));
      out.forEach((packet, i) => {
        assert.equal(packet.sequence, (65_500 + i) & 0xffff);
        assert.ok([to.payloadType, 13, 101].includes(packet.payloadType));
      });
      assert.equal(transcoder.deadline(), undefined, "at rest");
    }),
    { numRuns: 12, seed: 20262 },
  );
});
