import { fileURLToPath } from "node:url";
import { Child } from "../../support/child_process.ts";
import { DOMAIN, LOAD_CORE, onCore, PASSWORD, type Server, userName } from "./servers.ts";

/** SIPp on core 1. */

export interface Measured {
  readonly done: number;
  readonly failed: number;
  readonly retransmissions: number;
  /** Of the server, for each that was done, microseconds. */
  readonly cpuUs: number;
  /** Of the server's core while it ran, percent. */
  readonly load: number;
  readonly perSecond: number;
}

interface Load {
  readonly scenario: "register" | "uac";
  readonly rate: number;
  readonly count: number;
  readonly users: number;
  /** Index of the first of them; default 1, since user 0 is called. */
  readonly first?: number;
  /** Time between ACK and BYE, ms. */
  readonly holdMs?: number;
}

const LIMIT_SECONDS = 300;
/** Longer than SIPp runs. */
const FOR_EVER_MS = 1_000 * LIMIT_SECONDS;

/** Its files are in a temporary folder, and stay there. */
export class LoadGenerator {
  /** Whether the messages of calls bring SDP. */
  hasDescriptions = true;
  readonly #sipp: string;
  readonly #directory = Deno.makeTempDirSync({ prefix: "portzero-sipp-" });

  /** @param sipp path of the program */
  constructor(sipp: string) {
    this.#sipp = sipp;
  }

  /** Registers user 0 and answers calls for it. */
  async answer(server: Server): Promise<AsyncDisposable> {
    const port = 20_000 + Math.floor(Math.random() * 9_000);
    const one = { scenario: "register", rate: 1, count: 1, first: 0, users: 1 } as const;
    const { failed, done } = await this.run(server, one, ["-p", `${port}`]);
    if (failed > 0 || done !== 1) throw new Error(`${server.name}: the callee cannot register`);
    const args = [
      "-sf",
      await this.#scenario("uas"),
      "-i",
      "127.0.0.1",
      "-p",
      `${port}`,
      "-nostdin",
    ];
    const child = this.#spawn([...args, "-buff_size", "4194304"]);
    return child;
  }

  /** Calls that stand until the end, which they come to without a word. */
  async stand(server: Server, load: Load): Promise<AsyncDisposable> {
    const { args } = await this.#command(server, { ...load, holdMs: FOR_EVER_MS }, []);
    const child = this.#spawn(args);
    return child;
  }

  async run(server: Server, load: Load, more: readonly string[] = []): Promise<Measured> {
    const { args, statistics } = await this.#command(server, load, more);
    const before = server.cpuMs();
    const start = performance.now();
    const child = this.#spawn(args);
    await child.ended((LIMIT_SECONDS + 10) * 1000);
    const ms = performance.now() - start;
    const cpu = server.cpuMs() - before;
    await child[Symbol.asyncDispose]();
    const counts = readStatistics(await Deno.readTextFile(statistics));
    return {
      ...counts,
      cpuUs: cpu * 1000 / counts.done,
      load: cpu * 100 / ms,
      perSecond: counts.done * 1000 / ms,
    };
  }

  async #command(server: Server, load: Load, more: readonly string[]) {
    const { rate, count, users, first = 1, holdMs = 0 } = load;
    const statistics = await Deno.makeTempFile({ dir: this.#directory, suffix: ".csv" });
    // deno-fmt-ignore
    const args = [
      `127.0.0.1:${server.port}`, "-sf", await this.#scenario(load.scenario), "-inf", await this.#users(first, users),
      "-t", "u1", "-i", "127.0.0.1", "-r", `${rate}`, "-m", `${count}`, "-s", userName(0),
      "-d", `${holdMs}`, "-l", `${Math.max(2_000, 2 * rate, 12_000)}`, "-nostdin",
      "-buff_size", "4194304", "-timeout", `${LIMIT_SECONDS}s`,
      "-trace_stat", "-stf", statistics, "-fd", "1", ...more,
    ];
    return { args, statistics };
  }

  #spawn(args: readonly string[]): Child {
    const [program, command] = onCore(LOAD_CORE, [this.#sipp, ...args]);
    return new Child(program, command, { cwd: this.#directory, env: { TERM: "dumb" } });
  }

  async #scenario(name: string): Promise<string> {
    const source = fileURLToPath(new URL(`./${name}.xml`, import.meta.url));
    const text = await Deno.readTextFile(source);
    const file = `${this.#directory}/${name}.xml`;
    await Deno.writeTextFile(
      file,
      this.hasDescriptions ? text : text.replaceAll(DESCRIPTION, "Content-Length: 0"),
    );
    return file;
  }

  async #users(first: number, count: number): Promise<string> {
    const file = `${this.#directory}/users-${first}-${count}.csv`;
    const lines = Array.from({ length: count }, (_, i) => {
      const name = userName(first + i);
      return `${name};${DOMAIN};[authentication username=${name} password=${PASSWORD}]`;
    });
    await Deno.writeTextFile(file, ["SEQUENTIAL", ...lines, ""].join("\n"));
    return file;
  }
}

/** What stands in a scenario from the type of a description to its end. */
const DESCRIPTION =
  /Content-Type: application\/sdp\s+Content-Length: \[len\]\n\n[^]*?(?=\n\n +\]\]>)/g;

/** The last line of SIPp's statistics, by the names in its first. */
function readStatistics(text: string): Pick<Measured, "done" | "failed" | "retransmissions"> {
  const lines = text.trim().split("\n").map((line) => line.split(";"));
  const names = lines[0] ?? [];
  const last = lines.at(-1) ?? [];
  const value = (name: string) => Number(last[names.indexOf(name)]);
  return {
    done: value("SuccessfulCall(C)"),
    failed: value("FailedCall(C)"),
    retransmissions: value("Retransmissions(C)"),
  };
}
