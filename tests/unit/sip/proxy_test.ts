import assert from "node:assert/strict";
import { createRegister, createRequest } from "../../../src/sip/dialog/requests.ts";
import { REALM, World } from "../../support/sip_world.ts";

/** Ladders through registrar and proxy: real stacks on both sides, time moved by hand. */

/** Bob registered in `n` windows, Alice beside him. */
function couple(n = 1, behaviours: Parameters<World["phone"]>[1][] = []) {
  const world = new World();
  const alice = world.phone("alice");
  const bobs = Array.from({ length: n }, (_, i) => world.phone("bob", behaviours[i] ?? {}));
  for (const phone of [alice, ...bobs]) phone.register();
  world.clock.advance(10);
  world.ladder.length = 0;
  return { world, alice, bobs, bob: bobs[0]! };
}

function assertClean(world: World): void {
  world.settle();
  assert.deepEqual(
    {
      transactions: world.proxy.transactionCount,
      contexts: world.proxy.contextCount,
      bindings: world.proxy.bindingCount,
      timers: world.clock.pendingTimers,
    },
    { transactions: 0, contexts: 0, bindings: 0, timers: 0 },
  );
}

Deno.test("a call: INVITE, 100, 180, 200, ACK, BYE, 200, all through the proxy", () => {
  const { world, alice, bob } = couple();
  const callId = alice.invite("bob");
  world.clock.advance(20_000);
  assert.deepEqual(world.ladder, [
    "alice0 > INVITE",
    "alice0 < 100 INVITE",
    "bob1 < INVITE",
    "bob1 > 180 INVITE",
    "alice0 < 180 INVITE",
    "bob1 > 200 INVITE",
    "alice0 < 200 INVITE",
    "alice0 > ACK",
    "bob1 < ACK",
    "alice0 > BYE",
    "bob1 < BYE",
    "bob1 > 200 BYE",
    "alice0 < 200 BYE",
  ]);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 200 }]);
  const invite = bob.requests[0]!;
  assert.equal(invite.uri, bob.contact);
  assert.equal(invite.maxForwards, 69);
  assert.equal(invite.headers.count("Via"), 2);
  assert.equal(invite.headers.get("Record-Route"), "<sip:proxy.test:5060;transport=tcp;lr>");
  assert.equal(bob.requests.at(-1)?.routes.length, 0, "the proxy takes its own route off");
  assertClean(world);
});

Deno.test("the callee hangs up: BYE finds a caller by the contact of its INVITE", () => {
  const { world, alice, bob } = couple(1, [{}]);
  alice.invite("bob");
  world.clock.advance(2_000);
  bob.hangup();
  world.clock.advance(100);
  assert.ok(alice.heard.includes("BYE"));
  assert.deepEqual(bob.heard.slice(-1), ["200 BYE"]);
  assertClean(world);
});

Deno.test("a caller that never registered gets its BYE all the same", () => {
  const world = new World();
  const carol = world.phone("carol", { hangupAfter: undefined });
  const bob = world.phone("bob");
  bob.register();
  world.clock.advance(10);
  carol.invite("bob");
  world.clock.advance(2_000);
  bob.hangup();
  world.clock.advance(100);
  assert.ok(carol.heard.includes("BYE"));
  assertClean(world);
});

Deno.test("a dialog outlives the binding", () => {
  const { world, alice, bob } = couple();
  alice.invite("bob");
  world.clock.advance(2_000);
  bob.register(0);
  world.clock.advance(10);
  assert.equal(world.proxy.location.lookup(`bob@${REALM}`, world.clock.now()).length, 0);
  world.clock.advance(10_000);
  assert.ok(bob.heard.includes("BYE"));
});

Deno.test("two windows ring, the first answer wins, the other is cancelled and ACKed", () => {
  const { world, alice, bobs } = couple(2, [{ answerAfter: 1_000 }, { answerAfter: undefined }]);
  const callId = alice.invite("bob");
  world.clock.advance(3_000);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 200 }]);
  assert.deepEqual(bobs[0]!.heard, ["200 REGISTER", "INVITE", "ACK"]);
  assert.deepEqual(bobs[1]!.heard, [
    "200 REGISTER",
    "INVITE",
    'CANCEL SIP;cause=200;text="Call completed elsewhere"',
  ]);
  const second = world.ladder.filter((line) => line.startsWith("bob2"));
  assert.deepEqual(second, [
    "bob2 < INVITE",
    "bob2 > 180 INVITE",
    "bob2 < CANCEL",
    "bob2 > 200 CANCEL",
    "bob2 > 487 INVITE",
    "bob2 < ACK",
  ]);
  assertClean(world);
});

Deno.test("two windows answer at once: both 2xx go up, the caller lets one go", () => {
  const { world, alice, bobs } = couple(2, [{ answerAfter: 500 }, { answerAfter: 500 }]);
  const callId = alice.invite("bob");
  world.clock.advance(10_000);
  assert.deepEqual(alice.outcomes.get(callId)?.map((o) => o.status), [200, 200]);
  for (const bob of bobs) {
    assert.equal(bob.heard.filter((h) => h === "ACK").length, 1);
    assert.equal(bob.heard.filter((h) => h === "BYE").length, 1);
  }
  assertClean(world);
});

Deno.test("the caller cancels: both windows hear it, one 487 comes back", () => {
  const { world, alice, bobs } = couple(2, [
    { answerAfter: undefined },
    { answerAfter: undefined },
  ]);
  const callId = alice.invite("bob");
  world.clock.advance(500);
  alice.cancel(callId);
  world.clock.advance(500);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 487 }]);
  for (const bob of bobs) assert.equal(bob.heard.at(-1), "CANCEL");
  assertClean(world);
});

Deno.test("the caller's flow closes while it rings: the callees are cancelled", () => {
  const { world, alice, bob } = couple(1, [{ answerAfter: undefined }]);
  alice.invite("bob");
  world.clock.advance(500);
  alice.disconnect();
  world.clock.advance(500);
  assert.equal(bob.heard.at(-1), "CANCEL");
  assertClean(world);
});

Deno.test("the callee's flow closes while it rings: 480", () => {
  const { world, alice, bob } = couple(1, [{ answerAfter: undefined }]);
  const callId = alice.invite("bob");
  world.clock.advance(500);
  bob.disconnect();
  world.clock.advance(500);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 480 }]);
  assertClean(world);
});

for (
  const [answers, expected] of [
    [[486, 404], 486],
    [[486, 603], 603],
    [[480, 486], 486],
    [[500, 486], 486],
    [[503], 500],
    [[503, 501], 501],
    [[415, 404], 415],
    [[302, 404], 302],
    [[486, 200], 200],
  ] as const
) {
  Deno.test(`answers ${answers.join(" and ")}: the caller gets ${expected} (16.7)`, () => {
    const behaviours = answers.map((answer, i) => ({ answer, answerAfter: 100 + i * 100 }));
    const { world, alice } = couple(answers.length, behaviours);
    const callId = alice.invite("bob");
    world.clock.advance(2_000);
    assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: expected }]);
    assertClean(world);
  });
}

Deno.test("a 6xx cancels the other branches at once (16.7 step 5)", () => {
  const { world, alice, bobs } = couple(2, [
    { answer: 603, answerAfter: 100 },
    { answerAfter: undefined },
  ]);
  const callId = alice.invite("bob");
  world.clock.advance(1_000);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 603 }]);
  assert.equal(bobs[1]!.heard.at(-1), "CANCEL SIP;cause=603");
});

Deno.test("timer C: a phone that rings for ever ends as 408 (16.8)", () => {
  const { world, alice, bob } = couple(1, [{ answerAfter: undefined }]);
  const callId = alice.invite("bob");
  world.clock.advance(184_000);
  assert.deepEqual(alice.outcomes.get(callId), []);
  world.clock.advance(2_000);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 408 }]);
  assert.equal(bob.heard.at(-1), "CANCEL");
  assertClean(world);
});

Deno.test("nobody of that name: 404; an account that is away: 480", () => {
  const world = new World({ accounts: { "1000": "1234" } });
  const alice = world.phone("alice");
  alice.register();
  world.clock.advance(10);
  const unknown = alice.invite("nobody");
  const away = alice.invite("1000");
  world.clock.advance(100);
  assert.deepEqual(alice.outcomes.get(unknown), [{ kind: "final", status: 404 }]);
  assert.deepEqual(alice.outcomes.get(away), [{ kind: "final", status: 480 }]);
  assertClean(world);
});

Deno.test("an account proves its password; a guest need not", () => {
  const world = new World({ accounts: { "1000": "1234" } });
  const right = world.phone("1000", {}, "1234");
  const wrong = world.phone("1000", {}, "4321");
  const guest = world.phone("alice");
  for (const phone of [right, wrong, guest]) phone.register();
  world.clock.advance(10);
  assert.deepEqual(right.heard, ["401 REGISTER", "200 REGISTER"]);
  assert.deepEqual(wrong.heard, ["401 REGISTER", "403 REGISTER"]);
  assert.deepEqual(guest.heard, ["200 REGISTER"]);
  assert.equal(world.proxy.bindingCount, 2);
  const failed = world.events.filter((e) => e.type === "authentication-failed");
  assert.deepEqual(failed.map((e) => [e.username, e.method]), [["1000", "REGISTER"]]);
});

Deno.test("an account that has not registered is challenged with 407 and calls", () => {
  const world = new World({ accounts: { "1000": "1234" } });
  const caller = world.phone("1000", {}, "1234");
  const bob = world.phone("bob");
  bob.register();
  world.clock.advance(10);
  const callId = caller.invite("bob");
  world.clock.advance(3_000);
  assert.ok(caller.heard.includes("407 INVITE"));
  assert.deepEqual(caller.outcomes.get(callId), [{ kind: "final", status: 200 }]);
  assert.equal(bob.requests[0]?.headers.has("Proxy-Authorization"), false, "credentials stay here");
  assertClean(world);
});

Deno.test("nobody calls or registers in another's name", () => {
  const { world, alice, bob } = couple();
  const callId = alice.invite("bob", `sip:bob@${REALM}`);
  alice.send(createRegister({
    aor: `sip:bob@${REALM}`,
    requestUri: `sip:${REALM}`,
    from: `<sip:bob@${REALM}>;tag=x`,
    callId: "theft",
    sequence: 1,
    contact: `<${alice.contact}>`,
    expires: 60,
  }));
  world.clock.advance(100);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 403 }]);
  assert.deepEqual(bob.heard, ["200 REGISTER"]);
});

Deno.test("one account's password does not open another", () => {
  const world = new World({ accounts: { "1000": "1234", "1001": "5678" } });
  const thief = world.phone("1001", {}, "5678");
  thief.register(3600, undefined, `sip:1000@${REALM}`);
  world.clock.advance(10);
  assert.deepEqual(thief.heard, ["401 REGISTER", "403 REGISTER"]);
  assert.equal(world.proxy.bindingCount, 0);
  assert.equal(world.events.filter((e) => e.type === "authentication-failed").length, 1);
});

Deno.test("who knows a contact may not call it without a right of his own", () => {
  const { world, bob } = couple();
  const mallory = world.phone("mallory");
  mallory.register();
  world.clock.advance(10);
  const callId = mallory.invite(bob.contact, `sip:alice@${REALM}`);
  world.clock.advance(100);
  assert.deepEqual(mallory.outcomes.get(callId), [{ kind: "final", status: 403 }]);
  assert.ok(!bob.heard.includes("INVITE"));
});

Deno.test("a Contact that looks like another's address draws no calls", () => {
  const world = new World({ accounts: { "1000": "1234" } });
  const mallory = world.phone("mallory");
  const alice = world.phone("alice");
  mallory.register(3600, `<sip:1000@${REALM}>`);
  alice.register();
  world.clock.advance(10);
  const callId = alice.invite("1000");
  world.clock.advance(100);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 480 }]);
  assert.ok(!mallory.heard.includes("INVITE"));
});

Deno.test("another's contact is not taken over while its flow is open", () => {
  const { world, alice, bob } = couple();
  alice.invite("bob");
  world.clock.advance(2_000);
  const mallory = world.phone("mallory");
  mallory.register(3600, `<${bob.contact}>`);
  world.clock.advance(10_000);
  assert.ok(bob.heard.includes("BYE"));
  assert.ok(!mallory.heard.includes("BYE"));
});

Deno.test("inside a dialog whose other side is gone: 481", () => {
  const { world, alice, bob } = couple();
  alice.invite("bob");
  world.clock.advance(2_000);
  bob.disconnect();
  world.clock.advance(10_000);
  assert.equal(alice.heard.at(-1), "481 BYE");
  assertClean(world);
});

function options(uri: string, headers: [string, string][] = []) {
  return createRequest({
    method: "OPTIONS",
    requestUri: uri,
    from: `<sip:alice@${REALM}>;tag=o`,
    to: `<${uri}>`,
    callId: "options",
    sequence: 7,
    headers,
  });
}

Deno.test("what the proxy answers itself", () => {
  const { world, alice } = couple();
  const cases: [ReturnType<typeof options>, number][] = [
    [options(`sip:${REALM}`), 200],
    [options("sip:bob@elsewhere.test"), 403],
    [options(`sip:bob@${REALM}`, [["Proxy-Require", "magic"]]), 420],
    [options("tel:+4930123456"), 416],
  ];
  const spent = options(`sip:bob@${REALM}`);
  spent.headers.set("Max-Forwards", "0");
  cases.push([spent, 483]);
  for (const [request, status] of cases) {
    alice.send(request);
    world.clock.advance(10);
    assert.equal(alice.heard.at(-1), `${status} OPTIONS`);
  }
  const unsupported = alice.responses.find((r) => r.status === 420);
  assert.equal(unsupported?.headers.get("Unsupported"), "magic");
});

Deno.test("a request that comes back unchanged is a loop: 482 (RFC 5393)", () => {
  const { world, alice, bob } = couple();
  alice.invite("bob");
  world.clock.advance(10);
  const invite = bob.requests[0]!;
  // Bob returns it as it was before the proxy changed the Request-URI, Vias and all.
  const looped = invite.clone();
  looped.uri = `sip:bob@${REALM}`;
  looped.headers.remove("Record-Route");
  bob.send(looped);
  world.clock.advance(10);
  assert.ok(bob.heard.includes("482 INVITE"), bob.heard.join());
});

Deno.test("a MESSAGE forks too; one 200 comes back", () => {
  const { world, alice, bobs } = couple(2);
  alice.message("bob");
  world.clock.advance(100);
  for (const bob of bobs) assert.equal(bob.heard.at(-1), "MESSAGE");
  assert.deepEqual(alice.heard, ["200 REGISTER", "200 MESSAGE"]);
  assertClean(world);
});

Deno.test("Contact *: the window's bindings all go; events say so", () => {
  const { world, bob } = couple(2);
  world.events.length = 0;
  bob.register(0, "*");
  world.clock.advance(10);
  assert.equal(world.proxy.location.lookup(`bob@${REALM}`, world.clock.now()).length, 0);
  assert.deepEqual(
    world.events.map((e) => e.type === "binding-removed" && e.reason),
    ["unregistered", "unregistered"],
  );
});

Deno.test("bindings expire by themselves and go with their flow", () => {
  const { world, alice, bob } = couple();
  world.events.length = 0;
  bob.disconnect();
  world.clock.advance(3_600_000);
  assert.deepEqual(
    world.events.map((e) => e.type === "binding-removed" && `${e.binding.aor} ${e.reason}`),
    [`bob@${REALM} flow-closed`, `alice@${REALM} expired`],
  );
  alice.disconnect();
  assert.equal(world.proxy.contactCount, 0);
  assertClean(world);
});

Deno.test("an operator takes a binding away", () => {
  const { world } = couple(2);
  world.feed({ type: "unregister", aor: `bob@${REALM}` });
  assert.equal(world.proxy.bindingCount, 1);
});
