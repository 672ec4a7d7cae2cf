/**
 * What signalling costs beside Kamailio, which does the same on the same machine in the same run:
 * `deno task bench:sip [SECTION ...] [--rounds N] [--seconds N] [--sustained] [--growth]`. The
 * sections are registrations, bindings and parser; without any it is registrations and calls. Rounds
 * are interleaved. The servers have core 0, SIPp has core 1, both with real-time priority, so that
 * others on the machine disturb neither. Linux only: CPU time is read from /proc, and needs
 * `taskset` and `chrt`.
 *
 * A registration is REGISTER, 401, REGISTER with digest, 200. A call is INVITE, 407, ACK, INVITE
 * with digest, 100, 180, 200, ACK, BYE, 200 with Record-Route. With SDP the media is straight
 * between the phones, but ours opens ports for it until the answer says so; without it is
 * signalling alone. CPU is that of all processes and threads of a server, ms of the run divided by
 * what was done.
 */
import { parseArgs } from "node:util";
import { NEEDS } from "../../tools/needs.ts";
import { needs } from "../support/needs.ts";
import { LoadGenerator, type Measured } from "./sip/load.ts";
import { parser } from "./sip/parser.ts";
import { bindings, registrations } from "./sip/registrations.ts";
import { type Server, startKamailio, startPortZero } from "./sip/servers.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    sustained: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
  },
});
const ROUNDS = Number(options.rounds);
const SECONDS = Number(options.seconds);
const USERS = 1_000;
const MANY = 100_000;
const RATES = { register: 1_000, uac: 150 } as const;
type Kind = keyof typeof RATES;
const NAMES: Readonly<Record<Kind, string>> = { register: "registration", uac: "call" };
/** Until what lingers of a round is gone, ms. */
const REST_MS = 1_000;

const paths = { sipp: path("sipp"), kamailio: path("kamailio") };

function path(name: "sipp" | "kamailio"): string {
  const { ignore, path } = needs(name);
  if (!ignore) return path;
  console.error(`${name} is missing: ${NEEDS[name].how}`);
  Deno.exit(1);
}

function say(name: string, what: string, { done, failed, ...m }: Measured): void {
  const numbers = `${m.cpuUs.toFixed(0).padStart(6)} us, ${
    m.load.toFixed(0).padStart(3)
  } % of a core`;
  const rest = `${m.perSecond.toFixed(0)}/s, ${done} done, ${failed} failed, ` +
    `${m.retransmissions} retransmissions`;
  console.log(`${name.padEnd(10)} ${what.padEnd(34)} ${numbers}, ${rest}`);
}

/** Rounds of both servers one after the other; the best of each counts. */
async function compare(load: LoadGenerator, servers: readonly Server[], kind: Kind): Promise<void> {
  const best = new Map<Server, number>();
  const rate = RATES[kind];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const server of servers) {
      const measured = await load.run(server, {
        scenario: kind,
        rate,
        count: rate * SECONDS,
        users: USERS,
      });
      say(server.name, round === 0 ? "to get warm" : NAMES[kind], measured);
      if (round > 0) best.set(server, Math.min(best.get(server) ?? Infinity, measured.cpuUs));
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
  }
  const [ours, theirs] = servers.map((server) => best.get(server) ?? NaN);
  const ratio = (ours! / theirs!).toFixed(1);
  console.log(
    `a ${NAMES[kind]}: ${ours!.toFixed(0)} us and ${theirs!.toFixed(0)} us, x ${ratio}\n`,
  );
}

async function sustained(load: LoadGenerator, server: Server): Promise<void> {
  for (const [scenario, rate] of [["register", 4_000], ["uac", 500]] as const) {
    await using _callee = await load.answer(server);
    const run = { scenario, rate, count: rate * SECONDS, users: USERS };
    say(server.name, `${rate} ${NAMES[scenario]}s/s`, await load.run(server, run));
  }
}

/** How cost and memory grow with bindings, and with calls that stand. */
async function growth(load: LoadGenerator): Promise<void> {
  await using server = await startPortZero(MANY);
  const empty = await server.memoryMb();
  for (const users of [USERS, MANY]) {
    const fill = { scenario: "register", rate: 2_000, count: users, users } as const;
    const filled = await load.run(server, fill);
    const memory = ((await server.memoryMb()) - empty).toFixed(0);
    say(server.name, `filling up to ${users} bindings`, filled);
    say(
      server.name,
      `a registration among ${users}, + ${memory} MB`,
      await load.run(server, { ...fill, rate: 1_000, count: 5_000 }),
    );
  }
  await using _callee = await load.answer(server);
  for (const standing of [10, 1_000]) {
    const rate = Math.min(150, standing);
    const holdMs = standing * 1_000 / rate;
    const run = { scenario: "uac", rate, count: standing, users: USERS, holdMs } as const;
    say(server.name, `${standing} calls standing`, await load.run(server, run));
  }
}

const SECTIONS = { registrations, bindings, parser } as const;

function isSection(name: string): name is keyof typeof SECTIONS {
  return Object.hasOwn(SECTIONS, name);
}

await using load = await LoadGenerator.open(paths.sipp);
if (positionals.length > 0) {
  for (const name of positionals) {
    if (!isSection(name)) {
      console.error(`Unknown section ${name}: expected ${Object.keys(SECTIONS).join(", ")}`);
      Deno.exit(1);
    }
    const { kamailio } = paths;
    await SECTIONS[name]({ load, kamailio, rounds: ROUNDS, seconds: SECONDS });
  }
} else if (options.growth) await growth(load);
else {
  await using ours = await startPortZero(USERS);
  await using theirs = await startKamailio(paths.kamailio);
  const servers = [ours, theirs];
  await compare(load, servers, "register");
  for (const hasDescriptions of [true, false]) {
    load.hasDescriptions = hasDescriptions;
    console.log(`calls ${hasDescriptions ? "with" : "without"} SDP`);
    await using _ourCallee = await load.answer(ours);
    await using _theirCallee = await load.answer(theirs);
    await compare(load, servers, "uac");
  }
  if (options.sustained) { for (const server of servers) await sustained(load, server); }
}
