import fc from "fast-check";

/**
 * Dice of all tests: fast-check with a seed that is the same in each run, and the seeds of the
 * simulators. `TESTS_ROUND=n` throws others (`deno task soak` throws many), `TESTS_SEED=s` replays
 * one seed of a simulator alone. The names lack the server's prefix, since it refuses what it does
 * not know.
 */
const ROUND = wholeNumber("TESTS_ROUND") ?? 0;
const ONE_SEED = wholeNumber("TESTS_SEED");
/** Apart from one round to the next; no simulator has more seeds. */
const SEEDS_A_ROUND = 100_000;

fc.configureGlobal({ seed: 20_261 + ROUND });

export default fc;

/** Whether the usual seeds are run, so that a test may say what must have happened among them. */
export const isReplay = ONE_SEED !== undefined;

/** Seeds of a simulator, from `first` on, or the one that is to be replayed. */
export function seeds(count: number, first = 1): number[] {
  if (ONE_SEED !== undefined) return [ONE_SEED];
  return Array.from({ length: count }, (_, index) => ROUND * SEEDS_A_ROUND + first + index);
}

function wholeNumber(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`${name} is no whole number: "${text}"`);
  return Number(text);
}
