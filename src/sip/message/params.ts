import { err, ok, type Result } from "../../core/result.ts";
import {
  endOfQuoted,
  escapeParam,
  inClass,
  isEscaped,
  isToken,
  PARAM,
  quote,
  skipBlanks,
  TOKEN,
  unescapeUri,
  unquote,
} from "./text.ts";

/** One parameter: its name as written and its raw value, null for a flag such as `lr`. */
export type Param = readonly [name: string, raw: string | null];

type Kind = "header" | "uri";

/** Up to so many parameters are compared one with another; more by a set. */
const FEW = 12;

/** Parameters in order; names match in any case. Immutable. */
export class Params {
  static readonly NONE = new Params("header", []);
  static readonly NONE_OF_URI = new Params("uri", []);

  readonly #kind: Kind;
  readonly #items: readonly Param[];

  private constructor(kind: Kind, items: readonly Param[]) {
    this.#kind = kind;
    this.#items = items;
  }

  /** Header parameters; values that are no token or host are quoted. */
  static of(values: Readonly<Record<string, string | null>>): Params {
    return Object.entries(values).reduce((p, [name, value]) => p.with(name, value), Params.NONE);
  }

  /** URI parameters; what must be is escaped. */
  static ofUri(values: Readonly<Record<string, string | null>>): Params {
    return Object.entries(values)
      .reduce((p, [name, value]) => p.with(name, value), Params.NONE_OF_URI);
  }

  /** `*( SEMI generic-param )` from `at` to the end of `text` (RFC 3261 25.1). */
  static parseHeader(text: string, at: number): Result<Params, string> {
    at = skipBlanks(text, at);
    if (at >= text.length) return ok(Params.NONE);
    const items: Param[] = [];
    while (at < text.length) {
      if (text.charCodeAt(at) !== 0x3b) return err(`expected ";" at "${text.slice(at, at + 20)}"`);
      const nameAt = skipBlanks(text, at + 1);
      at = nameAt;
      while (at < text.length && inClass(text.charCodeAt(at), TOKEN)) at++;
      if (at === nameAt) return err(`empty parameter at "${text.slice(nameAt, nameAt + 20)}"`);
      const name = knownName(text, nameAt, at) ?? text.slice(nameAt, at);
      at = skipBlanks(text, at);
      if (text.charCodeAt(at) !== 0x3d) {
        items.push([name, null]);
        continue;
      }
      const valueAt = skipBlanks(text, at + 1);
      at = endOfValue(text, valueAt);
      if (at < 0) return err(`unterminated quotes in parameter ${name}`);
      if (at === valueAt) return err(`parameter ${name} has no value`);
      items.push([name, text.slice(valueAt, at)]);
      at = skipBlanks(text, at);
    }
    return ok(new Params("header", items));
  }

  /** `uri-parameters` without the leading semicolon (RFC 3261 19.1.1). */
  static parseUri(text: string): Result<Params, string> {
    const items: Param[] = [];
    for (const part of text.split(";")) {
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      const value = equals < 0 ? null : part.slice(equals + 1);
      if (name === "" || value === "") return err(`empty URI parameter in ";${text}"`);
      if (!isEscaped(name, PARAM) || (value !== null && !isEscaped(value, PARAM))) {
        return err(`URI parameter with a character that must be escaped: "${part}"`);
      }
      items.push([name, value]);
    }
    return ok(new Params("uri", items));
  }

  get size(): number {
    return this.#items.length;
  }

  #find(name: string): Param | undefined {
    for (const item of this.#items) {
      if (item[0] === name) return item;
    }
    const lower = name.toLowerCase();
    return this.#items.find((item) => this.#key(item) === lower);
  }

  #key(item: Param): string {
    return (this.#kind === "uri" ? unescapeUri(item[0]) : item[0]).toLowerCase();
  }

  #decoded(raw: string): string {
    return this.#kind === "uri" ? unescapeUri(raw) : unquote(raw);
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The value, unquoted or unescaped; "" for a flag; undefined where there is none. */
  get(name: string): string | undefined {
    const item = this.#find(name);
    return item === undefined ? undefined : item[1] === null ? "" : this.#decoded(item[1]);
  }

  /** Names in lower case with decoded values, null for flags. */
  *entries(): IterableIterator<[string, string | null]> {
    for (const item of this.#items) {
      yield [this.#key(item), item[1] === null ? null : this.#decoded(item[1])];
    }
  }

  /** A name that stands more than once, against RFC 3261 7.3.1. */
  get repeated(): string | undefined {
    const items = this.#items;
    if (items.length < 2) return undefined;
    if (items.length <= FEW && this.#kind === "header") {
      // Names of different lengths are different: hardly ever is more to be looked at.
      for (let i = 1; i < items.length; i++) {
        for (let j = 0; j < i; j++) {
          if (items[i]![0].length !== items[j]![0].length) continue;
          if (this.#key(items[i]!) === this.#key(items[j]!)) return this.#key(items[i]!);
        }
      }
      return undefined;
    }
    const seen = new Set<string>();
    for (const item of items) {
      const key = this.#key(item);
      if (seen.has(key)) return key;
      seen.add(key);
    }
    return undefined;
  }

  /** The same with `name` set; its place is kept if it was there. */
  with(name: string, value: string | null): Params {
    const item: Param = this.#kind === "uri"
      ? [escapeParam(name), value === null ? null : escapeParam(value)]
      : [checkedName(name), value === null ? null : headerValue(value)];
    const lower = name.toLowerCase();
    const at = this.#items.findIndex((i) => this.#key(i) === lower);
    const items = this.#items.slice();
    if (at < 0) items.push(item);
    else items[at] = item;
    return new Params(this.#kind, items);
  }

  without(name: string): Params {
    const lower = name.toLowerCase();
    return new Params(this.#kind, this.#items.filter((i) => this.#key(i) !== lower));
  }

  /** With a leading semicolon each. */
  toString(): string {
    let text = "";
    for (const [name, raw] of this.#items) text += raw === null ? `;${name}` : `;${name}=${raw}`;
    return text;
  }
}

/** Names of parameters that nearly all messages have, as texts that all share. */
const KNOWN = ["tag", "lr", "q", "branch", "rport", "received", "expires", "transport"];
/** By length, in which none of them agree. */
const known: (string | undefined)[] = [];
for (const name of KNOWN) known[name.length] = name;

function knownName(text: string, at: number, end: number): string | undefined {
  const name = known[end - at];
  return name !== undefined && text.startsWith(name, at) ? name : undefined;
}

function checkedName(name: string): string {
  if (!isToken(name)) throw new Error(`parameter name is no token: ${JSON.stringify(name)}`);
  return name;
}

function headerValue(value: string): string {
  // `received` takes an IPv6 address as it is (RFC 3261 25.1).
  if (isToken(value) || /^\[?[0-9a-fA-F:.]+\]?$/.test(value)) return value;
  return quote(value);
}

/** End of `token / host / quoted-string` at `at`; -1 for quotes that do not end. */
function endOfValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === 0x22) return endOfQuoted(text, at);
  // Beyond the grammar: a bare IPv6 address, as many write it in `received`, and UTF-8.
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (!inClass(code, TOKEN) && code < 128 && !LENIENT.includes(text[at]!)) break;
    at++;
  }
  return at;
}

// Seen in values of the wild: URIs in `+sip.instance`-like parameters, addresses, base64.
const LENIENT = "[]:/@&$#|{}^?";
