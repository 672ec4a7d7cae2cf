import { fileURLToPath } from "node:url";
import { MAX_CALLS, type TableSpec } from "../relay/make_table.ts";
import { type Contender, relayOf } from "./contenders.ts";
import { buildNative, installed } from "./needs.ts";

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

/** What one relay is to do. Ports are given by the arena. */
export type LoadSpec = Omit<TableSpec, "firstPort">;

/** UDP ports of a relay and of its side of the generator, so that several can stay up. */
const BLOCKS = [7_600, 15_700, 23_800] as const;
/** In front of a block's other ports: the shared ones, two a worker. */
export const SHARED_PORTS = 8;
const BOOT_LIMIT = 30_000;
/** Not measured, in front of each run, s. */
const WARM_UP = 1;
const PACKETS_PER_SECOND = 50;

export const DENO_RUN = [
  "run",
  "-A",
  "--no-check",
  "--config",
  fileURLToPath(new URL("../../../deno.json", import.meta.url)),
] as const;

/** Runs relays on core 0 and the generator on core 1. */
export class Arena {
  readonly folder: string;
  readonly #isRealtime: boolean;
  readonly #free: number[] = [...BLOCKS];
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
  async start(contender: Contender, spec: LoadSpec, v8Flags: readonly string[] = []) {
    if (spec.calls > MAX_CALLS) throw new Error(`${spec.calls} calls, at most ${MAX_CALLS}`);
    const block = this.#free.shift();
    if (block === undefined) throw new Error("no more ports for another relay");
    const table = `${this.folder}/table${this.#files++}`;
    const relay = relayOf(contender, { ...spec, firstPort: block + SHARED_PORTS }, table, v8Flags);
    const child = this.spawn(0, relay.program, relay.args);
    const running = new Relay(this, child, relay.greetings, table, () => {
      this.#free.unshift(block);
      this.#up.delete(running);
    });
    this.#up.add(running);
    await running.untilUp(relay.isUp);
    await relay.prepare?.(running.output);
    return running;
  }

  /** All that are up. */
  async end(): Promise<void> {
    for (const relay of [...this.#up]) await relay.end();
  }

  async remove(): Promise<void> {
    await this.end();
    await Deno.remove(this.folder, { recursive: true });
  }

  spawn(core: number, program: string, args: readonly string[]): Deno.ChildProcess {
    const priority = this.#isRealtime ? ["chrt", "-r", "10"] : [];
    return new Deno.Command("taskset", {
      args: ["-c", `${core}`, ...priority, program, ...args],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}

/** A relay that is up. */
export class Relay {
  readonly pid: number;
  readonly #arena: Arena;
  readonly #child: Deno.ChildProcess;
  readonly #greetings: string | null;
  readonly #table: string;
  readonly #release: () => void;
  readonly #read: Promise<unknown>;
  /** Runs so far: their packets have numbers that follow one another. */
  #sequence = 1;
  #text = "";
  #isEnded = false;
  #look: () => void = () => {};

  constructor(
    arena: Arena,
    child: Deno.ChildProcess,
    greetings: string | null,
    table: string,
    release: () => void,
  ) {
    this.#arena = arena;
    this.#child = child;
    this.#greetings = greetings;
    this.#table = table;
    this.#release = release;
    this.pid = child.pid;
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const text = stream.pipeThrough(
        new TextDecoderStream() as TransformStream<Uint8Array, string>,
      );
      for await (const part of text) {
        this.#text += part;
        this.#look();
      }
    };
    this.#read = Promise.all([read(child.stdout), read(child.stderr)]).then(() => {
      this.#isEnded = true;
      this.#look();
    });
  }

  /** What it has printed. */
  get output(): string {
    return this.#text;
  }

  /** Resolves when the relay has printed what fits. */
  async untilUp(isUp: RegExp): Promise<void> {
    const limit = setTimeout(() => this.#child.kill("SIGKILL"), BOOT_LIMIT);
    await new Promise<void>((resolve, reject) => {
      this.#look = () => {
        if (isUp.test(this.#text)) resolve();
        else if (this.#isEnded) reject(new Error(`a relay did not come up: ${this.#text}`));
      };
      this.#look();
    }).finally(() => clearTimeout(limit));
    this.#look = () => {};
  }

  async measure(bytes: number, seconds: number): Promise<Run> {
    const args = [
      ...[this.#table, this.pid, bytes, seconds, PACKETS_PER_SECOND, WARM_UP, this.#sequence],
      ...(this.#greetings === null ? [] : [this.#greetings]),
    ].map(String);
    this.#sequence += (seconds + WARM_UP + 1) * PACKETS_PER_SECOND;
    const { stdout, stderr } = await this.#arena.spawn(1, `${this.#arena.folder}/generate`, args)
      .output();
    const text = new TextDecoder().decode(stdout);
    if (text === "") throw new Error(`the generator failed: ${new TextDecoder().decode(stderr)}`);
    if (this.#isEnded) throw new Error(`a relay ended early: ${this.#text.slice(-500)}`);
    return JSON.parse(text) as Run;
  }

  async end(): Promise<void> {
    if (!this.#isEnded) this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#read;
    this.#release();
  }
}
