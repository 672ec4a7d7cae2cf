import type { FlowId } from "../core/ids.ts";
import type { AccountRecord, AccountStore } from "../sip/auth/accounts.ts";
import { type AccountDigests, accountDigests } from "../sip/auth/mod.ts";
import type { Result } from "../core/result.ts";
import type { SipRequest, SipUri } from "../sip/message/mod.ts";
import type { Refusal, Route } from "../sip/proxy/proxy_io.ts";
import type { Account, ProxyPolicy, Verdict } from "../sip/proxy/proxy.ts";
import type { Flow } from "../sip/stack.ts";
import { type AccountMedia, type AccountMediaChoice, toAccountMedia } from "./wire_settings.ts";

/** Whose session a flow is. */
export interface Speaker {
  /** User part of the AoR, decoded. */
  readonly user: string;
  /** On SIP Port 0: whoever names no account is a guest and need not prove anything. */
  readonly isGuest: boolean;
}

/** An account of the configuration. */
export interface HouseAccount extends AccountMediaChoice {
  readonly name: string;
  readonly password: string;
  /** What its owner may do, by words that the dial plan uses. */
  readonly rights?: readonly string[] | undefined;
  /** Its number on trunks; "" or absent: none. */
  readonly number?: string | undefined;
}

/** What the house's trunks say of flows and numbers. */
export interface TrunkPolicy {
  route: NonNullable<ProxyPolicy["route"]>;
  trunkAt(flow: Flow): string | undefined;
  isForged(request: SipRequest): boolean;
}

export interface HouseOptions {
  /** The one domain of all AoRs. */
  readonly canonicalDomain: string;
  /** Every host that means us, in lower case, without port. */
  readonly hosts: ReadonlySet<string>;
  /** Of the configuration: they come before stored ones of the same name. */
  readonly accounts: readonly HouseAccount[];
  /** Whether one of our listeners has this port; absent: any port of our hosts means us. */
  readonly isOwnPort?: (port: number) => boolean;
  /** Accounts that operators made. */
  readonly stored?: AccountStore;
}

const OVERLOADED: Verdict = { kind: "forbid", status: 503, text: "Server Overloaded" };
const NO_RIGHTS: ReadonlySet<string> = new Set();

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
  readonly #rights = new Map<string, ReadonlySet<string>>();
  readonly #numbers = new Map<string, string>();
  readonly #media = new Map<string, AccountMedia>();
  readonly #isOwnPort: (port: number) => boolean;
  #trunks: TrunkPolicy | undefined;
  #load: { readonly isOverloaded: boolean } | undefined;

  constructor(options: HouseOptions) {
    this.canonicalDomain = options.canonicalDomain;
    this.#hosts = options.hosts;
    this.#stored = options.stored;
    this.#isOwnPort = options.isOwnPort ?? (() => true);
    for (const account of options.accounts) {
      const { name, password, rights = [], number = "" } = account;
      this.#media.set(name, toAccountMedia(account));
      this.#passwords.set(name, password);
      this.#rights.set(name, new Set(rights));
      if (number !== "") this.#numbers.set(name, number);
    }
  }

  /** Trunks know of accounts, and the policy of trunks; the composition ties the knot. */
  bindTrunks(trunks: TrunkPolicy): void {
    this.#trunks = trunks;
  }

  /** What says whether new calls of our own clients are welcome; those of wires it stops itself. */
  bindLoad(load: { readonly isOverloaded: boolean }): void {
    this.#load = load;
  }

  /**
   * Another server may stand beside us at the same address with a port of its own; at a name any
   * port means us, since ports may be mapped on the way.
   */
  isOurs(host: string, port?: number): boolean {
    const name = host.toLowerCase();
    if (name !== this.canonicalDomain && !this.#hosts.has(name)) return false;
    const isAddress = name === "localhost" || /^[\d.]+$|:/.test(name);
    return port === undefined || !isAddress || this.#isOwnPort(port);
  }

  route(
    request: SipRequest,
    uri: SipUri,
    identity: string | null,
    flow: Flow,
  ): Result<Route, Refusal> | undefined {
    return this.#trunks?.route(request, uri, identity, flow);
  }

  isGuarded(flow: Flow): boolean {
    return this.#trunks?.trunkAt(flow) !== undefined;
  }

  rightsOf(user: string): ReadonlySet<string> {
    const known = this.#rights.get(user);
    if (known) return known;
    const { rights = [] } = this.#ofDomain(user) ?? {};
    return rights.length === 0 ? NO_RIGHTS : new Set(rights);
  }

  numberOf(user: string): string | undefined {
    return this.#rights.has(user) ? this.#numbers.get(user) : this.#ofDomain(user)?.number;
  }

  mediaOf(user: string): AccountMedia | undefined {
    return this.#media.get(user);
  }

  admit(flow: FlowId, speaker: Speaker): void {
    this.#speakers.set(flow, speaker);
  }

  dismiss(flow: FlowId): void {
    this.#speakers.delete(flow);
  }

  authorize(request: SipRequest, flow: Flow, registered: string | null): Verdict {
    const speaker = this.#speakers.get(flow.id);
    if (!speaker) return this.#authorizeTrunk(request, flow) ?? this.#authorizeStranger(request);
    if (request.method === "INVITE" && this.#load?.isOverloaded) return OVERLOADED;
    const { user, isGuest } = speaker;
    const isAccount = this.hasAccount(user);
    if ((isGuest && !isAccount) || registered === user) return { kind: "allow", identity: user };
    return { kind: "challenge", realm: this.canonicalDomain, username: null };
  }

  /** A trunk calls for whoever it says, but never for an account of ours; it registers nobody. */
  #authorizeTrunk(request: SipRequest, flow: Flow): Verdict | undefined {
    const trunks = this.#trunks;
    if (!trunks || request.method === "REGISTER" || !trunks.trunkAt(flow)) return undefined;
    return trunks.isForged(request)
      ? { kind: "forbid", status: 403, text: "Not Your Address" }
      : { kind: "allow", identity: null };
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
    const record = this.#ofDomain(name);
    return record && { user: name, digests: record.digests };
  }

  #ofDomain(name: string): AccountRecord | undefined {
    const record = this.#stored?.find(name);
    return record?.realm === this.canonicalDomain ? record : undefined;
  }
}
