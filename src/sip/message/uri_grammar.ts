import { err, ok, type Result } from "../../core/result.ts";
import { Params } from "./params.ts";
import {
  DIGIT,
  HEADER,
  HOST,
  inClass,
  isAll,
  isEscaped,
  lowerCase,
  PASSWORD,
  USER,
} from "./text.ts";

/** Why a text is no URI. */
export interface UriFault {
  readonly text: string;
}

/** What a URI is made of; see `SipUri` for the meaning of each. */
export interface UriFields {
  readonly scheme: string;
  readonly rawUser: string | null;
  readonly password: string | null;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  readonly headerText: string;
  readonly opaque: string;
}

/** To be filled in: a SIP URI of nothing. */
export const NO_FIELDS: UriFields = {
  scheme: "sip",
  rawUser: null,
  password: null,
  host: "",
  port: undefined,
  params: Params.NONE_OF_URI,
  headerText: "",
  opaque: "",
};

/** Reads a URI (RFC 3261 25.1, RFC 3966 3; any other scheme: only that it is one). */
export function parseUriFields(text: string): Result<UriFields, UriFault> {
  if (text.startsWith("sip:")) return parseSip(text, 4, "sip");
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

function fault(text: string, what: string): Result<never, UriFault> {
  return err({ text: `${what} in URI "${text}"` });
}

function parseSip(text: string, from: number, scheme: string): Result<UriFields, UriFault> {
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
    if (rawUser === "" || !isEscaped(rawUser, USER)) return fault(text, "bad user part");
    if (hasPassword) {
      password = text.slice(colon + 1, at);
      if (!isEscaped(password, PASSWORD)) return fault(text, "bad password");
    }
  }
  const hostEnd = endOfHost(text, hostAt);
  if (hostEnd < 0) return fault(text, "bad host");
  let end = hostEnd;
  let port: number | undefined;
  if (text.charCodeAt(end) === 0x3a) {
    const portAt = ++end;
    while (end < text.length && inClass(text.charCodeAt(end), DIGIT)) end++;
    port = parsePort(text.slice(portAt, end));
    if (port === undefined) return fault(text, "bad port");
  }
  let params = Params.NONE_OF_URI;
  const host = lowerCase(text.slice(hostAt, hostEnd));
  if (end === text.length) {
    return ok({ scheme, rawUser, password, host, port, params, headerText: "", opaque: "" });
  }
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
      return fault(text, `unexpected "${text.slice(end)}"`);
    }
  }
  return ok({ scheme, rawUser, password, host, port, params, headerText, opaque: "" });
}

function parseTel(text: string, rest: string): Result<UriFields, UriFault> {
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
    return close < 0 || !isIpv6(text.slice(at + 1, close)) ? -1 : close + 1;
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

const GROUP = /^[0-9a-fA-F]{1,4}$/;
const IPV4 = /^(\d{1,3})(\.\d{1,3}){3}$/;

/** `IPv6address` (RFC 4291 2.2): eight groups, or fewer and one "::"; the last two may be IPv4. */
function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  const last = groups.at(-1);
  const endsInIpv4 = last !== undefined && IPV4.test(last) && !text.endsWith("::");
  if (endsInIpv4) groups.pop();
  const count = groups.length + (endsInIpv4 ? 2 : 0);
  return groups.every((group) => GROUP.test(group)) &&
    (halves.length === 2 ? count < 8 : count === 8);
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
