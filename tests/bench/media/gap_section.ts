import { choose } from "../../../src/rtp/io/ffi/choose.ts";
import { holds, phoneSide, type Side } from "../../support/load_side.ts";
import { startPool } from "../../support/media_legs.ts";
import type { Section } from "./bench.ts";
import { median } from "./summary.ts";

/** How long calls are without sound when their media worker crashes. */

const CALLS = 200;
const CRASHES = 5;
/** A phone's packets come this far apart, ms. */
const INTERVAL = 40;
/** Between two crashes: each death within a minute makes the pause before the next start longer, ms. */
const APART = 21_000;
/** After a crash, until all is as it was, ms. */
const SETTLED = 2_000;
const MUST = 1_000;

type Pool = Awaited<ReturnType<typeof startPool>>;

async function callsIn(pool: Pool): Promise<Side[]> {
  const choice = choose(null);
  if (choice.shell !== "ffi") throw new Error(choice.why);
  const sides: Side[] = [];
  for (let i = 0; i < CALLS; i++) {
    const a = await phoneSide(pool, choice.srtp, 2 * i, undefined, i % 2 === 0);
    const b = await phoneSide(pool, choice.srtp, 2 * i + 1, a.handle.token, i % 2 === 0);
    a.handle.connect(b.handle.token);
    b.handle.connect(a.handle.token);
    sides.push(a, b);
  }
  return sides;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** All of them play, evenly spread over the time. */
function play(sides: readonly Side[]): () => void {
  const slots = INTERVAL / 4;
  let slot = 0;
  const timer = setInterval(() => {
    slot = (slot + 1) % slots;
    for (let i = slot; i < sides.length; i += slots) sides[i]!.peer.play();
  }, 4);
  return () => clearInterval(timer);
}

/** The longest time without a packet of each side, ms. */
async function gapsOfCrash(pool: Pool, sides: readonly Side[]): Promise<number[]> {
  const adoptions = pool.workers()[0]!.adoptions + 1;
  for (const { peer } of sides) peer.longestGap = 0;
  pool.crashWorker(0);
  await holds("adopted", () => pool.workers()[0]!.adoptions === adoptions);
  await pause(SETTLED);
  return sides.map(({ peer }) => peer.longestGap);
}

export const gap: Section = {
  title: `Sound lost when a media worker crashes under ${CALLS} calls`,
  duration: () => CRASHES * APART / 1000,
  run: async ({ summary }) => {
    const pool = await startPool(1, { log: () => {} });
    const sides = await callsIn(pool);
    const stop = play(sides);
    try {
      await holds("all hear each other", () => sides.every(({ peer }) => peer.received > 50));
      const longest: number[] = [];
      const all: number[] = [];
      for (let crash = 0; crash < CRASHES; crash++) {
        if (crash > 0) await pause(APART - SETTLED);
        const gaps = await gapsOfCrash(pool, sides);
        longest.push(Math.max(...gaps));
        all.push(...gaps);
        const [half, most] = [median(gaps).toFixed(0), longest.at(-1)!.toFixed(0)];
        console.log(
          `crash ${crash + 1}: gaps of ${gaps.length} sides, p50 ${half} ms, max ${most}`,
        );
      }
      const lost = sides.filter(({ told }) => told.some(({ type }) => type === "lost")).length;
      const refused = sides.reduce((sum, { peer }) => sum + peer.refused, 0);
      if (lost + refused > 0) throw new Error(`${lost} sides lost, ${refused} packets refused`);
      const worst = Math.max(...all);
      summary.add(
        { name: "gap of a call, half of them", unit: "ms", values: longest.map(() => median(all)) },
        {
          name: "gap of a call, each of them",
          unit: "ms",
          values: longest.map(() => worst),
          must: MUST,
        },
      );
    } finally {
      stop();
      for (const { handle, peer } of sides) {
        handle.close();
        peer.close();
      }
      await pool.close();
    }
  },
};
