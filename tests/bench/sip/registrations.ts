import type { LoadGenerator, Measured } from "./load.ts";
import { type Server, startKamailio, startPortZero } from "./servers.ts";
import { printVerdicts, type Verdict } from "./verdicts.ts";

/** What registrations cost, and what 100,000 bindings do, beside Kamailio. */

const FEW = 1_000;
const MANY = 100_000;
/** One registration, then many: an idle server wakes up for each of the first. */
const RATES = [1_000, 4_000] as const;
const SUSTAINED = 4_000;
const RATIO = { must: 5, aim: 2 } as const;
const MEMORY_MB = 300;
/** Longer than what lingers of a registration (64*T1), s. */
const LEAST_SUSTAINED_S = 40;
const LINGERING_MS = 36_000;

export interface RegistrationOptions {
  readonly load: LoadGenerator;
  /** Of the program. */
  readonly kamailio: string;
  readonly rounds: number;
  /** Of each round, s. */
  readonly seconds: number;
}

function say(server: Server, what: string, measured: Measured): void {
  const { cpuUs, load, perSecond, done, failed, retransmissions } = measured;
  console.log(
    `${server.name.padEnd(10)} ${what.padEnd(36)} ${cpuUs.toFixed(0).padStart(5)} us, ` +
      `${load.toFixed(0).padStart(3)} % of a core, ${perSecond.toFixed(0)}/s, ${done} done, ` +
      `${failed} failed, ${retransmissions} repeated`,
  );
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Comparison {
  readonly what: string;
  readonly rate: number;
  readonly users: number;
}

/** Rounds of both servers by turns; the best of each counts. */
async function compare(
  { load, rounds, seconds }: RegistrationOptions,
  servers: readonly Server[],
  { what, rate, users }: Comparison,
): Promise<{ readonly ours: number; readonly ratio: number }> {
  const best = servers.map(() => Infinity);
  for (let round = 1; round <= rounds; round++) {
    for (const [i, server] of servers.entries()) {
      const run = { scenario: "register", rate, count: rate * seconds, users } as const;
      const measured = await load.run(server, run);
      say(server, `${what}, round ${round} of ${rounds}`, measured);
      best[i] = Math.min(best[i]!, measured.cpuUs);
      await pause(500);
    }
  }
  return { ours: best[0]!, ratio: best[0]! / best[1]! };
}

/** The optimizer has seen the way of a registration after so many. */
async function warmUp(load: LoadGenerator, servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    const run = { scenario: "register", rate: 2_000, count: 10_000, users: FEW } as const;
    say(server, "to get warm", await load.run(server, run));
  }
}

/** CPU of a registration as a ratio, and whether 4,000 a second go on and on. */
export async function registrations(options: RegistrationOptions): Promise<void> {
  const { load, seconds } = options;
  await using ours = await startPortZero(FEW);
  await using theirs = await startKamailio(options.kamailio);
  const servers = [ours, theirs];
  await warmUp(load, servers);
  const verdicts: Verdict[] = [];
  for (const rate of RATES) {
    const what = `${rate} registrations a second`;
    const { ours, ratio } = await compare(options, servers, { what, rate, users: FEW });
    verdicts.push(
      { what: `${what}: CPU of one`, value: ours, unit: "us", digits: 0 },
      { what: `${what}: by Kamailio's`, value: ratio, unit: "times", digits: 2, ...RATIO },
    );
  }
  const count = SUSTAINED * Math.max(seconds, LEAST_SUSTAINED_S);
  const held = await load.run(ours, { scenario: "register", rate: SUSTAINED, count, users: FEW });
  say(ours, `${SUSTAINED} a second, sustained`, held);
  const what = `${SUSTAINED} a second for ${count / SUSTAINED} s`;
  verdicts.push(
    { what: `${what}: failed`, value: held.failed, unit: "", digits: 0, must: 0 },
    { what: `${what}: core used`, value: held.load, unit: "%", digits: 0 },
  );
  printVerdicts("Registrations", verdicts);
}

/** Cost and memory with 1,000 and with 100,000 bindings. */
export async function bindings(options: RegistrationOptions): Promise<void> {
  const { load } = options;
  await using ours = await startPortZero(MANY);
  await using theirs = await startKamailio(options.kamailio);
  const servers = [ours, theirs];
  const empty = await ours.memoryMb();
  console.log(`Port Zero with ${MANY} accounts and no binding: ${empty.toFixed(0)} MB`);
  await warmUp(load, servers);
  const rate = RATES[0];
  const few = await compare(options, servers, { what: `of ${FEW}`, rate, users: FEW });
  const filled: Measured[] = [];
  for (const server of servers) {
    const fill = { scenario: "register", rate: SUSTAINED, count: MANY, users: MANY } as const;
    const measured = await load.run(server, fill);
    say(server, `filling up to ${MANY}`, measured);
    filled.push(measured);
  }
  const full = await ours.memoryMb();
  console.log(`Port Zero right after that: ${full.toFixed(0)} MB`);
  const many = await compare(options, servers, { what: `of ${MANY}`, rate, users: MANY });
  await pause(LINGERING_MS);
  const rest = await ours.memoryMb();
  const theirsMb = await theirs.memoryMb();
  console.log(
    `${LINGERING_MS / 1000} s later ${rest.toFixed(0)} MB; Kamailio ${theirsMb.toFixed(0)} MB`,
  );
  const unit = "MB";
  printVerdicts(`${MANY} bindings`, [
    { what: "failed while they came", value: filled[0]!.failed, unit: "", digits: 0, must: 0 },
    { what: "resident at once, what lingers included", value: full, unit, digits: 0 },
    { what: "resident at rest", value: rest, unit, digits: 0, must: MEMORY_MB },
    { what: "more than without bindings", value: rest - empty, unit, digits: 0 },
    { what: `a registration of ${FEW}`, value: few.ours, unit: "us", digits: 0 },
    { what: `a registration of ${MANY}`, value: many.ours, unit: "us", digits: 0 },
    { what: `by Kamailio's, ${FEW}`, value: few.ratio, unit: "times", digits: 2, ...RATIO },
    { what: `by Kamailio's, ${MANY}`, value: many.ratio, unit: "times", digits: 2, ...RATIO },
  ]);
}
