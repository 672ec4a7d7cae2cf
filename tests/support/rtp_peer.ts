import { Buffer } from "node:buffer";
import type { LocalRtp, RemoteRtp, SdesKey } from "../../src/rtp/rtp_media_port.ts";
import { AesCmCipher } from "../../src/rtp/srtp/aes_cm.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { headerOf } from "./fake_phone.ts";

const RATE = 8000;
/** Samples of 20 ms. */
const FRAME = 160;
const MU_BIAS = 132;

/** ITU-T G.711 mu-law, written apart from the product's own. */
function muLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  let magnitude = Math.min(32_635, Math.abs(Math.round(sample))) + MU_BIAS;
  let exponent = 7;
  for (let mask = 0x4000; exponent > 0 && (magnitude & mask) === 0; mask >>= 1) exponent--;
  magnitude = (magnitude >> (exponent + 3)) & 15;
  return ~(sign | (exponent << 4) | magnitude) & 255;
}

function linear(code: number): number {
  const byte = ~code & 255;
  const magnitude = (((byte & 15) << 3) + MU_BIAS << ((byte >> 4) & 7)) - MU_BIAS;
  return byte & 0x80 ? -magnitude : magnitude;
}

/** Share of the samples' power that lies at a frequency, 0 to 1 (Goertzel). */
export function shareAt(samples: readonly number[], hertz: number): number {
  const w = 2 * Math.PI * hertz / RATE;
  let [re, im, power] = [0, 0, 0];
  samples.forEach((x, i) => {
    re += x * Math.cos(w * i);
    im += x * Math.sin(w * i);
    power += x * x;
  });
  return power === 0 ? 0 : 2 * (re * re + im * im) / (power * samples.length);
}

export interface PeerOptions {
  readonly hostname?: string;
  readonly keys?: { readonly send: SdesKey; readonly receive: SdesKey };
  readonly hertz?: number;
}

/** Opens an even port and the next. */
function openPair(hostname: string): [Deno.DatagramConn, Deno.DatagramConn] {
  for (let i = 0; i < 100; i++) {
    const rtp = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    const port = (rtp.addr as Deno.NetAddr).port;
    try {
      if (port % 2 === 0) {
        return [rtp, Deno.listenDatagram({ transport: "udp", hostname, port: port + 1 })];
      }
    } catch {
      // Taken; another pair will do.
    }
    rtp.close();
  }
  throw new Error(`no pair of ports is free on ${hostname}`);
}

/** A SIP phone's media over real sockets: plays a tone in PCMU, and keeps what it hears. */
export class RtpPeer {
  readonly #rtp: Deno.DatagramConn;
  readonly #rtcp: Deno.DatagramConn;
  readonly #options: PeerOptions;
  #sender: SrtpSender | null;
  #receiver: SrtpReceiver | null;
  /** RTP packets heard, opened; and compound RTCP packets. */
  readonly packets: Uint8Array[] = [];
  readonly reports: Uint8Array[] = [];
  /** Datagrams that were not protected as agreed. */
  unreadable = 0;
  ssrc = 0x1000 + Math.floor(Math.random() * 0x7fff0000);
  #sequence = Math.floor(Math.random() * 0x10000);
  #timestamp = Math.floor(Math.random() * 0x10000);
  #sample = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #to: Deno.NetAddr | null = null;
  #waiting: (() => void)[] = [];

  constructor(options: PeerOptions = {}) {
    this.#options = options;
    [this.#rtp, this.#rtcp] = openPair(options.hostname ?? "127.0.0.1");
    const { keys } = options;
    this.#sender = keys ? new SrtpSender(cipherOf(keys.send)) : null;
    this.#receiver = keys ? new SrtpReceiver(cipherOf(keys.receive)) : null;
    this.#pump(this.#rtp, (data) => this.#heard(data));
    this.#pump(this.#rtcp, (data) => this.reports.push(data));
  }

  get port(): number {
    return (this.#rtp.addr as Deno.NetAddr).port;
  }

  /** Goes over to other keys, of one direction or both. */
  rekey({ send, receive }: { readonly send?: SdesKey; readonly receive?: SdesKey }): void {
    if (send !== undefined) this.#sender = new SrtpSender(cipherOf(send));
    if (receive !== undefined) this.#receiver = new SrtpReceiver(cipherOf(receive));
  }

  /** What this phone's SDP would say. */
  remote(changes: Partial<RemoteRtp> = {}): RemoteRtp {
    const { keys, hostname } = this.#options;
    return {
      address: hostname ?? "127.0.0.1",
      port: this.port,
      rtcpPort: this.port + 1,
      keys: keys ? { receive: keys.send, send: keys.receive } : null,
      payloads: [
        { payloadType: 0, codec: "PCMU", clockRate: RATE },
        { payloadType: 101, codec: "telephone-event", clockRate: RATE },
      ],
      hasFeedback: false,
      ...changes,
    };
  }

  /** Plays its tone towards there, a packet each 20 ms, until `close`. */
  play(local: LocalRtp): void {
    this.#to = { transport: "udp", hostname: local.address, port: local.port };
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#frame(), 20);
  }

  #frame(): void {
    const { hertz = 440 } = this.#options;
    const payload = Uint8Array.from(
      { length: FRAME },
      (_, i) => muLaw(8000 * Math.sin(2 * Math.PI * hertz * (this.#sample + i) / RATE)),
    );
    this.#sample += FRAME;
    this.#timestamp = (this.#timestamp + FRAME) >>> 0;
    this.send(0, payload, this.#timestamp);
  }

  send(payloadType: number, payload: Uint8Array, timestamp: number, marker = false): void {
    if (this.#to === null) throw new Error("play first: it says where to");
    const packet = new Uint8Array(12 + payload.length + 20);
    const view = new DataView(packet.buffer);
    packet.set([0x80, payloadType | (marker ? 0x80 : 0)]);
    view.setUint16(2, this.#sequence++ & 0xffff);
    view.setUint32(4, timestamp);
    view.setUint32(8, this.ssrc);
    packet.set(payload, 12);
    const plain = 12 + payload.length;
    const size = this.#sender?.protectRtp(packet, 0, plain) ?? plain;
    this.#rtp.send(packet.slice(0, size), this.#to).catch(() => {});
  }

  /** Sends digits as telephone-events, 60 ms each, without waiting for their time to pass. */
  press(digits: string): void {
    for (const digit of digits) {
      const event = "0123456789*#ABCD".indexOf(digit);
      const timestamp = this.#timestamp = (this.#timestamp + 800) >>> 0;
      for (const [i, duration] of [160, 320, 480, 480, 480].entries()) {
        const flags = (i >= 2 ? 0x80 : 0) | 10;
        this.send(
          101,
          Uint8Array.of(event, flags, duration >> 8, duration & 255),
          timestamp,
          i === 0,
        );
      }
    }
  }

  #heard(data: Uint8Array): void {
    const size = this.#receiver === null
      ? data.length
      : this.#receiver.unprotectRtp(data, 0, data.length);
    if (size < 12) this.unreadable++;
    else this.packets.push(data.slice(0, size));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Samples of the PCMU packets heard since `from`. */
  samples(from = 0): number[] {
    return this.packets.slice(from).filter((packet) => headerOf(packet).payloadType === 0)
      .flatMap((packet) => [...packet.subarray(12)].map(linear));
  }

  /** Digits heard, by their ends. */
  digits(): string {
    let digits = "";
    let last = -1;
    for (const packet of this.packets) {
      const { payloadType, timestamp } = headerOf(packet);
      if (payloadType !== 101 || packet[13]! < 128 || timestamp === last) continue;
      last = timestamp;
      digits += "0123456789*#ABCD"[packet[12]!];
    }
    return digits;
  }

  /** Waits until something holds; looked at with each packet. */
  async until(what: string, holds: () => boolean, within = 10_000): Promise<void> {
    const end = performance.now() + within;
    while (!holds()) {
      const left = end - performance.now();
      if (left <= 0) {
        const last = this.packets.at(-1);
        const shown = last === undefined
          ? "none"
          : Buffer.from(last.subarray(0, 16)).toString("hex");
        throw new Error(
          `${what}: not within ${within} ms; ${this.packets.length} packets, last ${shown}, ` +
            `${this.unreadable} unreadable`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 50));
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Waits for a tone: nearly all power of the last 200 ms at this frequency. */
  async hears(hertz: number, within?: number): Promise<void> {
    await this.until(`hearing ${hertz} Hz`, () => {
      const samples = this.samples().slice(-10 * FRAME);
      return samples.length === 10 * FRAME && shareAt(samples, hertz) > 0.9;
    }, within);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#rtp.close();
    this.#rtcp.close();
  }

  async #pump(socket: Deno.DatagramConn, take: (data: Uint8Array) => void): Promise<void> {
    try {
      for await (const [data] of socket) take(data);
    } catch {
      // Closed.
    }
  }
}

function cipherOf({ suite, material }: SdesKey): AesCmCipher {
  const tag = suite === "AES_CM_128_HMAC_SHA1_32" ? 4 : 10;
  return new AesCmCipher(material.slice(0, 16), material.slice(16), tag);
}

export function sdesKey(suite: SdesKey["suite"]): SdesKey {
  return { suite, material: crypto.getRandomValues(new Uint8Array(30)) };
}
