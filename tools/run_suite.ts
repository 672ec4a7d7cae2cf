import { stripVTControlCharacters } from "node:util";
import type { Suite } from "./suites.ts";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NO_COUNTS: Counts = { passed: 0, failed: 0, skipped: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The last line of a run. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export interface SuiteRun {
  readonly root: string;
  readonly suite: Suite;
  readonly files: readonly string[];
  /** Further options for `deno test`. */
  readonly through: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ends the run early; it then counts as failed. */
  readonly signal: AbortSignal;
  /** Takes the output as it comes. */
  readonly write: (chunk: Uint8Array) => void;
}

/** How long a run that was asked to end may take before it is killed, ms. */
const KILL_AFTER = 10_000;
/** As much of the output as can hold the summary, characters. */
const TAIL = 16_384;
const STEPS = String.raw`(?: \(\d+ steps?\))?`;
const SUMMARY = new RegExp(
  String.raw`^(?:ok|FAILED) \| (\d+) passed${STEPS} \| (\d+) failed${STEPS}` +
    String.raw`(?: \| (\d+) ignored${STEPS})?`,
  "gm",
);

/**
 * Runs one suite by `deno test`, its output passed on as it comes. Types are checked by
 * `deno task check`, not here.
 */
export async function runSuite(run: SuiteRun): Promise<Counts> {
  const { suite } = run;
  const colour = Deno.stdout.isTerminal() ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" };
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      "--no-check",
      ...(suite.parallel ? ["--parallel"] : []),
      ...run.through,
      ...run.files,
    ],
    cwd: run.root,
    env: { ...colour, ...run.env },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stop = () => end(child);
  run.signal.addEventListener("abort", stop);
  const limit = setTimeout(() => {
    console.error(`\n${suite.name}: not through after ${suite.limitMinutes} minutes; ended`);
    stop();
  }, suite.limitMinutes * 60_000);
  try {
    const tail = await passOn(child.stdout, run.write);
    const { code } = await child.status;
    return countsOf(tail, code);
  } finally {
    clearTimeout(limit);
    run.signal.removeEventListener("abort", stop);
  }
}

function end(child: Deno.ChildProcess): void {
  const signal = (name: Deno.Signal) => {
    try {
      child.kill(name);
    } catch {
      // It has ended meanwhile.
    }
  };
  signal("SIGTERM");
  Deno.unrefTimer(setTimeout(() => signal("SIGKILL"), KILL_AFTER));
}

/** Passes everything on; gives back its end. */
async function passOn(
  stream: ReadableStream<Uint8Array>,
  write: SuiteRun["write"],
): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const chunk of stream) {
    write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-TAIL);
  }
  return tail;
}

/**
 * Reads the summary at the end of what `deno test` wrote. A run that failed without saying so in
 * its summary, or without one (a crash, a time limit), counts as one failed test.
 */
export function countsOf(output: string, code: number): Counts {
  const summary = [...stripVTControlCharacters(output).matchAll(SUMMARY)].at(-1);
  const counts = summary === undefined ? NO_COUNTS : {
    passed: Number(summary[1]),
    failed: Number(summary[2]),
    skipped: Number(summary[3] ?? 0),
  };
  const silent = counts.failed === 0 && (code !== 0 || summary === undefined);
  return silent ? { ...counts, failed: 1 } : counts;
}
