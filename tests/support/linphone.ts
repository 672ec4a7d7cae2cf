import { join } from "node:path";
import type { PhoneCodec } from "./baresip.ts";
import { Child } from "./child_process.ts";
import { needs } from "./needs.ts";
import { toneWav } from "./tones.ts";
import { type HeardTone, loudestTone, newestSound, untilHeard } from "./wav_tone.ts";

/** A soft phone: Linphone's console program, told what to do line by line. */

export const LINPHONE = needs("linphone");

export interface LinphoneOptions {
  /** Account at the server, and digest user name. */
  readonly user: string;
  readonly password?: string;
  readonly transport?: "udp" | "tcp" | "tls";
  /** Of the server, for this transport, on 127.0.0.1. */
  readonly port: number;
  /** PEM certificate that TLS trusts. */
  readonly trusted?: string;
  /** The tone that it plays. */
  readonly hertz: number;
  readonly codec?: PhoneCodec;
  /** SRTP by SDES, insisted on. */
  readonly isSecure?: boolean;
}

const PATIENCE_MS = 20_000;
/** Its file ends then; no call of a test is longer, seconds. */
const TONE_SECONDS = 60;
/** Newest sound that is looked at, ms. */
const WINDOW_MS = 200;
/** It writes what it hears in blocks of 4 kB, 256 ms at 8 kHz; nothing for so long is silence. */
const QUIET_MS = 600;
/** Rate of the sound that it writes down, Hz: that of the codec. */
const RATES: Readonly<Record<PhoneCodec, number>> = {
  PCMU: 8_000,
  PCMA: 8_000,
  G722: 16_000,
  opus: 48_000,
};

export class Linphone implements AsyncDisposable {
  readonly user: string;
  readonly #child: Child;
  readonly #directory: string;
  readonly #domain: string;
  readonly #rate: number;

  private constructor(options: LinphoneOptions, directory: string, child: Child) {
    this.user = options.user;
    this.#child = child;
    this.#directory = directory;
    this.#domain = domainOf(options);
    this.#rate = RATES[options.codec ?? "PCMU"];
  }

  /** A phone that has registered; throws with all that it said when it can't. */
  static async start(options: LinphoneOptions): Promise<Linphone> {
    const directory = await Deno.makeTempDir({ prefix: "portzero-linphone-" });
    const file = (name: string) => join(directory, name);
    // It keeps its databases there, and makes no folder for them.
    await Deno.mkdir(file(".local/share/linphone"), { recursive: true });
    const { codec = "PCMU", hertz } = options;
    await Deno.writeFile(file("tone.wav"), toneWav(hertz, { rate: 8_000, seconds: TONE_SECONDS }));
    await Deno.writeTextFile(file("ca.pem"), options.trusted ?? "");
    await Deno.writeTextFile(file("linphonerc"), configuration(directory, options));
    // deno-fmt-ignore
    const child = new Child(LINPHONE.path, [
      "-c", file("linphonerc"), "-S", "-d", "6", "-l", file("log"),
    ], { cwd: directory, env: { HOME: directory, TERM: "dumb" }, isTold: true });
    const phone = new Linphone(options, directory, child);
    try {
      await phone.#tell("soundcard use files");
      await phone.#tell(`play ${file("tone.wav")}`);
      await phone.#tell(`record ${file("heard.wav")}`);
      await phone.#speaks(codec);
      await phone.#registered();
      return phone;
    } catch (fault) {
      await phone[Symbol.asyncDispose]();
      throw fault;
    }
  }

  /** Waits for the `count`th line that fits. */
  async tells(pattern: RegExp, count = 1, ms = PATIENCE_MS): Promise<void> {
    await this.#child.expect(new RegExp(`(?:[^]*?${pattern.source}){${count}}`), ms).catch(() =>
      this.#fail(`no ${pattern} (${count}) within ${ms} ms`)
    );
  }

  dial = (user: string) => this.#tell(`call sip:${user}@${this.#domain}`);
  answer = () => this.#tell("answer");
  hangup = () => this.#tell("terminate");
  hold = () => this.#tell("pause");
  resume = () => this.#tell("resume");
  /** RFC 4733 events. */
  digits = (digits: string) => this.#tell(digits);
  /** Blind transfer by REFER. */
  transfer = (user: string) => this.#tell(`transfer sip:${user}@${this.#domain}`);

  rings = (count = 1) => this.tells(/Receiving new incoming call from/, count);
  ringsBack = (count = 1) => this.tells(/Call \d+ to \S+ ringing/, count);
  established = (count = 1) => this.tells(/Media streams established/, count);
  closed = (count = 1) => this.tells(/Call \d+ with \S+ ended/, count);
  fails = (count = 1) => this.tells(/Call \d+ with \S+ error/, count);
  isHeld = (count = 1) => this.tells(/Call \d+ has been paused by/, count);
  holds = (count = 1) => this.tells(/Call \d+ with \S+ is now paused/, count);

  /** Waits until these digits have come, in this order and each once. */
  async hearsDigits(digits: string): Promise<void> {
    if (digits !== "") await this.tells(/Receiving tone \S from/, digits.length);
    const heard = [...this.#child.output.matchAll(/Receiving tone (\S) from/g)];
    const text = heard.map(([, digit]) => digit).join("");
    if (text !== digits) await this.#fail(`digits "${text}", not "${digits}"`);
  }

  /** Waits until what comes in has this tone and hardly anything else; 0: silence, or nothing. */
  async hears(hertz: number, ms = PATIENCE_MS): Promise<void> {
    await untilHeard(() => this.#newest(), hertz, ms).catch(({ message }: Error) =>
      this.#fail(message)
    );
  }

  /** Descriptions that it has sent and received, among all that it wrote down. */
  async descriptions(): Promise<string[]> {
    const log = await Deno.readTextFile(join(this.#directory, "log"));
    return [...log.matchAll(/^m=audio .*$/gm)].map(([line]) => line);
  }

  /** Ends the call if there is one, unregisters and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tell("quit");
    await this.#child.ended(5_000).catch(() => {});
    await this.#child[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #tell(line: string): Promise<void> {
    await this.#child.tell(`${line}\n`);
  }

  /** One codec, and none of the others. */
  async #speaks(codec: PhoneCodec): Promise<void> {
    await this.#tell("codec list");
    await this.tells(/\n *0: \S+ \(\d+\)[^]*?\nlinphonec> /);
    const listed = this.#child.output.matchAll(/^ *(\d+): (\S+) \(/gm);
    for (const [, index, name] of listed) {
      await this.#tell(`codec ${name === codec ? "enable" : "disable"} ${index}`);
    }
  }

  async #registered(): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS;;) {
      const known = this.#child.output.length;
      await this.#tell("status register");
      await this.#child.expect(new RegExp(`^[^]{${known}}[^]*?register(?:ed=|ed, )`));
      if (/registered, identity=/.test(this.#child.output.slice(known))) return;
      if (performance.now() > end) await this.#fail("not registered");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #newest(): Promise<HeardTone> {
    const file = join(this.#directory, "heard.wav");
    const mtime = await Deno.stat(file).then((info) => info.mtime, () => undefined);
    if (!mtime) return { hertz: -1, purity: 0 };
    if (Date.now() - mtime.getTime() > QUIET_MS) return { hertz: 0, purity: 0 };
    const bytes = await Deno.readFile(file);
    // It fills in the header at the end only.
    if (bytes.length < 44) return { hertz: -1, purity: 0 };
    const header = new DataView(bytes.buffer);
    header.setUint16(22, 1, true);
    header.setUint32(24, this.#rate, true);
    const sound = newestSound(bytes, WINDOW_MS);
    return sound ? loudestTone(sound) : { hertz: -1, purity: 0 };
  }

  async #fail(what: string): Promise<never> {
    const log = await Deno.readTextFile(join(this.#directory, "log")).catch(() => "");
    const said = this.#child.output.slice(-3_000);
    throw new Error(`linphone ${this.user}: ${what}\n${said}\n${log.slice(-9_000)}`);
  }
}

/** By name over TLS: its TLS library finds no addresses in certificates. */
function domainOf({ port, transport }: LinphoneOptions): string {
  return `${transport === "tls" ? "localhost" : "127.0.0.1"}:${port}`;
}

/** Ports of its own (-1: any; -2: none), on loopback; asks nobody else. */
function configuration(directory: string, options: LinphoneOptions): string {
  const { user, password = "1234", transport = "udp", isSecure = false } = options;
  const domain = domainOf(options);
  return `[sip]
default_proxy=0
sip_port=${transport === "udp" ? -1 : -2}
sip_tcp_port=${transport === "tcp" ? -1 : -2}
sip_tls_port=${transport === "tls" ? -1 : -2}
bind_address=127.0.0.1
use_ipv6=0
guess_hostname=0
contact=sip:${user}@127.0.0.1
root_ca=${directory}/ca.pem
verify_server_certs=1
verify_server_cn=1
media_encryption=${isSecure ? "srtp" : "none"}
media_encryption_mandatory=${isSecure ? 1 : 0}
[net]
mtu=1300
[rtp]
bind_address=127.0.0.1
audio_rtp_port=27500-27999
[proxy_0]
reg_proxy=<sip:${domain};transport=${transport}>
reg_identity=sip:${user}@${domain}
reg_expires=300
reg_sendregister=1
publish=0
[auth_info_0]
username=${user}
passwd=${password}
realm=*
`;
}
