import { fileURLToPath } from "node:url";

/**
 * CPU a packet of one production media worker (engine, SRTP and shell as they run in the product),
 * and how many calls it holds: `deno task bench:relay [--rounds N] [--seconds N] [CALLS ...]`.
 * Relay and load are processes of their own, each on a core of its own where `taskset` is there.
 * Linux only: CPU time is read from /proc. Loss and delay are as the load generator sees them, its
 * own share included.
 */
const RELAY = fileURLToPath(new URL("./relay/worker.ts", import.meta.url));
const LOAD = fileURLToPath(new URL("./relay/load.ts", import.meta.url));
const PORTS = ["23000", "23099"];
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const SIZES = [172, 1200];
const CALLS = [10, 100, 300, 500];

interface Result {
  readonly sent: number;
  readonly received: number;
  readonly bad: number;
  readonly refused: number;
  readonly p50: number;
  readonly p99: number;
}

interface Row extends Result {
  readonly calls: number;
  readonly size: number;
  readonly forwardedPerSecond: number;
  readonly microseconds: number;
  readonly cpuPercent: number;
  readonly residentMb: number;
  readonly shell: string;
}

function run(core: number, script: string, args: string[]): Deno.ChildProcess {
  const deno = [Deno.execPath(), "run", "-A", "--no-check", "--config", CONFIG, script, ...args];
  const [program, ...rest] = Deno.build.os === "linux" && navigator.hardwareConcurrency > 1
    ? ["taskset", "-c", `${core}`, ...deno]
    : deno;
  return new Deno.Command(program!, { args: rest, stdout: "piped", stderr: "inherit" }).spawn();
}

async function* lines(child: Deno.ChildProcess): AsyncGenerator<string> {
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/**
 * What the relay says of itself once a second: its clock (ms), packets forwarded, CPU time (ns).
 */
type Tick = readonly [at: number, packets: number, cpu: number];

function residentMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) / 1024;
}

async function collect(said: AsyncGenerator<string>, ticks: Tick[]): Promise<void> {
  for await (const line of said) {
    const [word, ...numbers] = line.split(" ");
    if (word === "tick") ticks.push(numbers.map(Number) as unknown as Tick);
  }
}

async function measure(calls: number, size: number, seconds: number): Promise<Row> {
  const relay = run(0, RELAY, [`${calls}`, ...PORTS]);
  const ticks: Tick[] = [];
  let collected: Promise<void> | undefined;
  try {
    const said = lines(relay);
    const [, port, ...shell] = ((await said.next()).value ?? "").split(" ");
    if (port === undefined) throw new Error("the relay did not come up");
    collected = collect(said, ticks);
    const load = run(1, LOAD, [`${calls}`, port, `${size}`, `${seconds}`]);
    let first = 0;
    for await (const line of lines(load)) {
      if (line === "begin") {
        first = ticks.length;
        continue;
      }
      // The first tick after the beginning to the last one: only time under full load.
      const [from, to] = [ticks[first], ticks.at(-1)];
      if (from === undefined || to === undefined || from === to) throw new Error("too short a run");
      return {
        ...JSON.parse(line) as Result,
        calls,
        size,
        forwardedPerSecond: (to[1] - from[1]) * 1000 / (to[0] - from[0]),
        microseconds: (to[2] - from[2]) / 1000 / (to[1] - from[1]),
        cpuPercent: (to[2] - from[2]) / 10_000 / (to[0] - from[0]),
        residentMb: residentMb(relay.pid),
        shell: shell.join(" "),
      };
    }
    throw new Error("the load generator ended without a result");
  } finally {
    relay.kill("SIGTERM");
    await relay.status;
    await collected;
  }
}

function print(row: Row): void {
  // Packets that were under way at the beginning can make it a little less than none.
  const loss = Math.max(0, 100 * (1 - row.received / row.sent));
  console.log(
    `| ${row.calls} | ${row.size} | ${row.forwardedPerSecond.toFixed(0)} | ${
      row.microseconds.toFixed(1)
    } ` +
      `| ${row.cpuPercent.toFixed(0)} | ${loss.toFixed(2)} | ${row.p50.toFixed(2)} ` +
      `| ${row.p99.toFixed(2)} | ${row.residentMb.toFixed(0)} | ${row.bad} |`,
  );
}

const args = [...Deno.args];
const option = (name: string, fallback: number): number => {
  const at = args.indexOf(name);
  return at < 0 ? fallback : Number(args.splice(at, 2)[1]);
};
const rounds = option("--rounds", 1);
const seconds = option("--seconds", 5);
const wanted = args.length > 0 ? args.map(Number) : CALLS;

console.log(
  "| calls | bytes | forwarded/s | CPU us/packet | CPU % | loss % | p50 ms | p99 ms | MB | bad |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|");
for (let round = 0; round < rounds; round++) {
  for (const size of SIZES) {
    for (const calls of wanted) {
      if (size > 1000 && calls > 300) continue;
      print(await measure(calls, size, seconds));
    }
  }
}
