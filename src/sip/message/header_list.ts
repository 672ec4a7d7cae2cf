import { ok } from "../../core/result.ts";
import { endOfQuoted, isToken, trimBlanks } from "./text.ts";

/** Compact forms: RFC 3261 7.3.3 and the extensions that registered one with IANA. */
const COMPACT = new Map([
  ["a", "accept-contact"],
  ["b", "referred-by"],
  ["c", "content-type"],
  ["d", "request-disposition"],
  ["e", "content-encoding"],
  ["f", "from"],
  ["i", "call-id"],
  ["j", "reject-contact"],
  ["k", "supported"],
  ["l", "content-length"],
  ["m", "contact"],
  ["n", "identity-info"],
  ["o", "event"],
  ["r", "refer-to"],
  ["s", "subject"],
  ["t", "to"],
  ["u", "allow-events"],
  ["v", "via"],
  ["x", "session-expires"],
  ["y", "identity"],
]);

/** Headers whose grammar is a comma list, so that one line may hold several values. */
const LISTS = new Set([
  "accept",
  "accept-contact",
  "accept-encoding",
  "accept-language",
  "accept-resource-priority",
  "alert-info",
  "allow",
  "allow-events",
  "call-info",
  "contact",
  "content-encoding",
  "content-language",
  "diversion",
  "error-info",
  "history-info",
  "in-reply-to",
  "p-asserted-identity",
  "p-associated-uri",
  "p-preferred-identity",
  "path",
  "proxy-require",
  "reason",
  "record-route",
  "reject-contact",
  "require",
  "resource-priority",
  "route",
  "security-client",
  "security-server",
  "security-verify",
  "service-route",
  "supported",
  "unsupported",
  "via",
  "warning",
]);

/** Names as they are usually written, so that nearly no name of a message has to be looked up. */
const USUAL = [
  "Via",
  "From",
  "To",
  "Call-ID",
  "CSeq",
  "Contact",
  "Max-Forwards",
  "Content-Length",
  "Content-Type",
  "Record-Route",
  "Route",
  "Expires",
  "Allow",
  "Supported",
  "Require",
  "User-Agent",
  "Server",
  "Authorization",
  "Proxy-Authorization",
  "WWW-Authenticate",
  "Proxy-Authenticate",
  "Accept",
  "Path",
  "Event",
  "Subject",
  "Session-Expires",
  "Min-SE",
  "P-Asserted-Identity",
  "Allow-Events",
  "Subscription-State",
];
/** By length and, in it, first letter. */
const usual: string[][] = [];

/**
 * The usual name that stands at `at` and ends at `end`, as the one text that all messages share.
 */
export function usualName(text: string, at: number, end: number): string | undefined {
  const found = usual[end - at];
  if (found === undefined) return undefined;
  const first = text.charCodeAt(at);
  for (let i = 0; i < found.length; i++) {
    const name = found[i]!;
    if (name.charCodeAt(0) === first && text.startsWith(name, at)) return name;
  }
  return undefined;
}

for (const name of USUAL) (usual[name.length] ??= []).push(name);

const MAX_CACHED_NAMES = 1024;
const keys = new Map<string, string>();

/** The long name in lower case of a header name in any spelling. */
export function headerKey(name: string): string {
  const known = keys.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const key = COMPACT.get(lower) ?? lower;
  // Bounded, because names come from the network.
  if (keys.size < MAX_CACHED_NAMES && name.length <= 32) keys.set(name, key);
  return key;
}

/**
 * One header field as it stands in the message. Immutable, so that what was parsed from its value
 * can be kept beside it, and so that lists can share fields.
 */
export class HeaderField {
  /** Spelling as received. */
  declare readonly name: string;
  /** Long name in lower case. */
  declare readonly key: string;
  /** The whole line without its CRLF, folds and blanks as received. */
  declare readonly line: string;
  readonly #valueAt: number;
  #value: string | undefined;
  #values: readonly string[] | undefined;
  #parsed: unknown;

  /** @param valueAt index in `line` after the colon */
  constructor(name: string, line: string, valueAt: number) {
    this.name = name;
    this.key = headerKey(name);
    this.line = line;
    this.#valueAt = valueAt;
  }

  /** The value, unfolded and trimmed. */
  get value(): string {
    return this.#value ??= unfold(this.line.slice(this.#valueAt));
  }

  /** The values of a comma list; of any other header its one value. */
  get values(): readonly string[] {
    return this.#values ??= LISTS.has(this.key) ? splitList(this.value) : [this.value];
  }

  /** The first of `values`. */
  get first(): string {
    return this.value.includes(",") ? this.values[0]! : this.value;
  }

  /** What `parse` makes of this field, computed once; always called with one parser a key. */
  parsed<T>(parse: (field: HeaderField) => T): T {
    return (this.#parsed ??= parse(this)) as T;
  }
}

function unfold(text: string): string {
  return trimBlanks(text.includes("\n") ? text.replace(/[ \t]*\r\n[ \t]+/g, " ") : text);
}

/** `text` split at the commas that stand outside quotes and angle brackets. */
export function splitList(text: string): string[] {
  if (!text.includes(",")) return [text];
  const out: string[] = [];
  let from = 0;
  let inBrackets = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22 && !inBrackets) {
      const end = endOfQuoted(text, i);
      if (end < 0) break;
      i = end - 1;
    } else if (code === 0x3c) inBrackets = true;
    else if (code === 0x3e) inBrackets = false;
    else if (code === 0x2c && !inBrackets) {
      out.push(trimBlanks(text.slice(from, i)));
      from = i + 1;
    }
  }
  out.push(trimBlanks(text.slice(from)));
  return out;
}

function field(name: string, value: string): HeaderField {
  // Whatever comes from outside was checked before; a line break here would forge a header.
  if (!isToken(name)) throw new Error(`header name is no token: ${JSON.stringify(name)}`);
  if (/[\r\n]/.test(value)) {
    throw new Error(`line break in header ${name}: ${JSON.stringify(value)}`);
  }
  return new HeaderField(name, `${name}: ${value}`, name.length + 1);
}

/**
 * The header fields of a message in their order. Names match in any case and in compact form;
 * what is not touched is serialised exactly as it was received.
 */
export class HeaderList {
  #fields: HeaderField[];
  #revision = 0;

  constructor(fields: HeaderField[] = []) {
    this.#fields = fields;
  }

  /** A list of name and value pairs. */
  static of(pairs: Iterable<readonly [string, string]>): HeaderList {
    const list = new HeaderList();
    for (const [name, value] of pairs) list.append(name, value);
    return list;
  }

  /** Another one after each change. */
  get revision(): number {
    return this.#revision;
  }

  /** Number of header fields (lines, not values). */
  get size(): number {
    return this.#fields.length;
  }

  /** The first value (of a comma list its first element), unfolded, trimmed, undecoded. */
  get(name: string): string | undefined {
    return this.field(name)?.first;
  }

  /** All values in order, comma lists split. */
  getAll(name: string): string[] {
    const key = headerKey(name);
    const out: string[] = [];
    for (const f of this.#fields) {
      if (f.key === key) out.push(...f.values);
    }
    return out;
  }

  has(name: string): boolean {
    return this.field(name) !== undefined;
  }

  /** The first field of this name. */
  field(name: string): HeaderField | undefined {
    const key = headerKey(name);
    for (const f of this.#fields) {
      if (f.key === key) return f;
    }
    return undefined;
  }

  /** All fields of this name. */
  fields(name: string): HeaderField[] {
    const key = headerKey(name);
    return this.#fields.filter((f) => f.key === key);
  }

  /** Number of fields (lines) of this name. */
  count(name: string): number {
    const key = headerKey(name);
    let n = 0;
    for (const f of this.#fields) if (f.key === key) n++;
    return n;
  }

  /** Replaces all fields of this name by one, in the place of the first. */
  set(name: string, value: string): void {
    this.#revision++;
    const made = field(name, value);
    const at = this.#fields.findIndex((f) => f.key === made.key);
    if (at < 0) {
      this.#fields.push(made);
      return;
    }
    this.#fields = this.#fields.filter((f, i) => i === at || f.key !== made.key);
    this.#fields[at] = made;
  }

  append(name: string, value: string): void {
    this.#revision++;
    this.#fields.push(field(name, value));
  }

  /** Adds a field of another message as it stands. */
  appendField(f: HeaderField): void {
    this.#revision++;
    this.#fields.push(f);
  }

  /** Puts a field before the first of its name, or before all others. */
  prepend(name: string, value: string): void {
    this.#revision++;
    const made = field(name, value);
    const at = this.#fields.findIndex((f) => f.key === made.key);
    this.#fields.splice(at < 0 ? 0 : at, 0, made);
  }

  /** Removes all fields of this name; whether there were any. */
  remove(name: string): boolean {
    this.#revision++;
    const key = headerKey(name);
    const before = this.#fields.length;
    this.#fields = this.#fields.filter((f) => f.key !== key);
    return this.#fields.length < before;
  }

  /** Takes the first value away (the topmost Via, the first Route) and returns it. */
  removeFirstValue(name: string): string | undefined {
    this.#revision++;
    const found = this.field(name);
    if (found === undefined) return undefined;
    const at = this.#fields.indexOf(found);
    const rest = found.values.slice(1);
    if (rest.length === 0) this.#fields.splice(at, 1);
    else this.#fields[at] = field(found.name, rest.join(", "));
    return found.values[0];
  }

  /**
   * Puts `value` in the place of the first value; adds it where there is none.
   * @param parsed what the reader of this header would make of the field then
   */
  replaceFirstValue(name: string, value: string, parsed?: unknown): void {
    this.#revision++;
    const found = this.field(name);
    if (found === undefined) return this.prepend(name, value);
    const rest = found.value.includes(",") ? found.values.slice(1) : [];
    const made = field(found.name, [value, ...rest].join(", "));
    if (parsed !== undefined) made.parsed(() => ok(parsed));
    this.#fields[this.#fields.indexOf(found)] = made;
  }

  /** All fields in order. */
  entries(): readonly HeaderField[] {
    return this.#fields;
  }

  /** A list of its own with the same fields. */
  clone(): HeaderList {
    return new HeaderList(this.#fields.slice());
  }
}
