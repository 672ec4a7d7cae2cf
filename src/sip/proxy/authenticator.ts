import type { Instant } from "../../core/clock.ts";
import {
  type AccountDigests,
  createChallenges,
  findCredentials,
  type NonceStore,
  verifyAuthorization,
} from "../auth/mod.ts";
import type { SipRequest } from "../message/mod.ts";

/** An account as the proxy needs it. */
export interface Account {
  /** User part of its AoR; the digest user name may differ from it. */
  readonly user: string;
  readonly digests: AccountDigests;
}

/**
 * Phones that give up where any challenge, not just the first, names an algorithm that they don't
 * know (against RFC 8760 2.4): baresip before 3.12.
 */
const MD5_ONLY = /^baresip v(?:[0-2]|3\.(?:\d|1[01]))\./;

/** What the credentials of a request amount to. */
export type Proof =
  | { readonly kind: "proven"; readonly user: string }
  /** 401 or 407 with these values in `header`. */
  | {
    readonly kind: "challenge";
    readonly status: 401 | 407;
    readonly header: string;
    readonly values: readonly string[];
  }
  /** Wrong password, unknown user or the wrong user: they all look alike. */
  | { readonly kind: "wrong"; readonly username: string };

export interface ProofRequest {
  readonly request: SipRequest;
  readonly realm: string;
  /** Nobody else will do; null: any account. */
  readonly username: string | null;
  readonly account: (username: string) => Account | undefined;
  readonly now: Instant;
}

/**
 * Digest on the server's side (RFC 3261 22, RFC 8760): REGISTER is for us and gets 401, what
 * passes through gets 407. A right answer to an old nonce is challenged anew, a wrong one is
 * final: a client that tries again with the same password would do so for ever.
 */
export class Authenticator {
  readonly #nonces: NonceStore;

  constructor(nonces: NonceStore) {
    this.#nonces = nonces;
  }

  prove({ request, realm, username, account, now }: ProofRequest): Proof {
    const values = credentialHeader(request).map((field) => field.value);
    const found = findCredentials(values, realm);
    if (!found?.ok) return this.#challenge(request, realm, false, now);
    const credentials = found.value;
    const owner = account(credentials.username);
    const digests = owner?.digests;
    const { method } = request;
    const nonces = this.#nonces;
    const verified = verifyAuthorization({ credentials, method, realm, digests, nonces, now });
    if (!verified.ok && verified.error.stale) return this.#challenge(request, realm, true, now);
    const isRight = verified.ok && owner !== undefined &&
      (username === null || username === credentials.username);
    if (!isRight) return { kind: "wrong", username: credentials.username };
    return { kind: "proven", user: owner.user };
  }

  #challenge(request: SipRequest, realm: string, stale: boolean, now: Instant): Proof {
    const isForUs = request.method === "REGISTER";
    const nonce = this.#nonces.issue(now);
    const challenges = createChallenges({ realm, nonce, stale });
    return {
      kind: "challenge",
      status: isForUs ? 401 : 407,
      header: isForUs ? "WWW-Authenticate" : "Proxy-Authenticate",
      values: knowsMd5Only(request) ? challenges.slice(0, 1) : challenges,
    };
  }
}

/**
 * Pages, too, whatever they call themselves: JsSIP looks at the last challenge, SIP.js at the
 * first.
 */
function knowsMd5Only(request: SipRequest): boolean {
  const { transport } = request.topVia;
  return transport === "WS" || transport === "WSS" ||
    MD5_ONLY.test(request.headers.get("User-Agent") ?? "");
}

/** Takes the credentials for `realm` away: they are nobody else's business (RFC 3261 22.3). */
export function removeCredentials(request: SipRequest, realm: string): void {
  const kept = credentialHeader(request).filter((field) =>
    findCredentials([field.value], realm) === undefined
  );
  request.headers.remove("Proxy-Authorization");
  for (const field of kept) request.headers.appendField(field);
}

function credentialHeader(request: SipRequest) {
  const name = request.method === "REGISTER" ? "Authorization" : "Proxy-Authorization";
  return request.headers.fields(name);
}
