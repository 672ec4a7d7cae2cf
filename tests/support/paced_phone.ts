import type { Codec, Decoder, Encoder, PcmRate } from "../../src/rtp/codec/codec.ts";
import { MAX_PACKET_MS, MAX_PAYLOAD } from "../../src/rtp/codec/codec.ts";
import { TYPES } from "./codec_phone.ts";
import { headerOf } from "./fake_phone.ts";

/** The media of a phone packet by packet: what it says, sends, loses and gets. */

const HOST = "127.0.0.1";
const POLL_MS = 50;
const PATIENCE_MS = 60_000;
const HEADER = 12;
const NOISE_TYPE = 13;
/** Noise is announced anew after so many frames. */
const NOISE_EACH = 10;
/** What it says sounds like voice: harmonics of this, in syllables. */
const PITCH_HERTZ = 140;
const HARMONICS = 12;
const SYLLABLE_SECONDS = 0.4;
const VOICED_SHARE = 0.8;

export interface PacedPhoneOptions {
  readonly codec: Codec;
  /** Of packets that it sends, ms. */
  readonly packetMs?: number;
  /** Attributes of its audio beside the codec. */
  readonly lines?: readonly string[];
  /** It offers and sends comfort noise. */
  readonly hasNoise?: boolean;
  /** It sends Opus with redundancy for a fifth of all packets lost. */
  readonly sendsFec?: boolean;
  /** Each so many packets that it sends is lost on the way. */
  readonly losesEach?: number;
}

export interface HeardPacket {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

export class PacedPhone implements AsyncDisposable {
  readonly packets: HeardPacket[] = [];
  /** Packets that it made, and those of them that were lost on the way. */
  made = 0;
  lost = 0;
  readonly #options: PacedPhoneOptions;
  readonly #rate: PcmRate;
  readonly #packetMs: number;
  readonly #encoder: Encoder;
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  readonly #reading: Promise<void>;
  readonly #ssrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  #to: Deno.NetAddr | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #timestamp = 0;
  #at = 0;
  #voice: "speaks" | "is silent" | "pauses" = "speaks";
  #heardSsrc = 0;
  #sequence = 0;
  #noise = 0;
  /** Since the pause began. */
  #frames = 0;

  constructor(options: PacedPhoneOptions) {
    const { codec, packetMs = 20, sendsFec = false } = options;
    this.#options = options;
    this.#packetMs = packetMs;
    // Only what Opus codes as speech has redundancy.
    this.#rate = sendsFec ? 16_000 : codec.sampleRates[0]!;
    const common = { sampleRate: this.#rate, packetMs, dtx: false };
    this.#encoder = codec.encoder(sendsFec ? { ...common, fec: true, bitrate: 24_000 } : common);
    if (sendsFec) this.#encoder.setLoss?.(20);
    this.#reading = this.#read();
  }

  get payloadType(): number {
    return TYPES[this.#options.codec.name];
  }

  get sdp(): string {
    const { codec, lines = [], hasNoise = false } = this.#options;
    const { port } = this.#socket.addr as Deno.NetAddr;
    const type = this.payloadType;
    const map = `${codec.name.split("/")[0]}/${codec.clockRate}${codec.channels === 2 ? "/2" : ""}`;
    return [
      "v=0",
      `o=- 1 1 IN IP4 ${HOST}`,
      "s=-",
      `c=IN IP4 ${HOST}`,
      "t=0 0",
      `m=audio ${port} RTP/AVP ${type}${hasNoise ? ` ${NOISE_TYPE}` : ""}`,
      `a=rtpmap:${type} ${map}`,
      ...(hasNoise ? [`a=rtpmap:${NOISE_TYPE} CN/8000`] : []),
      ...lines.map((line) => `a=${line}`),
      "",
    ].join("\r\n");
  }

  /** Sends there, a packet at a time. */
  play(port: number): void {
    this.#to = { transport: "udp", hostname: HOST, port };
    this.#timer ??= setInterval(() => this.#frame(), this.#packetMs);
  }

  /** From now on it sends voice. */
  speak(): void {
    this.#voice = "speaks";
  }

  /** From now on it sends packets with nothing in them to hear. */
  beSilent(): void {
    this.#voice = "is silent";
  }

  /** From now on it only announces, now and then, noise of so many dB below full scale. */
  pause(level: number): void {
    this.#voice = "pauses";
    this.#noise = level;
    this.#frames = 0;
  }

  /** Says in a receiver report that this share of what came last was lost, 0 to 1. */
  report(lost: number): void {
    const packet = new Uint8Array(32);
    const view = new DataView(packet.buffer);
    view.setUint32(0, 0x81c90007);
    view.setUint32(4, this.#ssrc);
    view.setUint32(8, this.#heardSsrc);
    view.setUint8(12, Math.round(lost * 255));
    this.#socket.send(packet, this.#to!).catch(() => {});
  }

  /** What came of its own codec since so many packets were there. */
  voice(from = 0): HeardPacket[] {
    return this.packets.slice(from).filter(({ payloadType }) => payloadType === this.payloadType);
  }

  /** The codec's duration of each packet, and how far the next one is from it, ms. */
  lengths(from = 0): { readonly held: readonly number[]; readonly apart: readonly number[] } {
    const { codec } = this.#options;
    const all = this.voice(from);
    const inMs = (ticks: number) => ticks * 1000 / codec.clockRate;
    const apart = all.slice(1).flatMap(({ sequence, timestamp }, i) => {
      const before = all[i]!;
      const isNext = sequence === ((before.sequence + 1) & 0xffff);
      return isNext ? [inMs((timestamp - before.timestamp) >>> 0)] : [];
    });
    return { held: all.map(({ payload }) => inMs(codec.duration(payload))), apart };
  }

  /** Root mean square of what the packets hold, from the given one on. */
  loudness(packets: readonly HeardPacket[]): number {
    return this.#decoded((decoder) => {
      const pcm = new Int16Array(this.#rate * MAX_PACKET_MS / 1000);
      let [sum, count] = [0, 0];
      for (const { payload } of packets) {
        const size = decoder.decode(payload, pcm);
        for (const x of pcm.subarray(0, Math.max(0, size))) sum += x * x;
        count += Math.max(0, size);
      }
      return Math.sqrt(sum / Math.max(1, count));
    });
  }

  /** Of these packets, those with which a packet lost before them could be brought back. */
  redundant(packets: readonly HeardPacket[]): number {
    return this.#decoded((decoder) => {
      const pcm = new Int16Array(this.#rate * MAX_PACKET_MS / 1000);
      const samples = this.#rate * 20 / 1000;
      return packets.filter(({ payload }) => decoder.recover?.(payload, samples, pcm) === samples)
        .length;
    });
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    for (const end = performance.now() + PATIENCE_MS; !isSo();) {
      if (performance.now() > end) {
        const types = new Map<number, number>();
        for (const { payloadType } of this.packets) {
          types.set(payloadType, (types.get(payloadType) ?? 0) + 1);
        }
        throw new Error(`${what}: not so; packets by type ${JSON.stringify([...types])}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Waits until so many more packets have come. */
  async hears(count: number): Promise<void> {
    const from = this.packets.length;
    await this.until(`${count} packets come`, () => this.packets.length >= from + count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.close();
    await this.#reading;
    this.#encoder.close();
  }

  #decoded<T>(what: (decoder: Decoder) => T): T {
    const decoder = this.#options.codec.decoder({ sampleRate: this.#rate });
    try {
      return what(decoder);
    } finally {
      decoder.close();
    }
  }

  #frame(): void {
    const samples = this.#rate * this.#packetMs / 1000;
    const pcm = Int16Array.from({ length: samples }, (_, i) => this.#sample(this.#at + i));
    this.#at += samples;
    this.#timestamp += this.#options.codec.clockRate * this.#packetMs / 1000;
    if (this.#voice === "pauses") {
      if (this.#frames++ % NOISE_EACH === 0) this.#send(NOISE_TYPE, Uint8Array.of(this.#noise));
      return;
    }
    const payload = new Uint8Array(MAX_PAYLOAD);
    const size = this.#encoder.encode(pcm, payload);
    if (size === 0) return;
    const { losesEach = Infinity } = this.#options;
    const isLost = ++this.made % losesEach === 0;
    if (isLost) this.lost++;
    this.#send(this.payloadType, payload.subarray(0, size), isLost);
  }

  #sample(at: number): number {
    if (this.#voice !== "speaks") return 0;
    const seconds = at / this.#rate;
    const loudness = seconds % SYLLABLE_SECONDS < SYLLABLE_SECONDS * VOICED_SHARE ? 3_000 : 100;
    let sum = 0;
    for (let h = 1; h <= HARMONICS; h++) {
      sum += Math.sin(2 * Math.PI * PITCH_HERTZ * h * seconds + h * h) / h;
    }
    return loudness * sum;
  }

  #send(type: number, payload: Uint8Array, isLost = false): void {
    const packet = new Uint8Array(HEADER + payload.length);
    const view = new DataView(packet.buffer);
    packet.set([0x80, type]);
    view.setUint16(2, this.#sequence++ & 0xffff);
    view.setUint32(4, this.#timestamp >>> 0);
    view.setUint32(8, this.#ssrc);
    packet.set(payload, HEADER);
    if (!isLost) this.#socket.send(packet, this.#to!).catch(() => {});
  }

  async #read(): Promise<void> {
    try {
      for await (const [packet] of this.#socket) {
        if (packet.length <= HEADER || (packet[1]! >= 192 && packet[1]! < 224)) continue;
        const { payloadType, sequence, timestamp, ssrc } = headerOf(packet);
        this.#heardSsrc = ssrc;
        const payload = packet.slice(HEADER);
        this.packets.push({ payloadType, sequence, timestamp, payload });
      }
    } catch {
      // Closed.
    }
  }
}
