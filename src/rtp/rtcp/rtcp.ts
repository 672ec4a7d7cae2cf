import { int32 } from "../engine/bytes.ts";

/** RTCP packets (RFC 3550 6, RFC 4585) as a relay needs them: walked through, never rebuilt. */

export const RTCP_SENDER_REPORT = 200;
export const RTCP_RECEIVER_REPORT = 201;
export const RTCP_TRANSPORT_FEEDBACK = 205;
export const RTCP_PAYLOAD_FEEDBACK = 206;
/** Format of transport-wide feedback among the transport layer feedback. */
export const TRANSPORT_WIDE = 15;
export const PLI_LENGTH = 12;

/** Whether the bytes are a whole compound packet: each part of version 2, and no byte left over. */
export function isCompound(buffer: Uint8Array, offset: number, length: number): boolean {
  const end = offset + length;
  let at = offset;
  while (at + 8 <= end) {
    if (buffer[at]! >>> 6 !== 2) return false;
    at += 4 + 4 * ((buffer[at + 2]! << 8) | buffer[at + 3]!);
  }
  return at === end;
}

/** Hears what the reports of a compound packet say. */
export interface ReportListener {
  /** A sender report: the middle 32 bits of its NTP time stamp. */
  senderReport(ssrc: number, middleNtp: number): void;
  /** A report block. `lastReport` 0: none was heard. `delay` in units of 1/65,536 s. */
  reportBlock(ssrc: number, lastReport: number, delay: number): void;
  /** Transport-wide feedback: the newest number that it is about. */
  transportFeedback(newest: number): void;
}

/** Walks a compound packet that `isCompound` has approved. */
export function readReports(
  buffer: Uint8Array,
  offset: number,
  length: number,
  listener: ReportListener,
): void {
  const end = offset + length;
  for (let at = offset; at < end;) {
    const next = at + 4 + 4 * ((buffer[at + 2]! << 8) | buffer[at + 3]!);
    const type = buffer[at + 1]!;
    if (type === RTCP_SENDER_REPORT || type === RTCP_RECEIVER_REPORT) {
      const blocks = at + (type === RTCP_SENDER_REPORT ? 28 : 8);
      if (type === RTCP_SENDER_REPORT && blocks <= next) {
        const middle = (int32(buffer, at + 8) << 16) | (int32(buffer, at + 12) >>> 16);
        listener.senderReport(int32(buffer, at + 4), middle);
      }
      const count = buffer[at]! & 31;
      for (let i = 0, b = blocks; i < count && b + 24 <= next; i++, b += 24) {
        listener.reportBlock(int32(buffer, b), int32(buffer, b + 16), int32(buffer, b + 20) >>> 0);
      }
    }
    const isWide = type === RTCP_TRANSPORT_FEEDBACK && (buffer[at]! & 31) === TRANSPORT_WIDE;
    if (isWide && at + 20 <= next) {
      const words = int32(buffer, at + 12);
      listener.transportFeedback(((words >>> 16) + (words & 0xffff) - 1) & 0xffff);
    }
    at = next;
  }
}

/** Writes a picture loss indication (RFC 4585 6.3.1) of `PLI_LENGTH` bytes. */
export function writePli(
  buffer: Uint8Array,
  offset: number,
  senderSsrc: number,
  mediaSsrc: number,
): void {
  buffer[offset] = 0x81;
  buffer[offset + 1] = RTCP_PAYLOAD_FEEDBACK;
  buffer[offset + 2] = 0;
  buffer[offset + 3] = 2;
  for (let i = 0; i < 4; i++) {
    buffer[offset + 4 + i] = senderSsrc >>> (24 - 8 * i);
    buffer[offset + 8 + i] = mediaSsrc >>> (24 - 8 * i);
  }
}
