import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { type AccountRecord, type AccountStore, MemoryAccounts } from "../auth/accounts.ts";
import type { SipTransport } from "../flow.ts";
import type { BindingRecord, BindingStore } from "../registrar/binding_record.ts";

export interface SipStoreOptions {
  /** Path of the file; null keeps everything in memory. */
  readonly file: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Changes are written together, at most this long after the first, ms. */
const WRITE_BEHIND_MS = 200;
/** Bumped with each change of the tables; `MIGRATIONS` leads there. */
const SCHEMA_VERSION = 2;

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE binding (
    aor TEXT NOT NULL,
    key TEXT NOT NULL,
    contact TEXT NOT NULL,
    contact_value TEXT NOT NULL,
    call_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    q REAL NOT NULL,
    instance TEXT,
    reg_id INTEGER,
    path TEXT NOT NULL,
    user_agent TEXT,
    transport TEXT NOT NULL,
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    PRIMARY KEY (aor, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE account (
    name TEXT PRIMARY KEY,
    realm TEXT NOT NULL,
    md5 TEXT NOT NULL,
    sha256 TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE account ADD COLUMN rights TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE account ADD COLUMN number TEXT NOT NULL DEFAULT '';`,
];

const PUT_BINDING = `INSERT OR REPLACE INTO binding VALUES (${Array(15).fill("?").join(", ")})`;
const PUT_ACCOUNT = "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?, ?)";

const REMOVE_BINDING = "DELETE FROM binding WHERE aor = ? AND key = ?";
const REMOVE_ACCOUNT = "DELETE FROM account WHERE name = ?";

interface Write {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/**
 * Bindings and accounts in one SQLite file. Reads come from memory; writes go behind, the last one
 * of each row only, in one transaction.
 */
export class SipStore {
  readonly bindings: BindingStore;
  readonly accounts: AccountStore;
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pending = new Map<string, Write>();
  readonly #statements = new Map<string, StatementSync>();
  #timer: Timer | undefined;
  #isOpen = true;

  private constructor(db: DatabaseSync, { clock, log }: SipStoreOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.bindings = {
      load: () => this.#loadBindings(),
      put: (record) => this.#later(bindingId(record.aor, record.key), PUT_BINDING, row(record)),
      remove: (aor, key) => this.#later(bindingId(aor, key), REMOVE_BINDING, [aor, key]),
    };
    this.accounts = this.#openAccounts();
  }

  /** Opens the file, or makes it, readable for its owner only; the fault is a sentence. */
  static open(options: SipStoreOptions): Result<SipStore, string> {
    const { file } = options;
    try {
      if (file !== null) Deno.openSync(file, { write: true, create: true, mode: 0o600 }).close();
      const db = new DatabaseSync(file ?? ":memory:");
      const fault = migrate(db);
      if (fault === undefined) return ok(new SipStore(db, options));
      db.close();
      return err(`cannot use the database ${file}: ${fault}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return err(`cannot open the database ${file}: ${why}; expected a SQLite file of this server`);
    }
  }

  /** Writes what is waiting. */
  flush(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.size === 0 || !this.#isOpen) return;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      for (const { sql, values } of this.#pending.values()) this.#prepared(sql).run(...values);
      this.#db.exec("COMMIT");
      this.#pending.clear();
    } catch (error) {
      // A full disk ends nobody's call: what is pending stays so and is tried with the next change.
      this.#log.error("could not write registrations and accounts", { error });
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    }
  }

  /** Reading the statement costs more than running it. */
  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /** Writes and lets go of the file; later changes stay in memory. */
  close(): void {
    if (!this.#isOpen) return;
    this.flush();
    this.#isOpen = false;
    this.#statements.clear();
    this.#db.close();
  }

  #later(id: string, sql: string, values: readonly SQLInputValue[]): void {
    if (!this.#isOpen) return;
    this.#pending.set(id, { sql, values });
    this.#timer ??= this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, WRITE_BEHIND_MS);
  }

  #loadBindings(): readonly BindingRecord[] {
    const now = this.#clock.epoch();
    this.#db.prepare("DELETE FROM binding WHERE expires_at <= ?").run(Math.floor(now));
    return this.#db.prepare("SELECT * FROM binding").all().map(bindingOf);
  }

  #openAccounts(): AccountStore {
    const memory = new MemoryAccounts();
    // One by one: there may be a hundred thousand.
    for (const row of this.#db.prepare("SELECT * FROM account").iterate()) {
      memory.put(accountOf(row));
    }
    return {
      find: (name) => memory.find(name),
      page: (options) => memory.page(options),
      put: (record) => {
        memory.put(record);
        const { name, realm, digests: { md5, sha256 }, rights = [], number = "" } = record;
        const values = [name, realm, md5, sha256, JSON.stringify(rights), number];
        this.#later(`account ${name}`, PUT_ACCOUNT, values);
      },
      remove: (name) => {
        this.#later(`account ${name}`, REMOVE_ACCOUNT, [name]);
        return memory.remove(name);
      },
    };
  }
}

/** Brings the tables up to date; why that cannot be. */
function migrate(db: DatabaseSync): string | undefined {
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000");
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > SCHEMA_VERSION) {
    return `it is of version ${version}, made by a newer server; expected ${SCHEMA_VERSION} at most`;
  }
  for (let at = version; at < SCHEMA_VERSION; at++) {
    db.exec(`BEGIN; ${MIGRATIONS[at]} PRAGMA user_version = ${at + 1}; COMMIT`);
  }
  return undefined;
}

function bindingId(aor: string, key: string): string {
  return `binding ${aor}\n${key}`;
}

function row(record: BindingRecord): SQLInputValue[] {
  return [
    record.aor,
    record.key,
    record.contact,
    record.contactValue,
    record.callId,
    record.sequence,
    Math.floor(record.expiresAt),
    record.q,
    record.instance,
    record.regId,
    JSON.stringify(record.path),
    record.userAgent,
    record.transport,
    record.address,
    record.port,
  ];
}

type Row = Readonly<Record<string, unknown>>;

function bindingOf(row: Row): BindingRecord {
  const text = (name: string) => String(row[name]);
  const optional = (name: string) => row[name] === null ? null : text(name);
  return {
    aor: text("aor"),
    key: text("key"),
    contact: text("contact"),
    contactValue: text("contact_value"),
    callId: text("call_id"),
    sequence: Number(row["sequence"]),
    expiresAt: Number(row["expires_at"]),
    q: Number(row["q"]),
    instance: optional("instance"),
    regId: row["reg_id"] === null ? null : Number(row["reg_id"]),
    path: JSON.parse(text("path")) as string[],
    userAgent: optional("user_agent"),
    transport: text("transport") as SipTransport,
    address: text("address"),
    port: Number(row["port"]),
  };
}

function accountOf(row: Row): AccountRecord {
  return {
    name: String(row["name"]),
    realm: String(row["realm"]),
    digests: { md5: String(row["md5"]), sha256: String(row["sha256"]) },
    rights: JSON.parse(String(row["rights"])) as string[],
    number: String(row["number"]),
  };
}
