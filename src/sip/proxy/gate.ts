import type { Instant } from "../../core/clock.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Flow } from "../flow.ts";
import type { SipRequest } from "../message/mod.ts";
import { type Authenticator, removeCredentials } from "./authenticator.ts";
import type { ProxyPolicy, Refusal } from "./proxy_io.ts";

/** Who sends a request: the user part it may speak for, null for any. */
export interface Sender {
  readonly identity: string | null;
}

/** A refusal; with the digest user name where credentials were tried and wrong. */
export interface Denial extends Refusal {
  readonly failedUsername?: string;
}

const NOT_YOURS: Denial = { status: 403, reason: "Not Your Address" };

/** Asks the policy, checks the proof it wants, and that nobody speaks for another. */
export class Gate {
  readonly #policy: ProxyPolicy;
  readonly #authenticator: Authenticator;

  constructor(policy: ProxyPolicy, authenticator: Authenticator) {
    this.#policy = policy;
    this.#authenticator = authenticator;
  }

  /**
   * Used credentials are taken off `request`.
   * @param registered user part that this flow has registered
   */
  admit(
    request: SipRequest,
    flow: Flow,
    registered: string | null,
    now: Instant,
  ): Result<Sender, Denial> {
    const verdict = this.#policy.authorize(request, flow, registered);
    if (verdict.kind === "forbid") return err({ status: verdict.status, reason: verdict.text });
    let identity: string | null;
    if (verdict.kind === "allow") {
      identity = verdict.identity;
    } else {
      const proof = this.#prove(request, verdict.realm, verdict.username, now);
      if (!proof.ok) return proof;
      identity = proof.value;
    }
    if (identity !== null && !this.#speaksFor(request, identity)) return err(NOT_YOURS);
    return ok({ identity });
  }

  #prove(
    request: SipRequest,
    realm: string,
    username: string | null,
    now: Instant,
  ): Result<string, Denial> {
    const account = (name: string) => this.#policy.account(name);
    const proof = this.#authenticator.prove({ request, realm, username, account, now });
    switch (proof.kind) {
      case "proven":
        // A REGISTER goes no further.
        if (request.method !== "REGISTER") removeCredentials(request, realm);
        return ok(proof.user);
      case "challenge": {
        const headers = proof.values.map((value): [string, string] => [proof.header, value]);
        return err({ status: proof.status, headers });
      }
      case "wrong":
        return err({
          status: 403,
          reason: "Wrong User Or Password",
          failedUsername: proof.username,
        });
    }
  }

  /** Whether From (of a REGISTER: To, which is the AoR) names `identity` in our domain. */
  #speaksFor(request: SipRequest, identity: string): boolean {
    const { uri } = request.method === "REGISTER" ? request.to : request.from;
    return uri.isSip && uri.user === identity && this.#policy.isOurs(uri.host, uri.port);
  }
}
