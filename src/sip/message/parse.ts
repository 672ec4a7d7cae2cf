import { err, ok, type Result } from "../../core/result.ts";
import { HeaderField, HeaderList, usualName } from "./header_list.ts";
import { MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADER_FIELDS } from "./limits.ts";
import { readNumber, SIP_VERSION, SipRequest, SipResponse } from "./message.ts";
import type { SipMessage } from "./message.ts";
import { decodeText, inClass, isToken, skipBlanks, TOKEN } from "./text.ts";

/** What a fault quotes of a bad line: enough to find it, too little to hold a credential. */
const QUOTED_CHARACTERS = 16;

/** Why bytes are no message. */
export interface ParseFault {
  /** `empty`: nothing but line ends, a keep-alive (RFC 5626 4.4.1), nothing to answer. */
  readonly kind: "empty" | "malformed" | "too-large";
  /** Status to answer a request with. */
  readonly status: 400 | 413 | 513;
  readonly text: string;
  /** What could be read of a request, enough to answer it if it has a Via; never to act on. */
  readonly request?: SipRequest;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;

/** Reads one datagram (or one WebSocket message); what follows Content-Length is dropped. */
export function parseMessage(bytes: Uint8Array): Result<SipMessage, ParseFault> {
  const from = skipLineEnds(bytes, 0);
  if (from === bytes.length) return err({ kind: "empty", status: 400, text: "Empty message" });
  const headEnd = findHeadEnd(bytes, from);
  const end = headEnd < 0 ? bytes.length : headEnd;
  if (end - from > MAX_HEAD_BYTES) {
    return err({
      kind: "too-large",
      status: 513,
      text: `Head longer than ${MAX_HEAD_BYTES} bytes`,
    });
  }
  const head = parseHead(decodeText(bytes.subarray(from, end)));
  if (!head.ok) return head;
  const message = head.value;
  if (headEnd < 0) return refuse(message, "No empty line after the header fields");
  const bodyAt = headEnd + 4;
  const length = bodyLength(message);
  if (!length.ok) return length;
  const present = bytes.length - bodyAt;
  if (length.value !== undefined && length.value > present) {
    return refuse(message, `Content-Length ${length.value}, but only ${present} bytes follow`);
  }
  const wanted = length.value ?? present;
  // A copy: whoever received the datagram may use its buffer again.
  if (wanted > 0) message.body = bytes.slice(bodyAt, bodyAt + wanted);
  return head;
}

/** Index of the first byte from `at` on that is neither CR nor LF (RFC 3261 7.5). */
export function skipLineEnds(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && (bytes[at] === CR || bytes[at] === LF)) at++;
  return at;
}

/** Index of the CRLF CRLF that ends the head, -1 where it is not there yet. */
export function findHeadEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(CR, from); at >= 0; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at;
  }
  return -1;
}

/** The length that Content-Length gives, undefined where there is none (RFC 3261 18.3). */
export function bodyLength(message: SipMessage): Result<number | undefined, ParseFault> {
  const field = message.headers.field("content-length");
  if (field === undefined) return ok(undefined);
  if (message.headers.count("content-length") > 1) {
    return refuse(message, "More than one Content-Length");
  }
  const length = readNumber(field.value, 2 ** 32);
  if (length === undefined) return refuse(message, `Content-Length is no length: ${field.value}`);
  if (length > MAX_BODY_BYTES) {
    const text = `Body longer than ${MAX_BODY_BYTES} bytes`;
    return err({ kind: "too-large", status: 413, text, ...answerable(message) });
  }
  return ok(length);
}

/** Start line and header fields, without the CRLF CRLF that ends them. */
export function parseHead(head: string): Result<SipMessage, ParseFault> {
  const lineEnd = head.indexOf("\r\n");
  const startLine = lineEnd < 0 ? head : head.slice(0, lineEnd);
  const headers: HeaderField[] = [];
  const fault = lineEnd < 0 ? undefined : readFields(head, lineEnd + 2, headers);
  const message = parseStartLine(startLine, new HeaderList(headers));
  if (message.ok && fault !== undefined) return refuse(message.value, fault);
  return message;
}

/** Reads the lines from `at` on into `out`; the first fault in words, all good fields anyhow. */
function readFields(head: string, at: number, out: HeaderField[]): string | undefined {
  let fault: string | undefined;
  while (at < head.length) {
    const end = endOfField(head, at);
    if (end === MESSY) return readMessy(head, at, out, fault);
    if (out.length >= MAX_HEADER_FIELDS) return TOO_MANY;
    const found = readField(head, at, end, out);
    fault ??= found;
    at = end + 2;
  }
  return fault;
}

/** The same where some line ends are no CR LF: none of them may end a line to somebody else. */
function readMessy(
  head: string,
  at: number,
  out: HeaderField[],
  before: string | undefined,
): string | undefined {
  let fault = before;
  while (at < head.length) {
    const end = endOfMessyField(head, at);
    if (out.length >= MAX_HEADER_FIELDS) return TOO_MANY;
    const found = LONE_LINE_END.test(head.slice(at, end))
      ? "Line end that is not CR LF in the header fields"
      : readField(head, at, end, out);
    fault ??= found;
    at = end + 2;
  }
  return fault;
}

const TOO_MANY = `More than ${MAX_HEADER_FIELDS} header lines`;
const LONE_LINE_END = /\r(?!\n)|(?<!\r)\n/;

/** Appends the field from `at` to `end`, or says what is wrong. */
function readField(
  head: string,
  at: number,
  end: number,
  out: HeaderField[],
): string | undefined {
  let nameEnd = at;
  while (nameEnd < end && inClass(head.charCodeAt(nameEnd), TOKEN)) nameEnd++;
  const colon = skipBlanks(head, nameEnd);
  if (nameEnd === at || head.charCodeAt(colon) !== COLON || colon >= end) {
    const line = head.slice(at, Math.min(end, at + QUOTED_CHARACTERS));
    return `Header line without name and colon: "${line}"`;
  }
  const name = usualName(head, at, nameEnd) ?? head.slice(at, nameEnd);
  out.push(new HeaderField(name, head.slice(at, end), colon - at + 1));
  return undefined;
}

/** A lone CR or LF is near. */
const MESSY = -1;

/** End of the field that begins at `at`, before its CRLF, with folded lines (RFC 3261 7.3.1). */
function endOfField(head: string, at: number): number {
  for (let from = at;;) {
    const lineFeed = head.indexOf("\n", from);
    const end = head.indexOf("\r", from);
    if (lineFeed < 0 && end < 0) return head.length;
    if (end !== lineFeed - 1 || end < 0) return MESSY;
    const next = head.charCodeAt(lineFeed + 1);
    if (next !== 0x20 && next !== 0x09) return end;
    from = lineFeed + 1;
  }
}

function endOfMessyField(head: string, at: number): number {
  for (let from = at;;) {
    const end = head.indexOf("\r\n", from);
    if (end < 0) return head.length;
    const next = head.charCodeAt(end + 2);
    if (next !== 0x20 && next !== 0x09) return end;
    from = end + 2;
  }
}

function parseStartLine(line: string, headers: HeaderList): Result<SipMessage, ParseFault> {
  const usual = parseUsualStart(line, headers);
  if (usual !== undefined) return ok(usual);
  if (/^SIP\/\d+\.\d+ /i.test(line)) return parseStatusLine(line, headers);
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  const version = line.slice(last + 1);
  const method = line.slice(0, first);
  const uri = line.slice(first + 1, last);
  const isVersion = /^SIP\/\d+\.\d+$/i.test(version);
  if (first > 0 && last > first + 1 && isVersion && isToken(method) && !/\s/.test(uri)) {
    return ok(new SipRequest(method, uri, headers, undefined, version.toUpperCase()));
  }
  const fault = malformed(`Not "method SP Request-URI SP SIP/2.0": "${line.slice(0, 80)}"`);
  // With a method to name, and a Via among the fields, it can be told so.
  if (!isToken(method)) return err(fault);
  return err({ ...fault, request: new SipRequest(method, uri, headers) });
}

/** Start lines of our version as nearly all of them are; undefined: to be looked at closely. */
function parseUsualStart(line: string, headers: HeaderList): SipMessage | undefined {
  if (line.startsWith("SIP/2.0 ")) {
    const digit = (at: number) => line.charCodeAt(at) - 0x30;
    const [a, b, c] = [digit(8), digit(9), digit(10)];
    const isStatus = a >= 1 && a <= 6 && b >= 0 && b <= 9 && c >= 0 && c <= 9;
    if (!isStatus || line.charCodeAt(11) !== SPACE) return undefined;
    const reason = line.slice(12);
    if (reason.includes("\r") || reason.includes("\n")) return undefined;
    return new SipResponse(a * 100 + b * 10 + c, reason, headers, undefined, SIP_VERSION);
  }
  if (!line.endsWith(" SIP/2.0")) return undefined;
  const first = line.indexOf(" ");
  const last = line.length - 8;
  if (first <= 0 || last <= first + 1) return undefined;
  for (let at = first + 1; at < last; at++) {
    const code = line.charCodeAt(at);
    if (code <= SPACE || code >= 0x7f) return undefined;
  }
  const method = line.slice(0, first);
  if (!isToken(method)) return undefined;
  return new SipRequest(method, line.slice(first + 1, last), headers, undefined, SIP_VERSION);
}

function parseStatusLine(line: string, headers: HeaderList): Result<SipMessage, ParseFault> {
  // The phrase may be empty; the blank before it is forgiven where it is.
  const match = /^(SIP\/\d+\.\d+) ([1-6]\d\d)(?: ([^\r\n]*))?$/i.exec(line);
  if (match === null) return err(malformed(`Bad status line: "${line.slice(0, 80)}"`));
  const [, version, status, reason] = match;
  const upper = version!.toUpperCase();
  return ok(new SipResponse(Number(status), reason ?? "", headers, undefined, upper));
}

function malformed(text: string): ParseFault {
  return { kind: "malformed", status: 400, text };
}

function refuse(message: SipMessage, text: string): Result<never, ParseFault> {
  return err({ ...malformed(text), ...answerable(message) });
}

function answerable(message: SipMessage): { request?: SipRequest } {
  return message.kind === "request" ? { request: message } : {};
}
