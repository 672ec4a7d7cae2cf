import type { RtpPayload, RtpSectionRemote, SrtpKeys } from "../../src/rtp/contract.ts";
import { AesCmCipher } from "../../src/rtp/srtp/aes_cm.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import type { Datagram, EngineHarness } from "./media_engine.ts";

export const PHONE_AUDIO: readonly RtpPayload[] = [
  { payloadType: 96, peerPayloadType: 111, kind: "audio", codec: "opus", clockRate: 48000 },
  { payloadType: 8, peerPayloadType: 8, kind: "audio", codec: "PCMA", clockRate: 8000 },
  {
    payloadType: 97,
    peerPayloadType: 101,
    kind: "audio",
    codec: "telephone-event",
    clockRate: 48000,
  },
  {
    payloadType: 101,
    peerPayloadType: 102,
    kind: "audio",
    codec: "telephone-event",
    clockRate: 8000,
  },
];
export const PHONE_VIDEO: readonly RtpPayload[] = [
  { payloadType: 99, peerPayloadType: 96, kind: "video", codec: "VP8", clockRate: 90000 },
];

export interface PhoneOptions {
  readonly keys?: SrtpKeys;
  readonly video?: boolean;
  readonly hasFeedback?: boolean;
  readonly wantsFir?: boolean;
  readonly isMuxed?: boolean;
  readonly audio?: readonly RtpPayload[];
}

/** A phone's RTP made by hand, at an address of the harness's network. */
export class FakePhone {
  address: number;
  port: number;
  readonly #sender: SrtpSender | null;
  readonly #receiver: SrtpReceiver | null;
  /** Sockets of audio RTP, audio RTCP, video RTP, video RTCP. */
  sockets: number[] = [];

  constructor(
    public harness: EngineHarness,
    readonly id: number,
    readonly options: PhoneOptions = {},
  ) {
    this.address = 0x0b000000 + id;
    this.port = 20_000 + 100 * id;
    const { keys } = options;
    const tag = keys?.profile === 2 ? 4 : 10;
    // What we take with is what the leg protects with, and the other way round.
    this.#sender = keys
      ? new SrtpSender(new AesCmCipher(keys.remoteKey, keys.remoteSalt, tag))
      : null;
    this.#receiver = keys
      ? new SrtpReceiver(new AesCmCipher(keys.localKey, keys.localSalt, tag))
      : null;
  }

  open(): void {
    const { harness, id, options } = this;
    const media: ("audio" | "video")[] = options.video ? ["audio", "video"] : ["audio"];
    harness.command({
      type: "open",
      endpoint: id,
      kind: "rtp",
      address: "127.0.0.1",
      media,
      seed: 7777 + id,
    });
    const opened = harness.of("opened").findLast(({ endpoint }) => endpoint === id);
    this.sockets = (opened?.sections ?? []).flatMap(({ port }) => [
      (port - 30_000) / 2,
      (port - 30_000) / 2 + 1,
    ]);
  }

  /** Video goes to the second port pair. */
  remote(kind: "audio" | "video"): RtpSectionRemote {
    const { options, harness } = this;
    const port = this.port + (kind === "audio" ? 0 : 10);
    return {
      rtp: { address: harness.textOf(this.address), port },
      rtcpPort: options.isMuxed ? null : port + 1,
      keys: options.keys ?? null,
      payloads: kind === "audio" ? options.audio ?? PHONE_AUDIO : PHONE_VIDEO,
      hasFeedback: options.hasFeedback ?? false,
      wantsFir: options.wantsFir ?? false,
    };
  }

  describe(): void {
    const sections = [this.remote("audio"), ...(this.options.video ? [this.remote("video")] : [])];
    this.harness.command({ type: "set-remote-rtp", endpoint: this.id, sections });
  }

  up(): void {
    this.open();
    this.describe();
  }

  packet(
    { ssrc, sequence, payloadType = 96, timestamp = sequence * 960, marker = false, payload }: {
      ssrc: number;
      sequence: number;
      payloadType?: number;
      timestamp?: number;
      marker?: boolean;
      payload?: Uint8Array;
    },
  ): Uint8Array {
    const body = payload ?? new Uint8Array(60).fill(sequence);
    const packet = new Uint8Array(12 + body.length + 20);
    const view = new DataView(packet.buffer);
    packet.set([0x80, payloadType | (marker ? 0x80 : 0), sequence >>> 8, sequence]);
    view.setUint32(4, timestamp);
    view.setUint32(8, ssrc);
    packet.set(body, 12);
    const plain = 12 + body.length;
    return packet.slice(0, this.#sender?.protectRtp(packet, 0, plain) ?? plain);
  }

  rtcp(plain: Uint8Array): Uint8Array {
    const packet = new Uint8Array(plain.length + 20);
    packet.set(plain);
    const { length } = plain;
    return packet.slice(0, this.#sender?.protectRtcp(packet, 0, length) ?? length);
  }

  send(data: Uint8Array, kind: "audio" | "video" = "audio"): Datagram[] {
    const [socket, port] = kind === "audio" ? [0, this.port] : [2, this.port + 10];
    return this.harness.receive(this.sockets[socket]!, this.address, port, data);
  }

  sendRtcp(plain: Uint8Array, kind: "audio" | "video" = "audio"): Datagram[] {
    const [socket, port] = kind === "audio" ? [1, this.port + 1] : [3, this.port + 11];
    return this.harness.receive(this.sockets[socket]!, this.address, port, this.rtcp(plain));
  }

  /** Those of these datagrams that go to this phone's address, opened. */
  plain(datagrams: readonly Datagram[]): Uint8Array[] {
    return datagrams.filter(({ address }) => address === this.address).map(({ data }) => {
      const copy = data.slice();
      if (this.#receiver === null) return copy;
      const isRtcp = copy[1]! >= 192 && copy[1]! < 224;
      const length = isRtcp
        ? this.#receiver.unprotectRtcp(copy, 0, copy.length)
        : this.#receiver.unprotectRtp(copy, 0, copy.length);
      if (length < 0) throw new Error("not protected with the keys of this phone, or twice");
      return copy.slice(0, length);
    });
  }
}

export function join(harness: EngineHarness, a: number, b: number): void {
  harness.command({ type: "connect", endpoint: a, peer: b });
  harness.command({ type: "connect", endpoint: b, peer: a });
}

/** What a RTP packet's header says. */
export function headerOf(packet: Uint8Array) {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return {
    payloadType: packet[1]! & 0x7f,
    marker: packet[1]! >= 128,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
  };
}

/** An RTCP packet of 32-bit words. @param count what the header has in its five bits */
export function rtcpOf(type: number, count: number, ...body: number[]): Uint8Array {
  const packet = new Uint8Array(4 + 4 * body.length);
  const view = new DataView(packet.buffer);
  packet.set([0x80 | count, type]);
  view.setUint16(2, body.length);
  body.forEach((word, i) => view.setUint32(4 + 4 * i, word));
  return packet;
}

/** The parts of a compound RTCP packet. */
export function partsOf(packet: Uint8Array): { type: number; count: number; words: number[] }[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const parts = [];
  for (let at = 0; at + 4 <= packet.length;) {
    const size = 4 + 4 * view.getUint16(at + 2);
    const words = [];
    for (let i = at + 4; i < at + size; i += 4) words.push(view.getUint32(i));
    parts.push({ type: packet[at + 1]!, count: packet[at]! & 31, words });
    at += size;
  }
  return parts;
}

export function isRtcp({ data }: Datagram): boolean {
  return data[1]! >= 192 && data[1]! < 224;
}
