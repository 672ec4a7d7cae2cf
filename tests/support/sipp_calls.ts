import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { runSipp } from "./sipp.ts";
import { freeUdpPort } from "./sipp_trunk.ts";
import type { Scenario } from "./sipp_scenarios.ts";
import { Child } from "./child_process.ts";

/** Two SIPp, one calling the other through the lab. */

export interface SippCalls {
  readonly path: string;
  readonly lab: Lab;
  readonly scenario: Scenario;
  /** Of the caller; the callee's is always UDP. */
  readonly transport: "u1" | "t1";
  readonly calls: number;
  /** Calls begun a second. */
  readonly rate: number;
  /**
   * A callee that drops messages may wait for ever for what it dropped itself, or take a repetition
   * for a fault. The caller then vouches alone: each call had its answer, and a 200 to its BYE.
   */
  readonly callerVouches?: boolean;
}

/** The account that is called. */
const CALLEE = { user: "1010", password: "1234" };
const LIMIT_SECONDS = 40;
/** How long the callee waits for calls that have begun, after the caller has ended, ms. */
const END_MS = 10_000;

/** Throws with everything that went over the wire where a call did not go as the scenario says. */
export async function callThrough(options: SippCalls): Promise<void> {
  const { path, lab, scenario, transport, calls, rate } = options;
  const directory = await Deno.makeTempDir({ prefix: "portzero-sipp-calls-" });
  const port = freeUdpPort();
  const remote = `127.0.0.1:${lab.sipPort}`;
  try {
    const registered = await runSipp(path, {
      scenario: "register",
      remote,
      transport: "u1",
      calls: 1,
      port,
      ...CALLEE,
    });
    if (registered.code !== 0) throw new Error(`no registration:\n${registered.output}`);
    const start = async (role: keyof Scenario, more: readonly string[]) => {
      const file = join(directory, `${role}.xml`);
      await Deno.writeTextFile(file, scenario[role]);
      // deno-fmt-ignore
      return new Child(path, [
        "-sf", file, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-mp", `${freeUdpPort()}`,
        "-m", `${calls}`, "-d", "200", "-timeout", `${LIMIT_SECONDS}s`, "-timeout_error",
        "-deadcall_wait", "500", "-nostdin", "-trace_err", "-error_file", `${directory}/${role}.errors`,
        "-trace_msg", "-message_file", `${directory}/${role}.messages`, ...more,
      ], { cwd: directory, env: { TERM: "dumb" } });
    };
    await using callee = await start("callee", ["-p", `${port}`]);
    // deno-fmt-ignore
    await using caller = await start("caller", [
      "-t", transport, "-s", CALLEE.user, "-r", `${rate}`, remote,
    ]);
    const ended = await caller.ended((LIMIT_SECONDS + 10) * 1000);
    const other = await callee.ended(END_MS).catch(() => undefined);
    if (ended.code === 0 && (options.callerVouches === true || other?.code === 0)) return;
    const read = (name: string) =>
      Deno.readTextFile(join(directory, name)).catch(() => "").then((text) => text.slice(0, 9_000));
    throw new Error(
      [
        `SIPp: caller ${ended.code}, callee ${other?.code ?? "still runs"}`,
        await read("caller.errors"),
        await read("callee.errors"),
        await read("caller.messages"),
        await read("callee.messages"),
        caller.output,
        callee.output,
      ].join("\n"),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
