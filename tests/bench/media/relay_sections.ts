import type { LoadSpec, Run } from "./arena.ts";
import { type Bench, byTurns, type Entry, ratios, SECRET, type Section, WARM_UP } from "./bench.ts";
import type { Contender } from "./contenders.ts";
import { FEWEST_VALUES } from "./summary.ts";

/** What a relay costs: CPU a packet, delay, workers, the portable shell. */

const AUDIO = 172;
const VIDEO = 1200;
/** 25 frames a second of two packets each. */
const FRAME = 2;
const CALLS = 500;
const MUST = { rtpengine: 0.6, c: 1.55 } as const;
const AIM = { rtpengine: 0.45, c: 1.35 } as const;
/** Between relays' start and the first measured run, and of each run beside its seconds, s. */
const START = 4;
const AROUND = 1.6;

export function contenders({ hasRtpengine }: Bench): readonly ("rtpengine" | "ours" | "c")[] {
  return hasRtpengine ? ["rtpengine", "ours", "c"] : ["ours", "c"];
}

const turns = (count: number) => ({ rounds, seconds }: Pick<Bench, "rounds" | "seconds">): number =>
  count * (START + WARM_UP + AROUND + rounds * (seconds + AROUND));

/** Ours against the others on one load. */
function compare(title: string, spec: LoadSpec, bytes: number): Section {
  return {
    title,
    duration: turns(3),
    run: async (bench) => {
      const entries = contenders(bench).map((who): Entry => ({ name: who, contender: who, spec }));
      const rounds = await byTurns(bench, entries, bytes);
      for (const other of ["rtpengine", "c"] as const) {
        bench.summary.add({
          name: `${title}: ours / ${other}`,
          values: ratios(rounds, "ours", other),
          must: MUST[other],
          aim: AIM[other],
        });
      }
    },
  };
}

export const srtp = compare("SRTP to SRTP, 172 bytes, 500 calls", {
  ...SECRET,
  calls: CALLS,
}, AUDIO);

export const rtp = compare(
  "SRTP (one port) to RTP (a port a leg), 172 bytes, 500 calls",
  { calls: CALLS, profiles: [1, 0], shared: [true, false] },
  AUDIO,
);

export const video = compare("SRTP to SRTP, video of 1,200 bytes, 200 calls", {
  ...SECRET,
  calls: 200,
  frame: FRAME,
}, VIDEO);

/** The portable shell beside the fast one; it has no limit to keep. */
export const portable: Section = {
  title: "Portable shell, SRTP in TypeScript, beside the fast one",
  isOursAlone: true,
  duration: (bench) => 2 * turns(2)(bench),
  run: async (bench) => {
    for (const [calls, bytes] of [[300, AUDIO], [100, VIDEO]] as const) {
      const frame = bytes === VIDEO ? { frame: FRAME } : {};
      const entry = (name: Contender): Entry => ({
        name,
        contender: name,
        spec: { ...SECRET, ...frame, calls },
      });
      const rounds = await byTurns(bench, [entry("ours"), entry("portable")], bytes);
      const name = `portable / fast shell, ${bytes} bytes, ${calls} calls`;
      bench.summary.add({ name, values: ratios(rounds, "portable", "ours") });
    }
  },
};

/** Two workers, each with as much as the one has, and both together with as much as it has. */
export const workers: Section = {
  title: "Two workers",
  isOursAlone: true,
  duration: turns(3),
  run: async (bench) => {
    const entry = (name: string, contender: Contender, calls: number): Entry => {
      return { name, contender, spec: { ...SECRET, calls } };
    };
    const rounds = await byTurns(bench, [
      entry("one, 250 calls", "ours", 250),
      entry("two, 250 each", "two", 500),
      entry("one, 500 calls", "ours", 500),
    ], AUDIO);
    bench.summary.add(
      {
        name: "a packet of two workers / of one, each with 250 calls",
        values: ratios(rounds, "two, 250 each", "one, 250 calls"),
        must: 1.1,
      },
      {
        name: "a packet of two workers with 250 calls each / of one with 500",
        values: ratios(rounds, "two, 250 each", "one, 500 calls"),
        must: 1.1,
      },
    );
    if (navigator.hardwareConcurrency < 4) {
      console.log("\nHow many calls two workers hold: not measured, it takes four cores.");
    }
  },
};

function latencyRounds({ rounds }: Pick<Bench, "rounds">): number {
  return Math.min(rounds, FEWEST_VALUES);
}

/** Added delay at some loads, that of rtpengine beside it. */
export const latency: Section = {
  title: "Added delay",
  duration: (bench) => 3 * turns(3)({ ...bench, rounds: latencyRounds(bench) }),
  run: async (bench) => {
    for (const calls of [100, 500, 1000]) {
      const entries = contenders(bench)
        .map((who): Entry => ({ name: who, contender: who, spec: { ...SECRET, calls } }));
      const some = { ...bench, rounds: latencyRounds(bench) };
      // rtpengine is beyond its limit in the last of them.
      const rounds = await byTurns(some, entries, AUDIO, ["ours", "c"]);
      for (const who of contenders(bench)) {
        const runs = rounds.flatMap((found) => found.get(who) ?? []);
        const limits = who === "ours" ? [{ must: 0.3 }, { must: 1.5 }] : [{}, {}];
        bench.summary.add(
          { name: `p50, ${calls} calls, ${who}`, unit: "ms", values: p50(runs), ...limits[0] },
          { name: `p99, ${calls} calls, ${who}`, unit: "ms", values: p99(runs), ...limits[1] },
        );
      }
    }
  },
};

const p50 = (runs: readonly Run[]) => runs.map((run) => run.p50);
const p99 = (runs: readonly Run[]) => runs.map((run) => run.p99);
