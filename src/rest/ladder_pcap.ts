import type { LadderMessage, LadderView } from "../actors/control_plane.ts";

/**
 * A ladder as a capture that Wireshark opens. Addresses and times are those of the messages; what
 * stood between (TLS, WebSocket frames, acknowledgements) is left out, so our side always has the
 * SIP port of ours, and messages over streams are one segment of a connection each.
 */

export const PCAP_TYPE = "application/vnd.tcpdump.pcap";

/** Magic number for times in microseconds, in the order of bytes that we write (big-endian). */
const MAGIC = 0xa1b2c3d4;
/** Packets begin with their IP header. */
const LINKTYPE_RAW = 101;
const SNAP_LENGTH = 262_144;
const UDP = 17;
const TCP = 6;
/** PSH and ACK: data, as an established connection sends it. */
const TCP_FLAGS = 0x18;
const WINDOW = 0xffff;
/** What fits beside the headers into an IP packet of 65,535 bytes. */
const MAX_PAYLOAD = 65_000;
/** Where a far end has no port of its own: on the hop, and behind WebSockets. */
const FIRST_PORT = 49_152;
const LOOPBACK: Place = { address: [127, 0, 0, 1], port: 5060 };

interface Place {
  /** 4 bytes, or 16. */
  readonly address: readonly number[];
  readonly port: number;
}

export function ladderPcap(ladder: LadderView): Uint8Array<ArrayBuffer> {
  const writer = new PcapWriter();
  const ports = new Map<string, number>();
  const streams = new Map<string, number>();
  for (const message of ladder.messages) {
    const party = message.direction === "send" ? message.to : message.from;
    if (!ports.has(party)) ports.set(party, FIRST_PORT + ports.size);
    const local = placeOf(message.localAddress) ?? LOOPBACK;
    const far = placeOf(message.remoteAddress) ?? { ...LOOPBACK, port: ports.get(party)! };
    // The hop has our own address at both ends; each session gets a port to be told by.
    const isOwn = far.port === local.port && `${far.address}` === `${local.address}`;
    const remote = isOwn || far.port === 0 ? { ...far, port: ports.get(party)! } : far;
    const payload = new TextEncoder().encode(message.text);
    const [from, to] = message.direction === "send" ? [local, remote] : [remote, local];
    writer.packet(message, from, to, payload, streams);
  }
  return writer.bytes();
}

class PcapWriter {
  readonly #parts: Uint8Array[] = [];

  constructor() {
    const header = new DataView(new ArrayBuffer(24));
    header.setUint32(0, MAGIC);
    header.setUint16(4, 2);
    header.setUint16(6, 4);
    header.setUint32(16, SNAP_LENGTH);
    header.setUint32(20, LINKTYPE_RAW);
    this.#parts.push(new Uint8Array(header.buffer));
  }

  packet(
    message: LadderMessage,
    from: Place,
    to: Place,
    payload: Uint8Array,
    streams: Map<string, number>,
  ): void {
    const at = Date.parse(message.at);
    if (message.transport === "UDP") {
      const data = payload.subarray(0, MAX_PAYLOAD);
      return this.#frame(at, ip(from, to, UDP, udp(from, to, data)));
    }
    const way = `${from.address}:${from.port} ${to.address}:${to.port}`;
    const back = `${to.address}:${to.port} ${from.address}:${from.port}`;
    for (let offset = 0; offset < payload.length; offset += MAX_PAYLOAD) {
      const data = payload.subarray(offset, offset + MAX_PAYLOAD);
      const sequence = streams.get(way) ?? 1;
      const segment = tcp(from, to, sequence, streams.get(back) ?? 1, data);
      this.#frame(at, ip(from, to, TCP, segment));
      streams.set(way, (sequence + data.length) >>> 0);
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of this.#parts) {
      all.set(part, offset);
      offset += part.length;
    }
    return all;
  }

  #frame(at: number, packet: Uint8Array): void {
    const header = new DataView(new ArrayBuffer(16));
    header.setUint32(0, Math.floor(at / 1000));
    header.setUint32(4, (at % 1000) * 1000);
    header.setUint32(8, packet.length);
    header.setUint32(12, packet.length);
    this.#parts.push(new Uint8Array(header.buffer), packet);
  }
}

/** RFC 791 3.1, or RFC 8200 3 where one of the two ends is IPv6. */
function ip(from: Place, to: Place, protocol: number, segment: Uint8Array): Uint8Array {
  if (from.address.length === 16 || to.address.length === 16) {
    const packet = new Uint8Array(40 + segment.length);
    const view = new DataView(packet.buffer);
    view.setUint8(0, 0x60);
    view.setUint16(4, segment.length);
    view.setUint8(6, protocol);
    view.setUint8(7, 64);
    packet.set(asIpv6(from.address), 8);
    packet.set(asIpv6(to.address), 24);
    packet.set(segment, 40);
    return packet;
  }
  const packet = new Uint8Array(20 + segment.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint8(8, 64);
  view.setUint8(9, protocol);
  packet.set(from.address, 12);
  packet.set(to.address, 16);
  view.setUint16(10, checksum([packet.subarray(0, 20)]));
  packet.set(segment, 20);
  return packet;
}

function udp(from: Place, to: Place, data: Uint8Array): Uint8Array {
  const segment = new Uint8Array(8 + data.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint16(4, segment.length);
  segment.set(data, 8);
  view.setUint16(6, checksum([pseudoHeader(from, to, UDP, segment.length), segment]) || 0xffff);
  return segment;
}

function tcp(
  from: Place,
  to: Place,
  sequence: number,
  acknowledged: number,
  data: Uint8Array,
): Uint8Array {
  const segment = new Uint8Array(20 + data.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint32(4, sequence);
  view.setUint32(8, acknowledged);
  view.setUint8(12, 0x50);
  view.setUint8(13, TCP_FLAGS);
  view.setUint16(14, WINDOW);
  segment.set(data, 20);
  view.setUint16(16, checksum([pseudoHeader(from, to, TCP, segment.length), segment]));
  return segment;
}

/** RFC 768, RFC 9293 3.1, RFC 8200 8.1. */
function pseudoHeader(from: Place, to: Place, protocol: number, length: number): Uint8Array {
  const isIpv6 = from.address.length === 16 || to.address.length === 16;
  const bytes = isIpv6
    ? [...asIpv6(from.address), ...asIpv6(to.address), 0, 0, length >> 8, length & 255, 0, 0, 0]
    : [...from.address, ...to.address, 0];
  const tail = isIpv6 ? [protocol] : [protocol, length >> 8, length & 255];
  return new Uint8Array([...bytes, ...tail]);
}

/** RFC 1071; every part but the last has an even length. */
function checksum(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function asIpv6(address: readonly number[]): readonly number[] {
  return address.length === 16 ? address : [...Array(10).fill(0), 0xff, 0xff, ...address];
}

/** `127.0.0.1:5060` or `[::1]:5060`; undefined for a name. */
function placeOf(text: string): Place | undefined {
  const [, v6, v4, port = "0"] =
    /^(?:\[([0-9a-f:.]+)\]|(\d+(?:\.\d+){3}))(?::(\d+))?$/i.exec(text) ??
      [];
  if (v4 !== undefined) return { address: v4.split(".").map(Number), port: Number(port) };
  return v6 === undefined ? undefined : { address: ipv6Bytes(v6), port: Number(port) };
}

function ipv6Bytes(text: string): number[] {
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16);
    return `${hex(a, b)}:${hex(c, d)}`;
  });
  const [head = "", tail] = plain.split("::");
  const words = (part: string) =>
    part === "" ? [] : part.split(":").map((word) => parseInt(word, 16));
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const gap = Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0);
  return [...before, ...gap, ...after].flatMap((word) => [word >> 8, word & 255]);
}
