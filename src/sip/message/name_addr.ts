import { err, ok, type Result } from "../../core/result.ts";
import { Params } from "./params.ts";
import { parseUri, type SipUri } from "./uri.ts";
import { endOfQuoted, isToken, quote, skipBlanks, trimBlanks, unquote } from "./text.ts";

export interface NameAddrParts {
  readonly displayName?: string | null;
  readonly uri: SipUri;
  readonly params?: Params;
}

/**
 * `( name-addr / addr-spec ) *( SEMI generic-param )`: From, To, Contact, Route, Record-Route,
 * Refer-To, P-Asserted-Identity ... (RFC 3261 20.10, 25.1). Immutable.
 */
export class NameAddr {
  /** Decoded; null for none. */
  readonly displayName: string | null;
  readonly uri: SipUri;
  /** The header's parameters, not the URI's. */
  readonly params: Params;
  #text: string | undefined;

  private constructor(parts: NameAddrParts, text?: string) {
    this.displayName = parts.displayName ?? null;
    this.uri = parts.uri;
    this.params = parts.params ?? Params.NONE;
    this.#text = text;
  }

  static of(parts: NameAddrParts): NameAddr {
    return new NameAddr(parts);
  }

  /** One value of such a header; the fault is a sentence. */
  static parse(text: string): Result<NameAddr, string> {
    const open = openBracket(text);
    if (open === UNBALANCED) return err(`unterminated quotes in "${text}"`);
    if (open < 0) return parseAddrSpec(text);
    const name = open === 0 ? NO_NAME : parseDisplayName(trimBlanks(text.slice(0, open)));
    if (!name.ok) return name;
    const close = text.indexOf(">", open);
    if (close < 0) return err(`"<" without ">" in "${text}"`);
    const uri = parseUri(text.slice(open + 1, close));
    if (!uri.ok) return err(uri.error.text);
    const params = Params.parseHeader(text, close + 1);
    if (!params.ok) return params;
    const parts = { displayName: name.value, uri: uri.value, params: params.value };
    return ok(new NameAddr(parts, text));
  }

  /** The `tag` parameter. */
  get tag(): string | undefined {
    return this.params.get("tag");
  }

  withParams(params: Params): NameAddr {
    return new NameAddr({ displayName: this.displayName, uri: this.uri, params });
  }

  withParam(name: string, value: string | null): NameAddr {
    return this.withParams(this.params.with(name, value));
  }

  withoutParam(name: string): NameAddr {
    return this.params.has(name) ? this.withParams(this.params.without(name)) : this;
  }

  withTag(tag: string): NameAddr {
    return this.withParam("tag", tag);
  }

  /** As received; of our own always with angle brackets and a quoted name. */
  toString(): string {
    if (this.#text !== undefined) return this.#text;
    const name = this.displayName === null ? "" : `${quote(this.displayName)} `;
    return this.#text = `${name}<${this.uri}>${this.params}`;
  }
}

const UNBALANCED = -2;
const NO_NAME: Result<null, string> = ok(null);

/** Index of the "<" outside quotes, -1 for none. */
function openBracket(text: string): number {
  const open = text.indexOf("<");
  if (open === 0) return 0;
  const quoteAt = text.indexOf('"');
  if (quoteAt < 0 || (open >= 0 && open < quoteAt)) return open;
  // Quotes belong to the display name only if they begin it; else they are in a parameter.
  if (skipBlanks(text, 0) !== quoteAt) return -1;
  const end = endOfQuoted(text, quoteAt);
  return end < 0 ? UNBALANCED : text.indexOf("<", end);
}

function parseDisplayName(text: string): Result<string | null, string> {
  if (text === "") return ok(null);
  if (text.startsWith('"')) {
    return endOfQuoted(text, 0) === text.length
      ? ok(unquote(text))
      : err(`unexpected text after the quoted display name ${text}`);
  }
  const words = text.split(/[ \t]+/);
  // UTF-8 without quotes is against the grammar, but common and harmless.
  // deno-lint-ignore no-control-regex -- everything but ASCII
  if (words.every((word) => isToken(word.replace(/[^\x00-\x7f]/g, "x")))) {
    return ok(words.join(" "));
  }
  return err(`display name ${JSON.stringify(text)} must be quoted`);
}

/** Without brackets, semicolons begin parameters of the header (RFC 3261 20.10). */
function parseAddrSpec(text: string): Result<NameAddr, string> {
  const semicolon = text.indexOf(";");
  const end = semicolon < 0 ? text.length : semicolon;
  const addrSpec = trimBlanks(text.slice(0, end));
  if (addrSpec.includes("?") || addrSpec.includes(",")) {
    return err(`URI with "?" or "," must stand in angle brackets: "${text}"`);
  }
  const uri = parseUri(addrSpec);
  if (!uri.ok) return err(uri.error.text);
  const params = Params.parseHeader(text, end);
  return params.ok ? ok(NameAddr.of({ uri: uri.value, params: params.value })) : params;
}
