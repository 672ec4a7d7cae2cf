import {
  RTCP_PAYLOAD_FEEDBACK,
  RTCP_RECEIVER_REPORT,
  RTCP_SENDER_REPORT,
  RTCP_TRANSPORT_FEEDBACK,
} from "./rtcp.ts";

export const RTCP_SDES = 202;
export const RTCP_BYE = 203;
const CNAME = 1;
/** Seconds from 1900 to 1970 (RFC 3550 4). */
const NTP_EPOCH = 2_208_988_800;
/** A compound packet stays below what any path carries. */
const MAX_LENGTH = 1200;

/** Milliseconds since 1970 as an NTP time stamp: seconds, and their fraction in units of 2^-32. */
export function ntpOf(epochMs: number): { readonly seconds: number; readonly fraction: number } {
  const seconds = Math.floor(epochMs / 1000);
  return {
    seconds: seconds + NTP_EPOCH,
    fraction: Math.floor((epochMs - seconds * 1000) / 1000 * 0x1_0000_0000),
  };
}

/** Middle 32 bits of an NTP time stamp, signed. */
export function middleOf({ seconds, fraction }: ReturnType<typeof ntpOf>): number {
  return (seconds << 16) | (fraction >>> 16);
}

/** What a report block says (RFC 3550 6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  readonly fractionLost: number;
  readonly lost: number;
  readonly extendedHighest: number;
  readonly jitter: number;
  readonly lastReport: number;
  readonly delay: number;
}

/** Writes one compound packet into a buffer, part by part. */
export class RtcpWriter {
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  #start = 0;
  #at = 0;
  #part = 0;

  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  begin(at: number): this {
    this.#start = this.#at = at;
    return this;
  }

  get length(): number {
    return this.#at - this.#start;
  }

  hasRoom(bytes: number): boolean {
    return this.length + bytes <= MAX_LENGTH;
  }

  senderReport(
    ssrc: number,
    ntp: { readonly seconds: number; readonly fraction: number },
    timestamp: number,
    packets: number,
    octets: number,
  ): this {
    this.#open(RTCP_SENDER_REPORT);
    for (const word of [ssrc, ntp.seconds, ntp.fraction, timestamp, packets, octets]) {
      this.#word(word);
    }
    return this.#close();
  }

  receiverReport(ssrc: number): this {
    return this.#open(RTCP_RECEIVER_REPORT).#word(ssrc).#close();
  }

  /** Adds to the report just written. */
  block(block: ReportBlock): this {
    if ((this.#buffer[this.#part]! & 31) === 31) return this;
    this.#buffer[this.#part]!++;
    const lost = Math.max(-0x800000, Math.min(0x7fffff, block.lost)) & 0xffffff;
    return this.#word(block.ssrc).#word((block.fractionLost << 24) | lost)
      .#word(block.extendedHighest).#word(block.jitter)
      .#word(block.lastReport).#word(block.delay).#close();
  }

  /** @param cname at most 255 characters of ASCII */
  sdes(ssrc: number, cname: string): this {
    this.#open(RTCP_SDES, 1).#word(ssrc);
    this.#buffer[this.#at++] = CNAME;
    this.#buffer[this.#at++] = cname.length;
    for (let i = 0; i < cname.length; i++) this.#buffer[this.#at++] = cname.charCodeAt(i);
    // One null octet ends the chunk, more fill up the word.
    do this.#buffer[this.#at++] = 0; while ((this.#at - this.#part) % 4 !== 0);
    return this.#close();
  }

  bye(ssrc: number): this {
    return this.#open(RTCP_BYE, 1).#word(ssrc).#close();
  }

  pictureLoss(ssrc: number, media: number): this {
    return this.#open(RTCP_PAYLOAD_FEEDBACK, 1).#word(ssrc).#word(media).#close();
  }

  /** Full intra request (RFC 5104 4.3.1). @param number one more with each request, 8 bits */
  fullIntra(ssrc: number, media: number, number: number): this {
    this.#open(RTCP_PAYLOAD_FEEDBACK, 4).#word(ssrc).#word(0);
    return this.#word(media).#word(number << 24).#close();
  }

  /** Generic NACK of one packet and those after it that the bits name (RFC 4585 6.2.1). */
  nack(ssrc: number, media: number, items: readonly (readonly [number, number])[]): this {
    this.#open(RTCP_TRANSPORT_FEEDBACK, 1).#word(ssrc).#word(media);
    for (const [first, bits] of items) this.#word((first << 16) | bits);
    return this.#close();
  }

  /** Copies a part as it stands; its words can be set after. */
  copy(from: number, length: number): number {
    this.#buffer.copyWithin(this.#at, from, from + length);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  #open(type: number, count = 0): this {
    this.#part = this.#at;
    this.#buffer[this.#at] = 0x80 | count;
    this.#buffer[this.#at + 1] = type;
    this.#at += 4;
    return this;
  }

  #word(value: number): this {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
    return this;
  }

  #close(): this {
    this.#view.setUint16(this.#part + 2, (this.#at - this.#part) / 4 - 1);
    return this;
  }
}
