import { err, ok, type Result } from "../../core/result.ts";
import type { Instant } from "../../core/clock.ts";
import { type AuthFault, parseDigestParams } from "./auth_params.ts";
import {
  type AccountDigests,
  type DigestAlgorithm,
  digestResponse,
  parseAlgorithm,
} from "./digest.ts";
import type { NonceStore } from "./nonce_store.ts";
import { sameText } from "./same_text.ts";

/** Digest credentials: value of Authorization or Proxy-Authorization (RFC 7616 3.4). */
export interface Credentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** Hex as written. */
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  /** Whether the algorithm has `-sess`. */
  readonly session: boolean;
  readonly cnonce: string | undefined;
  /** With qop only: the count as written, eight hex digits. */
  readonly nc: string | undefined;
  readonly opaque: string | undefined;
}

/** Why credentials do not do, and what to answer. */
export interface Refusal {
  /**
   * `wrong`: username or password (they look alike). `stale`: right, but the nonce is too old or
   * not ours. `replayed`: right, but this count of the nonce was used.
   */
  readonly reason: "wrong" | "stale" | "replayed";
  /** Challenge again with `stale=true`: the client need not ask its user (RFC 7616 3.3). */
  readonly stale: boolean;
}

/** Reads one header value. Fault kinds `scheme` and `unsupported` count as no credentials. */
export function parseAuthorization(text: string): Result<Credentials, AuthFault> {
  const parsed = parseDigestParams(text);
  if (!parsed.ok) return parsed;
  const params = parsed.value;
  const malformed = (what: string) => err<AuthFault>({ kind: "malformed", text: what });
  const [username, realm, nonce, uri, response] = ["username", "realm", "nonce", "uri", "response"]
    .map((name) => params.get(name));
  if (
    username === undefined || realm === undefined || nonce === undefined || uri === undefined ||
    response === undefined
  ) return malformed("Credentials without username, realm, nonce, uri or response");
  const name = params.get("algorithm") ?? "MD5";
  const known = parseAlgorithm(name);
  if (known === undefined) return err({ kind: "unsupported", text: `Unknown algorithm ${name}` });
  const qop = params.get("qop")?.toLowerCase();
  const cnonce = params.get("cnonce");
  const nc = params.get("nc");
  if (qop !== undefined) {
    if (qop !== "auth") return err({ kind: "unsupported", text: `qop ${qop} was not offered` });
    if (cnonce === undefined || nc === undefined || !/^[0-9a-f]{8}$/i.test(nc)) {
      return malformed("Credentials with qop need cnonce and nc of eight hex digits");
    }
  }
  return ok({
    username,
    realm,
    nonce,
    uri,
    response,
    ...known,
    cnonce,
    nc: qop === undefined ? undefined : nc,
    opaque: params.get("opaque"),
  });
}

/**
 * The credentials for `realm` among header values: first those that can be read; a malformed one
 * for lack of better; undefined where there are none for us.
 */
export function findCredentials(
  values: readonly string[],
  realm: string,
): Result<Credentials, AuthFault> | undefined {
  let fault: Result<never, AuthFault> | undefined;
  for (const value of values) {
    const credentials = parseAuthorization(value);
    if (credentials.ok && credentials.value.realm === realm) return credentials;
    if (!credentials.ok && credentials.error.kind === "malformed") fault ??= credentials;
  }
  return fault;
}

export interface Verification {
  readonly credentials: Credentials;
  readonly method: string;
  readonly realm: string;
  /** Of the account that `credentials.username` names; undefined where there is none. */
  readonly digests: AccountDigests | undefined;
  readonly nonces: NonceStore;
  readonly now: Instant;
}

/** Stands in for the account of an unknown user, so that both cost the same time. */
const NOBODY: AccountDigests = { md5: "0".repeat(32), sha256: "0".repeat(64) };

/**
 * Whether credentials prove the account's password, freshly. That their `uri` is the Request-URI
 * is not asked: proxies on the way may have changed the latter (RFC 3261 22.4 item 5).
 */
export function verifyAuthorization(input: Verification): Result<void, Refusal> {
  const { credentials: c, digests } = input;
  const account = digests ?? NOBODY;
  const wrong = err<Refusal>({ reason: "wrong", stale: false });
  if (c.algorithm === "SHA-512-256" || c.realm !== input.realm) return wrong;
  const expected = digestResponse({
    algorithm: c.algorithm,
    session: c.session,
    ha1: c.algorithm === "MD5" ? account.md5 : account.sha256,
    nonce: c.nonce,
    method: input.method,
    uri: c.uri,
    ...(c.cnonce === undefined ? {} : { cnonce: c.cnonce }),
    ...(c.nc === undefined ? {} : { auth: { cnonce: c.cnonce ?? "", nc: c.nc } }),
  });
  const isRight = sameText(expected, c.response.toLowerCase());
  if (!isRight || digests === undefined) return wrong;
  const count = c.nc === undefined ? undefined : parseInt(c.nc, 16);
  const use = input.nonces.use(c.nonce, count, input.now);
  return use === "good" ? ok(undefined) : err({ reason: use, stale: true });
}
