import { MAX_CALLS } from "../relay/make_table.ts";
import type { LoadSpec, Relay } from "./arena.ts";
import {
  APART,
  type Bench,
  type Entry,
  inTurn,
  loss,
  MOST_LOSS,
  printHead,
  SECRET,
  type Section,
  takeTurn,
  WARM_UP,
} from "./bench.ts";
import { contenders } from "./relay_sections.ts";
import { FEWEST_VALUES } from "./summary.ts";

/** How many calls a relay holds on one core, with a port a leg and with one port a side. */

const AUDIO = 172;
/** Where the search begins, and in which steps it goes on, calls. */
const SEARCH = { from: 400, step: 200 } as const;
/** A relay that loses packets while it has time left was kept from its core: another try. */
const SATURATED = 85;
/** Losing so often at one number of calls, saturated or not, is not holding it. */
const MAX_TRIES = { saturated: FEWEST_VALUES, disturbed: 6 } as const;

type Who = ReturnType<typeof contenders>[number];
type Calls = Map<Who, number>;

/**
 * Which of them hold so many calls, each its own number. All are up at once and tried by turns,
 * until each has held them as often as it is asked to, or lost them often enough.
 */
async function whoHolds(
  bench: Bench,
  spec: Omit<LoadSpec, "calls">,
  asked: Calls,
  times: number,
): Promise<Set<Who>> {
  const entries = [...asked].map(([name, calls]): Entry & { name: Who } => ({
    name,
    contender: name,
    spec: { ...spec, calls },
  }));
  const holding = new Set<Who>();
  const left = new Map<Who, { relay: Relay; held: number; saturated: number; tries: number }>();
  try {
    for (const { name, contender, spec } of entries) {
      const relay = await bench.arena.start(contender, spec);
      await relay.measure(AUDIO, WARM_UP);
      relay.pause();
      left.set(name, { relay, held: 0, saturated: 0, tries: 0 });
    }
    for (let turn = 0; left.size > 0; turn++) {
      for (const [name, state] of inTurn([...left], turn)) {
        const run = await takeTurn(name, state.relay, AUDIO, bench.seconds);
        state.tries++;
        if (loss(run) < MOST_LOSS) state.held++;
        else if (run.cpuPercent >= SATURATED) state.saturated++;
        if (state.held === times) holding.add(name);
        const isLost = state.saturated === MAX_TRIES.saturated ||
          state.tries - state.held === MAX_TRIES.disturbed;
        if (state.held === times || isLost) left.delete(name);
      }
    }
  } finally {
    await bench.arena.end();
  }
  return holding;
}

/**
 * The most calls of each, in steps; step by step all of them, and at the end each one's confirmed.
 */
async function search(
  bench: Bench,
  spec: Omit<LoadSpec, "calls">,
  peers: readonly Who[],
): Promise<Calls> {
  const most: Calls = new Map(peers.map((who) => [who, 0]));
  let still: readonly Who[] = peers;
  for (let calls: number = SEARCH.from; calls <= MAX_CALLS && still.length > 0;) {
    const holding = await whoHolds(bench, spec, new Map(still.map((who) => [who, calls])), 1);
    for (const who of holding) most.set(who, calls);
    still = still.filter((who) => holding.has(who));
    calls += SEARCH.step;
  }
  let open: Calls = new Map([...most].filter(([, calls]) => calls > 0));
  while (open.size > 0) {
    const holding = await whoHolds(bench, spec, open, FEWEST_VALUES);
    open = new Map([...open].filter(([who]) => !holding.has(who)));
    for (const [who, calls] of open) {
      const fewer = calls - SEARCH.step;
      most.set(who, fewer);
      if (fewer > 0) open.set(who, fewer);
      else open.delete(who);
    }
  }
  return most;
}

export const mostCalls: Section = {
  title: "Most calls that one core holds with less than 1 % loss",
  duration: ({ seconds }) => 5 * 7 * (WARM_UP + 4 + 1.5 * (seconds + 2)) + 15 * (seconds + 2),
  run: async (bench) => {
    printHead();
    const peers = contenders(bench);
    const apart = await search(bench, APART, peers);
    // rtpengine has a port a leg, whatever it is asked for.
    const shared = await search(bench, SECRET, peers.filter((who) => who !== "rtpengine"));
    const theirs = apart.get("rtpengine") ?? 0;
    for (const [name, found] of [["a port a leg", apart], ["shared port", shared]] as const) {
      for (const [who, calls] of found) {
        const aim = who === "ours" ? { aim: MAX_CALLS, isMoreBetter: true } : {};
        // As often as it was confirmed.
        const values = calls > 0 ? Array<number>(FEWEST_VALUES).fill(calls) : [];
        bench.summary.add({ name: `most calls, ${name}, ${who}`, values, ...aim });
      }
      const ratio = found.get("ours")! / theirs;
      bench.summary.add({
        name: `most calls, ${name}: ours / rtpengine`,
        values: theirs > 0 ? Array<number>(FEWEST_VALUES).fill(ratio) : [],
        must: 1.5,
        isMoreBetter: true,
      });
    }
  },
};
