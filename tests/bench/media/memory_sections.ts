import type { Run } from "./arena.ts";
import { type Bench, SECRET, type Section } from "./bench.ts";

/** What calls take of memory, and what the collector does in a relay worker. */

const AUDIO = 172;
const FEW = 100;
const MANY = 1000;
/** Packets in which no collection is to happen. */
const PACKETS = 160_000;
const GC_CALLS = 500;
/** Several collections of a small young generation, s. */
const LONG = 40;
const MUST_BYTES = 5;
/**
 * V8 lets its young generation grow to 48 MB an isolate whatever it is used for; held small, what
 * is left are the calls.
 */
const SMALL_YOUNG = ["--max-semi-space-size=1"];

async function residentAt(bench: Bench, who: "ours" | "c" | "rtpengine", calls: number) {
  const flags = who === "ours" ? SMALL_YOUNG : [];
  const relay = await bench.arena.start(who, { ...SECRET, calls }, flags);
  const run = await relay.measure(AUDIO, bench.seconds);
  await relay.end();
  return run.residentMb;
}

export const memory: Section = {
  title: "Memory of a call (process, 100 to 1,000 calls)",
  duration: ({ seconds }) => 3 * 2 * (seconds + 5),
  run: async (bench) => {
    const peers = bench.hasRtpengine ? ["ours", "c", "rtpengine"] as const : ["ours", "c"] as const;
    for (const who of peers) {
      const [few, many] = [await residentAt(bench, who, FEW), await residentAt(bench, who, MANY)];
      const each = (many - few) * 1024 / (MANY - FEW);
      console.log(
        `\n${who}: ${few.toFixed(0)} MB at ${FEW} calls, ${many.toFixed(0)} MB at ${MANY}`,
      );
      const must = who === "ours" ? { must: 40 } : {};
      bench.summary.add({ name: `memory a call, ${who}`, unit: "KB", values: [each], ...must });
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
      const relay = await bench.arena.start("ours", spec, [
        "--trace-gc",
        "--expose-gc",
        ...flags,
      ]);
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
        const made = collections.slice(1)
          .reduce((sum, { before }, i) => sum + before - collections[i]!.after, 0);
        const span = (collections.at(-1)?.at ?? 0) - (collections[0]?.at ?? 0);
        if (isSmall && span > 0) {
          bytes.push(made * 1e9 / (span * GC_CALLS * 100));
        }
      }
    }
    bench.summary.add(
      { name: `collections in ${PACKETS} packets`, values: found, must: 0 },
      {
        name: "heap made by a packet, statistics included",
        unit: "bytes",
        values: bytes,
        must: MUST_BYTES,
      },
    );
  },
};
