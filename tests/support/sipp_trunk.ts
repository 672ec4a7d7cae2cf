import { fileURLToPath } from "node:url";
import { Child } from "./child_process.ts";

/** SIPp as a phone or a carrier's gateway. */

const CALLER = fileURLToPath(new URL("sipp/caller.xml", import.meta.url));
const CALLEE = fileURLToPath(new URL("sipp/callee.xml", import.meta.url));

const LIMIT_SECONDS = 40;
const END_MS = 15_000;

export interface SippTrunkOptions {
  /** Of loopback; SIP over UDP. */
  readonly port: number;
  /** Its RTP comes and goes here, and what comes goes back. */
  readonly mediaPort: number;
  /** `answer` takes one call; `call` makes one to `number` at `remote`, three seconds long. */
  readonly role: "answer" | "call";
  readonly remote?: string;
  readonly number?: string;
}

export class SippTrunk implements AsyncDisposable {
  readonly #child: Child;
  readonly #directory: string;

  private constructor(child: Child, directory: string) {
    this.#child = child;
    this.#directory = directory;
  }

  static async start(path: string, options: SippTrunkOptions): Promise<SippTrunk> {
    const { port, mediaPort, role, remote = "127.0.0.1:9", number = "" } = options;
    const directory = await Deno.makeTempDir({ prefix: "portzero-sipp-" });
    const part = role === "answer" ? ["-sf", CALLEE] : ["-sf", CALLER, "-s", number, "-d", "3000"];
    // deno-fmt-ignore
    const child = new Child(path, [
      ...part, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", `${port}`, "-mp", `${mediaPort}`,
      "-rtp_echo", "-m", "1", "-nostdin", "-trace_err", "-trace_msg", "-message_file",
      `${directory}/messages.log`, "-timeout", `${LIMIT_SECONDS}s`, "-timeout_error", remote,
    ], { cwd: directory, env: { TERM: "dumb" } });
    return new SippTrunk(child, directory);
  }

  /** Waits for the end of the call; throws where it did not go as the scenario says. */
  async done(): Promise<void> {
    const { code } = await this.#child.ended((LIMIT_SECONDS + 5) * 1000);
    if (code !== 0) throw new Error(`SIPp ended with ${code}:\n${await this.messages()}`);
  }

  /** What was sent and received, as text. */
  messages(): Promise<string> {
    return Deno.readTextFile(`${this.#directory}/messages.log`).catch(() => this.#child.output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.signal("SIGKILL");
    } catch {
      /* It has ended by itself. */
    }
    await this.#child.ended(END_MS).catch(() => {});
    await this.#child[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** A UDP port of loopback that nobody has. */
export function freeUdpPort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}
