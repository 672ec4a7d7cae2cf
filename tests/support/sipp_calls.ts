import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { runSipp } from "./sipp.ts";
import { freeUdpPort } from "./sipp_trunk.ts";
import type { Scenario } from "./sipp_scenarios.ts";
import { Child } from "./child_process.ts";
import { CuttingPath, type Glance, LosingPath } from "./sip_path.ts";

/** Two SIPp, one calling the other through the lab. */

export interface SippCalls {
  readonly path: string;
  readonly lab: Lab;
  readonly scenario: Scenario;
  /** The account that is called, with no other phone. */
  readonly callee: string;
  /** Of the caller; the callee's is always UDP. */
  readonly transport: "u1" | "t1";
  readonly calls: number;
  /** Calls begun a second. */
  readonly rate: number;
  /** Datagrams of either phone that are lost, on the way to us and from us. */
  readonly isLost?: (message: Glance, phone: keyof Scenario) => boolean;
  /** What the caller sends over TCP comes to us in pieces. */
  readonly isCut?: boolean;
}

const PASSWORD = "1234";
const LIMIT_SECONDS = 60;
/** How long the callee waits for calls that have begun, after the caller has ended, ms. */
const END_MS = 20_000;

/** What the roads did, for a test to see that they did it. */
export interface RoadReport {
  readonly lost: readonly (Glance & { readonly phone: keyof Scenario })[];
  readonly seen: number;
  readonly cuts: CuttingPath["cuts"] | undefined;
}

/** Throws with everything that went over the wire where a call did not go as the scenario says. */
export async function callThrough(options: SippCalls): Promise<RoadReport> {
  const { lab, isLost } = options;
  await using roads = new AsyncDisposableStack();
  const losing = (phone: keyof Scenario) =>
    isLost && roads.use(new LosingPath(lab.sipPort, (message) => isLost(message, phone)));
  const callerRoad = options.transport === "u1" ? losing("caller") : undefined;
  const calleeRoad = losing("callee");
  const cutting = options.isCut ? roads.use(new CuttingPath(lab.sipPort)) : undefined;
  const port = freeUdpPort();
  // Whoever hears and loses has been there since before the phone came.
  await call(options, {
    port,
    contactPort: calleeRoad?.phonePort ?? port,
    calleeRemote: calleeRoad?.port ?? lab.sipPort,
    callerRemote: cutting?.port ?? callerRoad?.port ?? lab.sipPort,
  });
  return {
    lost: [
      ...(callerRoad?.lost ?? []).map((message) => ({ ...message, phone: "caller" as const })),
      ...(calleeRoad?.lost ?? []).map((message) => ({ ...message, phone: "callee" as const })),
    ],
    seen: (callerRoad?.seen ?? 0) + (calleeRoad?.seen ?? 0),
    cuts: cutting?.cuts,
  };
}

interface Ports {
  /** The callee's own, and the one that stands in its Contact. */
  readonly port: number;
  readonly contactPort: number;
  /** Where each sends to. */
  readonly calleeRemote: number;
  readonly callerRemote: number;
}

async function call(options: SippCalls, ports: Ports): Promise<void> {
  const { path, scenario, transport, calls, rate } = options;
  const account = options.callee;
  const { port, contactPort } = ports;
  const directory = await Deno.makeTempDir({ prefix: "portzero-sipp-calls-" });
  try {
    const registered = await runSipp(path, {
      scenario: "register",
      remote: `127.0.0.1:${ports.calleeRemote}`,
      transport: "u1",
      calls: 1,
      port,
      contactPort,
      user: account,
      password: PASSWORD,
    });
    if (registered.code !== 0) throw new Error(`no registration:\n${registered.output}`);
    const start = async (role: keyof Scenario, more: readonly string[]) => {
      const file = join(directory, `${role}.xml`);
      const own = "sip:sipp@[local_ip]:[local_port]";
      const text = role === "caller"
        ? scenario.caller
        : scenario.callee.replaceAll(own, `sip:sipp@[local_ip]:${contactPort}`);
      await Deno.writeTextFile(file, text);
      // deno-fmt-ignore
      return new Child(path, [
        "-sf", file, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-mp", `${freeUdpPort()}`,
        "-m", `${calls}`, "-d", "200", "-timeout", `${LIMIT_SECONDS}s`, "-timeout_error",
        "-deadcall_wait", "500",
        // What is repeated, on a bad road or by a slow machine, is looked at below.
        "-default_behaviors", "all,-abortunexp", "-max_retrans", "12", "-nostdin", "-trace_err", "-error_file", `${directory}/${role}.errors`,
        "-trace_msg", "-message_file", `${directory}/${role}.messages`, ...more,
      ], { cwd: directory, env: { TERM: "dumb" } });
    };
    await using callee = await start("callee", ["-p", `${port}`]);
    // deno-fmt-ignore
    await using caller = await start("caller", [
      "-t", transport, "-s", account, "-r", `${rate}`, `127.0.0.1:${ports.callerRemote}`,
    ]);
    const ended = await caller.ended((LIMIT_SECONDS + 10) * 1000);
    const other = await callee.ended(END_MS).catch(() => undefined);
    const read = (name: string) => Deno.readTextFile(join(directory, name)).catch(() => "");
    const strange = [
      ...unexpected(await read("caller.errors"), await read("caller.messages")),
      ...unexpected(await read("callee.errors"), await read("callee.messages")),
    ];
    if (ended.code === 0 && other?.code === 0 && strange.length === 0) return;
    throw new Error(
      [
        `SIPp: caller ${ended.code}, callee ${other?.code ?? "still runs"}`,
        `unexpected: ${strange.join(", ")}`,
        ...await Promise.all(
          ["caller.errors", "callee.errors", "caller.messages", "callee.messages"].map((name) =>
            read(name).then((text) => text.slice(0, 9_000))
          ),
        ),
        caller.output,
        callee.output,
      ].join("\n"),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Messages that SIPp did not expect and that are no repetitions of what it had got before. */
function unexpected(errors: string, messages: string): string[] {
  const received = messages.split(/^-{20,}/m).filter((part) => part.includes(" message received "))
    .map(identity);
  return errors.split(/(?=unexpected message for Call-Id)/).slice(1)
    .map((part) => identity(part.slice(part.indexOf("received '"))))
    .filter((what) => received.filter((other) => other === what).length < 2);
}

/** Start line without the address, CSeq and Call-ID: the same in all copies. */
function identity(text: string): string {
  const [, first] = /(SIP\/2\.0 \d+|\b[A-Z]+ (?=sip:))/.exec(text) ?? [];
  const [, sequence] = /^CSeq: *(.*?)\s*$/m.exec(text) ?? [];
  const [, callId] = /^Call-ID: *(.*?)\s*$/m.exec(text) ?? [];
  return `${first?.trim()} ${sequence} ${callId}`;
}
