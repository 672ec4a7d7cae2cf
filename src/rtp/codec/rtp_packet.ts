/** The fixed header of RTP (RFC 3550 5.1), as much of it as a transcoder needs. */

export const RTP_HEADER_LENGTH = 12;

export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** A view into the packet, without contributors, extension and padding. */
  readonly payload: Uint8Array;
}

/** Undefined where it is no RTP packet; RTCP, which shares its first bits, is none (RFC 5761 4). */
export function parseRtp(bytes: Uint8Array): RtpPacket | undefined {
  if (bytes.length < RTP_HEADER_LENGTH || bytes[0]! >> 6 !== 2) return undefined;
  const second = bytes[1]!;
  if (second >= 192 && second <= 223) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = RTP_HEADER_LENGTH + 4 * (bytes[0]! & 0x0f);
  if ((bytes[0]! & 0x10) !== 0) {
    if (start + 4 > bytes.length) return undefined;
    start += 4 + 4 * view.getUint16(start + 2);
  }
  const padding = (bytes[0]! & 0x20) !== 0 ? bytes[bytes.length - 1]! : 0;
  const end = bytes.length - padding;
  if (start > end) return undefined;
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    payload: bytes.subarray(start, end),
  };
}

/** A new packet; the payload is copied. */
export function writeRtp(packet: RtpPacket): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RTP_HEADER_LENGTH + packet.payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80;
  bytes[1] = (packet.marker ? 0x80 : 0) | packet.payloadType;
  view.setUint16(2, packet.sequence);
  view.setUint32(4, packet.timestamp);
  view.setUint32(8, packet.ssrc);
  bytes.set(packet.payload, RTP_HEADER_LENGTH);
  return bytes;
}
