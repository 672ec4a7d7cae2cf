import { Arena, type Contender, type Run } from "./relay/contenders.ts";
import { MAX_CALLS, type TableSpec } from "./relay/make_table.ts";

/**
 * The media worker against rtpengine in userspace and against a bare relay in C, interleaved on the
 * same load: `deno task bench:media [--rounds N] [--seconds N] [--realtime] [ROW ...]`, rows
 * `audio`, `rtp`, `video`, `latency`, `hold`, `memory`. Linux with two cores, loopback only.
 * `--realtime` gives relay and generator real-time priority, for machines that do other work.
 */
const FIRST_PORT = 12_000;
const SECRET: TableSpec = {
  calls: 500,
  profiles: [1, 1],
  shared: [true, true],
  firstPort: FIRST_PORT,
};
/** With one suite on both sides rtpengine passes SRTP on as it is, so it gets two. */
const RTPENGINE_PROFILES = { "1,1": [1, 2], "1,0": [1, 0] } as const;

const args = [...Deno.args];
const option = (name: string, fallback: number): number => {
  const at = args.indexOf(name);
  return at < 0 ? fallback : Number(args.splice(at, 2)[1]);
};
const flag = (name: string): boolean => {
  const at = args.indexOf(name);
  if (at >= 0) args.splice(at, 1);
  return at >= 0;
};
const rounds = option("--rounds", 3);
const seconds = option("--seconds", 4);
const arena = await Arena.prepare(flag("--realtime"));
const contenders: readonly Contender[] = arena.hasRtpengine
  ? ["rtpengine", "ours", "c"]
  : ["ours", "c"];
if (!arena.hasRtpengine) console.log("rtpengine is not installed: not measured.\n");

function specFor(contender: Contender, spec: TableSpec): TableSpec {
  if (contender !== "rtpengine") return spec;
  const key = spec.profiles.join(",") as keyof typeof RTPENGINE_PROFILES;
  return { ...spec, profiles: RTPENGINE_PROFILES[key] };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function loss(run: Run): number {
  return 100 * (1 - run.received / run.sent);
}

function line(name: string, run: Run): string {
  const numbers = [
    run.microseconds.toFixed(2),
    run.cpuPercent.toFixed(0),
    loss(run).toFixed(2),
    run.p50.toFixed(2),
    run.p99.toFixed(2),
    run.residentMb.toFixed(0),
    `${run.bad}/${run.checked}`,
    run.generatorPercent.toFixed(0),
  ];
  return `| ${name} | ${run.calls} | ${numbers.join(" | ")} |`;
}

const HEAD = "| relay | calls | CPU us/packet | CPU % | loss % | p50 ms | p99 ms | MB | bad | " +
  "generator % |\n|---|---|---|---|---|---|---|---|---|---|";

/** All contenders by turns; then the ratios of their medians. */
async function compare(title: string, spec: TableSpec, bytes: number): Promise<void> {
  console.log(`\n### ${title}\n\n${HEAD}`);
  const costs = new Map<Contender, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      const run = await arena.measure(contender, specFor(contender, spec), bytes, seconds);
      console.log(line(contender, run));
      if (loss(run) < 1) costs.set(contender, [...costs.get(contender) ?? [], run.microseconds]);
    }
  }
  const ours = median(costs.get("ours") ?? []);
  for (const other of contenders) {
    if (other === "ours") continue;
    const theirs = costs.get(other) ?? [];
    const ratio = (ours / median(theirs)).toFixed(2);
    console.log(`\nours / ${other}: ${ratio} (medians of runs with less than 1 % loss)`);
  }
}

async function latency(): Promise<void> {
  console.log(`\n### Added delay\n\n${HEAD}`);
  for (const calls of [10, 100, 500, 1000]) {
    for (const contender of contenders) {
      const spec = specFor(contender, { ...SECRET, calls });
      console.log(line(contender, await arena.measure(contender, spec, 172, seconds)));
    }
  }
}

/** The most calls with less than 1 % loss, in steps of 200. */
async function hold(title: string, spec: TableSpec, who: readonly Contender[]): Promise<void> {
  console.log(`\n### ${title}\n\n${HEAD}`);
  const most = new Map<Contender, number>();
  for (const contender of who) {
    for (let calls = 600; calls <= MAX_CALLS; calls += 200) {
      const run = await arena.measure(
        contender,
        specFor(contender, { ...spec, calls }),
        172,
        seconds,
      );
      console.log(line(contender, run));
      if (loss(run) >= 1) break;
      most.set(contender, calls);
    }
  }
  for (const [contender, calls] of most) console.log(`\n${contender}: ${calls} calls`);
}

async function memory(): Promise<void> {
  console.log("\n### Memory\n");
  for (const contender of contenders) {
    const at = async (calls: number) =>
      (await arena.measure(contender, specFor(contender, { ...SECRET, calls }), 172, seconds))
        .residentMb;
    const [few, many] = [await at(100), await at(1000)];
    console.log(
      `${contender}: ${few.toFixed(0)} MB at 100 calls, ${many.toFixed(0)} MB at 1,000: ` +
        `${((many - few) * 1024 / 900).toFixed(0)} KB a call`,
    );
  }
}

const apart: TableSpec = { ...SECRET, shared: [false, false] };
const ROWS: Readonly<Record<string, () => Promise<void>>> = {
  audio: () => compare("SRTP to SRTP, 172 bytes, 500 calls", SECRET, 172),
  rtp: () =>
    compare("SRTP (one port) to RTP (a port a leg), 172 bytes, 500 calls", {
      ...SECRET,
      profiles: [1, 0],
      shared: [true, false],
    }, 172),
  video: () => compare("SRTP to SRTP, 1,200 bytes, 200 calls", { ...SECRET, calls: 200 }, 1200),
  latency,
  hold: async () => {
    await hold("Most calls of one core, shared ports", SECRET, ["ours", "c"]);
    await hold("Most calls of one core, a port a leg", apart, contenders);
  },
  memory,
};

const wanted = args.length > 0 ? args : Object.keys(ROWS);
try {
  for (const name of wanted) {
    const row = ROWS[name];
    if (row === undefined) throw new Error(`row ${name} is not known: ${Object.keys(ROWS)}`);
    await row();
  }
} finally {
  await arena.remove();
}
