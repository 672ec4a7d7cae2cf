import type { Arena, LoadSpec, Relay, Run } from "./arena.ts";
import type { Contender } from "./contenders.ts";
import { printRow, type Summary } from "./summary.ts";

/** What every section gets. */
export interface Bench {
  readonly arena: Arena;
  readonly summary: Summary;
  readonly rounds: number;
  /** Of one measured run, s. */
  readonly seconds: number;
  readonly hasRtpengine: boolean;
}

/** A part of the bench that can be run alone. */
export interface Section {
  readonly title: string;
  /** Nobody else's relay takes part. */
  readonly isOursAlone?: true;
  /** About how long it takes, s. */
  readonly duration: (bench: Pick<Bench, "rounds" | "seconds">) => number;
  readonly run: (bench: Bench) => Promise<void>;
}

/** One that takes part in a comparison. */
export interface Entry {
  readonly name: string;
  readonly contender: Contender;
  readonly spec: LoadSpec;
}

/** A run with as much loss shows a machine that was busy, or a relay beyond its limit, %. */
export const MOST_LOSS = 1;
/**
 * A relay below its limit delays half of its packets as long only when something else had its core;
 * what waits then is done in larger batches, and so costs less, ms.
 */
const MOST_P50 = 2;

export const SECRET = { profiles: [1, 1], shared: [true, true] } as const;
export const APART = { profiles: [1, 1], shared: [false, false] } as const;

export function loss({ sent, received }: Run): number {
  return 100 * (1 - received / sent);
}

/** Whether relay and generator had their cores. */
export function isCalm(run: Run): boolean {
  return loss(run) < MOST_LOSS && run.p50 < MOST_P50;
}

export function printHead(): void {
  console.log();
  const cells = ["relay", "calls", "CPU us/packet", "CPU %", "loss %", "p50 ms", "p99 ms", "MB"];
  printRow(...cells, "bad", "RTCP", "generator %");
  printRow(...Array(11).fill("---"));
}

export function printRun(name: string, run: Run): void {
  const { calls, microseconds, cpuPercent, p50, p99, residentMb, bad, checked } = run;
  const { rtcpReceived, rtcpSent } = run;
  printRow(
    ...[name, calls, microseconds.toFixed(2), cpuPercent.toFixed(0), loss(run).toFixed(2)],
    ...[p50.toFixed(2), p99.toFixed(2), residentMb.toFixed(0), `${bad}/${checked}`],
    ...[`${rtcpReceived}/${rtcpSent}`, run.generatorPercent.toFixed(0)],
  );
}

/** Until the code of a hot path is compiled for good, s. */
export const WARM_UP = 6;

/** In another order each time, so that nobody has the best place for good. */
export function inTurn<T>(all: readonly T[], turn: number): T[] {
  const first = turn % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

/**
 * One relay's turn, of several that are up: it runs for as long as it is measured.
 * @throws Error where packets or RTCP came back wrong, or no RTCP at all
 */
export async function takeTurn(
  name: string,
  relay: Relay,
  bytes: number,
  seconds: number,
): Promise<Run> {
  relay.resume();
  const run = await relay.measure(bytes, seconds);
  relay.pause();
  printRun(name, run);
  if (run.bad > 0) throw new Error(`${name}: ${run.bad} packets came back wrong`);
  return run;
}

/**
 * All relays stay up and are loaded by turns, in another order each round, so that whatever else
 * the machine does meets all of them alike; each is warmed up once, and stands still while it is
 * another's turn: the timers of an idle rtpengine look at every call. Gives the runs of each by
 * round. A disturbed round is done again, as many times as there are rounds; then it is left out.
 * @param calm who tells that a round was disturbed; absent: all of them
 */
export async function byTurns(
  { arena, rounds, seconds }: Bench,
  entries: readonly Entry[],
  bytes: number,
  calm: readonly string[] = entries.map(({ name }) => name),
): Promise<Map<string, Run>[]> {
  const relays = new Map<string, Relay>();
  const found: Map<string, Run>[] = [];
  try {
    for (const { name, contender, spec } of entries) {
      relays.set(name, await arena.start(contender, spec));
      console.log(`${name} is up`);
    }
    for (const relay of relays.values()) {
      await relay.measure(bytes, WARM_UP);
      relay.pause();
    }
    printHead();
    for (let turn = 0; found.length < rounds && turn < 2 * rounds; turn++) {
      const runs = new Map<string, Run>();
      for (const [name, relay] of inTurn([...relays], turn)) {
        runs.set(name, await takeTurn(name, relay, bytes, seconds));
      }
      if (calm.every((name) => isCalm(runs.get(name)!))) found.push(runs);
      else console.log("\nSomething else had a core; that round does not count.\n");
    }
  } finally {
    await arena.end();
  }
  return found;
}

/** What a packet costs one of them, by what it costs another, in each round. */
export function ratios(rounds: readonly Map<string, Run>[], a: string, b: string): number[] {
  return rounds.flatMap((runs) => {
    const [x, y] = [runs.get(a), runs.get(b)];
    return x === undefined || y === undefined ? [] : [x.microseconds / y.microseconds];
  });
}
