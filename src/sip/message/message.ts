import type { Result } from "../../core/result.ts";
import { type HeaderField, HeaderList } from "./header_list.ts";
import { NameAddr } from "./name_addr.ts";
import { reasonPhrase } from "./reason_phrases.ts";
import { DIGIT, inClass, isAll, isToken, skipBlanks } from "./text.ts";
import { parseUri, type SipUri } from "./uri.ts";
import type { UriFault } from "./uri_grammar.ts";
import { Via } from "./via.ts";

/** The SIP version that we speak. */
export const SIP_VERSION = "SIP/2.0";
/** CSeq numbers are less than this (RFC 3261 8.1.1.5). */
export const CSEQ_LIMIT = 2 ** 31;
/** What an Expires that cannot be read counts as (RFC 3261 10.3 step 6), seconds. */
export const DEFAULT_EXPIRES = 3600;
const EXPIRES_LIMIT = 2 ** 32;

export interface CSeq {
  readonly sequence: number;
  readonly method: string;
}

const EMPTY = new Uint8Array(0);

export interface Checked {
  readonly headers: HeaderList;
  readonly revision: number;
  readonly method: string;
  readonly uri: string;
}

/**
 * What requests and responses have in common. The typed getters assume that `validate` said yes
 * (or that we wrote the message): what is missing or malformed then is our bug, and they throw.
 * They keep what they parsed beside the header field, so reading twice costs nothing, and
 * changing the header changes what they say.
 */
abstract class Message {
  headers: HeaderList;
  /** Kept byte for byte. */
  body: Uint8Array;
  /** What `validate` has found good, so that it need not look again; nobody else's business. */
  checked: Checked | undefined;

  constructor(headers: HeaderList, body: Uint8Array) {
    this.headers = headers;
    this.body = body;
  }

  get callId(): string {
    return must(this.headers, "call-id").value;
  }

  get cseq(): CSeq {
    return take(must(this.headers, "cseq").parsed(readCSeq));
  }

  get from(): NameAddr {
    return take(must(this.headers, "from").parsed(readNameAddr));
  }

  get to(): NameAddr {
    return take(must(this.headers, "to").parsed(readNameAddr));
  }

  /** The topmost Via. */
  get topVia(): Via {
    return take(must(this.headers, "via").parsed(readVias))[0]!;
  }

  /** In the place of the one that is there. */
  set topVia(via: Via) {
    const [, ...others] = take(must(this.headers, "via").parsed(readVias));
    this.headers.replaceFirstValue("Via", via.toString(), [via, ...others]);
  }

  /** All Via values, topmost first. */
  get vias(): Via[] {
    return this.#each("via", readVias);
  }

  /** "*" alone in a REGISTER that takes all bindings away. */
  get contacts(): NameAddr[] | "*" {
    return this.headers.get("contact") === "*" ? "*" : this.#addresses("contact");
  }

  get routes(): NameAddr[] {
    return this.#addresses("route");
  }

  get recordRoutes(): NameAddr[] {
    return this.#addresses("record-route");
  }

  get maxForwards(): number | undefined {
    return readNumber(this.headers.get("max-forwards"), 256);
  }

  /** The Expires header, seconds; one that cannot be read is an hour. */
  get expires(): number | undefined {
    const text = this.headers.get("expires");
    return text === undefined ? undefined : readNumber(text, EXPIRES_LIMIT) ?? DEFAULT_EXPIRES;
  }

  /** The Content-Length header as it stands; `serialize` writes the body's length. */
  get contentLength(): number | undefined {
    return readNumber(this.headers.get("content-length"), EXPIRES_LIMIT);
  }

  /** The media type in lower case, without its parameters. */
  get contentType(): string | undefined {
    const text = this.headers.get("content-type");
    return text === undefined ? undefined : text.replace(/\s*;.*/s, "").toLowerCase();
  }

  #addresses(key: string): NameAddr[] {
    return this.#each(key, readNameAddrs);
  }

  #each<T>(key: string, read: (field: HeaderField) => Result<T[], string>): T[] {
    const all: T[] = [];
    for (const field of this.headers.entries()) {
      if (field.key === key) all.push(...take(field.parsed(read)));
    }
    return all;
  }
}

export class SipRequest extends Message {
  readonly kind = "request";
  /** Case-sensitive (RFC 3261 7.1). */
  method: string;
  /** Request-URI as it stands in the request line. */
  uri: string;
  /** As received; other than `SIP/2.0` only where `validate` says 505. */
  readonly version: string;

  constructor(
    method: string,
    uri: string,
    headers: HeaderList = new HeaderList(),
    body: Uint8Array = EMPTY,
    version: string = SIP_VERSION,
  ) {
    super(headers, body);
    this.method = method;
    this.uri = uri;
    this.version = version;
  }

  #parsedText: string | undefined;
  #parsedUri: Result<SipUri, UriFault> | undefined;

  /** The Request-URI, parsed. */
  get requestUri(): Result<SipUri, UriFault> {
    if (this.#parsedUri === undefined || this.#parsedText !== this.uri) {
      this.#parsedUri = parseUri(this.uri);
      this.#parsedText = this.uri;
    }
    return this.#parsedUri;
  }

  /** With a header list of its own; fields and body are shared. */
  clone(): SipRequest {
    return new SipRequest(this.method, this.uri, this.headers.clone(), this.body, this.version);
  }
}

export class SipResponse extends Message {
  readonly kind = "response";
  /** 100 to 699. */
  status: number;
  /** May be empty; means nothing to us. */
  reason: string;
  readonly version: string;

  constructor(
    status: number,
    reason: string = reasonPhrase(status),
    headers: HeaderList = new HeaderList(),
    body: Uint8Array = EMPTY,
    version: string = SIP_VERSION,
  ) {
    super(headers, body);
    this.status = status;
    this.reason = reason;
    this.version = version;
  }

  /** With a header list of its own; fields and body are shared. */
  clone(): SipResponse {
    const headers = this.headers.clone();
    return new SipResponse(this.status, this.reason, headers, this.body, this.version);
  }
}

export type SipMessage = SipRequest | SipResponse;

function must(headers: HeaderList, key: string): HeaderField {
  const found = headers.field(key);
  if (found === undefined) throw new Error(`message without ${key}: validate() was not asked`);
  return found;
}

function take<T>(result: Result<T, string>): T {
  if (!result.ok) throw new Error(`${result.error}: validate() was not asked`);
  return result.value;
}

// One reader a header; `HeaderField.parsed` keeps what it gives back.

export function readCSeq(field: HeaderField): Result<CSeq, string> {
  const text = field.value;
  let end = 0;
  let sequence = 0;
  for (; end < text.length && inClass(text.charCodeAt(end), DIGIT); end++) {
    sequence = 10 * sequence + text.charCodeAt(end) - 0x30;
  }
  const at = skipBlanks(text, end);
  const method = text.slice(at);
  if (end === 0 || sequence >= CSEQ_LIMIT || at === end || !isToken(method)) {
    return { ok: false, error: `CSeq must be a number below 2^31 and a method, not "${text}"` };
  }
  return { ok: true, value: { sequence, method } };
}

export function readNameAddr(field: HeaderField): Result<NameAddr, string> {
  return NameAddr.parse(field.value);
}

export function readNameAddrs(field: HeaderField): Result<NameAddr[], string> {
  return readEach(field, NameAddr.parse);
}

export function readVias(field: HeaderField): Result<Via[], string> {
  return readEach(field, Via.parse);
}

function readEach<T>(
  field: HeaderField,
  parse: (text: string) => Result<T, string>,
): Result<T[], string> {
  if (!field.value.includes(",")) {
    const only = parse(field.value);
    return only.ok ? { ok: true, value: [only.value] } : only;
  }
  const value: T[] = [];
  for (const text of field.values) {
    const parsed = parse(text);
    if (!parsed.ok) return parsed;
    value.push(parsed.value);
  }
  return { ok: true, value };
}

/** Digits below `limit`; undefined for anything else. Leading zeros are allowed. */
export function readNumber(text: string | undefined, limit: number): number | undefined {
  if (text === undefined || !isAll(text, DIGIT)) return undefined;
  const value = Number(text);
  return value < limit ? value : undefined;
}
