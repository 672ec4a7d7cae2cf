import type { LoadGenerator, Measured } from "./load.ts";
import type { RegistrationOptions } from "./registrations.ts";
import { type MediaWay, type Server, startKamailio, startPortZero } from "./servers.ts";
import { printVerdicts, type Verdict } from "./verdicts.ts";

/** What proxied calls cost beside Kamailio, how many go through, and what those cost that stand. */

const USERS = 1_000;
const RATE = 250;
const SUSTAINED = 500;
const SUSTAINED_S = 30;
const WARM_UP = 3_000;
const RATIO = { must: 5, aim: 2 } as const;
/** Calls that stand while the cost of others is measured. */
const STANDING = [10, 1_000, 10_000] as const;
const FILL_RATE = 250;
/** Until the last of those that are to stand has its ACK. */
const SETTLE_MS = 3_000;
/** Longer than what lingers of a call (64*T1). */
const LINGERING_MS = 36_000;

/** What the messages of a call bring, and which way its media would go. */
interface Kind {
  readonly what: string;
  readonly hasDescriptions: boolean;
  readonly media: MediaWay;
}

const KINDS: readonly Kind[] = [
  { what: "without SDP", hasDescriptions: false, media: "direct" },
  { what: "SDP, media straight", hasDescriptions: true, media: "direct" },
  { what: "SDP, media through us", hasDescriptions: true, media: "relay" },
];

function say(server: Server, what: string, measured: Measured): void {
  const { cpuUs, load, perSecond, done, failed, retransmissions } = measured;
  console.log(
    `${server.name.padEnd(12)} ${what.padEnd(36)} ${cpuUs.toFixed(0).padStart(5)} us, ` +
      `${load.toFixed(0).padStart(3)} % of a core, ${perSecond.toFixed(0)}/s, ${done} done, ` +
      `${failed} failed, ${retransmissions} repeated`,
  );
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function calls(load: LoadGenerator, server: Server, rate: number, count: number) {
  return load.run(server, { scenario: "uac", rate, count, users: USERS });
}

/** Rounds of all servers by turns; the best of each counts. */
async function compare(
  { load, rounds, seconds }: RegistrationOptions,
  servers: readonly Server[],
  what: string,
): Promise<number[]> {
  const best = servers.map(() => Infinity);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, server] of servers.entries()) {
      const count = round === 0 ? WARM_UP : RATE * seconds;
      const measured = await calls(load, server, RATE, count);
      say(server, `${what}, ${round === 0 ? "to get warm" : `round ${round}`}`, measured);
      if (round > 0) best[i] = Math.min(best[i]!, measured.cpuUs);
      await pause(500);
    }
  }
  return best;
}

/** Once more where something failed, since others may have had the core. */
async function sustained(load: LoadGenerator, server: Server, what: string): Promise<Measured> {
  const once = async () => {
    const held = await calls(load, server, SUSTAINED, SUSTAINED * SUSTAINED_S);
    say(server, `${what}, ${SUSTAINED} a second`, held);
    return held;
  };
  const first = await once();
  if (first.failed === 0) return first;
  await pause(LINGERING_MS);
  const second = await once();
  return second.failed < first.failed ? second : first;
}

/**
 * CPU of a call as ratios, and whether 500 a second go on without a failure. A call is INVITE, 407,
 * ACK, INVITE with digest, 100, 180, 200, ACK, BYE, 200, with Record-Route. Kamailio twice: as a
 * relay of transactions, and with its dialog module, since we follow dialogs too. It never opens
 * ports: where media goes through us, its part is that of signalling alone.
 */
export async function callCosts(options: RegistrationOptions): Promise<void> {
  const { load, rounds, seconds, kamailio } = options;
  const each = 3 * (WARM_UP / RATE + rounds * (seconds + 2));
  const length = KINDS.length * each + 2 * SUSTAINED_S;
  console.log(`Calls: takes some ${Math.ceil(length / 60)} minutes`);
  await using plain = await startKamailio(kamailio);
  await using following = await startKamailio(kamailio, { hasDialogs: true });
  const verdicts: Verdict[] = [];
  for (const { what, hasDescriptions, media } of KINDS) {
    load.hasDescriptions = hasDescriptions;
    await using ours = await startPortZero(USERS, { media });
    const servers = [ours, plain, following];
    await using callees = new AsyncDisposableStack();
    for (const server of servers) callees.use(await load.answer(server));
    const [us, them, withDialogs] = await compare(options, servers, what);
    verdicts.push(
      { what: `${what}: CPU of one`, value: us!, unit: "us", digits: 0 },
      { what: `${what}: by Kamailio's`, value: us! / them!, unit: "times", digits: 2, ...RATIO },
      {
        what: `${what}: by Kamailio's with dialogs`,
        value: us! / withDialogs!,
        unit: "times",
        digits: 2,
      },
    );
    if (hasDescriptions) {
      const held = await sustained(load, ours, what);
      const name = `${what}: ${SUSTAINED} a second for ${SUSTAINED_S} s`;
      verdicts.push(
        { what: `${name}: failed`, value: held.failed, unit: "", digits: 0, must: 0 },
        { what: `${name}: core used`, value: held.load, unit: "%", digits: 0 },
      );
    }
  }
  printVerdicts("Calls", verdicts);
}

/** CPU of a call, and memory, while others stand: media straight, nothing said in between. */
export async function standingCalls(options: RegistrationOptions): Promise<void> {
  const { load, seconds } = options;
  const most = Math.max(...STANDING);
  const length = most / FILL_RATE + STANDING.length * (2 * seconds + LINGERING_MS / 1_000) + 30;
  console.log(`Calls that stand: takes some ${Math.ceil(length / 60)} minutes`);
  load.hasDescriptions = true;
  await using server = await startPortZero(USERS);
  await using _callee = await load.answer(server);
  say(server, "to get warm", await calls(load, server, RATE, WARM_UP));
  await pause(LINGERING_MS);
  const empty = await server.memoryMb();
  const verdicts: Verdict[] = [];
  await using stack = new AsyncDisposableStack();
  let standing = 0;
  for (const wanted of STANDING) {
    const more = wanted - standing;
    const fill = { scenario: "uac", rate: FILL_RATE, count: more, users: USERS } as const;
    stack.use(await load.stand(server, fill));
    await pause(more * 1_000 / FILL_RATE + SETTLE_MS);
    standing = wanted;
    await pause(LINGERING_MS);
    const memory = await server.memoryMb();
    const measured = await calls(load, server, RATE, RATE * 2 * seconds);
    say(server, `${RATE} a second beside ${wanted} that stand`, measured);
    const name = `${wanted} calls that stand`;
    verdicts.push(
      { what: `${name}: CPU of another`, value: measured.cpuUs, unit: "us", digits: 0 },
      { what: `${name}: others failed`, value: measured.failed, unit: "", digits: 0, must: 0 },
      { what: `${name}: resident`, value: memory, unit: "MB", digits: 0 },
      { what: `${name}: more than before`, value: memory - empty, unit: "MB", digits: 0 },
    );
  }
  printVerdicts("Calls that stand", verdicts);
}
