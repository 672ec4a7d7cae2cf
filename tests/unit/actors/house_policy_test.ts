import assert from "node:assert/strict";
import { HousePolicy } from "../../../src/actors/house_policy.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import { accountDigests } from "../../../src/sip/auth/mod.ts";
import { flow as flowOf, request } from "../../support/sip_fixtures.ts";

function newPolicy(): HousePolicy {
  return new HousePolicy({
    canonicalDomain: "lab.example",
    hosts: new Set(["127.0.0.1", "localhost"]),
    accounts: [{ name: "1000", password: "secret" }],
  });
}

function verdict(user: string, isGuest: boolean, registered: string | null = null) {
  const policy = newPolicy();
  policy.admit("f" as FlowId, { user, isGuest });
  return policy.authorize(request("INVITE"), flowOf("f"), registered);
}

const CHALLENGE = { kind: "challenge", realm: "lab.example", username: null };

Deno.test("house policy: a guest speaks for its own name without a proof", () => {
  assert.deepEqual(verdict("alice", true), { kind: "allow", identity: "alice" });
});

Deno.test("house policy: a login that names an account proves its password, on SIP Port 0 too", () => {
  assert.deepEqual(verdict("1000", true), CHALLENGE);
  assert.deepEqual(verdict("1000", false), CHALLENGE);
  assert.deepEqual(verdict("1000", true, "1000"), { kind: "allow", identity: "1000" });
  assert.deepEqual(verdict("1000", true, "1001"), CHALLENGE, "somebody else's registration");
});

Deno.test("house policy: overloaded, it takes no new calls of our clients, but registrations", () => {
  const policy = newPolicy();
  const load = { isOverloaded: true };
  policy.bindLoad(load);
  policy.admit("f" as FlowId, { user: "alice", isGuest: true });
  const ask = (method: string) => policy.authorize(request(method), flowOf("f"), null);
  assert.deepEqual(ask("INVITE"), { kind: "forbid", status: 503, text: "Server Overloaded" });
  assert.equal(ask("REGISTER").kind, "allow");
  load.isOverloaded = false;
  assert.equal(ask("INVITE").kind, "allow");
});

Deno.test("house policy: who is no guest is challenged, whether the account exists or not", () => {
  assert.deepEqual(verdict("nobody", false), CHALLENGE);
});

Deno.test("house policy: a stranger proves an account each time; a session that has gone is one", () => {
  const policy = newPolicy();
  const ask = (registered: string | null) =>
    policy.authorize(request("INVITE"), flowOf("f"), registered);
  assert.deepEqual(ask(null), CHALLENGE);
  assert.deepEqual(ask("1000"), CHALLENGE, "an earlier proof is none now");
  policy.admit("f" as FlowId, { user: "alice", isGuest: true });
  assert.deepEqual(ask(null), { kind: "allow", identity: "alice" });
  policy.dismiss("f" as FlowId);
  assert.deepEqual(ask(null), CHALLENGE);
});

Deno.test("house policy: anybody may ask whether we are alive, and that leads nowhere else", () => {
  const policy = newPolicy();
  const ask = (method: string, uri: string) =>
    policy.authorize(request(method, { uri }), flowOf("f"), null).kind;
  assert.equal(ask("OPTIONS", "sip:lab.example"), "allow");
  assert.equal(ask("OPTIONS", "sip:1000@lab.example"), "challenge");
  assert.equal(ask("OPTIONS", "sip:other.example"), "challenge");
  assert.equal(ask("INVITE", "sip:lab.example"), "challenge");
});

Deno.test("house policy: accounts are known by name, their digests are those of our domain", () => {
  const policy = newPolicy();
  assert.deepEqual(policy.account("1000"), {
    user: "1000",
    digests: accountDigests("1000", "lab.example", "secret"),
  });
  assert.equal(policy.account("1001"), undefined);
  assert.deepEqual([policy.hasAccount("1000"), policy.hasAccount("toString")], [true, false]);
});

Deno.test("house policy: every name of ours is ours, in any case", () => {
  const policy = newPolicy();
  const answers = ["LAB.example", "LocalHost", "127.0.0.1", "example", "127.0.0.2"]
    .map((host) => policy.isOurs(host));
  assert.deepEqual(answers, [true, true, true, false, false]);
});
