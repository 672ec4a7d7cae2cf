import { type AccountDigests, accountDigests } from "./digest.ts";

/** An account as it is kept: never its password (RFC 8760). */
export interface AccountRecord {
  /** User part of the AoR, which is the digest user name too. */
  readonly name: string;
  /** The digests are good in this realm only. */
  readonly realm: string;
  readonly digests: AccountDigests;
}

/** Where accounts are looked up and changed. */
export interface AccountStore {
  find(name: string): AccountRecord | undefined;
  /** In order of their names, those after `after`, at most `limit`. */
  page(options: { after?: string; limit: number }): readonly AccountRecord[];
  put(record: AccountRecord): void;
  /** Whether there was one. */
  remove(name: string): boolean;
}

/** An account out of a password, which is forgotten. */
export function createAccount(name: string, realm: string, password: string): AccountRecord {
  return { name, realm, digests: accountDigests(name, realm, password) };
}

/** Accounts in memory. */
export class MemoryAccounts implements AccountStore {
  readonly #records = new Map<string, AccountRecord>();

  constructor(records: Iterable<AccountRecord> = []) {
    for (const record of records) this.put(record);
  }

  get size(): number {
    return this.#records.size;
  }

  find(name: string): AccountRecord | undefined {
    return this.#records.get(name);
  }

  page({ after, limit }: { after?: string; limit: number }): readonly AccountRecord[] {
    const names = [...this.#records.keys()].sort();
    const from = after === undefined ? 0 : names.findIndex((name) => name > after);
    if (from < 0) return [];
    return names.slice(from, from + limit).map((name) => this.#records.get(name)!);
  }

  put(record: AccountRecord): void {
    this.#records.set(record.name, record);
  }

  remove(name: string): boolean {
    return this.#records.delete(name);
  }
}
