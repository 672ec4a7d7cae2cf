import { fileURLToPath } from "node:url";
import { Stage } from "../support/browser.ts";
import { Lab } from "../support/lab.ts";
import { bothFinish, connect, type SdkUser } from "../support/sdk_page.ts";
import { withCleanEnd } from "./clean_end.ts";

/**
 * `deno task bench:calls [--calls N] [--cold]`: how long a call takes from frame to frame and to
 * the first sound in two real Chromium processes, what a session and a call cost the server, and
 * how long it takes to be ready. `--cold` also starts it with empty caches, which needs the npm
 * registry. Linux only: CPU time and memory are read from /proc.
 */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SESSIONS = 100;
const CALLS_HELD = 4;
const WINDOW_MS = 10_000;
const READY_RUNS = 5;
/** Clock ticks a second of /proc/PID/stat, the same on every Linux that Deno runs on. */
const TICKS = 100;

interface Usage {
  readonly cpuMs: number;
  readonly residentMb: number;
}

function usage(pid: number): Usage {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS,
    residentMb: Number(status.match(/VmRSS:\s+(\d+)/)?.[1]) / 1024,
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Share of one core over the window, percent, and the memory at its end. */
async function watch(pid: number): Promise<{ cpuPercent: number; residentMb: number }> {
  const before = usage(pid);
  await pause(WINDOW_MS);
  const after = usage(pid);
  return {
    cpuPercent: 100 * (after.cpuMs - before.cpuMs) / WINDOW_MS,
    residentMb: after.residentMb,
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function row(name: string, values: readonly number[]): string {
  const [median, p95] = [quantile(values, 0.5), quantile(values, 0.95)];
  return `| ${name} | ${median.toFixed(0)} | ${p95.toFixed(0)} | ${values.length} |`;
}

async function setUpTimes(calls: number): Promise<string[]> {
  await using stage = await Stage.set();
  const [alice, bob] = await stage.pair();
  const ring: number[] = [];
  const sound: number[] = [];
  const soundBack: number[] = [];
  // The first one starts the browsers' audio and is not counted.
  for (let i = 0; i <= calls; i++) {
    const [atAlice, atBob] = [alice.firstSound(), bob.firstSound()];
    await alice.call(bob.name);
    const { at } = await bob.callIs("RING", { call: i });
    const called = await alice.sentAt("call");
    await bob.answer();
    const [first, second] = await Promise.all([atAlice, atBob]);
    const answered = await bob.sentAt("answer");
    await alice.hangup();
    await bothFinish(alice, bob);
    if (i === 0) continue;
    ring.push(at - called);
    sound.push(first - answered);
    soundBack.push(second - answered);
  }
  return [
    "| from, to | median ms | p95 ms | calls |",
    "| --- | --- | --- | --- |",
    row("`call` sent, RING at the callee", ring),
    row("`answer` sent, sound at the caller", sound),
    row("`answer` sent, sound at the callee", soundBack),
  ];
}

/** Sessions without a browser: enough of a client to stay. */
async function openSessions(lab: Lab): Promise<WebSocket[]> {
  return await Promise.all(Array.from({ length: SESSIONS }, (_, i) => {
    const socket = new WebSocket(lab.webSocket);
    const login = `idle${i}`;
    const connection = {
      sipLogin: login,
      sipPassword: "secret",
      sipDomain: "127.0.0.1",
      sipPort: "0",
      sipRegisterRequired: false,
    };
    return new Promise<WebSocket>((resolve, reject) => {
      socket.onerror = () => reject(new Error(`session ${login} was refused`));
      socket.onopen = () => {
        socket.send(JSON.stringify({ message: "connection", data: [connection] }));
      };
      socket.onmessage = ({ data }) => {
        const { message } = JSON.parse(String(data)) as { message: string };
        if (message === "ping") socket.send('{"message":"pong","data":[null]}');
        if (message === "getUserData") resolve(socket);
      };
    });
  }));
}

async function costs(): Promise<string[]> {
  await using stage = await Stage.set({ env: { PORTZERO_LOG_LEVEL: "info" } });
  const { pid } = stage.lab.child;
  const lines = ["| server with | CPU % of a core | resident MB |", "| --- | --- | --- |"];
  const measure = async (name: string) => {
    const { cpuPercent, residentMb } = await watch(pid);
    lines.push(`| ${name} | ${cpuPercent.toFixed(1)} | ${residentMb.toFixed(0)} |`);
  };
  await measure("nothing");
  const sockets = await openSessions(stage.lab);
  await measure(`${SESSIONS} idle sessions`);
  for (const socket of sockets) socket.close();
  const pairs: (readonly [SdkUser, SdkUser])[] = [];
  for (let i = 0; i < CALLS_HELD; i++) {
    const pair = [
      await stage.user(`caller${i}`, 440),
      await stage.user(`callee${i}`, 1000),
    ] as const;
    await Promise.all(pair.map((user) => user.login()));
    pairs.push(pair);
    await connect(...pair);
    await pair[0].hears(1000);
    if (i === 0) await measure("one audio call");
  }
  await measure(`${CALLS_HELD} audio calls`);
  for (const [caller] of pairs) {
    await caller.hold();
    await caller.callIs("HOLD");
  }
  await measure(`${CALLS_HELD} held calls`);
  return lines;
}

/** From the start of the process to the line with `ready`, ms. */
async function readyMs(env: Readonly<Record<string, string>> = {}): Promise<number> {
  const started = performance.now();
  await using _lab = await Lab.start({ env });
  return performance.now() - started;
}

async function timesToReady(isCold: boolean): Promise<string[]> {
  const warm: number[] = [];
  for (let i = 0; i < READY_RUNS; i++) warm.push(await readyMs());
  const lines = [
    "| start | median ms | p95 ms | runs |",
    "| --- | --- | --- | --- |",
    row("warm, fresh data folder", warm),
  ];
  if (!isCold) return lines;
  const cache = await Deno.makeTempDir({ prefix: "portzero-cache-" });
  lines.push(row("cold, empty caches", [await readyMs({ DENO_DIR: cache })]));
  return lines;
}

if (Deno.build.os !== "linux") throw new Error(`reads /proc: Linux only, this is ${Deno.build.os}`);
Deno.chdir(ROOT);
const at = Deno.args.indexOf("--calls");
const calls = at < 0 ? 20 : Number(Deno.args[at + 1]);
await withCleanEnd(async () => {
  const isCold = Deno.args.includes("--cold");
  for (const table of [() => setUpTimes(calls), costs, () => timesToReady(isCold)]) {
    console.log((await table()).join("\n") + "\n");
  }
  return 0;
});
