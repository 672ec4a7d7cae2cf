import type { SipMessage } from "./message.ts";
import { SIP_VERSION } from "./message.ts";
import { encodeText } from "./text.ts";

/**
 * The message as it goes on a wire. Content-Length is the body's length, whatever the header
 * said; fields that were received and not changed come out as they came in.
 */
export function serialize(message: SipMessage): Uint8Array<ArrayBuffer> {
  const length = message.body.length;
  let head = startLine(message) + "\r\n";
  let hasLength = false;
  for (const field of message.headers.entries()) {
    if (field.key !== "content-length") head += field.line + "\r\n";
    else if (!hasLength) {
      hasLength = true;
      head += (field.value === String(length) ? field.line : `${field.name}: ${length}`) + "\r\n";
    }
  }
  if (!hasLength) head += `Content-Length: ${length}\r\n`;
  const headBytes = encodeText(head + "\r\n");
  if (length === 0) return headBytes;
  const bytes = new Uint8Array(headBytes.length + length);
  bytes.set(headBytes);
  bytes.set(message.body, headBytes.length);
  return bytes;
}

/** Request line or status line, without its CRLF. */
export function startLine(message: SipMessage): string {
  const line = message.kind === "request"
    ? `${message.method} ${message.uri} ${SIP_VERSION}`
    : `${SIP_VERSION} ${message.status} ${message.reason}`;
  // Whoever put it there: what follows would be read as header fields.
  if (/[\r\n]/.test(line)) throw new Error(`line break in start line: ${JSON.stringify(line)}`);
  return line;
}
