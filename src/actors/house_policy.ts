import type { FlowId } from "../core/ids.ts";
import type { AccountStore } from "../sip/auth/accounts.ts";
import { type AccountDigests, accountDigests } from "../sip/auth/mod.ts";
import type { SipRequest } from "../sip/message/mod.ts";
import type { Account, ProxyPolicy, Verdict } from "../sip/proxy/proxy.ts";
import type { Flow } from "../sip/stack.ts";

/** Whose session a flow is. */
export interface Speaker {
  /** User part of the AoR, decoded. */
  readonly user: string;
  /** On SIP Port 0: whoever names no account is a guest and need not prove anything. */
  readonly isGuest: boolean;
}

export interface HouseOptions {
  /** The one domain of all AoRs. */
  readonly canonicalDomain: string;
  /** Every host that means us, in lower case, without port. */
  readonly hosts: ReadonlySet<string>;
  /** Of the configuration: they come before stored ones of the same name. */
  readonly accounts: readonly { readonly name: string; readonly password: string }[];
  /** Accounts that operators made. */
  readonly stored?: AccountStore;
}

/**
 * Who may do what at our registrar and proxy (design section 9). A guest is a right of its own: it
 * speaks for its own name, never for an account's.
 */
export class HousePolicy implements ProxyPolicy {
  readonly canonicalDomain: string;
  readonly #hosts: ReadonlySet<string>;
  readonly #digests = new Map<string, AccountDigests>();
  readonly #passwords = new Map<string, string>();
  readonly #stored: AccountStore | undefined;
  readonly #speakers = new Map<FlowId, Speaker>();

  constructor(options: HouseOptions) {
    this.canonicalDomain = options.canonicalDomain;
    this.#hosts = options.hosts;
    this.#stored = options.stored;
    for (const { name, password } of options.accounts) this.#passwords.set(name, password);
  }

  isOurs(host: string): boolean {
    const name = host.toLowerCase();
    return name === this.canonicalDomain || this.#hosts.has(name);
  }

  admit(flow: FlowId, speaker: Speaker): void {
    this.#speakers.set(flow, speaker);
  }

  dismiss(flow: FlowId): void {
    this.#speakers.delete(flow);
  }

  authorize(request: SipRequest, flow: Flow, registered: string | null): Verdict {
    const speaker = this.#speakers.get(flow.id);
    if (!speaker) return this.#authorizeStranger(request);
    const { user, isGuest } = speaker;
    const isAccount = this.hasAccount(user);
    if ((isGuest && !isAccount) || registered === user) return { kind: "allow", identity: user };
    return { kind: "challenge", realm: this.canonicalDomain, username: null };
  }

  /** Who comes over the network is nobody until he proves an account, each time anew. */
  #authorizeStranger(request: SipRequest): Verdict {
    const uri = request.requestUri;
    const isPing = request.method === "OPTIONS" && uri.ok && uri.value.isSip &&
      uri.value.rawUser === null && this.isOurs(uri.value.host);
    // Asking whether we are alive needs no account (RFC 3261 11), nor does it lead anywhere.
    if (isPing) return { kind: "allow", identity: null };
    return { kind: "challenge", realm: this.canonicalDomain, username: null };
  }

  account(username: string): Account | undefined {
    const password = this.#passwords.get(username);
    if (password === undefined) return this.#storedAccount(username);
    // Made when first asked for: most lab accounts never are.
    const digests = this.#digests.get(username) ??
      accountDigests(username, this.canonicalDomain, password);
    this.#digests.set(username, digests);
    return { user: username, digests };
  }

  hasAccount(user: string): boolean {
    return this.#passwords.has(user) || this.#storedAccount(user) !== undefined;
  }

  /** Digests are good in their realm only: after a change of domain they prove nothing. */
  #storedAccount(name: string): Account | undefined {
    const record = this.#stored?.find(name);
    return record?.realm === this.canonicalDomain
      ? { user: name, digests: record.digests }
      : undefined;
  }
}
