import type {
  MediaCommand,
  PayloadKind,
  RtpSectionRemote,
  SocketAddress,
  SrtpKeys,
} from "./contract.ts";
import { AES_CM_128_HMAC_SHA1_32, AES_CM_128_HMAC_SHA1_80 } from "./contract.ts";
import { parseIpv4 } from "./engine/address_table.ts";
import type { LocalRtp, OpenRtp, RemoteRtp, SdesKey } from "./rtp_media_port.ts";

/** What the pool keeps of a SIP leg, so that it can be told to a worker. */
export interface PoolRtp {
  readonly options: OpenRtp;
  /** The local address of its ports. */
  readonly address: string;
  readonly seed: number;
  remote: readonly (RemoteRtp | null)[] | null;
}

/** Bytes of an SDES key before the salt (RFC 4568 6.2). */
const KEY_LENGTH = 16;

export function openCommandOf(endpoint: number, rtp: PoolRtp): MediaCommand {
  const { address, seed, options } = rtp;
  return { type: "open", endpoint, kind: "rtp", address, media: options.media, seed };
}

export function remoteCommandOf(endpoint: number, rtp: PoolRtp): MediaCommand | null {
  if (rtp.remote === null) return null;
  const sections = rtp.remote.map((remote, i) =>
    sectionOf(remote, rtp.options.media[i] ?? "audio")
  );
  return { type: "set-remote-rtp", endpoint, sections };
}

function sectionOf(remote: RemoteRtp | null, kind: "audio" | "video"): RtpSectionRemote | null {
  if (remote === null) return null;
  const { address, port, rtcpPort, keys, payloads, hasFeedback, wantsFir = false } = remote;
  return {
    rtp: port > 0 && port < 65_536 && isHost(address) ? { address, port } : null,
    rtcpPort,
    keys: keys === null ? null : keysOf(keys.send, keys.receive),
    payloads: payloads.map(({ payloadType, codec, clockRate, peerPayloadType }) => ({
      payloadType,
      codec,
      clockRate,
      kind,
      peerPayloadType: peerPayloadType ?? payloadType,
    })),
    hasFeedback,
    wantsFir,
  };
}

/** Neither "nowhere" nor a group: packets are sent to single hosts only. */
function isHost(address: string): boolean {
  const ipv4 = parseIpv4(address);
  if (ipv4 >= 0) return ipv4 >= 0x0100_0000 && ipv4 < 0xe000_0000;
  return address !== "::" && !/^ff/i.test(address);
}

/**
 * One suite for both directions: the answer repeats the one that it has chosen (RFC 4568 5.1.2).
 */
function keysOf(send: SdesKey, receive: SdesKey): SrtpKeys {
  return {
    profile: receive.suite === "AES_CM_128_HMAC_SHA1_32"
      ? AES_CM_128_HMAC_SHA1_32
      : AES_CM_128_HMAC_SHA1_80,
    localKey: send.material.slice(0, KEY_LENGTH),
    localSalt: send.material.slice(KEY_LENGTH),
    remoteKey: receive.material.slice(0, KEY_LENGTH),
    remoteSalt: receive.material.slice(KEY_LENGTH),
  };
}

/** What the joined side knows the payload types as. */
export function payloadsOfRtp(rtp: PoolRtp): PayloadKind[] {
  const media = rtp.options.media;
  return (rtp.remote ?? []).flatMap((remote, i) =>
    (remote?.payloads ?? []).map(({ payloadType, peerPayloadType, codec, clockRate }) => ({
      payloadType: peerPayloadType ?? payloadType,
      kind: media[i] ?? "audio",
      codec,
      clockRate,
    }))
  );
}

/** Where the far end is to send; the NAT's address where it lies beyond. */
export function localOf(
  rtp: PoolRtp,
  sections: readonly SocketAddress[],
  publicAddress: string | undefined,
): LocalRtp[] {
  const isFar = publicAddress !== undefined && !isNear(rtp.options.towards);
  return sections.map(({ address, port }, i) => ({
    kind: rtp.options.media[i] ?? "audio",
    address: isFar ? publicAddress : address,
    port,
  }));
}

/** Loopback, private and link-local addresses: no NAT of ours lies between. */
function isNear(address: string): boolean {
  const ipv4 = parseIpv4(address);
  if (ipv4 < 0) return true;
  const [a, b] = [ipv4 >>> 24, (ipv4 >>> 16) & 255];
  return a === 127 || a === 10 || (a === 192 && b === 168) || (a === 172 && (b & 0xf0) === 16) ||
    (a === 169 && b === 254);
}

/**
 * The local address that reaches a far end: of its family; loopback for loopback; else the one that
 * has most of its first bits in common. Null where there is none of its family.
 */
export function addressTowards(addresses: readonly string[], towards: string): string | null {
  const isIpv6 = towards.includes(":");
  let best: string | null = null;
  let bestScore = -1;
  for (const address of addresses) {
    if (address.includes(":") !== isIpv6) continue;
    const isLoopback = loopback(address) === loopback(towards);
    const score = (isLoopback ? 100 : 0) + commonBits(address, towards);
    if (score > bestScore) [best, bestScore] = [address, score];
  }
  return best;
}

function loopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function commonBits(a: string, b: string): number {
  const [x, y] = [parseIpv4(a), parseIpv4(b)];
  return x < 0 || y < 0 ? 0 : Math.clz32(x ^ y);
}
