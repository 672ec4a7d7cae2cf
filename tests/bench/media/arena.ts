import { fileURLToPath } from "node:url";
import { MAX_CALLS, type TableSpec } from "../relay/make_table.ts";
import { Background } from "./background.ts";
import { type Contender, relayOf } from "./contenders.ts";
import { buildNative, installed } from "./needs.ts";

/** One measured run, as the generator prints it. */
export interface Run {
  readonly calls: number;
  readonly perSecond: number;
  readonly sent: number;
  readonly received: number;
  readonly checked: number;
  /** Of RTP and RTCP: not authentic, or not what was sent. */
  readonly bad: number;
  readonly rtcpSent: number;
  readonly rtcpReceived: number;
  readonly cpuPercent: number;
  /** CPU of the relay's process for one forwarded packet. */
  readonly microseconds: number;
  readonly residentMb: number;
  readonly p50: number;
  readonly p99: number;
  readonly generatorPercent: number;
}

/** What one relay is to do. Ports are given by the arena. */
export type LoadSpec = Omit<TableSpec, "firstPort">;

/** Where ports are looked for: below those that the system gives to others. */
const PORTS = { first: 7_000, last: 31_900, step: 100 } as const;
/** In front of a block's other ports: the shared ones, two a worker. */
const SHARED_PORTS = 8;
/** Not measured, in front of each run, s. */
const WARM_UP = 1;
const PACKETS_PER_SECOND = 50;
/** For a port of the generator's that somebody else has, ms. */
const PORT_WAIT = 2000;
const MAX_TRIES = 5;

/** UDP ports of a relay and of its side of the generator. */
interface Block {
  readonly first: number;
  readonly end: number;
}

/** Ports that nobody uses at the moment, so that several relays can stay up. */
function freeBlock(
  contender: Contender,
  { calls, shared }: LoadSpec,
  taken: ReadonlySet<Block>,
): Block {
  // Those of rtpengine are in a range of its own.
  const legs = shared.every(Boolean) || contender === "rtpengine" ? 0 : 2 * calls;
  const size = SHARED_PORTS + legs + 2 * calls;
  const used = usedPorts();
  for (let first: number = PORTS.first; first + size <= PORTS.last; first += PORTS.step) {
    const end = first + size;
    if (used.some((port) => port >= first && port < end)) continue;
    if ([...taken].some((other) => first < other.end && other.first < end)) continue;
    return { first, end };
  }
  throw new Error(`no ${size} UDP ports in a row are free from ${PORTS.first} on`);
}

/** UDP ports in use on any IPv4 address. */
function usedPorts(): number[] {
  const rows = Deno.readTextFileSync("/proc/net/udp").split("\n").slice(1);
  return rows.map((row) => parseInt(row.match(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4})/)?.[1] ?? "0", 16));
}

export const DENO_RUN = [
  "run",
  "-A",
  "--no-check",
  "--config",
  fileURLToPath(new URL("../../../deno.json", import.meta.url)),
] as const;

interface SpawnOptions {
  /** `piped` for those that end with their input. */
  readonly stdin?: "null" | "piped";
  /** Without the real-time priority that others may have. */
  readonly isCommon?: boolean;
}

interface StartOptions extends Pick<SpawnOptions, "isCommon"> {
  /** For relays that run in Deno. */
  readonly v8Flags?: readonly string[];
}

/** Runs relays on core 0 and the generator on core 1. */
export class Arena {
  readonly folder: string;
  readonly #isRealtime: boolean;
  readonly #taken = new Set<Block>();
  readonly #up = new Set<Relay>();
  #files = 0;

  private constructor(folder: string, isRealtime: boolean) {
    this.folder = folder;
    this.#isRealtime = isRealtime;
  }

  /** Installs what is missing (Debian, as root) and builds generator and reference relay. */
  static async prepare(isRealtime: boolean): Promise<Arena> {
    const folder = await Deno.makeTempDir({ prefix: "portzero-bench-" });
    await buildNative(folder, ["generate", "relay"]);
    if (isRealtime && !await installed("chrt", ["-r", "10", "true"])) {
      throw new Error("--realtime: chrt is not allowed here");
    }
    return new Arena(folder, isRealtime);
  }

  /** Starts a relay with its calls; it stays up until `end`. */
  async start(contender: Contender, spec: LoadSpec, options: StartOptions = {}) {
    const { v8Flags = [], isCommon = false } = options;
    if (spec.calls > MAX_CALLS) throw new Error(`${spec.calls} calls, at most ${MAX_CALLS}`);
    const block = freeBlock(contender, spec, this.#taken);
    this.#taken.add(block);
    const table = `${this.folder}/table${this.#files++}`;
    const firstPort = block.first + SHARED_PORTS;
    const relay = relayOf(contender, { ...spec, firstPort }, table, v8Flags);
    const background = new Background(
      this.spawn(0, relay.program, relay.args, { isCommon }),
    );
    const running = new Relay(this, background, { ...relay, table, frame: spec.frame ?? 1 }, () => {
      this.#taken.delete(block);
      this.#up.delete(running);
    });
    this.#up.add(running);
    await background.until(relay.isUp);
    await relay.prepare?.(background.output);
    return running;
  }

  /** All that are up. */
  async end(): Promise<void> {
    for (const relay of [...this.#up]) await relay.end();
  }

  spawn(
    core: number,
    program: string,
    args: readonly string[],
    { stdin = "null", isCommon = false }: SpawnOptions = {},
  ): Deno.ChildProcess {
    const priority = this.#isRealtime && !isCommon ? ["chrt", "-r", "10"] : [];
    return new Deno.Command("taskset", {
      args: ["-c", `${core}`, ...priority, program, ...args],
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}

/** What the generator is told of a relay's load. */
interface Load {
  readonly table: string;
  readonly greetings: string | null;
  readonly frame: number;
}

/** A relay that is up. */
export class Relay {
  readonly #arena: Arena;
  readonly #background: Background;
  readonly #load: Load;
  readonly #release: () => void;
  /** Packets of its runs have numbers that follow one another. */
  #sequence = 1;

  constructor(
    arena: Arena,
    background: Background,
    load: Load,
    release: () => void,
  ) {
    this.#arena = arena;
    this.#background = background;
    this.#load = load;
    this.#release = release;
  }

  get output(): string {
    return this.#background.output;
  }

  pause(): void {
    this.#background.pause();
  }

  resume(): void {
    this.#background.resume();
  }

  /** @throws Error where it failed, or RTCP does not come back */
  async measure(bytes: number, seconds: number): Promise<Run> {
    const { pid } = this.#background;
    const { table, greetings, frame } = this.#load;
    const args = [
      ...[table, pid, bytes, seconds, PACKETS_PER_SECOND, WARM_UP, this.#sequence, frame],
      ...(greetings === null ? [] : [greetings]),
    ].map(String);
    this.#sequence += Math.ceil((seconds + WARM_UP + 1) * PACKETS_PER_SECOND);
    const text = await this.#generate(args);
    if (this.#background.isEnded) throw new Error(`a relay ended: ${this.output.slice(-500)}`);
    const run = JSON.parse(text) as Run;
    if (run.rtcpReceived === 0) throw new Error(`no RTCP of ${run.rtcpSent} packets came back`);
    return run;
  }

  async #generate(args: readonly string[]): Promise<string> {
    for (let tries = 0;; tries++) {
      const generator = this.#arena.spawn(1, `${this.#arena.folder}/generate`, args);
      const { stdout, stderr } = await generator.output();
      const text = new TextDecoder().decode(stdout);
      if (text !== "") return text;
      const error = new TextDecoder().decode(stderr);
      // Between two runs a port is free, and may be somebody else's for a moment.
      if (tries === MAX_TRIES || !error.includes("in use")) {
        throw new Error(`the generator failed: ${error}`);
      }
      await new Promise((resolve) => setTimeout(resolve, PORT_WAIT));
    }
  }

  async end(): Promise<void> {
    await this.#background.end();
    this.#release();
  }
}
