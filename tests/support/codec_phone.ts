import {
  type Codec,
  type Encoder,
  MAX_PACKET_MS,
  type PcmRate,
} from "../../src/rtp/codec/codec.ts";
import type { CodecName, Decoder } from "../../src/rtp/codec/codec.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { headerOf } from "./fake_phone.ts";

/** The media of a phone that knows one codec, whichever: plays a tone in it, and hears in it. */

const HOST = "127.0.0.1";
const FRAME_MS = 20;
const EVENT_TYPE = 101;
const DIGITS = "0123456789*#ABCD";
const POLL_MS = 50;
const PATIENCE_MS = 30_000;
/** What is listened to at once, ms. */
const LISTEN_MS = 400;

/** Payload types as phones have them. */
export const TYPES: Readonly<Record<CodecName, number>> = {
  "PCMU": 0,
  "PCMA": 8,
  "G722": 9,
  "G729": 18,
  "OPUS": 111,
  "SPEEX/8000": 98,
  "SPEEX/16000": 97,
};

const catalogue = openCatalogue();

/** Codecs that this machine has a library for. */
export async function codecsHere(): Promise<ReadonlyMap<CodecName, Codec>> {
  return (await catalogue).codecs;
}

export class CodecPhone implements AsyncDisposable {
  readonly codec: Codec;
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  readonly #encoder: Encoder;
  readonly #decoder: Decoder;
  readonly #rate: PcmRate;
  readonly #hertz: number;
  readonly #pcm: Int16Array;
  readonly #reading: Promise<void>;
  readonly #ssrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  #samples: number[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #sequence = 0;
  #timestamp = 0;
  #at = 0;
  #to: Deno.NetAddr | undefined;
  /** RTP packets by payload type. */
  readonly heard = new Map<number, number>();
  /** Digits heard, by their ends. */
  digits = "";
  #lastDigit = -1;
  #theirs = 0;

  constructor(codec: Codec, hertz: number) {
    this.codec = codec;
    this.#hertz = hertz;
    this.#rate = codec.sampleRates[0]!;
    this.#encoder = codec.encoder({ sampleRate: this.#rate, packetMs: FRAME_MS, dtx: false });
    this.#decoder = codec.decoder({ sampleRate: this.#rate });
    this.#pcm = new Int16Array(this.#rate * MAX_PACKET_MS / 1000);
    this.#reading = this.#read();
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  get payloadType(): number {
    return TYPES[this.codec.name];
  }

  /** As this phone offers or answers. */
  get sdp(): string {
    const { name, clockRate, channels } = this.codec;
    const type = this.payloadType;
    const map = `${name.split("/")[0]}/${clockRate}${channels === 2 ? "/2" : ""}`;
    return `v=0\r\no=- 1 1 IN IP4 ${HOST}\r\ns=-\r\nc=IN IP4 ${HOST}\r\nt=0 0\r\n` +
      `m=audio ${this.port} RTP/AVP ${type} ${EVENT_TYPE}\r\na=rtpmap:${type} ${map}\r\n` +
      `a=rtpmap:${EVENT_TYPE} telephone-event/8000\r\na=fmtp:${EVENT_TYPE} 0-15\r\na=sendrecv\r\n`;
  }

  /** Plays its tone there, a packet each 20 ms. */
  play(port: number): void {
    this.#to = { transport: "udp", hostname: HOST, port };
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#frame(), FRAME_MS);
  }

  /** Says in a receiver report that this share of what came last was lost, 0 to 1. */
  report(lost: number): void {
    const packet = new Uint8Array(32);
    const view = new DataView(packet.buffer);
    view.setUint32(0, 0x81c90007);
    view.setUint32(4, this.#ssrc);
    view.setUint32(8, this.#theirs);
    view.setUint8(12, Math.round(lost * 255));
    this.#socket.send(packet, this.#to!).catch(() => {});
  }

  press(digit: string): void {
    const start = this.#timestamp;
    for (const [i, duration] of [160, 320, 480, 480, 480].entries()) {
      const event = [
        DIGITS.indexOf(digit),
        (i >= 2 ? 0x80 : 0) | 10,
        duration >> 8,
        duration & 255,
      ];
      this.#send(EVENT_TYPE, Uint8Array.from(event), start, i === 0);
    }
  }

  /** Waits until nearly all that is heard is this tone. */
  async hears(hertz: number): Promise<void> {
    this.#samples = [];
    const wanted = this.#rate * LISTEN_MS / 1000;
    await this.until(`${this.codec.name} phone hears ${hertz} Hz`, () => {
      const samples = this.#samples.slice(-wanted);
      return samples.length === wanted && share(samples, hertz, this.#rate) > 0.7;
    });
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS; !isSo();) {
      if (performance.now() > end) {
        const heard = JSON.stringify([...this.heard]);
        const tail = this.#samples.slice(-this.#rate / 10);
        const tones = [440, 1000].map((at) => share(tail, at, this.#rate).toFixed(2)).join(", ");
        throw new Error(
          `${what}: not so; packets by type ${heard}, digits "${this.digits}", ` +
            `${this.#samples.length} samples, at 440 and 1000 Hz ${tones}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.close();
    await this.#reading;
    this.#encoder.close();
    this.#decoder.close();
  }

  #frame(): void {
    const samples = this.#rate * FRAME_MS / 1000;
    const pcm = Int16Array.from(
      { length: samples },
      (_, i) => 8000 * Math.sin(2 * Math.PI * this.#hertz * (this.#at + i) / this.#rate),
    );
    this.#at += samples;
    const payload = new Uint8Array(1500);
    const size = this.#encoder.encode(pcm, payload);
    this.#timestamp = (this.#timestamp + this.codec.clockRate * FRAME_MS / 1000) >>> 0;
    if (size > 0) this.#send(this.payloadType, payload.subarray(0, size), this.#timestamp);
  }

  #send(type: number, payload: Uint8Array, timestamp: number, marker = false): void {
    const packet = new Uint8Array(12 + payload.length);
    const view = new DataView(packet.buffer);
    packet.set([0x80, type | (marker ? 0x80 : 0)]);
    view.setUint16(2, this.#sequence++ & 0xffff);
    view.setUint32(4, timestamp);
    view.setUint32(8, this.#ssrc);
    packet.set(payload, 12);
    this.#socket.send(packet, this.#to!).catch(() => {});
  }

  async #read(): Promise<void> {
    try {
      for await (const [packet] of this.#socket) this.#hear(packet);
    } catch {
      // Closed.
    }
  }

  #hear(packet: Uint8Array): void {
    if (packet.length < 13 || (packet[1]! >= 192 && packet[1]! < 224)) return;
    const { payloadType, timestamp, ssrc } = headerOf(packet);
    this.#theirs = ssrc;
    this.heard.set(payloadType, (this.heard.get(payloadType) ?? 0) + 1);
    if (payloadType === EVENT_TYPE && packet[13]! >= 128 && timestamp !== this.#lastDigit) {
      this.#lastDigit = timestamp;
      this.digits += DIGITS[packet[12]!];
    }
    if (payloadType !== this.payloadType) return;
    const size = this.#decoder.decode(packet.subarray(12), this.#pcm);
    if (size > 0) this.#samples.push(...this.#pcm.subarray(0, size));
    if (this.#samples.length > 4 * this.#rate) this.#samples = this.#samples.slice(-this.#rate);
  }
}

/** Share of the samples' power at a frequency, 0 to 1 (Goertzel). */
function share(samples: readonly number[], hertz: number, rate: number): number {
  const w = 2 * Math.PI * hertz / rate;
  let [re, im, power] = [0, 0, 0];
  samples.forEach((x, i) => {
    re += x * Math.cos(w * i);
    im += x * Math.sin(w * i);
    power += x * x;
  });
  return power === 0 ? 0 : 2 * (re * re + im * im) / (power * samples.length);
}
