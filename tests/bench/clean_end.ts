import { descendantsOf, isAlive, type ProcessStatus } from "../support/process_tree.ts";

/** Exit codes of a program that a signal has ended. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** Until those that were asked to end are made to, and until the bench goes without them, ms. */
const GRACE = 3000;
const LAST_GRACE = 5000;
/** Between two looks, ms. */
const LOOK = 10;

/**
 * Runs a bench and ends this process with what it gives. However it ends, by itself, by an error or
 * by a signal, no process that it has started outlives it, and no temporary file. Linux only.
 */
export async function withCleanEnd(run: () => Promise<number>): Promise<never> {
  const folder = Deno.makeTempDirSync({ prefix: "portzero-bench-" });
  // What this process and those below it take for temporary is in there.
  Deno.env.set("TMPDIR", folder);
  // In one go, so that a bench that is under way starts nothing more meanwhile.
  const leave = (code: number): never => {
    endDescendants();
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(code);
  };
  for (const [signal, code] of Object.entries(SIGNALS)) {
    Deno.addSignalListener(signal as keyof typeof SIGNALS, () => leave(code));
  }
  const fail = (error: unknown): never => {
    console.error(error);
    return leave(1);
  };
  addEventListener("error", (event) => fail(event.error));
  addEventListener("unhandledrejection", (event) => fail(event.reason));
  try {
    return leave(await run());
  } catch (error) {
    return fail(error);
  }
}

function endDescendants(): void {
  const asked = new Map<string, ProcessStatus>();
  const start = performance.now();
  while (true) {
    // One that is ended may have started another just before.
    for (const process of descendantsOf(Deno.pid)) {
      const key = `${process.pid} ${process.began}`;
      if (asked.has(key)) continue;
      asked.set(key, process);
      signal(process, "SIGTERM");
      // One that stands still hears of nothing.
      signal(process, "SIGCONT");
    }
    const left = [...asked.values()].filter(isAlive);
    const waited = performance.now() - start;
    if (left.length === 0 || waited > LAST_GRACE) return;
    if (waited > GRACE) { for (const process of left) signal(process, "SIGKILL"); }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK);
  }
}

function signal({ pid }: ProcessStatus, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
