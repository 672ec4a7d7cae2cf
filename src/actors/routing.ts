import { err, ok, type Result } from "../core/result.ts";
import { escapeUser, parseUri } from "../sip/message/mod.ts";

export interface Callee {
  /** For people: what a client calls itself. */
  readonly name: string;
  /** Request-URI of the INVITE. */
  readonly uri: string;
}

export interface RoutingOptions {
  readonly canonicalDomain: string;
  readonly isOurs: (host: string) => boolean;
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

function local(user: string, { canonicalDomain }: RoutingOptions): Callee {
  return { name: user, uri: `sip:${escapeUser(user)}@${canonicalDomain}` };
}
