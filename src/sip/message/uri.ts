import { err, ok, type Result } from "../../core/result.ts";
import { Params } from "./params.ts";
import {
  canonicalEscapes,
  DIGIT,
  escapeHeader,
  escapePassword,
  escapeUser,
  HEADER,
  HOST,
  inClass,
  isAll,
  isEscaped,
  PASSWORD,
  unescapeUri,
  USER,
} from "./text.ts";

/** Why a text is no URI. */
export interface UriFault {
  readonly text: string;
}

export interface SipUriParts {
  /** `sip` unless given. */
  readonly scheme?: "sip" | "sips";
  /** As a person writes it; escaped here. Null or absent for none. */
  readonly user?: string | null;
  readonly password?: string | null;
  /** Name, IPv4 address or IPv6 address (brackets are added where they are missing). */
  readonly host: string;
  readonly port?: number | undefined;
  readonly params?: Params;
}

interface Fields {
  readonly scheme: string;
  readonly rawUser: string | null;
  readonly password: string | null;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  readonly headerText: string;
  readonly opaque: string;
}

const NO_FIELDS: Fields = {
  scheme: "sip",
  rawUser: null,
  password: null,
  host: "",
  port: undefined,
  params: Params.NONE_OF_URI,
  headerText: "",
  opaque: "",
};

/** Parameters that must stand in both URIs or in none (RFC 3261 19.1.4, bullets and examples). */
const NEVER_IGNORED = ["user", "ttl", "method", "maddr", "transport"];

/**
 * A URI (RFC 3261 19.1; `tel`: RFC 3966; any other scheme: kept as it is). Immutable. What was
 * parsed is written back exactly as it was read.
 */
export class SipUri {
  /** In lower case: `sip`, `sips`, `tel` or any other. */
  readonly scheme: string;
  /** User part as it stands in the URI, escapes and all; null for none; of `tel` the number. */
  readonly rawUser: string | null;
  /** As it stands in the URI. */
  readonly password: string | null;
  /** In lower case, IPv6 with brackets; "" for schemes without. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  /** The headers part without its question mark, as it stands in the URI. */
  readonly headerText: string;
  /** What follows the scheme where it is none of ours. */
  readonly opaque: string;
  #user: string | null | undefined;
  #text: string | undefined;

  private constructor(fields: Fields, text?: string) {
    this.scheme = fields.scheme;
    this.rawUser = fields.rawUser;
    this.password = fields.password;
    this.host = fields.host;
    this.port = fields.port;
    this.params = fields.params;
    this.headerText = fields.headerText;
    this.opaque = fields.opaque;
    this.#text = text;
  }

  static of(parts: SipUriParts): SipUri {
    const user = parts.user ?? null;
    const password = parts.password ?? null;
    const bare6 = parts.host.includes(":") && !parts.host.startsWith("[");
    return new SipUri({
      ...NO_FIELDS,
      scheme: parts.scheme ?? "sip",
      rawUser: user === null ? null : escapeUser(user),
      password: password === null ? null : escapePassword(password),
      host: (bare6 ? `[${parts.host}]` : parts.host).toLowerCase(),
      port: parts.port,
      params: parts.params ?? Params.NONE_OF_URI,
    });
  }

  /** Use `parseUri`. */
  static parse(text: string): Result<SipUri, UriFault> {
    const fields = parseFields(text);
    return fields.ok ? ok(new SipUri(fields.value, text)) : fields;
  }

  /** Whether the scheme is `sip` or `sips`. */
  get isSip(): boolean {
    return this.scheme === "sip" || this.scheme === "sips";
  }

  /** User part as a person writes it; null for none. */
  get user(): string | null {
    return this.#user ??= this.rawUser === null ? null : unescapeUri(this.rawUser);
  }

  /** The host as a socket wants it: no brackets around IPv6. */
  get address(): string {
    return this.host.startsWith("[") ? this.host.slice(1, -1) : this.host;
  }

  /** The `transport` parameter in upper case. */
  get transport(): string | undefined {
    return this.params.get("transport")?.toUpperCase();
  }

  /** Header fields of the headers part, decoded. */
  get headers(): readonly (readonly [name: string, value: string])[] {
    if (this.headerText === "") return [];
    return this.headerText.split("&").map((pair) => {
      const equals = pair.indexOf("=");
      return [unescapeUri(pair.slice(0, equals)), unescapeUri(pair.slice(equals + 1))] as const;
    });
  }

  /** Equal as RFC 3261 19.1.4 says (for `tel`: RFC 3966 4; else: by text). */
  equals(other: SipUri): boolean {
    if (this.scheme !== other.scheme) return false;
    if (this.scheme === "tel") return telKey(this) === telKey(other);
    if (!this.isSip) return this.opaque === other.opaque;
    return canonical(this.rawUser) === canonical(other.rawUser) &&
      canonical(this.password) === canonical(other.password) &&
      this.host === other.host && this.port === other.port &&
      equalParams(this.params, other.params) && equalHeaders(this, other);
  }

  /**
   * The address of record that this URI names, as a key: user and host, no parameters
   * (RFC 3261 10.3). `domain` stands in for host and port where they mean us.
   */
  aorKey(domain?: string): string {
    if (!this.isSip) return this.toString();
    const host = domain?.toLowerCase() ?? this.hostPort;
    return this.rawUser === null ? host : `${canonicalEscapes(this.rawUser)}@${host}`;
  }

  /** `host` or `host:port`. */
  get hostPort(): string {
    return this.port === undefined ? this.host : `${this.host}:${this.port}`;
  }

  withParams(params: Params): SipUri {
    return new SipUri({ ...this.#fields(), params });
  }

  withParam(name: string, value: string | null): SipUri {
    return this.withParams(this.params.with(name, value));
  }

  withoutParam(name: string): SipUri {
    return this.params.has(name) ? this.withParams(this.params.without(name)) : this;
  }

  /** Without the headers part, which no Request-URI may have (RFC 3261 19.1.1). */
  withoutHeaders(): SipUri {
    return this.headerText === "" ? this : new SipUri({ ...this.#fields(), headerText: "" });
  }

  withHost(host: string, port?: number): SipUri {
    return new SipUri({ ...this.#fields(), host: host.toLowerCase(), port });
  }

  /** With a headers part of these header fields, escaped. */
  withHeaders(headers: Iterable<readonly [string, string]>): SipUri {
    const pairs = Array.from(headers, ([n, v]) => `${escapeHeader(n)}=${escapeHeader(v)}`);
    return new SipUri({ ...this.#fields(), headerText: pairs.join("&") });
  }

  #fields(): Fields {
    return {
      scheme: this.scheme,
      rawUser: this.rawUser,
      password: this.password,
      host: this.host,
      port: this.port,
      params: this.params,
      headerText: this.headerText,
      opaque: this.opaque,
    };
  }

  toString(): string {
    return this.#text ??= this.#write();
  }

  #write(): string {
    if (this.scheme === "tel") return `tel:${this.rawUser}${this.params}`;
    if (!this.isSip) return `${this.scheme}:${this.opaque}`;
    const password = this.password === null ? "" : `:${this.password}`;
    const user = this.rawUser === null ? "" : `${this.rawUser}${password}@`;
    const headers = this.headerText === "" ? "" : `?${this.headerText}`;
    return `${this.scheme}:${user}${this.hostPort}${this.params}${headers}`;
  }
}

/** A URI of any scheme; the text must be nothing but the URI. */
export function parseUri(text: string): Result<SipUri, UriFault> {
  return SipUri.parse(text);
}

function parseFields(text: string): Result<Fields, UriFault> {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, Math.max(0, colon)).toLowerCase();
  if (scheme === "sip" || scheme === "sips") return parseSip(text, colon + 1, scheme);
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) {
    return err({ text: `no URI: "${text}" does not begin with a scheme` });
  }
  const opaque = text.slice(colon + 1);
  // deno-lint-ignore no-control-regex -- the characters no URI may hold
  if (opaque === "" || /[\x00-\x20<>"\x7f]/.test(opaque)) {
    return err({ text: `no URI: "${text}" is empty or holds a blank, control or bracket` });
  }
  return scheme === "tel" ? parseTel(text, opaque) : ok({ ...NO_FIELDS, scheme, opaque });
}

function parseSip(text: string, from: number, scheme: string): Result<Fields, UriFault> {
  const fault = (what: string) => err({ text: `${what} in URI "${text}"` });
  let hostAt = from;
  let rawUser: string | null = null;
  let password: string | null = null;
  const at = text.indexOf("@", from);
  if (at >= 0) {
    hostAt = at + 1;
    // A colon is no user character, so the first one begins the password.
    const colon = text.indexOf(":", from);
    const hasPassword = colon >= 0 && colon < at;
    rawUser = text.slice(from, hasPassword ? colon : at);
    if (rawUser === "" || !isEscaped(rawUser, USER)) return fault("bad user part");
    if (hasPassword) {
      password = text.slice(colon + 1, at);
      if (!isEscaped(password, PASSWORD)) return fault("bad password");
    }
  }
  const hostEnd = endOfHost(text, hostAt);
  if (hostEnd < 0) return fault("bad host");
  let end = hostEnd;
  let port: number | undefined;
  if (text.charCodeAt(end) === 0x3a) {
    const portAt = ++end;
    while (end < text.length && inClass(text.charCodeAt(end), DIGIT)) end++;
    port = parsePort(text.slice(portAt, end));
    if (port === undefined) return fault("bad port");
  }
  let params = Params.NONE_OF_URI;
  const question = text.indexOf("?", end);
  if (text.charCodeAt(end) === 0x3b) {
    const paramsEnd = question < 0 ? text.length : question;
    const parsed = Params.parseUri(text.slice(end + 1, paramsEnd));
    if (!parsed.ok) return err({ text: parsed.error });
    params = parsed.value;
    end = paramsEnd;
  }
  let headerText = "";
  if (end < text.length) {
    headerText = text.slice(end + 1);
    if (end !== question || !areHeaders(headerText)) {
      return fault(`unexpected "${text.slice(end)}"`);
    }
  }
  const host = text.slice(hostAt, hostEnd).toLowerCase();
  return ok({ scheme, rawUser, password, host, port, params, headerText, opaque: "" });
}

function parseTel(text: string, rest: string): Result<Fields, UriFault> {
  const semicolon = rest.indexOf(";");
  const number = semicolon < 0 ? rest : rest.slice(0, semicolon);
  if (!/^\+?[0-9A-Fa-f*#().-]+$/.test(number)) {
    return err({ text: `bad number in URI "${text}"` });
  }
  let params = Params.NONE_OF_URI;
  if (semicolon >= 0) {
    const parsed = Params.parseUri(rest.slice(semicolon + 1));
    if (!parsed.ok) return err({ text: parsed.error });
    params = parsed.value;
  }
  return ok({ ...NO_FIELDS, scheme: "tel", rawUser: number, params });
}

/** End of `hostname / IPv4address / IPv6reference` at `at`, -1 where there is none. */
export function endOfHost(text: string, at: number): number {
  if (text.charCodeAt(at) === 0x5b) {
    const close = text.indexOf("]", at);
    if (close < 0 || !/^[0-9a-fA-F:.]{2,45}$/.test(text.slice(at + 1, close))) return -1;
    return close + 1;
  }
  let end = at;
  let previous = 0x2e;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (!inClass(code, HOST)) break;
    if (code === 0x2e && previous === 0x2e) return -1;
    previous = code;
  }
  return end === at ? -1 : end;
}

/** A port number of 1 to 5 digits, undefined where it is none. */
export function parsePort(text: string): number | undefined {
  if (text.length > 5 || !isAll(text, DIGIT)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

function areHeaders(text: string): boolean {
  return text.split("&").every((pair) => {
    const equals = pair.indexOf("=");
    return equals > 0 && isEscaped(pair.slice(0, equals), HEADER) &&
      isEscaped(pair.slice(equals + 1), HEADER);
  });
}

function canonical(text: string | null): string | null {
  return text === null ? null : canonicalEscapes(text);
}

function equalParams(a: Params, b: Params): boolean {
  if (NEVER_IGNORED.some((name) => a.has(name) !== b.has(name))) return false;
  for (const [name, value] of a.entries()) {
    const other = b.get(name);
    if (other !== undefined && other.toLowerCase() !== (value ?? "").toLowerCase()) return false;
  }
  return true;
}

function equalHeaders(a: SipUri, b: SipUri): boolean {
  if (a.headerText === b.headerText) return true;
  const sorted = (uri: SipUri) =>
    uri.headers.map(([name, value]) => `${name.toLowerCase()}=${value}`).sort().join("\r\n");
  return sorted(a) === sorted(b);
}

/** Number without visual separators, and the parameters in order of name. */
function telKey(uri: SipUri): string {
  const params = Array.from(uri.params.entries(), ([n, v]) => `${n}=${v}`.toLowerCase()).sort();
  return [(uri.rawUser ?? "").replace(/[().-]/g, "").toLowerCase(), ...params].join(";");
}
