/**
 * What signalling costs beside Kamailio, which does the same on the same machine in the same run:
 * `deno task bench:sip [SECTION ...] [--rounds N] [--seconds N]`. The sections are registrations,
 * bindings, parser, calls and standing; without any it is registrations and calls. Rounds are
 * interleaved, the best of each server counts. The servers have core 0, SIPp has core 1, both with
 * real-time priority, so that others on the machine disturb neither. Linux only: CPU time is read
 * from /proc, and needs `taskset` and `chrt`. CPU is that of all processes and threads of a server,
 * its idle time in the run included, divided by what was done.
 */
import { parseArgs } from "node:util";
import { NEEDS } from "../../tools/needs.ts";
import { needs } from "../support/needs.ts";
import { withCleanEnd } from "./clean_end.ts";
import { callCosts, standingCalls } from "./sip/calls.ts";
import { LoadGenerator } from "./sip/load.ts";
import { parser } from "./sip/parser.ts";
import { bindings, registrations } from "./sip/registrations.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
  },
});

const SECTIONS = {
  registrations,
  bindings,
  parser,
  calls: callCosts,
  standing: standingCalls,
} as const;
const USUAL: readonly (keyof typeof SECTIONS)[] = ["registrations", "calls"];

function isSection(name: string): name is keyof typeof SECTIONS {
  return Object.hasOwn(SECTIONS, name);
}

function path(name: "sipp" | "kamailio"): string {
  const { ignore, path } = needs(name);
  if (!ignore) return path;
  console.error(`${name} is missing: ${NEEDS[name].how}`);
  Deno.exit(1);
}

const unknown = positionals.find((name) => !isSection(name));
if (unknown !== undefined) {
  console.error(`Unknown section ${unknown}: expected ${Object.keys(SECTIONS).join(", ")}`);
  Deno.exit(1);
}
const [kamailio, sipp] = [path("kamailio"), path("sipp")];
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
await withCleanEnd(async () => {
  const load = new LoadGenerator(sipp);
  for (const name of positionals.length > 0 ? positionals.filter(isSection) : USUAL) {
    await SECTIONS[name]({ load, kamailio, rounds, seconds });
  }
  return 0;
});
