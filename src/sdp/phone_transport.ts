import { Buffer } from "node:buffer";
import { MAX_MEDIA_SECTIONS } from "./model.ts";

/**
 * What a phone's description says of its transport, beside what `parseSdp` reads: addresses, ports
 * and SDES keys (RFC 4568).
 */

export type SdesSuite = "AES_CM_128_HMAC_SHA1_80" | "AES_CM_128_HMAC_SHA1_32";

/** Master key and salt of one direction; the shape of the media port's type of this name. */
export interface SdesKey {
  readonly suite: SdesSuite;
  /** 30 bytes: key, then salt. */
  readonly material: Uint8Array;
}

/** One `a=crypto` line that we can use. */
export interface Crypto extends SdesKey {
  readonly tag: number;
}

/** Transport of one m-line. */
export interface PhoneTransport {
  /** Empty where no `c=` says it; `0.0.0.0` and `::` mean "send nothing" (RFC 3264 8.4). */
  readonly address: string;
  readonly port: number;
  /** From `a=rtcp` (RFC 3605), else the next port. */
  readonly rtcpPort: number;
  readonly cryptos: readonly Crypto[];
}

/** The suites that we use, the better one first. */
export const SDES_SUITES: readonly SdesSuite[] = [
  "AES_CM_128_HMAC_SHA1_80",
  "AES_CM_128_HMAC_SHA1_32",
];
/** Key and salt of both suites, bytes (RFC 4568 6.2). */
export const SDES_BYTES = 30;

const LINE_END = /\r\n|\r|\n/;
const CONNECTION = /^c=IN IP[46] ([0-9A-Za-z.:_-]{1,255})(?:\/\d+)*\s*$/;
const MEDIA = /^m=\S+ (\d{1,5})(?:\/\d+)? /;
const RTCP = /^a=rtcp:(\d{1,5})(?:\s|$)/;
/** A master key identifier or a session parameter asks for what we do not do. */
const CRYPTO = /^a=crypto:(\d{1,9}) (\S+) inline:([A-Za-z0-9+/]{40}=*)(?:\|(?:2\^)?\d{1,20})?\s*$/;
const MAX_CRYPTOS = 8;

/** The transport of each m-line, in order; never throws. */
export function phoneTransports(text: string): PhoneTransport[] {
  const found: { address: string; port: number; rtcp: number | undefined; cryptos: Crypto[] }[] =
    [];
  let session = "";
  for (const line of text.split(LINE_END)) {
    const media = MEDIA.exec(line);
    if (media || line.startsWith("m=")) {
      if (found.length === MAX_MEDIA_SECTIONS) break;
      found.push({ address: "", port: port(media?.[1]) ?? 0, rtcp: undefined, cryptos: [] });
      continue;
    }
    const current = found.at(-1);
    const connection = CONNECTION.exec(line);
    if (connection) {
      if (current) current.address = connection[1]!;
      else session = connection[1]!;
    } else if (current) {
      current.rtcp = port(RTCP.exec(line)?.[1]) ?? current.rtcp;
      const crypto = readCrypto(line);
      if (crypto && current.cryptos.length < MAX_CRYPTOS) current.cryptos.push(crypto);
    }
  }
  return found.map(({ address, port, rtcp, cryptos }) => ({
    address: address === "" ? session : address,
    port,
    rtcpPort: rtcp ?? Math.min(port + 1, 65_535),
    cryptos,
  }));
}

/** Whether this address asks to send nothing (the old way to hold). */
export function isNowhere(address: string): boolean {
  return address === "" || address === "0.0.0.0" || address === "::";
}

/** Value of an `a=crypto` line. */
export function writeCrypto({ tag, suite, material }: Crypto): string {
  return `${tag} ${suite} inline:${Buffer.from(material).toString("base64")}`;
}

function readCrypto(line: string): Crypto | undefined {
  const match = CRYPTO.exec(line);
  const suite = SDES_SUITES.find((known) => known === match?.[2]);
  if (!match || !suite) return undefined;
  const material = new Uint8Array(Buffer.from(match[3]!, "base64"));
  return material.length === SDES_BYTES ? { tag: Number(match[1]), suite, material } : undefined;
}

function port(text: string | undefined): number | undefined {
  const number = text === undefined ? NaN : Number(text);
  return number >= 0 && number <= 65_535 ? number : undefined;
}
