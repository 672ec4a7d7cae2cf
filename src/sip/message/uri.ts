import { ok, type Result } from "../../core/result.ts";
import { Params } from "./params.ts";
import { canonicalEscapes, escapeHeader, escapePassword, escapeUser, unescapeUri } from "./text.ts";
import {
  endOfHost,
  NO_FIELDS,
  parseUriFields,
  type UriFault,
  type UriFields,
} from "./uri_grammar.ts";

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

  private constructor(fields: UriFields, text?: string) {
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
    return new SipUri({
      ...NO_FIELDS,
      scheme: parts.scheme ?? "sip",
      rawUser: user === null ? null : escapeUser(user),
      password: password === null ? null : escapePassword(password),
      host: checkedHost(parts.host),
      port: parts.port,
      params: parts.params ?? Params.NONE_OF_URI,
    });
  }

  /** Use `parseUri`. */
  static parse(text: string): Result<SipUri, UriFault> {
    const fields = parseUriFields(text);
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
    return new SipUri({ ...this.#fields(), host: checkedHost(host), port });
  }

  /** With a headers part of these header fields, escaped. */
  withHeaders(headers: Iterable<readonly [string, string]>): SipUri {
    const pairs = Array.from(headers, ([n, v]) => `${escapeHeader(n)}=${escapeHeader(v)}`);
    return new SipUri({ ...this.#fields(), headerText: pairs.join("&") });
  }

  #fields(): UriFields {
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

/** In lower case, IPv6 in brackets; anything that is no host would forge the rest of the URI. */
function checkedHost(text: string): string {
  const host = (text.includes(":") && !text.startsWith("[") ? `[${text}]` : text).toLowerCase();
  if (endOfHost(host, 0) !== host.length) throw new Error(`no host: ${JSON.stringify(text)}`);
  return host;
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
