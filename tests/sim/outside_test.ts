import assert from "node:assert/strict";
import { createInvite } from "../../src/sip/dialog/requests.ts";
import { serialize } from "../../src/sip/message/mod.ts";
import { OutsideWorld, type OutsideWorldOptions, PBX } from "./outside_world.ts";
import { seeds } from "../support/dice.ts";

/** Sessions that are clients of a SIP server of others. */

function world(options: Partial<OutsideWorldOptions> = {}): OutsideWorld {
  return new OutsideWorld({ seed: 1, users: { alice: "alice.auth", bob: "bob.auth" }, ...options });
}

function clean(house: OutsideWorld): void {
  assert.deepEqual(house.finish(), []);
}

Deno.test("outside: registers with an auth name of its own, refreshes, and unregisters", () => {
  const house = world();
  const alice = house.guest("alice", { authName: "alice.auth" });
  house.clock.advance(1_000);
  assert.equal(alice.registered, 1);
  assert.equal(house.pbx.bindingCount, 1);
  assert.deepEqual(house.ladder, [
    "> REGISTER",
    "< 401 REGISTER",
    "> REGISTER",
    "< 200 REGISTER",
  ]);
  const [first] = house.requests("REGISTER");
  assert.equal(first?.uri, `sip:${PBX.host}`);
  assert.equal(first?.to.uri.toString(), `sip:alice@${PBX.host}`);
  assert.equal(first?.headers.get("User-Agent"), "Port Zero");
  assert.match(first?.headers.get("Contact") ?? "", /^<sip:[0-9a-f]+@127\.0\.0\.1:5060>$/);
  assert.equal(first?.topVia.sentBy, "127.0.0.1:5060");
  house.clock.advance(2 * 3_600_000);
  assert.equal(house.pbx.bindingCount, 1);
  assert.ok(house.requests("REGISTER").length >= 6);
  const record = [...house.plane.sessions.live()][0]!;
  house.plane.control.endSession(record.id);
  house.clock.advance(1_000);
  assert.equal(house.pbx.bindingCount, 0);
  clean(house);
});

Deno.test("outside: a wrong password, a silent server and an unknown name fail in words, in 5 s", () => {
  const cases = [
    { profile: { authName: "alice.auth", password: "wrong" }, silent: false, text: /403|401/ },
    { profile: {}, silent: true, text: /192\.0\.2\.50:5070 does not answer/ },
    { profile: { outboundProxy: "nowhere.example" }, silent: false, text: /has no address/ },
    { profile: { outboundProxy: "192.0.2.77" }, silent: false, text: /Cannot connect.*refused/ },
  ];
  for (const { profile, silent, text } of cases) {
    const house = world({ silent });
    const alice = house.guest("alice", profile);
    house.clock.advance(4_900);
    const failure = alice.failures[0];
    assert.ok(failure, `nothing was told: ${alice.heard.join(", ")}`);
    assert.match(failure.text, text);
    assert.equal(failure.authentication, "password" in profile);
    assert.equal(alice.disconnected, "registration_failed");
    assert.equal(alice.registered, 0);
    clean(house);
  }
});

Deno.test("outside: operators see the registration, why it fails, and that it is back", () => {
  const house = world();
  const seen = () => {
    const { items } = house.plane.control.sessions({ limit: 10 });
    return items.map(({ outside }) => outside && [outside.registration, outside.reason]);
  };
  house.guest("alice", { authName: "alice.auth" });
  house.guest("bob", { authName: "bob.auth", registerRequired: false });
  house.client("carol").connect();
  assert.deepEqual(seen(), [["registering", null], ["none", null], null]);
  house.clock.advance(1_000);
  assert.deepEqual(seen(), [["registered", null], ["none", null], null]);
  const [first] = house.plane.control.sessions({ limit: 1 }).items;
  assert.equal(first?.outside?.server, `${PBX.address}:${PBX.port}`);
  house.silent = true;
  house.clock.advance(2 * 3_600_000);
  const [state, reason] = seen()[0] ?? [];
  assert.equal(state, "failing");
  assert.match(reason ?? "", /408/);
  house.silent = false;
  house.clock.advance(120_000);
  assert.deepEqual(seen()[0], ["registered", null]);
  clean(house);
});

Deno.test("outside: two of its clients call each other through it, hold and hang up", () => {
  const house = world();
  const alice = house.guest("alice", { authName: "alice.auth", visibleName: "Alice L." });
  const bob = house.guest("bob", { authName: "bob.auth" });
  house.clock.advance(1_000);
  bob.onIncoming = (call) => bob.answer(call);
  const call = alice.call("bob", { inviteParameters: { "X-Order": "17" } });
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const [far] = bob.live;
  assert.equal(far?.status, "talking");
  const invite = house.requests("INVITE").at(-1)!;
  assert.equal(invite.headers.get("X-Order"), "17");
  assert.equal(invite.from.displayName, "alice");
  assert.equal(invite.from.uri.toString(), `sip:alice@${PBX.host}`);
  assert.equal(house.rtp.live.size, 2, "a leg of RTP each");
  alice.hold(call, true);
  house.clock.advance(1_000);
  assert.equal(call.status, "held");
  alice.hold(call, false);
  // Both offer at once: glare, and each has his turn.
  bob.hold(far!, true);
  house.clock.advance(10_000);
  assert.equal(call.status, "talking");
  assert.equal(far?.status, "held");
  bob.hangup(far!);
  house.clock.advance(1_000);
  assert.equal(call.status, "finished");
  assert.equal(call.reason, "remote_hangup");
  clean(house);
});

Deno.test("outside: calls without registering; refused, cancelled, busy and away as they are", () => {
  const house = world();
  const alice = house.guest("alice", { authName: "alice.auth", registerRequired: false });
  const bob = house.guest("bob", { authName: "bob.auth" });
  house.clock.advance(1_000);
  assert.equal(alice.registered, 0);
  assert.equal(house.pbx.bindingCount, 1);
  bob.onIncoming = (call) => bob.hangup(call);
  const refused = alice.call("bob");
  house.clock.advance(1_000);
  assert.equal(refused.reason, "rejected");
  bob.onIncoming = () => {};
  const cancelled = alice.call(`bob@${PBX.host}`);
  house.clock.advance(1_000);
  assert.equal(cancelled.status, "ringing");
  alice.hangup(cancelled);
  house.clock.advance(1_000);
  assert.equal(bob.live.length, 0);
  const unknown = alice.call("nobody");
  house.clock.advance(1_000);
  assert.equal(unknown.status, "finished");
  clean(house);
});

Deno.test("outside: without addContactId the login stands in Contact, and the newest window rings", () => {
  const house = world({ addContactId: false });
  const first = house.guest("bob", { authName: "bob.auth" });
  const second = house.guest("bob", { authName: "bob.auth" });
  const alice = house.guest("alice", { authName: "alice.auth" });
  house.clock.advance(1_000);
  for (const request of house.requests("REGISTER")) {
    const { user } = request.to.uri;
    assert.equal(request.headers.get("Contact"), `<sip:${user}@127.0.0.1:5060>`);
  }
  assert.equal(house.pbx.bindingCount, 2);
  alice.call("bob");
  house.clock.advance(1_000);
  assert.deepEqual([first.live.length, second.live.length], [0, 1]);
  clean(house);
});

Deno.test("outside: a stranger reaches no session by its Contact", () => {
  const house = world();
  const alice = house.guest("alice", { authName: "alice.auth" });
  house.clock.advance(1_000);
  const contact = house.requests("REGISTER")[0]!.contacts;
  assert(contact !== "*");
  const invite = createInvite({
    requestUri: contact[0]!.uri.toString(),
    from: `<sip:bob@${PBX.host}>;tag=1`,
    to: `<sip:alice@${PBX.host}>`,
    callId: "stranger",
    sequence: 1,
    contact: "<sip:bob@198.51.100.9>",
  });
  invite.headers.prepend("Via", "SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKstranger");
  house.fromStranger(serialize(invite));
  house.clock.advance(60_000);
  assert.equal(alice.calls.size, 0);
  clean(house);
});

Deno.test("outside: over a lossy wire each call ends and nothing is left, by 60 seeds", () => {
  for (const seed of seeds(60)) {
    const wire = { loss: 0.1, duplication: 0.1, delayMs: 80 };
    const house = world({ seed, wire });
    const alice = house.guest("alice", {
      authName: "alice.auth",
      registerRequired: seed % 2 === 0,
    });
    const bob = house.guest("bob", { authName: "bob.auth" });
    house.clock.advance(10_000);
    bob.onIncoming = (call) => house.chance.fraction() < 0.7 ? bob.answer(call) : bob.hangup(call);
    for (let round = 0; round < 4; round++) {
      if (!alice.handle) break;
      const call = alice.call("bob");
      house.clock.advance(1_000 + house.chance.below(20_000));
      const action = house.chance.below(3);
      if (action === 0) alice.hangup(call);
      if (action === 1) alice.hold(call, true);
      house.clock.advance(1_000 + house.chance.below(5_000));
      for (const other of bob.live) bob.hangup(other);
      house.clock.advance(3_000);
    }
    clean(house);
  }
});
