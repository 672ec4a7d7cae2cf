import { fileURLToPath } from "node:url";
import { makeTable, type TableSpec } from "./make_table.ts";
import { rtpengineTable } from "./rtpengine.ts";

/** One measured run, as the generator prints it. */
export interface Run {
  readonly calls: number;
  readonly perSecond: number;
  readonly sent: number;
  readonly received: number;
  readonly checked: number;
  readonly bad: number;
  readonly cpuPercent: number;
  /** CPU of the relay's process for one forwarded packet. */
  readonly microseconds: number;
  readonly residentMb: number;
  readonly p50: number;
  readonly p99: number;
  readonly generatorPercent: number;
}

export type Contender = "ours" | "c" | "rtpengine";

const NATIVE = fileURLToPath(new URL("../native/", import.meta.url));
const RELAY = fileURLToPath(new URL("../relay_table.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));
const PACKAGES = ["rtpengine-daemon", "gcc", "libc6-dev", "libssl-dev"];
/** Between starting a relay and sending to it, ms. */
const BOOT = 1500;
const CONTROL_PORT = 11_990;

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" })
      .output();
    return success;
  } catch {
    return false;
  }
}

/** Ends a relay; one that has ended by itself says why. */
async function end(relay: Deno.ChildProcess, contender: Contender): Promise<void> {
  try {
    relay.kill("SIGTERM");
  } catch {
    const { stderr } = await relay.output();
    throw new Error(`${contender} ended early: ${new TextDecoder().decode(stderr).slice(-500)}`);
  }
  await relay.output();
}

/** Runs relays on core 0 and the generator on core 1. */
export class Arena {
  readonly #folder: string;
  readonly #realtime: boolean;
  readonly hasRtpengine: boolean;

  private constructor(folder: string, realtime: boolean, hasRtpengine: boolean) {
    this.#folder = folder;
    this.#realtime = realtime;
    this.hasRtpengine = hasRtpengine;
  }

  /** Installs what is missing (Debian, as root) and builds generator and reference relay. */
  static async prepare(realtime: boolean): Promise<Arena> {
    const has = () =>
      Promise.all([succeeds("rtpengine", ["--version"]), succeeds("cc", ["--version"])]);
    if (!(await has()).every(Boolean)) {
      await succeeds("apt-get", ["install", "-y", "--no-install-recommends", ...PACKAGES]);
    }
    const folder = await Deno.makeTempDir({ prefix: "portzero-bench-" });
    for (const name of ["generate", "relay"]) {
      const args = ["-O2", "-o", `${folder}/${name}`, `${NATIVE}${name}.c`, "-lcrypto"];
      const { success, stderr } = await new Deno.Command("cc", { args }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    }
    const [hasRtpengine] = await has();
    if (realtime && !await succeeds("chrt", ["-r", "10", "true"])) {
      throw new Error("--realtime: chrt is not allowed here");
    }
    return new Arena(folder, realtime, hasRtpengine!);
  }

  async remove(): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }

  async measure(
    contender: Contender,
    spec: TableSpec,
    bytes: number,
    seconds: number,
  ): Promise<Run> {
    const table = `${this.#folder}/table`;
    if (contender !== "rtpengine") await Deno.writeTextFile(table, makeTable(spec));
    const relay = this.#on(0, ...this.#relayCommand(contender, table));
    try {
      await new Promise((resolve) => setTimeout(resolve, BOOT));
      if (contender === "rtpengine") {
        await Deno.writeTextFile(table, await rtpengineTable(spec, CONTROL_PORT));
      }
      const args = [table, `${relay.pid}`, `${bytes}`, `${seconds}`];
      const { stdout, stderr } = await this.#on(1, `${this.#folder}/generate`, args).output();
      const text = new TextDecoder().decode(stdout);
      if (text === "") throw new Error(`the generator failed: ${new TextDecoder().decode(stderr)}`);
      return JSON.parse(text) as Run;
    } finally {
      await end(relay, contender);
    }
  }

  #relayCommand(contender: Contender, table: string): [string, string[]] {
    switch (contender) {
      case "ours":
        return [Deno.execPath(), ["run", "-A", "--no-check", "--config", CONFIG, RELAY, table]];
      case "c":
        return [`${this.#folder}/relay`, [table]];
      case "rtpengine":
        return ["rtpengine", [
          ...["--table=-1", "--foreground", "--interface=127.0.0.1", "--num-threads=1"],
          ...[`--listen-ng=127.0.0.1:${CONTROL_PORT}`, "--port-min=40000", "--port-max=59999"],
          ...["--log-level=3", "--log-stderr", "--timeout=600", "--silent-timeout=600"],
        ]];
    }
  }

  #on(core: number, program: string, args: string[]): Deno.ChildProcess {
    const priority = this.#realtime ? ["chrt", "-r", "10"] : [];
    return new Deno.Command("taskset", {
      args: ["-c", `${core}`, ...priority, program, ...args],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}
