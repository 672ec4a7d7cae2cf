import type { Clock } from "../core/clock.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type AccountStore, createAccount } from "../sip/auth/accounts.ts";
import { escapeUser } from "../sip/message/mod.ts";
import type {
  AccountGrants,
  AccountQuery,
  AccountView,
  CommandRefusal,
  NewAccount,
  Page,
} from "./control_plane.ts";
import type { HouseAccount } from "./house_policy.ts";
import type { SipService } from "./sip_service.ts";

export interface AccountsPorts {
  readonly clock: Clock;
  readonly sip: Pick<SipService, "location" | "unregister">;
  /** Of the configuration; they come first and can't be changed here. */
  readonly configured: readonly HouseAccount[];
  /** Absent: there are none but those. */
  readonly stored?: AccountStore;
  /** The one domain of all AoRs, and the realm of the digests. */
  readonly domain: string;
}

/** The registrar's accounts as operators see and change them. A password is forgotten at once. */
export class Accounts {
  readonly #ports: AccountsPorts;
  readonly #configured: ReadonlyMap<string, HouseAccount>;

  constructor(ports: AccountsPorts) {
    this.#ports = ports;
    const byName = ports.configured.toSorted((a, b) => a.name < b.name ? -1 : 1);
    this.#configured = new Map(byName.map((account) => [account.name, account]));
  }

  /** Those of the configuration first, each sort by name. */
  list(query: AccountQuery): Page<AccountView> {
    const found: AccountView[] = [];
    for (const view of this.#from(query.cursor)) {
      if (query.user !== undefined && query.user !== view.name) continue;
      if (found.length === query.limit) return { items: found, next: cursorOf(found.at(-1)!) };
      found.push(view);
    }
    return { items: found, next: null };
  }

  create(
    { name, password, rights = [], number = null }: NewAccount,
  ): Result<AccountView, CommandRefusal> {
    const { stored, domain, sip, clock } = this.#ports;
    if (!stored) return err({ code: "conflict", text: "This server keeps no accounts" });
    if (this.#configured.has(name) || stored.find(name)) {
      return err({ code: "conflict", text: `There is an account ${name} already` });
    }
    if (sip.location.lookup(this.#aor(name), clock.now()).length > 0) {
      const text = `A guest is registered as ${name}: end that session first`;
      return err({ code: "conflict", text });
    }
    stored.put({ ...createAccount(name, domain, password), rights, number: number ?? "" });
    return ok(this.#storedView(name));
  }

  /** What its owner may do, from the next call on. */
  grant(name: string, { rights, number }: AccountGrants): Result<AccountView, CommandRefusal> {
    const { stored } = this.#ports;
    if (this.#configured.has(name)) {
      const text = `The account ${name} is in the configuration: change its rights there`;
      return err({ code: "conflict", text });
    }
    const known = stored?.find(name);
    if (!stored || !known) return err({ code: "not_found", text: `There is no account ${name}` });
    stored.put({ ...known, rights, number: number ?? "" });
    return ok(this.#storedView(name));
  }

  /** What is registered stays until it has to prove the new password. */
  setPassword(name: string, password: string): Result<void, CommandRefusal> {
    const { stored, domain } = this.#ports;
    if (this.#configured.has(name)) {
      const text = `The account ${name} is in the configuration: change its password there`;
      return err({ code: "conflict", text });
    }
    const known = stored?.find(name);
    if (!stored || !known) return err({ code: "not_found", text: `There is no account ${name}` });
    stored.put({ ...known, ...createAccount(name, domain, password) });
    return ok(undefined);
  }

  /** Its phones are not reached any more, and prove nothing. */
  remove(name: string): Result<void, CommandRefusal> {
    if (this.#configured.has(name)) {
      const text = `The account ${name} is in the configuration: take it out there`;
      return err({ code: "conflict", text });
    }
    if (!this.#ports.stored?.remove(name)) {
      return err({ code: "not_found", text: `There is no account ${name}` });
    }
    this.#ports.sip.unregister(this.#aor(name));
    return ok(undefined);
  }

  *#from(cursor: string | undefined): Generator<AccountView> {
    const [part, after] = cursor === undefined ? ["", ""] : [cursor.slice(0, 1), cursor.slice(1)];
    if (part !== STORED) {
      for (const { name, rights = [], number = "" } of this.#configured.values()) {
        if (part === CONFIGURED && name <= after) continue;
        const bindings = this.#bindings(name);
        yield { name, source: "config", rights, number: number === "" ? null : number, bindings };
      }
    }
    let last = part === STORED ? after : undefined;
    for (;;) {
      const records = this.#ports.stored?.page({
        limit: PAGE,
        ...(last === undefined ? {} : { after: last }),
      }) ?? [];
      for (const { name } of records) {
        last = name;
        if (!this.#configured.has(name)) yield this.#storedView(name);
      }
      if (records.length < PAGE) return;
    }
  }

  #storedView(name: string): AccountView {
    const { rights = [], number = null } = this.#ports.stored?.find(name) ?? {};
    return { name, source: "stored", rights, number, bindings: this.#bindings(name) };
  }

  #bindings(name: string): number {
    const { sip, clock } = this.#ports;
    return sip.location.lookup(this.#aor(name), clock.now()).length;
  }

  #aor(name: string): string {
    return `${escapeUser(name)}@${this.#ports.domain}`;
  }
}

const PAGE = 100;
/** First letter of a cursor: where the name behind it stands. */
const CONFIGURED = "c";
const STORED = "s";

function cursorOf({ source, name }: AccountView): string {
  return (source === "config" ? CONFIGURED : STORED) + name;
}
