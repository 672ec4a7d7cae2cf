import assert from "node:assert/strict";
import { MemoryAccounts } from "../../../src/sip/auth/accounts.ts";
import { SimWorld } from "../../sim/world.ts";

/** Operators' accounts at the real control plane. */

function world(): { world: SimWorld; store: MemoryAccounts } {
  const store = new MemoryAccounts();
  const made = new SimWorld({
    seed: 1,
    accounts: [{ name: "1000", password: "1234" }, { name: "1001", password: "1234" }],
    ports: () => ({ accounts: store }),
  });
  return { world: made, store };
}

Deno.test("an account is made, proves its password, is listed without secrets, and goes", () => {
  const { world: house, store } = world();
  const { control } = house.plane;
  const made = control.createAccount({ name: "dora", password: "open sesame" });
  assert(made.ok);
  assert.deepEqual(made.value, {
    name: "dora",
    source: "stored",
    rights: [],
    number: null,
    bindings: 0,
  });
  assert(!JSON.stringify(store.find("dora")).includes("sesame"));
  const guest = house.client("dora").connect({ password: "wrong" });
  house.clock.advance(2_000);
  assert.equal(guest.registered, 0);
  const dora = house.client("dora").connect({ password: "open sesame" });
  house.clock.advance(2_000);
  assert.equal(dora.registered, 1);
  const listed = control.accounts({ limit: 10, user: "dora" });
  assert.deepEqual(listed.items.map(({ bindings }) => bindings), [1]);
  assert(control.removeAccount("dora").ok);
  assert.equal(control.accounts({ limit: 10, user: "dora" }).items.length, 0);
  assert.equal(control.registrations({ limit: 10, user: "dora" }).items.length, 0);
  const alice = house.client("alice").connect();
  house.clock.advance(1_000);
  const call = alice.call("dora");
  house.clock.advance(2_000);
  assert.equal(call.reason, "not_found");
  assert.deepEqual(house.finish(), []);
});

Deno.test("another password is asked for from then on; the configuration's stay", () => {
  const { world: house, store } = world();
  const { control } = house.plane;
  control.createAccount({ name: "dora", password: "open sesame" });
  assert(control.setAccountPassword("dora", "shut sesame").ok);
  assert(!JSON.stringify(store.find("dora")).includes("sesame"));
  const late = house.client("dora").connect({ password: "open sesame" });
  house.clock.advance(2_000);
  assert.equal(late.registered, 0);
  const dora = house.client("dora").connect({ password: "shut sesame" });
  house.clock.advance(2_000);
  assert.equal(dora.registered, 1);
  const codes = ["1000", "nobody"].map((name) => {
    const result = control.setAccountPassword(name, "x");
    return result.ok ? "ok" : result.error.code;
  });
  assert.deepEqual(codes, ["conflict", "not_found"]);
  assert.deepEqual(house.finish(), []);
});

Deno.test("what is there already, configured, or somebody's now, is a conflict; unknown is unknown", () => {
  const { world: house } = world();
  const { control } = house.plane;
  const codeOf = (result: { ok: boolean; error?: { code: string } }) =>
    result.ok ? "ok" : result.error?.code;
  assert.equal(codeOf(control.createAccount({ name: "1000", password: "x" })), "conflict");
  assert.equal(codeOf(control.createAccount({ name: "new", password: "x" })), "ok");
  assert.equal(codeOf(control.createAccount({ name: "new", password: "x" })), "conflict");
  const carol = house.client("carol").connect();
  house.clock.advance(1_000);
  assert.equal(carol.registered, 1);
  assert.equal(codeOf(control.createAccount({ name: "carol", password: "x" })), "conflict");
  assert.equal(codeOf(control.removeAccount("1000")), "conflict");
  assert.equal(codeOf(control.removeAccount("nobody")), "not_found");
  assert.deepEqual(house.finish(), []);
});

Deno.test("accounts are listed page by page, each once", () => {
  const { world: house } = world();
  const { control } = house.plane;
  const names = Array.from({ length: 250 }, (_, i) => `user${String(i).padStart(3, "0")}`);
  for (const name of names) control.createAccount({ name, password: "x" });
  const found: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = control.accounts({ limit: 7, ...(cursor ? { cursor } : {}) });
    found.push(...page.items.map(({ name }) => name));
    cursor = page.next;
  } while (cursor);
  assert.deepEqual(found, ["1000", "1001", ...names]);
  assert.deepEqual(house.finish(), []);
});

Deno.test("rights and number are given with the account or later, and taken away again", () => {
  const { world: house } = world();
  const { control } = house.plane;
  const made = control.createAccount({
    name: "dora",
    password: "x",
    rights: ["pstn"],
    number: "+4930123",
  });
  assert(made.ok);
  assert.deepEqual([made.value.rights, made.value.number], [["pstn"], "+4930123"]);
  assert(control.setAccountPassword("dora", "y").ok);
  const [listed] = control.accounts({ limit: 1, user: "dora" }).items;
  assert.deepEqual([listed?.rights, listed?.number], [["pstn"], "+4930123"], "with any password");
  const taken = control.grantAccount("dora", { rights: [], number: null });
  assert.deepEqual(taken.ok && [taken.value.rights, taken.value.number], [[], null]);
  const codes = ["1000", "nobody"].map((name) => {
    const result = control.grantAccount(name, { rights: ["pstn"], number: null });
    return result.ok ? "ok" : result.error.code;
  });
  assert.deepEqual(codes, ["conflict", "not_found"]);
  assert.deepEqual(house.finish(), []);
});
