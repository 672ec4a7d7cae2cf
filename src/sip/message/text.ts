/**
 * Bytes to text and back without loss. SIP heads are UTF-8 (RFC 3261 7); an octet that is not
 * part of valid UTF-8 becomes the lone surrogate U+DC00 + octet and turns back into that octet,
 * so that what is relayed stays byte for byte the same.
 */

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Text of `bytes`; octets outside valid UTF-8 as U+DC80..U+DCFF. */
export function decodeText(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  // A text as long as its bytes is ASCII (or one replacement character an octet).
  if (!text.includes("\ufffd")) return text;
  return decodeLossless(bytes);
}

/**
 * Buffers of their own are dear: what is written goes into a chunk, one message behind the other.
 * A chunk lives as long as the last of them, and they live about as long as each other.
 */
let chunk = new Uint8Array(0);
let used = 0;
const CHUNK_BYTES = 65_536;
/** Longer texts get a buffer of their own. */
const LONGEST_IN_CHUNK = 4_096;
/** Most bytes of UTF-8 that one unit of UTF-16 comes to. */
const BYTES_A_UNIT = 3;

/** Bytes of `text`, the inverse of `decodeText`; other lone surrogates become U+FFFD. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  if (!text.isWellFormed()) return encodeLossless(text);
  if (text.length > LONGEST_IN_CHUNK) return encoder.encode(text);
  if (used + text.length * BYTES_A_UNIT > chunk.length) {
    chunk = new Uint8Array(CHUNK_BYTES);
    used = 0;
  }
  const start = used;
  used += encoder.encodeInto(text, chunk.subarray(start)).written;
  return chunk.subarray(start, used);
}

/**
 * The same text, but no piece of another: V8 keeps the whole of a message alive for the sake of a
 * word of it, which matters where the word outlives the message.
 */
export function copyText(text: string): string {
  return decodeText(encodeText(text));
}

function decodeLossless(bytes: Uint8Array): string {
  let text = "";
  let from = 0;
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += decoder.decode(bytes.subarray(from, at)) + String.fromCharCode(0xdc00 + bytes[at]!);
    at++;
    from = at;
  }
  return text + decoder.decode(bytes.subarray(from));
}

/** Length of the valid UTF-8 sequence at `at`, 0 where there is none (RFC 3629 4). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; i++) {
    if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function encodeLossless(text: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(text.length * 3);
  let length = 0;
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at)!;
    if (code >= 0xdc80 && code <= 0xdcff) out[length++] = code - 0xdc00;
    else length += encoder.encodeInto(String.fromCodePoint(code), out.subarray(length)).written;
    at += code > 0xffff ? 2 : 1;
  }
  return out.slice(0, length);
}

// Classes of characters (RFC 3261 25.1), one bit each, for codes below 128.
export const TOKEN = 1;
export const USER = 2;
export const PASSWORD = 4;
/** `paramchar` without escapes. */
export const PARAM = 8;
/** What `hname` and `hvalue` are made of, without escapes. */
export const HEADER = 16;
export const HOST = 32;
export const DIGIT = 64;
export const HEX = 128;

const CLASSES = new Uint8Array(128);
const ALPHANUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UNRESERVED = ALPHANUM + "-_.!~*'()";
for (
  const [bit, characters] of [
    [TOKEN, ALPHANUM + "-.!%*_+`'~"],
    [USER, UNRESERVED + "&=+$,;?/"],
    [PASSWORD, UNRESERVED + "&=+$,"],
    [PARAM, UNRESERVED + "[]/:&+$"],
    [HEADER, UNRESERVED + "[]/?:+$"],
    // An underscore is no host character, but names of containers have it.
    [HOST, ALPHANUM + "-._"],
    [DIGIT, "0123456789"],
    [HEX, "0123456789abcdefABCDEF"],
  ] as const
) {
  for (const character of characters) CLASSES[character.charCodeAt(0)]! |= bit;
}

/** Whether the character with this code is in one of the classes of `mask`. */
export function inClass(code: number, mask: number): boolean {
  return code < 128 && (CLASSES[code]! & mask) !== 0;
}

/** Whether `text` is not empty and made of characters of `mask` alone. */
export function isAll(text: string, mask: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (!inClass(text.charCodeAt(i), mask)) return false;
  }
  return text.length > 0;
}

/** Whether `text` is made of characters of `mask` and %-escapes; empty counts as such. */
export function isEscaped(text: string, mask: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inClass(code, mask)) continue;
    if (code !== 0x25 || !isHexPair(text, i + 1)) return false;
    i += 2;
  }
  return true;
}

function isHexPair(text: string, at: number): boolean {
  return at + 1 < text.length && inClass(text.charCodeAt(at), HEX) &&
    inClass(text.charCodeAt(at + 1), HEX);
}

/** `text` in lower case; as nearly all texts are that already, they are looked at first. */
export function lowerCase(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80 || (code >= 0x41 && code <= 0x5a)) return text.toLowerCase();
  }
  return text;
}

/** A `token` (RFC 3261 25.1). */
export function isToken(text: string): boolean {
  return isAll(text, TOKEN);
}

/** `text` with %-escapes turned, once, into what they stand for. */
export function unescapeUri(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = encodeText(text);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes[i]!;
    if (code === 0x25 && i + 2 < bytes.length) {
      const value = parseInt(String.fromCharCode(bytes[i + 1]!, bytes[i + 2]!), 16);
      if (!Number.isNaN(value)) {
        bytes[length++] = value;
        i += 2;
        continue;
      }
    }
    bytes[length++] = code;
  }
  return decodeText(bytes.subarray(0, length));
}

function escapeWith(text: string, mask: number): string {
  if (text.length === 0 || isAll(text, mask)) return text;
  let out = "";
  for (const byte of encodeText(text)) {
    out += inClass(byte, mask)
      ? String.fromCharCode(byte)
      : "%" + byte.toString(16).toUpperCase().padStart(2, "0");
  }
  return out;
}

/** `text` as the user part of a URI: what RFC 3261 25.1 forbids there is escaped, as UTF-8. */
export function escapeUser(text: string): string {
  return escapeWith(text, USER);
}

/** `text` as a password in a URI. */
export function escapePassword(text: string): string {
  return escapeWith(text, PASSWORD);
}

/** `text` as the name or value of a URI parameter. */
export function escapeParam(text: string): string {
  return escapeWith(text, PARAM);
}

/** `text` as the name or value in the headers part of a URI. */
export function escapeHeader(text: string): string {
  return escapeWith(text, HEADER);
}

/**
 * `text` in the one spelling that RFC 3261 19.1.4 compares: escapes of unreserved characters
 * undone, all others kept, in upper case (`%3B` is not `;`).
 */
export function canonicalEscapes(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/%([0-9a-fA-F]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return UNRESERVED.includes(character) ? character : escape.toUpperCase();
  });
}

/** `text` as a quoted-string, quotes included. */
export function quote(text: string): string {
  if (!/["\\\r\n]/.test(text)) return `"${text}"`;
  return `"${text.replace(/["\\]/g, "\\$&").replace(/[\r\n]+/g, " ")}"`;
}

/** What a quoted-string (quotes included) says; a text without quotes as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== 0x22) return text;
  const inner = text.slice(1, -1);
  return inner.includes("\\") ? inner.replace(/\\([\s\S])/g, "$1") : inner;
}

/** Index after the quoted-string that begins at `at`, or -1 where it does not end. */
export function endOfQuoted(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5c) i++;
    else if (code === 0x22) return i + 1;
  }
  return -1;
}

/** Index of the first character from `at` on that is neither SP nor HTAB. */
export function skipBlanks(text: string, at: number): number {
  while (at < text.length && (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09)) at++;
  return at;
}

/** `text` without SP and HTAB around it; other white space is part of the value. */
export function trimBlanks(text: string): string {
  const from = skipBlanks(text, 0);
  let to = text.length;
  while (to > from && (text.charCodeAt(to - 1) === 0x20 || text.charCodeAt(to - 1) === 0x09)) to--;
  return text.slice(from, to);
}
