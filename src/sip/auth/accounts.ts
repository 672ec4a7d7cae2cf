import { toHex } from "../../core/entropy.ts";
import { copyText } from "../message/mod.ts";
import { type AccountDigests, accountDigests } from "./digest.ts";

/** An account as it is kept: never its password (RFC 8760). */
export interface AccountRecord {
  /** User part of the AoR, which is the digest user name too. */
  readonly name: string;
  /** The digests are good in this realm only. */
  readonly realm: string;
  readonly digests: AccountDigests;
  /** What its owner may do, by words that a dial plan uses; absent: nothing beyond calls here. */
  readonly rights?: readonly string[];
  /** Its number on trunks; absent: none. */
  readonly number?: string;
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

const MD5_BYTES = 16;
const SHA256_BYTES = 32;
const DIGEST_BYTES = MD5_BYTES + SHA256_BYTES;
const FIRST_ROOM = 64;
/** As our own digests are: what is written otherwise would not come out as it went in. */
const HEX = /^(?:[0-9a-f]{2})*$/;

/** Accounts in memory: a name, and the bytes of its digests in a table of all. */
export class MemoryAccounts implements AccountStore {
  readonly #rows = new Map<string, number>();
  #digests = new Uint8Array(FIRST_ROOM * DIGEST_BYTES);
  /** By row. */
  readonly #realms: string[] = [];
  readonly #free: number[] = [];
  /** Of the few that have any. */
  readonly #grants = new Map<string, Pick<AccountRecord, "rights" | "number">>();

  constructor(records: Iterable<AccountRecord> = []) {
    for (const record of records) this.put(record);
  }

  get size(): number {
    return this.#rows.size;
  }

  find(name: string): AccountRecord | undefined {
    const row = this.#rows.get(name);
    if (row === undefined) return undefined;
    const at = row * DIGEST_BYTES;
    const md5 = toHex(this.#digests.subarray(at, at + MD5_BYTES));
    const sha256 = toHex(this.#digests.subarray(at + MD5_BYTES, at + DIGEST_BYTES));
    return { name, realm: this.#realms[row]!, digests: { md5, sha256 }, ...this.#grants.get(name) };
  }

  page({ after, limit }: { after?: string; limit: number }): readonly AccountRecord[] {
    const names = [...this.#rows.keys()].sort();
    const from = after === undefined ? 0 : names.findIndex((name) => name > after);
    if (from < 0) return [];
    return names.slice(from, from + limit).map((name) => this.find(name)!);
  }

  put({ name, realm, digests: { md5, sha256 }, rights = [], number = "" }: AccountRecord): void {
    if (rights.length === 0 && number === "") this.#grants.delete(name);
    else {
      this.#grants.set(name, {
        ...(rights.length > 0 ? { rights } : {}),
        ...(number === "" ? {} : { number }),
      });
    }
    const known = this.#rows.get(name);
    const row = known ?? this.#free.pop() ?? this.#realms.length;
    if (known === undefined) this.#rows.set(copyText(name), row);
    const at = row * DIGEST_BYTES;
    if (at === this.#digests.length) {
      const more = new Uint8Array(2 * at);
      more.set(this.#digests);
      this.#digests = more;
    }
    writeHex(md5, MD5_BYTES, this.#digests, at);
    writeHex(sha256, SHA256_BYTES, this.#digests, at + MD5_BYTES);
    // Nearly always that of the one before: one text for all.
    const last = this.#realms.at(-1);
    this.#realms[row] = realm === last ? last : realm;
  }

  remove(name: string): boolean {
    const row = this.#rows.get(name);
    if (row === undefined) return false;
    this.#digests.fill(0, row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES);
    this.#free.push(row);
    this.#grants.delete(name);
    return this.#rows.delete(name);
  }
}

function writeHex(hex: string, length: number, out: Uint8Array, at: number): void {
  if (hex.length !== 2 * length || !HEX.test(hex)) {
    throw new Error(`a digest must be ${2 * length} hex digits in lower case, not ${hex.length}`);
  }
  for (let i = 0; i < length; i++) out[at + i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
}
