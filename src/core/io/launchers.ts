import type { ProcessTable } from "./processes.ts";

/**
 * Who started this server and ends with nothing but it in mind: `deno task`, and above it npx or
 * another package runner. See docs/adr/0002-end-with-the-launcher.md.
 */

/** More launchers in a row than anybody has. */
const MOST_LAUNCHERS = 12;

const RUNNERS = new Set(["npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg", "bun", "bunx"]);
const RUNNER_SCRIPT = /(^|\/)(npm|npx|pnpm|pnpx|yarn|yarnpkg)(-cli)?(\.c?js)?$/;
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "ash", "ksh", "busybox"]);
const DENO_SCRIPT = /\/deno\/bin\.cjs$|\/\.bin\/deno$/;

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1).replace(/\.exe$/, "");

/** Words of a command line, whether it came as arguments or as one title (`npm exec deno ...`). */
function words(args: readonly string[]): string[] {
  const [first = "", ...rest] = args;
  return rest.length === 0 ? first.split(" ") : [first, ...rest];
}

function isDenoTask([program = "", ...rest]: readonly string[]): boolean {
  return baseName(program) === "deno" && rest.find((word) => !word.startsWith("-")) === "task";
}

function isPackageRunner([program = "", script = ""]: readonly string[]): boolean {
  return RUNNERS.has(baseName(program)) ||
    (baseName(program) === "node" && RUNNER_SCRIPT.test(script));
}

/** What a package runner puts between itself and deno: a shell, or deno's own script. */
function isWrapper([program = "", first = ""]: readonly string[]): boolean {
  const name = baseName(program).replace(/^-/, "");
  return SHELLS.has(name) && (/^-[a-z]*c$/.test(first) || DENO_SCRIPT.test(first)) ||
    name === "node" && DENO_SCRIPT.test(first);
}

/**
 * From `self` up to the topmost launcher: each is the child of the one after it. Only `self` when
 * it was started otherwise (a shell, a service manager, a container), because then the end of a
 * parent means nothing.
 */
export function launcherChain(self: number, processes: ProcessTable): number[] {
  const chain = [self];
  let kept = 1;
  for (let pid = self; chain.length <= MOST_LAUNCHERS;) {
    const parent = processes.read(pid)?.parent;
    const info = parent === undefined || parent < 1 ? undefined : processes.read(parent);
    if (parent === undefined || !info) break;
    const line = words(info.args);
    const isLauncher = isDenoTask(line) || isPackageRunner(line);
    if (!isLauncher && !isWrapper(line)) break;
    chain.push(parent);
    if (isLauncher) kept = chain.length;
    pid = parent;
  }
  return chain.slice(0, kept);
}

/** Whether each is still the child of the one after it. */
export function isChainWhole(
  chain: readonly number[],
  parents: ReadonlyMap<number, number>,
): boolean {
  return chain.slice(0, -1).every((pid, index) => parents.get(pid) === chain[index + 1]);
}
