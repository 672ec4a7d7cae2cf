import { parseArgs, styleText } from "node:util";
import { installNeeds } from "./install_needs.ts";
import { type NeedName, NEEDS, WITHOUT_VARIABLE } from "./needs.ts";
import { addCounts, closingLine, type Counts, NO_COUNTS, runSuite } from "./run_suite.ts";
import { plan, type PlannedSuite } from "./suites.ts";

/**
 * `deno task test [--fast] [part of a path ...] [-- options of deno test]`: gets what the tests
 * need, runs the suites one after the other, and ends with one line that sums them up.
 */

const USAGE = `deno task test [--fast] [part of a path ...] [-- options of deno test]

  --fast        fast suites only; looks for nothing and installs nothing
  e2e/hold      test files whose path contains this
  -- --fail-fast and other options of deno test, passed through`;

/** Exit code of a program ended by Ctrl-C. */
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const split = Deno.args.indexOf("--");
  const own = split < 0 ? Deno.args : Deno.args.slice(0, split);
  const through = split < 0 ? [] : Deno.args.slice(split + 1);
  const { values, positionals } = parseArgs({
    args: own,
    allowPositionals: true,
    options: { fast: { type: "boolean", default: false }, help: { type: "boolean" } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
  const suites = plan(root, positionals).filter(({ suite }) => !values.fast || suite.fast);
  if (suites.length === 0) {
    console.error(`no test file's path contains ${positionals.join(" or ") || "anything"}`);
    console.log(closingLine(NO_COUNTS));
    return 1;
  }
  listen();
  const missing = suites.every(({ suite }) => suite.fast) ? [] : await installNeeds();
  const total = await runAll(root, suites, through, missing);
  for (const name of missing) {
    console.log(`Without ${name}, tests that need it were skipped: ${NEEDS[name].how}.`);
  }
  const lacking = Deno.env.get("CI") === "true" ? missing.filter(isRequired) : [];
  if (lacking.length > 0) console.error(`CI=true, so missing ${lacking.join(", ")} is a failure.`);
  console.log(`\n${closingLine(total)}`);
  if (interruption.signal.aborted) return INTERRUPTED;
  return total.failed === 0 && lacking.length === 0 ? 0 : 1;
}

/** What can be installed must be there where CI=true; a property of the machine need not. */
function isRequired(name: NeedName): boolean {
  return "debian" in NEEDS[name];
}

async function runAll(
  root: string,
  suites: readonly PlannedSuite[],
  through: readonly string[],
  missing: readonly NeedName[],
): Promise<Counts> {
  const env = { PORTZERO_MEDIA_ADDRESSES: "127.0.0.1", [WITHOUT_VARIABLE]: missing.join(",") };
  let total: Counts = NO_COUNTS;
  const { signal } = interruption;
  for (const { suite, files } of suites) {
    if (signal.aborted) break;
    const word = files.length === 1 ? "file" : "files";
    console.log(styleText("bold", `\n== ${suite.name}: ${files.length} ${word}`));
    total = addCounts(total, await runSuite({ root, suite, files, through, env, signal, write }));
  }
  return total;
}

/** Ctrl-C and SIGTERM end the suite that runs and those that would follow. */
const interruption = new AbortController();

function listen(): void {
  const interrupt = () => interruption.abort();
  Deno.addSignalListener("SIGINT", interrupt);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", interrupt);
}

function write(chunk: Uint8Array): void {
  for (let sent = 0; sent < chunk.length;) sent += Deno.stdout.writeSync(chunk.subarray(sent));
}

if (import.meta.main) Deno.exit(await main());
