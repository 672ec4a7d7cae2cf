/** Processes as `/proc` tells of them (proc(5)); Linux. */
export interface ProcessStatus {
  readonly pid: number;
  readonly parent: number;
  /** A letter; `Z`: it has ended, and its parent has not asked how. */
  readonly state: string;
  /** When it began, ticks since the system did: two with one pid differ in it. */
  readonly began: string;
}

/** Undefined where there is no such process. */
export function statusOf(pid: number): ProcessStatus | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The name in front may hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid, state: fields[0]!, parent: Number(fields[1]), began: fields[19]! };
  } catch {
    return undefined;
  }
}

/** Whether this process, and no later one with its pid, still runs or is stopped. */
export function isAlive({ pid, began }: ProcessStatus): boolean {
  const now = statusOf(pid);
  return now !== undefined && now.began === began && now.state !== "Z";
}

/** All that a process has started, and what those have, parents first; none that has ended. */
export function descendantsOf(root: number): ProcessStatus[] {
  const all = [...Deno.readDirSync("/proc")]
    .filter(({ name }) => /^\d+$/.test(name))
    .flatMap(({ name }) => statusOf(Number(name)) ?? []);
  const found: ProcessStatus[] = [];
  for (let parents = new Set([root]); parents.size > 0;) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map(({ pid }) => pid));
  }
  return found.filter(isAlive);
}
