import assert from "node:assert/strict";
import { HousePolicy } from "../../../src/actors/house_policy.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import type { SipRequest } from "../../../src/sip/message/mod.ts";
import type { Flow } from "../../../src/sip/stack.ts";
import { accountDigests } from "../../../src/sip/auth/mod.ts";

const REQUEST = {} as SipRequest;

function newPolicy(): HousePolicy {
  return new HousePolicy({
    canonicalDomain: "lab.example",
    hosts: new Set(["127.0.0.1", "localhost"]),
    accounts: [{ name: "1000", password: "secret" }],
  });
}

function flowOf(id: string): Flow {
  return { id: id as FlowId, transport: "TCP", remote: "127.0.0.1:5060" };
}

function verdict(user: string, isGuest: boolean, registered: string | null = null) {
  const policy = newPolicy();
  policy.admit("f" as FlowId, { user, isGuest });
  return policy.authorize(REQUEST, flowOf("f"), registered);
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

Deno.test("house policy: who is no guest is challenged, whether the account exists or not", () => {
  assert.deepEqual(verdict("nobody", false), CHALLENGE);
});

Deno.test("house policy: a flow that nobody let in may do nothing, nor one that has gone", () => {
  const policy = newPolicy();
  const refused = { kind: "forbid", status: 403, text: "Unknown Flow" };
  assert.deepEqual(policy.authorize(REQUEST, flowOf("f"), "1000"), refused);
  policy.admit("f" as FlowId, { user: "alice", isGuest: true });
  assert.equal(policy.authorize(REQUEST, flowOf("f"), null).kind, "allow");
  policy.dismiss("f" as FlowId);
  assert.deepEqual(policy.authorize(REQUEST, flowOf("f"), null), refused);
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
