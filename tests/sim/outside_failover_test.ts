import assert from "node:assert/strict";
import { OutsideWorld, type OutsideWorldOptions, PBX } from "./outside_world.ts";

/** A server of others with several places, of which some do not work (RFC 3263 4.3). */

function world(options: Partial<OutsideWorldOptions> = {}): OutsideWorld {
  return new OutsideWorld({ seed: 1, users: { alice: "alice", bob: "bob" }, ...options });
}

/** By the name, which leads to all places. */
function guest(house: OutsideWorld, login: string, profile = {}) {
  return house.guest(login, { outboundProxy: PBX.host, ...profile });
}

function clean(house: OutsideWorld): void {
  assert.deepEqual(house.finish(), []);
}

Deno.test("outside: a place that is silent or says 503 is left for the next, within one request", () => {
  for (const ails of ["silent", "503"] as const) {
    const house = world({ ailing: [ails] });
    const alice = guest(house, "alice");
    house.clock.advance(4_500);
    assert.equal(alice.registered, 1, `${ails}: within the client's 5 s`);
    assert.deepEqual(alice.failures, []);
    const [first] = house.requests("REGISTER");
    const [astray] = house.astray;
    assert.equal(first?.callId, astray?.callId);
    assert.notEqual(first?.topVia.branch, astray?.topVia.branch);
    // The place that worked is tried first from now on.
    const { length } = house.astray.filter(({ method }) => method === "REGISTER");
    const bob = house.guest("bob");
    bob.onIncoming = (call) => bob.answer(call);
    house.clock.advance(1_000);
    const call = alice.call("bob");
    house.clock.advance(1_000);
    assert.equal(call.status, "talking");
    house.clock.advance(40_000);
    assert.ok(house.astray.length <= length + 10, "repetitions at most");
    assert.ok(house.astray.every(({ method }) => method === "REGISTER"));
    clean(house);
  }
});

Deno.test("outside: where no place works the client hears of the last one", () => {
  const house = world({ ailing: ["503", "silent"], silent: true });
  const alice = guest(house, "alice");
  house.clock.advance(4_900);
  assert.match(alice.failures[0]?.text ?? "", /pbx\.example:5070 does not answer/);
  clean(house);
});

Deno.test("outside: a place that was given up and answers a call after all is said BYE", () => {
  const house = world({ ailing: ["late"] });
  const bob = house.guest("bob");
  bob.onIncoming = (call) => bob.answer(call);
  const alice = guest(house, "alice", { registerRequired: false });
  house.clock.advance(1_000);
  const call = alice.call("bob");
  house.clock.advance(4_000);
  assert.equal(call.status, "talking", "by the next place, after two seconds");
  house.clock.advance(40_000);
  const methods = new Set(house.astray.map(({ method }) => method));
  assert.deepEqual([...methods].toSorted(), ["ACK", "BYE", "INVITE"]);
  assert.equal(call.status, "talking");
  clean(house);
});

Deno.test("outside: a call that is taken back goes to no other place", () => {
  const house = world({ ailing: ["silent"] });
  const alice = guest(house, "alice", { registerRequired: false });
  house.clock.advance(1_000);
  const call = alice.call("bob");
  house.clock.advance(500);
  alice.hangup(call);
  house.clock.advance(40_000);
  assert.equal(call.reason, "cancelled");
  assert.deepEqual(house.requests("INVITE"), []);
  clean(house);
});

Deno.test("outside: the way to the server is kept open, once for all who use it, and no longer", () => {
  const house = world();
  guest(house, "alice");
  guest(house, "bob");
  house.clock.advance(100_500);
  assert.equal(house.keepAlives.length, 4);
  const steps = house.keepAlives.slice(1).map((at, index) => at - house.keepAlives[index]!);
  assert.deepEqual(steps, [25_000, 25_000, 25_000]);
  for (const { id } of [...house.plane.sessions.live()]) house.plane.control.endSession(id);
  house.clock.advance(60_000);
  assert.equal(house.keepAlives.length, 4);
  clean(house);
});
