import { fileURLToPath } from "node:url";
import type { CallSummary, CallView } from "../../src/actors/control_plane.ts";
import type { CodecName } from "../../src/rtp/codec/codec.ts";
import { Child } from "./child_process.ts";

/** The real server in a process of its own, with a fresh data folder and free ports. */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const READY_MS = 30_000;
/** What the product promises for its end. */
const END_MS = 10_000;
const ERROR_LINE = /^\S+ (?:error|fatal)\s/;
const POLL_MS = 50;

export interface LabOptions {
  /** Keys of the configuration as environment variables: `PORTZERO_SIP_RING_TIMEOUT_SECONDS`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Of the runtime, before the program. */
  readonly runtimeArgs?: readonly string[];
  /** A configuration file's content, for what variables can't say. */
  readonly config?: unknown;
  /** Lines of the log at level error that the test provokes. */
  readonly expectedErrors?: RegExp;
}

/** For `config.sip.accounts`: its phones are offered SRTP by SDES, and take nothing else. */
export const SECURE_ACCOUNT = { name: "secure", password: "1234", srtp: "require" } as const;

/** A codec in `/api/health`. */
interface CodecHealth {
  readonly codec: CodecName;
  readonly available: boolean;
}

export class Lab {
  readonly child: Child;
  readonly #directory: string;
  readonly #expectedErrors: RegExp | undefined;
  #port = 0;
  #restPort = 0;
  #tlsPort = 0;
  #sipPort = 0;
  #sipTlsPort = 0;

  private constructor(directory: string, options: LabOptions) {
    this.#directory = directory;
    this.#expectedErrors = options.expectedErrors;
    const { runtimeArgs = [] } = options;
    const run = ["run", "-A", "--no-check", ...runtimeArgs];
    const args = [...run, "main.ts", ...(options.args ?? [])];
    if (options.config !== undefined) {
      const file = `${directory}/lab.jsonc`;
      Deno.writeTextFileSync(file, JSON.stringify(options.config));
      args.push("--config", file);
    }
    this.child = new Child(Deno.execPath(), args, {
      cwd: ROOT,
      env: {
        PORTZERO_HTTP_PORT: "0",
        PORTZERO_HTTP_TLSPORT: "0",
        PORTZERO_HTTP_RESTPORT: "0",
        PORTZERO_HTTP_RESTTLSPORT: "0",
        PORTZERO_SIP_PORT: "0",
        PORTZERO_SIP_TLSPORT: "0",
        PORTZERO_DATA_DIRECTORY: directory,
        PORTZERO_MEDIA_PORTFROM: "26000",
        PORTZERO_MEDIA_PORTTO: "26999",
        PORTZERO_LOG_LEVEL: "debug",
        // Browsers beside the server keep it waiting; that is no overload of its own.
        PORTZERO_SIP_LIMITS_LAGMS: "10000",
        ...options.env,
      },
    });
  }

  static async start(options: LabOptions = {}): Promise<Lab> {
    const directory = await Deno.makeTempDir({ prefix: "portzero-lab-" });
    const lab = new Lab(directory, options);
    try {
      const early = lab.child.ended(READY_MS).then(({ code }) => {
        throw new Error(`the server ended with ${code} before it was ready:\n${lab.tail()}`);
      });
      // Only an early one is news.
      early.catch(() => {});
      const ready = lab.child.expect(/ ready in .* phone http:\/\/[^:]+:(\d+)\//, READY_MS);
      const [, port] = await Promise.race([ready, early]);
      const [, restPort] = await lab.child.expect(/aliases: http (\d+)/);
      lab.#port = Number(port);
      lab.#restPort = Number(restPort);
      const [, tlsPort] = await lab.child.expect(/HTTPS +https:\/\/[^:]+:(\d+)\//);
      lab.#tlsPort = Number(tlsPort);
      const [, sipPort, sipTlsPort] = await lab.child.expect(/SIP +udp\+tcp .*:(\d+), tls (\d+)/);
      lab.#sipPort = Number(sipPort);
      lab.#sipTlsPort = Number(sipTlsPort);
      return lab;
    } catch (fault) {
      await lab.child[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
      throw fault;
    }
  }

  get port(): number {
    return this.#port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Origin of the Web Call Server's REST port. */
  get restOrigin(): string {
    return `http://127.0.0.1:${this.#restPort}`;
  }

  get tlsPort(): number {
    return this.#tlsPort;
  }

  /** PEM, for clients that are to trust it. */
  async certificate(): Promise<string> {
    const pem = await Deno.readTextFile(`${this.#directory}/tls.pem`);
    const [certificate] = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(pem)!;
    return certificate;
  }

  /** Of UDP and TCP. */
  get sipPort(): number {
    return this.#sipPort;
  }

  get sipTlsPort(): number {
    return this.#sipTlsPort;
  }

  /** What a phone must know to come by this transport. */
  async door(transport: string | undefined): Promise<{ port: number; trusted?: string }> {
    if (transport !== "tls") return { port: this.#sipPort };
    return { port: this.#sipTlsPort, trusted: await this.certificate() };
  }

  get webSocket(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** The last lines of the server's log. */
  tail(lines = 60): string {
    return this.child.output.trimEnd().split("\n").slice(-lines).join("\n");
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.origin + path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return await response.json() as T;
  }

  /** Live calls, or the ended ones. */
  async calls(query = ""): Promise<CallSummary[]> {
    return (await this.get<{ calls: CallSummary[] }>(`/api/calls${query}`)).calls;
  }

  call(id: string): Promise<CallView> {
    return this.get(`/api/calls/${id}`);
  }

  /** Asks until the answer fits; the API has no event for what statistics say. */
  async until<T>(what: string, ask: () => Promise<T>, fits: (answer: T) => boolean, ms = 10_000) {
    const end = performance.now() + ms;
    for (;;) {
      const answer = await ask();
      if (fits(answer)) return answer;
      if (performance.now() > end) {
        throw new Error(`not so within ${ms} ms: ${what}; last: ${JSON.stringify(answer)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** What codec workers can do; they start beside the server, which is ready without them. */
  async codecsOfWorkers(): Promise<readonly CodecHealth[]> {
    const ask = () => this.get<{ codecs: readonly CodecHealth[] }>("/api/health");
    const areThere = ({ codecs }: Awaited<ReturnType<typeof ask>>) => codecs.length > 0;
    return (await this.until("codec workers run", ask, areThere, READY_MS)).codecs;
  }

  /** Of the call that began last, leg by leg. */
  async transcodings() {
    const [call] = await this.calls();
    const { legs } = await this.call(call!.id);
    return legs.flatMap((leg) =>
      leg.kind === "sip" && leg.media?.transcoding ? [leg.media.transcoding] : []
    );
  }

  /** The codecs between which that call is translated. */
  async transcoded(): Promise<string[]> {
    return (await this.transcodings()).flatMap(({ from, to }) => [from, to]);
  }

  noLiveCalls(ms = 5_000): Promise<CallSummary[]> {
    return this.until("no call is live", () => this.calls(), (calls) => calls.length === 0, ms);
  }

  /** Errors in the log that the test did not provoke, and what never belongs there. */
  get errors(): string[] {
    return this.child.output.split("\n").filter((line) =>
      (ERROR_LINE.test(line) || /^(?:error:|Uncaught|\s+at .*\.ts:\d+)/.test(line)) &&
      !this.#expectedErrors?.test(line)
    );
  }

  /** SIGTERM; throws unless the process ends in time, with code 0 and without a word of error. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.signal("SIGTERM");
      const { code } = await this.child.ended(END_MS);
      if (code !== 0) throw new Error(`the server ended with ${code}:\n${this.tail()}`);
      const { errors } = this;
      if (errors.length > 0) throw new Error(`errors in the server's log:\n${errors.join("\n")}`);
    } finally {
      await this.child[Symbol.asyncDispose]();
      await Deno.remove(this.#directory, { recursive: true });
    }
  }
}
