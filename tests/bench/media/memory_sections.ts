import type { Run } from "./arena.ts";
import { type Bench, inTurn, SECRET, type Section } from "./bench.ts";
import { FEWEST_VALUES } from "./summary.ts";

/** What calls take of memory, and what the collector does in a relay worker. */

const AUDIO = 172;
const FEW = 100;
const MANY = 1000;
/** Packets in which no collection is to happen. */
const PACKETS = 160_000;
const GC_CALLS = 500;
/** Several collections of a small young generation, s. */
const LONG = 40;
const MUST_KB = 40;
/**
 * V8 lets its young generation grow to 48 MB an isolate whatever it is used for: with many calls it
 * grows, but is none of theirs. Held small, what is left are the calls, which is what is judged.
 * The product leaves it alone, so that is measured beside it.
 */
const SMALL_YOUNG = ["--max-semi-space-size=1"];
const JUDGED = "ours, young generation held at 1 MB";
/** Who takes part, and by which flags of V8. */
const SIDES = {
  ours: { who: "ours", flags: [] },
  [JUDGED]: { who: "ours", flags: SMALL_YOUNG },
  c: { who: "c", flags: [] },
  rtpengine: { who: "rtpengine", flags: [] },
} as const;
type Side = keyof typeof SIDES;

async function residentAt(bench: Bench, side: Side, calls: number): Promise<number> {
  const { who, flags } = SIDES[side];
  // With real-time priority the relay keeps the collector's threads from their work.
  const options = { v8Flags: flags, isCommon: true };
  const relay = await bench.arena.start(who, { ...SECRET, calls }, options);
  const run = await relay.measure(AUDIO, bench.seconds);
  await relay.end();
  return run.residentMb;
}

export const memory: Section = {
  title: "Memory of a call (process, 100 to 1,000 calls)",
  duration: ({ rounds, seconds }) => Math.min(rounds, FEWEST_VALUES) * 4 * 2 * (seconds + 5),
  run: async (bench) => {
    const sides = (Object.keys(SIDES) as Side[])
      .filter((side) => side !== "rtpengine" || bench.hasRtpengine);
    const found = new Map<Side, number[]>(sides.map((side) => [side, []]));
    for (let sample = 0; sample < Math.min(bench.rounds, FEWEST_VALUES); sample++) {
      for (const side of inTurn(sides, sample)) {
        const few = await residentAt(bench, side, FEW);
        const many = await residentAt(bench, side, MANY);
        found.get(side)!.push((many - few) * 1024 / (MANY - FEW));
        const text = `${few.toFixed(0)} MB at ${FEW} calls, ${many.toFixed(0)} MB at ${MANY}`;
        console.log(`\n${side}: ${text}`);
      }
    }
    for (const [side, values] of found) {
      const must = side === JUDGED ? { must: MUST_KB } : {};
      bench.summary.add({ name: `memory a call, ${side}`, unit: "KB", values, ...must });
    }
  },
};

/** A collection as `--trace-gc` tells it. */
interface Collection {
  readonly isolate: string;
  readonly at: number;
  readonly text: string;
  readonly before: number;
  readonly after: number;
}

/** Reads `[pid:isolate] ms: Scavenge 4.3 (5.2) -> 3.9 (6.0) MB, ...`. */
export function readCollections(text: string): Collection[] {
  const line =
    /\[\d+:(0x[0-9a-f]+)\]\s+(\d+) ms: (.*?) ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB(.*)/g;
  return [...text.matchAll(line)].map(([, isolate, at, kind, before, after, rest]) => ({
    isolate: isolate!,
    at: Number(at),
    text: `${kind}${rest}`,
    before: Number(before),
    after: Number(after),
  }));
}

/** Collections of the worker in the last so many ms before its process ended. */
function inWorker(text: string, from: number, to: number): Collection[] {
  const all = readCollections(text);
  // The main thread asks for a collection once, at its start.
  const main = all.find(({ text }) => text.includes("testing"))?.isolate;
  if (main === undefined) throw new Error("--trace-gc shows nothing of the main thread");
  return all.filter(({ isolate, at }) => isolate !== main && at >= from && at <= to);
}

export const gc: Section = {
  title: `Garbage collection in the relay worker, ${GC_CALLS} calls`,
  isOursAlone: true,
  duration: () => 60,
  run: async (bench) => {
    // The second of warming up counts too.
    const seconds = PACKETS / (GC_CALLS * 100) - 1;
    const spec = { ...SECRET, calls: GC_CALLS };
    const found: number[] = [];
    const bytes: number[] = [];
    for (const flags of [[], SMALL_YOUNG]) {
      const started = performance.now();
      const v8Flags = ["--trace-gc", "--expose-gc", ...flags];
      const relay = await bench.arena.start("ours", spec, { v8Flags });
      // Streams get to be known, code gets compiled.
      await relay.measure(AUDIO, 8);
      const windows: (readonly [number, number, Run])[] = [];
      const isSmall = flags.length > 0;
      for (let round = 0; round < (isSmall ? 1 : 3); round++) {
        const from = performance.now() - started;
        const run = await relay.measure(AUDIO, isSmall ? LONG : seconds);
        windows.push([from, performance.now() - started, run]);
      }
      await relay.end();
      for (const [from, to, run] of windows) {
        const collections = inWorker(relay.output, from, to);
        const all = run.received + GC_CALLS * 100;
        console.log(`${all} packets, warming up included: ${collections.length} collections`);
        if (!isSmall) found.push(collections.length);
        if (!isSmall) continue;
        // From each to the next.
        for (const [i, { at, before }] of collections.slice(1).entries()) {
          const { after, at: since } = collections[i]!;
          bytes.push((before - after) * 1e9 / ((at - since) * GC_CALLS * 100));
        }
      }
    }
    bench.summary.add(
      { name: `collections in ${PACKETS} packets`, values: found, must: 0 },
      {
        name: "heap made by a packet, statistics included",
        unit: "bytes",
        values: bytes,
      },
    );
  },
};
