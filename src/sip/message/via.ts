import { err, ok, type Result } from "../../core/result.ts";
import { Params } from "./params.ts";
import { DIGIT, inClass, lowerCase, skipBlanks, TOKEN } from "./text.ts";
import { endOfHost, parsePort } from "./uri_grammar.ts";

/** What a branch begins with that is unique over all transactions (RFC 3261 8.1.1.7). */
export const BRANCH_COOKIE = "z9hG4bK";

export interface ViaParts {
  /** UDP, TCP, TLS, WS, WSS. */
  readonly transport: string;
  readonly host: string;
  readonly port?: number | undefined;
  readonly params?: Params;
}

/** One Via value (RFC 3261 20.42). Immutable. */
export class Via {
  /** `SIP/2.0`, blanks taken out. */
  readonly protocol: string;
  /** In upper case. */
  readonly transport: string;
  /** In lower case, IPv6 with brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  #text: string | undefined;

  private constructor(protocol: string, parts: ViaParts, text?: string) {
    this.protocol = protocol;
    this.transport = parts.transport;
    this.host = parts.host;
    this.port = parts.port;
    this.params = parts.params ?? Params.NONE;
    this.#text = text;
  }

  static of(parts: ViaParts): Via {
    return new Via("SIP/2.0", parts);
  }

  /** One value; the fault is a sentence. */
  static parse(text: string): Result<Via, string> {
    const isUsual = text.startsWith(USUAL_PROTOCOL);
    const nameEnd = isUsual ? 3 : endOfToken(text, 0);
    const versionAt = isUsual ? 4 : afterSlash(text, nameEnd);
    const versionEnd = isUsual ? 7 : endOfToken(text, versionAt);
    const transportAt = isUsual ? 8 : afterSlash(text, versionEnd);
    const transportEnd = endOfToken(text, transportAt);
    if (nameEnd === 0 || versionEnd === versionAt || transportEnd === transportAt) {
      return fault(text, "bad sent-protocol");
    }
    const hostAt = skipBlanks(text, transportEnd);
    const hostEnd = hostAt === transportEnd ? -1 : endOfHost(text, hostAt);
    if (hostEnd < 0) return fault(text, "bad sent-by");
    let end = skipBlanks(text, hostEnd);
    let port: number | undefined;
    if (text.charCodeAt(end) === 0x3a) {
      const portAt = skipBlanks(text, end + 1);
      end = portAt;
      while (end < text.length && inClass(text.charCodeAt(end), DIGIT)) end++;
      port = parsePort(text.slice(portAt, end));
      if (port === undefined) return fault(text, "bad port");
    }
    const params = Params.parseHeader(text, end);
    if (!params.ok) return fault(text, params.error);
    const protocol = isUsual
      ? "SIP/2.0"
      : `${text.slice(0, nameEnd)}/${text.slice(versionAt, versionEnd)}`.toUpperCase();
    const isUdp = transportEnd - transportAt === 3 && text.startsWith("UDP", transportAt);
    const parts = {
      transport: isUdp ? "UDP" : text.slice(transportAt, transportEnd).toUpperCase(),
      host: lowerCase(text.slice(hostAt, hostEnd)),
      port,
      params: params.value,
    };
    return ok(new Via(protocol, parts, text));
  }

  get branch(): string | undefined {
    return this.params.get("branch");
  }

  /** The `received` parameter (RFC 3261 18.2.1). */
  get received(): string | undefined {
    return this.params.get("received");
  }

  /** The `rport` parameter: "" where it asks, a port where it was answered (RFC 3581). */
  get rport(): string | undefined {
    return this.params.get("rport");
  }

  /** `host` or `host:port`. */
  get sentBy(): string {
    return this.port === undefined ? this.host : `${this.host}:${this.port}`;
  }

  withParam(name: string, value: string | null): Via {
    return new Via(this.protocol, { ...this.#parts(), params: this.params.with(name, value) });
  }

  #parts(): ViaParts {
    return { transport: this.transport, host: this.host, port: this.port, params: this.params };
  }

  toString(): string {
    return this.#text ??= `${this.protocol}/${this.transport} ${this.sentBy}${this.params}`;
  }
}

const USUAL_PROTOCOL = "SIP/2.0/";

function fault(text: string, what: string): Result<never, string> {
  return err(`${what} in Via "${text}"`);
}

function endOfToken(text: string, at: number): number {
  while (at < text.length && inClass(text.charCodeAt(at), TOKEN)) at++;
  return at;
}

/** Index after a slash and the blanks around it; `at` itself where there is none. */
function afterSlash(text: string, at: number): number {
  const slash = skipBlanks(text, at);
  return text.charCodeAt(slash) === 0x2f ? skipBlanks(text, slash + 1) : text.length;
}
