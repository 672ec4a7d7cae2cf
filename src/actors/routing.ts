import { err, ok, type Result } from "../core/result.ts";
import { escapeUser, parseUri, SipUri } from "../sip/message/mod.ts";
import type { SessionProfile } from "./client.ts";

export interface Callee {
  /** For people: what a client calls itself. */
  readonly name: string;
  /** Request-URI of the INVITE. */
  readonly uri: string;
}

export interface RoutingOptions {
  readonly canonicalDomain: string;
  readonly isOurs: (host: string) => boolean;
  /** The server of others whose client the caller is; absent: ours. */
  readonly home?: OutsideHome;
}

export interface OutsideHome {
  readonly domain: string;
  /** Host, and port where it takes one, of Request-URIs in that domain. */
  readonly target: string;
}

/** SIP's own port: as good as none, and leaves the way to the server to DNS (RFC 3263 4.1). */
const DEFAULT_PORT = 5060;

/** Whether a name or an address may stand as host in a SIP URI. */
export function isUriHost(host: string): boolean {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return parseUri(`sip:${bracketed}`).ok;
}

/** Where the requests of a client of another server go first; `undefined` port: by DNS. */
export function outsideServer({ outboundProxy, port }: SessionProfile): SipUri {
  return SipUri.of({ host: outboundProxy, port: port === DEFAULT_PORT ? undefined : port });
}

/** The domain of a client of another server; undefined for one of ours. */
export function outsideHome(
  profile: SessionProfile,
): OutsideHome & { readonly aorHost: string } | undefined {
  if (!profile.isOutside) return undefined;
  const { domain, outboundProxy } = profile;
  const aorHost = SipUri.of({ host: domain }).host;
  // Behind a proxy of its own the domain has whatever port its registrar has.
  const isBehind = domain.toLowerCase() !== outboundProxy.toLowerCase();
  const { port } = outsideServer(profile);
  const target = isBehind || port === undefined ? aorHost : `${aorHost}:${port}`;
  return { domain: SipUri.of({ host: domain }).address, aorHost, target };
}

/**
 * What a user typed as callee: a bare name or number, `user@domain`, or a `sip:` URI. On SIP Port 0
 * every domain means us (design section 9), and so does every name of ours.
 */
export function parseCallee(
  text: string,
  isPortZero: boolean,
  options: RoutingOptions,
): Result<Callee, string> {
  if (options.home) return calleeOutside(text, options.home);
  const trimmed = text.trim();
  if (trimmed === "") return err("The callee is empty: type a name or a number");
  const isUri = /^sips?:/i.test(trimmed);
  const at = trimmed.lastIndexOf("@");
  if (!isUri && at < 0) return ok(local(trimmed, options));
  if (!isUri) {
    const user = trimmed.slice(0, at);
    const host = trimmed.slice(at + 1);
    if (user === "" || host === "") return err(`The callee ${trimmed} lacks a name or a domain`);
    if (isPortZero || options.isOurs(host)) return ok(local(user, options));
    return ok({ name: trimmed, uri: `sip:${escapeUser(user)}@${host}` });
  }
  const uri = parseUri(trimmed);
  if (!uri.ok) return err(`The callee ${trimmed} is no SIP URI: ${uri.error.text}`);
  const { user, host } = uri.value;
  if (!user) return err(`The callee ${trimmed} names nobody`);
  if (isPortZero || options.isOurs(host ?? "")) return ok(local(user, options));
  return ok({ name: `${user}@${host}`, uri: trimmed });
}

/** A name at the server that the caller belongs to, or somebody beyond it whom it may know. */
function calleeOutside(text: string, home: OutsideHome): Result<Callee, string> {
  const trimmed = text.trim();
  if (trimmed === "") return err("The callee is empty: type a name or a number");
  const isUri = /^sips?:/i.test(trimmed);
  const at = trimmed.lastIndexOf("@");
  if (!isUri && at < 0) return ok({ name: trimmed, uri: atHome(trimmed, home) });
  const written = isUri ? trimmed : `sip:${escapeUser(trimmed.slice(0, at))}${trimmed.slice(at)}`;
  const uri = parseUri(written);
  if (!uri.ok) return err(`The callee ${trimmed} is no SIP URI: ${uri.error.text}`);
  const { user, address } = uri.value;
  if (!user) return err(`The callee ${trimmed} names nobody`);
  if (address.toLowerCase() === home.domain.toLowerCase()) {
    return ok({ name: user, uri: atHome(user, home) });
  }
  return ok({ name: `${user}@${address}`, uri: uri.value.withoutHeaders().toString() });
}

function atHome(user: string, { target }: OutsideHome): string {
  return `sip:${escapeUser(user)}@${target}`;
}

function local(user: string, { canonicalDomain }: RoutingOptions): Callee {
  return { name: user, uri: `sip:${escapeUser(user)}@${canonicalDomain}` };
}
