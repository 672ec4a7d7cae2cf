import { join } from "node:path";
import { before, Child } from "./child_process.ts";
import { needs } from "./needs.ts";
import { toneWav } from "./tones.ts";
import { type HeardTone, loudestTone, newestSound, untilHeard } from "./wav_tone.ts";

/** A desk phone: baresip in a process of its own, told what to do over its control socket. */

export const BARESIP = needs("baresip");

export type PhoneTransport = "udp" | "tcp" | "tls";
export type PhoneCodec = "PCMU" | "PCMA" | "G722" | "opus";

export interface BaresipOptions {
  /** Account at the server, and digest user name. */
  readonly user: string;
  readonly password?: string;
  readonly transport?: PhoneTransport;
  /** Of the server, for this transport, on 127.0.0.1. */
  readonly port: number;
  /** Domain of the account; the server's address and port unless told otherwise. */
  readonly domain?: string;
  /** PEM certificate that TLS trusts. */
  readonly trusted?: string;
  /** The tone that it plays; a multiple of 10. */
  readonly hertz: number;
  readonly codec?: PhoneCodec;
  /** SRTP by SDES: offered beside RTP, or insisted on. */
  readonly encryption?: "srtp" | "srtp-mand";
  /** Answers by itself. */
  readonly isAuto?: boolean;
  /** Registers nowhere and takes calls to `user` here, UDP: it plays a carrier's gateway. */
  readonly gatewayPort?: number;
}

/** Something that happened, as baresip tells it. */
export interface PhoneEvent {
  readonly type: string;
  readonly param?: string;
  readonly peeruri?: string;
}

const PATIENCE_MS = 15_000;
const POLL_MS = 50;
/** As baresip names them, with the rate of the sound that they take. */
const CODECS: Readonly<Record<PhoneCodec, { readonly name: string; readonly rate: number }>> = {
  PCMU: { name: "PCMU/8000/1", rate: 8_000 },
  PCMA: { name: "PCMA/8000/1", rate: 8_000 },
  G722: { name: "G722/16000/1", rate: 16_000 },
  opus: { name: "opus/48000/2", rate: 48_000 },
};
const CHANNELS: Readonly<Record<PhoneCodec, 1 | 2>> = { PCMU: 1, PCMA: 1, G722: 1, opus: 2 };
/** Its file ends then; no call of a test is longer, seconds. */
const TONE_SECONDS = 60;
/** Newest sound that is looked at, ms. */
const WINDOW_MS = 200;
/** No packet for so long is silence, ms. */
const QUIET_MS = 400;
/** At least so many of the 20 that come in QUIET_MS. */
const FLOWING_PACKETS = 8;

export class Baresip implements AsyncDisposable {
  readonly user: string;
  readonly events: PhoneEvent[] = [];
  readonly #child: Child;
  readonly #control: Deno.TcpConn;
  readonly #directory: string;
  readonly #domain: string;
  readonly #work: Promise<void>;
  readonly #answers = new Map<string, PromiseWithResolvers<string>>();
  #serial = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(o: BaresipOptions, directory: string, child: Child, control: Deno.TcpConn) {
    this.user = o.user;
    this.#domain = domainOf(o);
    this.#directory = directory;
    this.#child = child;
    this.#control = control;
    this.#work = this.#read();
  }

  /** A phone that has registered; throws with all that it said when it can't. */
  static async start(options: BaresipOptions): Promise<Baresip> {
    const directory = await Deno.makeTempDir({ prefix: "portzero-baresip-" });
    const port = freePort();
    const { rate } = CODECS[options.codec ?? "PCMU"];
    const channels = CHANNELS[options.codec ?? "PCMU"];
    const write = (name: string, text: string) => Deno.writeTextFile(join(directory, name), text);
    const sound = toneWav(options.hertz, { rate, seconds: TONE_SECONDS, channels });
    await Deno.writeFile(join(directory, "tone.wav"), sound);
    await write("ca.pem", options.trusted ?? "");
    await write("config", configText(directory, port, options));
    await write("accounts", accountText(options));
    await write("contacts", "");
    const child = new Child(BARESIP.path, ["-f", directory, "-s"], { cwd: directory });
    let phone: Baresip | undefined;
    try {
      await child.expect(/baresip is ready/);
      const control = await Deno.connect({ hostname: "127.0.0.1", port });
      phone = new Baresip(options, directory, child, control);
      if (options.gatewayPort === undefined) await phone.#registered();
      return phone;
    } catch (fault) {
      await phone?.[Symbol.asyncDispose]();
      await child[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true }).catch(() => {});
      throw new Error(`${fault instanceof Error ? fault.message : fault}\n${child.output}`);
    }
  }

  /** Address that it says as its own and is called by. */
  get uri(): string {
    return `sip:${this.user}@${this.#domain}`;
  }

  /** Everything that it wrote, SIP messages too. */
  get output(): string {
    return this.#child.output;
  }

  async dial(user: string): Promise<void> {
    await this.command("dial", user.startsWith("sip:") ? user : `sip:${user}@${this.#domain}`);
  }

  answer = () => this.command("accept");
  hangup = () => this.command("hangup");
  hold = () => this.command("hold");
  resume = () => this.command("resume");
  /** RFC 4733 events, or INFO where no telephone-event was agreed. */
  digits = (digits: string) => this.command("sndcode", digits);
  /** Blind transfer by REFER. */
  transfer = (target: string) => this.command("transfer", target);

  /** Waits for the `count`th event of a type. */
  async tells(type: string, count = 1, ms = PATIENCE_MS): Promise<PhoneEvent> {
    for (const end = performance.now() + ms;;) {
      const found = this.events.filter((event) => event.type === type)[count - 1];
      if (found) return found;
      const left = end - performance.now();
      if (left <= 0) throw new Error(this.#tell(`no ${type} (${count}) within ${ms} ms`));
      await before(this.#changed.promise, left);
    }
  }

  rings = (count = 1) => this.tells("CALL_INCOMING", count);
  established = (count = 1) => this.tells("CALL_ESTABLISHED", count);
  closed = (count = 1) => this.tells("CALL_CLOSED", count);

  /** Waits until these digits have come as telephone-events, in this order and each once. */
  async hearsDigits(digits: string, ms = PATIENCE_MS): Promise<void> {
    for (const end = performance.now() + ms;;) {
      const heard = this.events.filter(({ type }) => type === "CALL_DTMF_START");
      const text = heard.map(({ param }) => param).join("");
      if (text === digits) return;
      const left = end - performance.now();
      if (left <= 0 || !digits.startsWith(text)) throw new Error(this.#tell(`digits "${text}"`));
      await before(this.#changed.promise, left);
    }
  }

  /** Waits until what comes in has this tone and hardly anything else; 0: silence, or nothing. */
  async hears(hertz: number, ms = PATIENCE_MS): Promise<void> {
    await untilHeard(() => this.#newest(), hertz, ms).catch(({ message }: Error) => {
      throw new Error(this.#tell(message));
    });
  }

  /**
   * Waits until packets come in, or until they no longer do. After a re-INVITE this is all that can
   * be told: baresip then goes on without the filter that writes down what is heard.
   */
  async receives(isFlowing: boolean, ms = PATIENCE_MS): Promise<void> {
    for (const end = performance.now() + ms;;) {
      const first = await this.#received();
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      const more = await this.#received() - first;
      if (isFlowing ? more >= FLOWING_PACKETS : more === 0) return;
      if (performance.now() > end) {
        throw new Error(this.#tell(`flow ${isFlowing}: not within ${ms} ms, last ${more} packets`));
      }
    }
  }

  async #received(): Promise<number> {
    return Number(/ rcvd=(\d+)/.exec(await this.command("audio_debug"))?.[1] ?? 0);
  }

  async command(command: string, params = ""): Promise<string> {
    const token = `${++this.#serial}`;
    const answer = Promise.withResolvers<string>();
    this.#answers.set(token, answer);
    const text = JSON.stringify({ command, params, token });
    const bytes = new TextEncoder().encode(`${text.length}:${text},`); // ASCII
    for (let at = 0; at < bytes.length;) at += await this.#control.write(bytes.subarray(at));
    const data = await before(answer.promise, PATIENCE_MS);
    if (data === undefined) throw new Error(this.#tell(`no answer to ${command}`));
    return data;
  }

  /** Is gone from one moment to the next, without a word. */
  vanish(): void {
    this.#child.signal("SIGKILL");
  }

  /** Unregisters and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.signal("SIGTERM");
    } catch { /* It has ended by itself. */ }
    await this.#child.ended(5_000).catch(() => {});
    await this.#child[Symbol.asyncDispose]();
    await this.#work;
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #registered(): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS;;) {
      const info = await this.command("reginfo");
      if (info.includes("OK ")) return;
      if (performance.now() > end) throw new Error(`${this.user} is not registered: ${info}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #tell(what: string): string {
    const events = this.events.map(({ type, param }) => `${type} ${param ?? ""}`).join(", ");
    return `phone ${this.user}: ${what}; told: ${events}\n${this.output.slice(-6_000)}`;
  }

  /** The last thing heard, in the file that was written to last. */
  async #newest(): Promise<HeardTone> {
    let newest: { name: string; at: number } = { name: "", at: 0 };
    for await (const { name } of Deno.readDir(this.#directory)) {
      if (!name.endsWith("-dec.wav")) continue;
      const { mtime } = await Deno.stat(join(this.#directory, name));
      const at = mtime?.getTime() ?? 0;
      if (at >= newest.at) newest = { name, at };
    }
    if (newest.name === "") return { hertz: -1, purity: 0 };
    if (Date.now() - newest.at > QUIET_MS) return { hertz: 0, purity: 0 };
    const sound = newestSound(await Deno.readFile(join(this.#directory, newest.name)), WINDOW_MS);
    return sound ? loudestTone(sound) : { hertz: -1, purity: 0 };
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder("latin1");
    let pending = "";
    try {
      for (let count; (count = await this.#control.read(buffer)) !== null;) {
        pending += decoder.decode(buffer.subarray(0, count));
        for (let found; (found = /^(\d+):/.exec(pending));) {
          const start = found[0].length;
          const end = start + Number(found[1]);
          if (pending.length <= end) break;
          this.#take(pending.slice(start, end));
          pending = pending.slice(end + 1);
        }
      }
    } catch (fault) {
      if (!(fault instanceof Deno.errors.ConnectionReset)) throw fault;
    } finally {
      this.#control.close();
    }
  }

  #take(text: string): void {
    const message = JSON.parse(text) as PhoneEvent & { token?: string; data?: string };
    if (message.token !== undefined) this.#answers.get(message.token)?.resolve(message.data ?? "");
    else this.events.push(message);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Where packagers put its modules; beside the program where nothing else is known. */
function moduleFolder(): string {
  const { arch } = Deno.build;
  const folders = [
    "/usr/lib/baresip/modules",
    `/usr/lib/${arch}-linux-gnu/baresip/modules`,
    "/usr/lib64/baresip/modules",
  ];
  return folders.find((folder) => {
    try {
      return Deno.statSync(folder).isDirectory;
    } catch {
      return false;
    }
  }) ?? "/usr/local/lib/baresip/modules";
}

function domainOf({ domain, port }: BaresipOptions): string {
  return domain ?? `127.0.0.1:${port}`;
}

function configText(directory: string, controlPort: number, options: BaresipOptions): string {
  const { transport, codec = "PCMU" } = options;
  const { rate } = CODECS[codec];
  return `poll_method epoll
sip_listen 127.0.0.1:${options.gatewayPort ?? 0}
${transport === "tls" ? `sip_cafile ${directory}/ca.pem` : ""}
net_interface 127.0.0.1
call_local_timeout 60
call_max_calls 4
audio_player aubridge,nowhere
audio_source aufile,${directory}/tone.wav
audio_alert aubridge,alert
ausrc_srate ${rate}
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_txmode thread
rtp_ports 28000-28999
jitter_buffer_delay 1-5
snd_path ${directory}
statmode_default off
module_path ${moduleFolder()}
module g711.so
module g722.so
module opus.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:${controlPort}
`;
}

function accountText(options: BaresipOptions): string {
  const { user, password = "1234", transport = "udp", port, codec = "PCMU" } = options;
  const parts = [
    `<sip:${user}@${domainOf(options)};transport=${transport}>`,
    `auth_user=${user}`,
    `auth_pass=${password}`,
    `regint=${options.gatewayPort === undefined ? 300 : 0}`,
    `answermode=${options.isAuto ? "auto" : "manual"}`,
    `audio_codecs=${CODECS[codec].name}`,
    `outbound="sip:127.0.0.1:${port};transport=${transport}"`,
  ];
  if (options.encryption) parts.push(`mediaenc=${options.encryption}`);
  return `${parts.join(";")}\n`;
}
