import type { Log } from "../log.ts";
import { isChainWhole, launcherChain } from "./launchers.ts";
import { type ProcessTable, systemProcesses } from "./processes.ts";

/** Why the process ends: a signal, or the end of whatever started it. */
export type EndCause = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGBREAK" | "launcher";

/** Where reading costs a few file reads, and where it costs a process. */
const POLL_MS = { linux: 500, other: 2000 } as const;

/** A Ctrl-C reaches the server twice, by the terminal and by `deno task`; that is one wish. */
const REPEAT_MS = 1000;

/** Ends of 10 s are promised; what takes longer than this is cut off. */
export const SHUTDOWN_DEADLINE_MS = 9000;

const PROCESSES = systemProcesses();

/** Read at once: whoever kills npx while the server starts must not be missed. */
const LAUNCHERS = PROCESSES ? launcherChain(Deno.pid, PROCESSES) : [];

/**
 * Calls `listener` once when a launcher of this process is gone (`deno task`, npx ...). Does
 * nothing where none was there. Returns how to stop watching; never keeps the process alive.
 */
export function watchParent(
  listener: () => void,
  processes: ProcessTable | undefined = PROCESSES,
  chain: readonly number[] = LAUNCHERS,
): () => void {
  if (!processes || chain.length < 2) return () => {};
  const watched = chain.slice(0, -1);
  let isAsking = false;
  const look = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      if (isChainWhole(chain, await processes.parents(watched))) return;
      stop();
      listener();
    } catch {
      /* No answer is no news: the next look will tell. */
    } finally {
      isAsking = false;
    }
  };
  const every = Deno.build.os === "linux" ? POLL_MS.linux : POLL_MS.other;
  const timer = setInterval(() => void look(), every);
  timer.unref();
  const stop = () => clearInterval(timer);
  return stop;
}

/**
 * Whether the end of a terminal is to end the process: not without one, and not under nohup, which
 * takes the terminal away. The ignored signal alone does not tell, because `deno task` hands its
 * child the default again.
 */
function isHangupMeant(): boolean {
  if (![Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal())) return false;
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    return ignored === undefined || (BigInt(`0x${ignored}`) & 1n) === 0n;
  } catch {
    return true;
  }
}

/** Calls `listener` for each signal that asks the process to end. Returns how to stop hearing. */
export function onShutdownSignal(listener: (cause: EndCause) => void): () => void {
  const isWindows = Deno.build.os === "windows";
  const signals: Exclude<EndCause, "launcher">[] = isWindows
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGTERM", "SIGINT", "SIGHUP"];
  // To be asked first: with its first listener the runtime takes over every signal, ignored ones
  // too.
  const isHeeded = !isWindows && isHangupMeant();
  const added = signals.map((signal) => {
    const handler = signal === "SIGHUP" && !isHeeded ? () => {} : () => listener(signal);
    Deno.addSignalListener(signal, handler);
    return () => Deno.removeSignalListener(signal, handler);
  });
  return () => added.forEach((remove) => remove());
}

export interface LifeOptions {
  readonly log: Log;
  /** Ends everything: calls, clients, sockets. Called once. */
  readonly shutdown: (cause: EndCause) => Promise<void>;
  readonly deadlineMs?: number;
}

/**
 * Ties the end of the process to signals and launchers: runs `shutdown`, then exits with 0. Exits
 * with 1 when that fails or takes longer than the deadline. A second signal a second later exits at
 * once with 130.
 */
export function superviseLife({ log, shutdown, deadlineMs }: LifeOptions): void {
  const limit = deadlineMs ?? SHUTDOWN_DEADLINE_MS;
  let endingSince: number | undefined;
  const end = (cause: EndCause) => {
    const now = performance.now();
    if (endingSince !== undefined) {
      if (cause === "launcher" || now - endingSince < REPEAT_MS) return;
      log.warn("asked to end a second time: ending at once", { cause });
      Deno.exit(130);
    }
    endingSince = now;
    log.info("ending", { cause });
    setTimeout(() => {
      log.error("the end took too long and is cut off", { limitMs: limit });
      Deno.exit(1);
    }, limit);
    Promise.resolve(cause).then(shutdown).then(
      () => {
        log.info("ended", { tookMs: Math.round(performance.now() - now) });
        Deno.exit(0);
      },
      (fault) => {
        log.error("the end failed", { error: fault });
        Deno.exit(1);
      },
    );
  };
  onShutdownSignal(end);
  watchParent(() => end("launcher"));
}

/**
 * Last resort for a fault that nobody caught: logged with its trace, and the process lives on,
 * because ending it would end every other call too.
 */
export function containUnhandled(log: Log): void {
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("a promise was rejected and nobody handled it", { error: event.reason });
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    log.error("an error was thrown and nobody caught it", { error: event.error });
  });
}
