/** DTLS 1.2 records and handshake headers (RFC 6347 4.1, 4.2.2). */

export const RECORD_HEADER = 13;
export const HANDSHAKE_HEADER = 12;

export const CONTENT = { alert: 21, handshake: 22 } as const;

export const MESSAGE = {
  clientHello: 1,
  certificate: 11,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
} as const;

export interface DtlsRecord {
  readonly type: number;
  readonly epoch: number;
  /** Header and fragment. */
  readonly bytes: Uint8Array;
  readonly fragment: Uint8Array;
}

/** The records of a datagram; what is cut short, and all behind it, is left out. */
export function readRecords(datagram: Uint8Array): DtlsRecord[] {
  const records: DtlsRecord[] = [];
  for (let at = 0; at + RECORD_HEADER <= datagram.length;) {
    const next = at + RECORD_HEADER + uint16(datagram, at + 11);
    if (next > datagram.length) break;
    records.push({
      type: datagram[at]!,
      epoch: uint16(datagram, at + 3),
      bytes: datagram.subarray(at, next),
      fragment: datagram.subarray(at + RECORD_HEADER, next),
    });
    at = next;
  }
  return records;
}

/** A plaintext handshake record around one whole message. */
export function handshakeRecord(message: Uint8Array): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER + message.length);
  record.set([CONTENT.handshake, 254, 253]);
  record[11] = message.length >>> 8;
  record[12] = message.length;
  record.set(message, RECORD_HEADER);
  return record;
}

export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function uint24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | uint16(bytes, at + 1);
}
