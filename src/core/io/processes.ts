/** The system's processes, as far as it takes to see who started whom. */
export interface ProcessTable {
  /** Undefined: no such process, or not to be seen. */
  read(pid: number): ProcessInfo | undefined;
  /** The present parent of each that is still there; cheap enough to ask twice a second. */
  parents(pids: readonly number[]): Map<number, number> | Promise<Map<number, number>>;
}

export interface ProcessInfo {
  readonly parent: number;
  /** Command line; a program that gave itself a title has it as one element with blanks. */
  readonly args: readonly string[];
}

/** Linux. */
export const procTable: ProcessTable = {
  read(pid) {
    const parent = parentFromProc(pid);
    if (parent === undefined) return undefined;
    try {
      const line = Deno.readTextFileSync(`/proc/${pid}/cmdline`);
      return { parent, args: line.replace(/[\0 ]+$/, "").split("\0") };
    } catch {
      return undefined;
    }
  },
  parents(pids) {
    const parents = new Map<number, number>();
    for (const pid of pids) {
      const parent = parentFromProc(pid);
      if (parent !== undefined) parents.set(pid, parent);
    }
    return parents;
  },
};

/** Field 4 of `/proc/PID/stat`; the name before it may hold blanks and parentheses (proc(5)). */
function parentFromProc(pid: number): number | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** Every system with POSIX `ps`, such as macOS: a process for each question. */
export const psTable: ProcessTable = {
  read(pid) {
    try {
      const { stdout } = new Deno.Command("ps", {
        args: ["-ww", "-o", "ppid=,args=", "-p", String(pid)],
        stdin: "null",
        stderr: "null",
      }).outputSync();
      const found = /^\s*(\d+)\s+(.*?)\s*$/m.exec(new TextDecoder().decode(stdout));
      return found ? { parent: Number(found[1]), args: found[2]!.split(/ +/) } : undefined;
    } catch {
      return undefined;
    }
  },
  async parents(pids) {
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "pid=,ppid=", "-p", pids.join(",")],
      stdin: "null",
      stderr: "null",
    }).output();
    const rows = new TextDecoder().decode(stdout).matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm);
    return new Map([...rows].map(([, pid, parent]) => [Number(pid), Number(parent)]));
  },
};

/** The table of this system; undefined where processes have no lasting parent (Windows). */
export function systemProcesses(): ProcessTable | undefined {
  if (Deno.build.os === "windows") return undefined;
  return Deno.build.os === "linux" ? procTable : psTable;
}
