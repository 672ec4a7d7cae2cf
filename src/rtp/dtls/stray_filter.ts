/** DTLS records (RFC 6347 4.1) as the media worker sees them: never decrypted, only looked at. */

const RECORD_HEADER = 13;
const ALERT = 21;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

/**
 * Whether a datagram must not reach an established association: an alert or a new ClientHello that
 * nothing authenticates (epoch 0), or no DTLS at all. Anybody can send those, and they would end
 * it.
 */
export function isStrayOnceUp(buffer: Uint8Array, offset: number, length: number): boolean {
  const end = offset + length;
  let at = offset;
  while (at + RECORD_HEADER <= end) {
    const type = buffer[at]!;
    const epoch = (buffer[at + 3]! << 8) | buffer[at + 4]!;
    const size = (buffer[at + 11]! << 8) | buffer[at + 12]!;
    const next = at + RECORD_HEADER + size;
    if (next > end) return true;
    if (epoch === 0) {
      if (type === ALERT) return true;
      if (type === HANDSHAKE && size > 0 && buffer[at + RECORD_HEADER] === CLIENT_HELLO) {
        return true;
      }
    }
    at = next;
  }
  return at !== end;
}
