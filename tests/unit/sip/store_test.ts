import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import { createAccount } from "../../../src/sip/auth/accounts.ts";
import type { Flow } from "../../../src/sip/flow.ts";
import { SipStore } from "../../../src/sip/io/store.ts";
import { fromRecord, recordKey, toRecord } from "../../../src/sip/registrar/binding_record.ts";
import { Location, type NewBinding } from "../../../src/sip/registrar/location.ts";

/** Bindings and accounts over a restart, in a real SQLite file. */

const LOG = { debug() {}, info() {}, warn() {}, error() {} };
const UDP: Flow = {
  id: "udp/1" as FlowId,
  transport: "UDP",
  remote: "192.0.2.7:5062",
  peer: { address: "192.0.2.7", port: 5062 },
};

function open(file: string | null, clock: ManualClock): SipStore {
  const store = SipStore.open({ file, clock, log: LOG });
  assert.ok(store.ok, store.ok ? "" : store.error);
  return store.value;
}

function binding(better: Partial<NewBinding> = {}): NewBinding {
  return {
    aor: "bob@example.org",
    contact: "sip:bob@192.168.0.2:5062;x=1",
    contactValue: "<sip:bob@192.168.0.2:5062;x=1>;q=0.7",
    flow: UDP,
    callId: "reg-1",
    sequence: 7,
    expiresAt: 60_000,
    q: 0.7,
    instance: "<urn:uuid:1>",
    regId: 2,
    path: ["<sip:edge.example.org;lr;ob>"],
    userAgent: "Phone 1",
    refreshedAt: 0,
    ...better,
  };
}

function withFile(test: (file: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    test(`${folder}/sip.sqlite`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a UDP phone's binding is what it was, on a new flow, after a restart", () => {
  withFile((file) => {
    const clock = new ManualClock();
    const first = open(file, clock);
    const { binding: kept } = new Location().put(binding());
    first.bindings.put(toRecord(kept, clock)!);
    clock.advance(1_000);
    first.close();
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
    const second = open(file, clock);
    const [record, ...more] = second.bindings.load();
    assert.equal(more.length, 0);
    assert.deepEqual([record!.address, record!.port], ["192.0.2.7", 5062]);
    const flow: Flow = { ...UDP, id: "udp/9" as FlowId };
    const restored = fromRecord(record!, flow, clock);
    assert.deepEqual(restored, { ...binding(), flow, refreshedAt: clock.now() });
    second.close();
  });
});

Deno.test("what has expired meanwhile is not loaded, what was removed neither", () => {
  withFile((file) => {
    const clock = new ManualClock();
    const store = open(file, clock);
    const location = new Location();
    const put = (better: Partial<NewBinding>) =>
      store.bindings.put(toRecord(location.put(binding(better)).binding, clock)!);
    put({ regId: 1, expiresAt: 5_000 });
    put({ regId: 2 });
    put({ regId: 3 });
    store.bindings.remove("bob@example.org", recordKey(binding({ regId: 3 })));
    store.close();
    clock.advance(6_000);
    const again = open(file, clock);
    assert.deepEqual(again.bindings.load().map(({ regId }) => regId), [2]);
    again.close();
  });
});

Deno.test("connections and our own sessions leave no record", () => {
  const clock = new ManualClock();
  const location = new Location();
  const record = (flow: Flow) => toRecord(location.put(binding({ flow })).binding, clock);
  assert.equal(record({ ...UDP, transport: "TCP" }), undefined);
  assert.equal(record({ id: UDP.id, transport: "UDP", remote: "hop" }), undefined);
});

Deno.test("writes go behind, together, the last one of a row only", () => {
  withFile((file) => {
    const clock = new ManualClock();
    const store = open(file, clock);
    const other = open(file, clock);
    const { binding: kept } = new Location().put(binding());
    for (let sequence = 1; sequence <= 1_000; sequence++) {
      store.bindings.put({ ...toRecord(kept, clock)!, sequence });
    }
    assert.equal(other.bindings.load().length, 0, "not yet");
    clock.advance(200);
    assert.deepEqual(other.bindings.load().map(({ sequence }) => sequence), [1_000]);
    assert.equal(clock.pendingTimers, 0);
    other.close();
    store.close();
  });
});

Deno.test("accounts survive as digests; no password is in the file", () => {
  withFile((file) => {
    const clock = new ManualClock();
    const first = open(file, clock);
    for (const name of ["carol", "alice", "bob"]) {
      first.accounts.put(createAccount(name, "example.org", "very secret words"));
    }
    assert.ok(first.accounts.remove("bob"));
    first.close();
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(file));
    assert.ok(text.includes("carol") && !text.includes("very secret words"));
    const second = open(file, clock);
    assert.deepEqual(second.accounts.page({ limit: 9 }).map(({ name }) => name), [
      "alice",
      "carol",
    ]);
    assert.deepEqual(second.accounts.page({ after: "alice", limit: 1 }).map((a) => a.name), [
      "carol",
    ]);
    assert.deepEqual(
      second.accounts.find("alice"),
      createAccount("alice", "example.org", "very secret words"),
    );
    second.close();
  });
});

Deno.test("in memory nothing is left; a file of others or of the future is refused in a sentence", () => {
  const clock = new ManualClock();
  const memory = open(null, clock);
  memory.accounts.put(createAccount("a", "r", "p"));
  memory.close();
  assert.equal(open(null, clock).accounts.find("a"), undefined);
  withFile((file) => {
    Deno.writeTextFileSync(file, "this is no database ".repeat(100));
    const refused = SipStore.open({ file, clock, log: LOG });
    assert.match(refused.ok ? "" : refused.error, /^cannot open the database .*SQLite file/);
  });
});

Deno.test("rights and numbers of accounts outlive a restart, and older files are taken over", () => {
  withFile((file) => {
    const old = new DatabaseSync(file);
    old.exec(`CREATE TABLE binding (aor TEXT NOT NULL, key TEXT NOT NULL,
      expires_at INTEGER NOT NULL, PRIMARY KEY (aor, key)) STRICT, WITHOUT ROWID;
      CREATE TABLE account (name TEXT PRIMARY KEY, realm TEXT NOT NULL, md5 TEXT NOT NULL,
      sha256 TEXT NOT NULL) STRICT, WITHOUT ROWID; PRAGMA user_version = 1`);
    const known = createAccount("alice", "example.org", "secret");
    old.prepare("INSERT INTO account VALUES (?, ?, ?, ?)")
      .run(known.name, known.realm, known.digests.md5, known.digests.sha256);
    old.close();
    const clock = new ManualClock();
    const first = open(file, clock);
    assert.deepEqual(first.accounts.find("alice"), known);
    const granted = { ...known, rights: ["pstn"], number: "+4930123" };
    first.accounts.put(granted);
    first.close();
    const second = open(file, clock);
    assert.deepEqual(second.accounts.find("alice"), granted);
    second.accounts.put(known);
    assert.deepEqual(second.accounts.find("alice"), known);
    second.close();
  });
});
