import { fileURLToPath } from "node:url";
import { planLegs } from "../relay/plan.ts";
import { checkOf } from "../relay/greeting.ts";
import { makeTable, type TableSpec } from "../relay/make_table.ts";
import { rtpengineTable, untilRtpengineAnswers } from "../relay/rtpengine.ts";
import { DENO_RUN } from "./arena.ts";

/**
 * Who relays: `ours` is one worker with the fast shell, `two` has its calls spread over two of
 * them, `portable` is one with the portable shell and SRTP in TypeScript.
 */
export type Contender = "ours" | "two" | "portable" | "c" | "rtpengine";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const RELAY = here("../relay_table.ts");
const WORKER = here("../relay/worker.ts");
const CONTROL_PORT = 32_000;
/** With one suite on both sides rtpengine passes SRTP on as it is, so it gets two. */
const RTPENGINE_PROFILES: Readonly<Record<string, readonly [number, number]>> = {
  "1,1": [1, 2],
  "1,0": [1, 0],
};

/** How a relay is started; `prepare` comes when it is up and its output is known. */
export interface RelayPlan {
  readonly program: string;
  readonly args: readonly string[];
  readonly isUp: RegExp;
  readonly greetings: string | null;
  readonly prepare?: (output: string) => Promise<void>;
}

/** @param v8Flags for those that run in Deno */
export function relayOf(
  contender: Contender,
  spec: TableSpec,
  table: string,
  v8Flags: readonly string[],
): RelayPlan {
  const flags = v8Flags.length === 0 ? [] : [`--v8-flags=${v8Flags.join(",")}`];
  const deno = { program: Deno.execPath(), greetings: null };
  switch (contender) {
    case "ours":
      Deno.writeTextFileSync(table, makeTable(spec));
      return { ...deno, args: [...DENO_RUN, ...flags, RELAY, table], isUp: /relay up.*\n/ };
    case "two": {
      const lines = makeTable({ ...spec, workers: 2 });
      Deno.writeTextFileSync(table, lines);
      const args = [...DENO_RUN, ...flags, RELAY, table, "--workers", "2"];
      return { ...deno, args, isUp: /relay up[^]*relay up.*\n/ };
    }
    case "c":
      Deno.writeTextFileSync(table, makeTable(spec));
      return {
        program: `${table.slice(0, table.lastIndexOf("/"))}/relay`,
        args: [table],
        isUp: /relay up.*\n/,
        greetings: null,
      };
    case "portable":
      return portable(spec, table, flags);
    case "rtpengine":
      return rtpengine(spec, table);
  }
}

/** The production worker as it is: it takes ICE checks, so the generator sends some. */
function portable(spec: TableSpec, table: string, flags: readonly string[]): RelayPlan {
  if (spec.profiles.join() !== "1,1") throw new Error("the portable worker relays SRTP to SRTP");
  const { calls, firstPort } = spec;
  const greetings = `${table}.greetings`;
  const ports = [firstPort - 2, firstPort - 1, firstPort];
  return {
    program: Deno.execPath(),
    args: [...DENO_RUN, ...flags, WORKER, calls, ...ports].map(String),
    isUp: /port \d+ .*\n/,
    greetings,
    prepare: async (output) => {
      const port = output.match(/port (\d+)/)![1]!;
      const legs = planLegs(calls, firstPort);
      const material = (...parts: Uint8Array[]) => hexOf(parts);
      const lines = Array.from({ length: calls }, (_, call) => {
        const sides = [legs[2 * call]!, legs[2 * call + 1]!];
        const keys = sides.map(({ remoteKey, remoteSalt, localKey, localSalt }) =>
          `1 ${material(remoteKey, remoteSalt)} ${material(localKey, localSalt)}`
        );
        return `${sides.map((leg) => `${leg.port} ${port}`).join(" ")} ${keys.join(" ")}\n`;
      });
      await Deno.writeTextFile(table, lines.join(""));
      await Deno.writeTextFile(greetings, legs.map((leg) => hexOf([checkOf(leg)]) + "\n").join(""));
    },
  };
}

function hexOf(parts: readonly Uint8Array[]): string {
  return parts.flatMap((part) => Array.from(part, (byte) => byte.toString(16).padStart(2, "0")))
    .join("");
}

function rtpengine(spec: TableSpec, table: string): RelayPlan {
  const profiles = RTPENGINE_PROFILES[spec.profiles.join()] ?? spec.profiles;
  return {
    program: "rtpengine",
    args: rtpengineArgs(CONTROL_PORT),
    // It says nothing at this log level.
    isUp: /(?:)/,
    greetings: null,
    prepare: async () => {
      await untilRtpengineAnswers(CONTROL_PORT);
      await Deno.writeTextFile(table, await rtpengineTable({ ...spec, profiles }, CONTROL_PORT));
    },
  };
}

/** In userspace, with one thread. */
export function rtpengineArgs(controlPort: number): string[] {
  return [
    ...["--table=-1", "--foreground", "--interface=127.0.0.1", "--num-threads=1"],
    ...[`--listen-ng=127.0.0.1:${controlPort}`, "--port-min=40000", "--port-max=59999"],
    ...["--log-level=3", "--log-stderr", "--timeout=600", "--silent-timeout=600"],
  ];
}
