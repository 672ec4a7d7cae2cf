import assert from "node:assert/strict";
import { createRequest } from "../../../src/sip/dialog/requests.ts";
import type { SipRequest } from "../../../src/sip/message/mod.ts";
import { type Phone, REALM, World } from "../../support/sip_world.ts";

/** Requests inside dialogs: trusted by their tags and flows, and by nothing else. */

function talking() {
  const world = new World();
  const alice = world.phone("alice", { hangupAfter: undefined });
  const bob = world.phone("bob");
  for (const phone of [alice, bob]) phone.register();
  world.clock.advance(10);
  alice.invite("bob");
  world.clock.advance(3_000);
  const dialog = [...alice.dialogs.values()][0]!;
  return { world, alice, bob, dialog };
}

function inDialog(
  method: string,
  phone: Phone,
  tags: { from: string; to: string },
  callId: string,
) {
  return (target: string, from = "alice"): void => {
    phone.send(createRequest({
      method,
      requestUri: target,
      from: `<sip:${from}@${REALM}>;tag=${tags.from}`,
      to: `<sip:bob@${REALM}>;tag=${tags.to}`,
      callId,
      sequence: 77,
    }));
  };
}

Deno.test("a To tag opens nothing: unknown dialogs get 481, whatever contact they name", () => {
  const { world, bob, dialog } = talking();
  const mallory = world.phone("mallory");
  const tags = { from: dialog.localTag, to: "guessed" };
  for (const method of ["BYE", "INFO", "INVITE", "MESSAGE", "UPDATE"]) {
    inDialog(method, mallory, tags, dialog.callId)(bob.contact);
    world.clock.advance(10);
    assert.equal(mallory.heard.at(-1), `481 ${method}`);
  }
  assert.deepEqual(bob.heard.slice(-2), ["INVITE", "ACK"]);
});

Deno.test("a stranger with the right tags is refused, the phone on a new flow is not", () => {
  const { world, alice, bob, dialog } = talking();
  const tags = { from: dialog.localTag, to: dialog.remoteTag };
  const mallory = world.phone("mallory");
  mallory.register();
  world.clock.advance(10);
  inDialog("INFO", mallory, tags, dialog.callId)(bob.contact);
  world.clock.advance(10);
  assert.equal(mallory.heard.at(-1), "403 INFO", "registered as somebody else");
  assert.ok(!bob.heard.includes("INFO"));
  const moved = world.phone("alice");
  moved.register();
  world.clock.advance(10);
  inDialog("INFO", moved, tags, dialog.callId)(bob.contact);
  world.clock.advance(10);
  assert.ok(bob.heard.includes("INFO"));
  alice.disconnect();
  bob.hangup();
  world.clock.advance(10);
  assert.ok(moved.heard.includes("BYE"), "requests to Alice go to her new flow");
});

Deno.test("two phones behind two NATs with one Contact each get their own BYE", () => {
  const world = new World();
  const contact = "<sip:phone@192.168.0.2:5060>";
  const alice = world.phone("alice", { hangupAfter: undefined });
  const carol = world.phone("carol", { hangupAfter: undefined });
  const bob = world.phone("bob");
  bob.register();
  alice.register(3600, contact);
  carol.register(3600, contact);
  world.clock.advance(10);
  carol.invite("bob");
  world.clock.advance(3_000);
  bob.hangup();
  world.clock.advance(10);
  assert.ok(carol.heard.includes("BYE"));
  assert.ok(!alice.heard.includes("BYE"));
});

Deno.test("a dialog ends with its BYE and is forgotten; repeated ones get 481", () => {
  const { world, alice, bob, dialog } = talking();
  assert.equal(world.proxy.dialogCount, 1);
  alice.hangup();
  world.clock.advance(10);
  assert.equal(world.proxy.dialogCount, 0);
  const late = inDialog(
    "INFO",
    alice,
    { from: dialog.localTag, to: dialog.remoteTag },
    dialog.callId,
  );
  world.clock.advance(40_000);
  late(bob.contact);
  world.clock.advance(10);
  assert.equal(alice.heard.at(-1), "481 INFO");
  assert.ok(!bob.heard.includes("INFO"));
});

Deno.test("early dialogs end with their INVITE", () => {
  const world = new World();
  const alice = world.phone("alice");
  const bob = world.phone("bob", { answer: 486 });
  for (const phone of [alice, bob]) phone.register();
  world.clock.advance(10);
  alice.invite("bob");
  world.clock.advance(500);
  assert.equal(world.proxy.dialogCount, 1, "ringing");
  world.clock.advance(40_000);
  assert.equal(world.proxy.dialogCount, 0);
});

Deno.test("dialogs go when both flows are gone", () => {
  const { world, alice, bob } = talking();
  alice.disconnect();
  assert.equal(world.proxy.dialogCount, 1);
  bob.disconnect();
  assert.equal(world.proxy.dialogCount, 0);
});

/** What a notifier sends for the subscription of `request`. */
function notify(request: SipRequest, state: string, sequence: number): SipRequest {
  return createRequest({
    method: "NOTIFY",
    requestUri: "sip:subscriber@invalid",
    from: `<sip:bob@${REALM}>;tag=none`,
    to: `<sip:alice@${REALM}>;tag=${request.from.tag}`,
    callId: request.callId,
    sequence,
    headers: [["Event", "message-summary"], ["Subscription-State", state]],
  });
}

function subscribed(unanswered: readonly string[]) {
  const world = new World();
  const alice = world.phone("alice");
  const bob = world.phone("bob", { unanswered });
  for (const phone of [alice, bob]) phone.register();
  world.clock.advance(10);
  alice.send(createRequest({
    method: "SUBSCRIBE",
    requestUri: `sip:bob@${REALM}`,
    from: `<sip:alice@${REALM}>;tag=subscriber`,
    to: `<sip:bob@${REALM}>`,
    callId: "subscription",
    sequence: 1,
    contact: `<${alice.contact}>`,
    headers: [["Event", "message-summary"], ["Expires", "60"]],
  }));
  world.clock.advance(10);
  const subscribe = bob.requests.at(-1)!;
  assert.equal(subscribe.method, "SUBSCRIBE");
  return { world, alice, bob, subscribe };
}

Deno.test("SUBSCRIBE: its NOTIFY passes even before the 2xx, from the one who was asked", () => {
  const { world, alice, bob, subscribe } = subscribed(["SUBSCRIBE"]);
  const mallory = world.phone("mallory");
  mallory.register();
  world.clock.advance(10);
  mallory.send(notify(subscribe, "active", 9));
  world.clock.advance(10);
  assert.equal(mallory.heard.at(-1), "403 NOTIFY");
  bob.send(notify(subscribe, "active;expires=60", 1));
  world.clock.advance(10);
  assert.equal(alice.heard.filter((h) => h === "NOTIFY").length, 1);
});

Deno.test("SUBSCRIBE: the last NOTIFY, or time, ends its dialog", () => {
  const { world, alice, bob, subscribe } = subscribed([]);
  assert.equal(world.proxy.dialogCount, 1);
  bob.send(notify(subscribe, "active;expires=60", 1));
  world.clock.advance(10);
  assert.equal(world.proxy.dialogCount, 1);
  bob.send(notify(subscribe, "terminated;reason=timeout", 2));
  world.clock.advance(10);
  assert.equal(alice.heard.filter((h) => h === "NOTIFY").length, 2);
  assert.equal(world.proxy.dialogCount, 0);
  const other = subscribed([]);
  other.world.clock.advance(100_000);
  assert.equal(other.world.proxy.dialogCount, 0, "60 s and some grace");
});

Deno.test("a change of transport puts two entries on the record (RFC 5658)", () => {
  const world = new World();
  const alice = world.phone("alice", { hangupAfter: 100 }, "", "UDP");
  const bob = world.phone("bob");
  for (const phone of [alice, bob]) phone.register();
  world.clock.advance(10);
  alice.invite("bob");
  world.clock.advance(5_000);
  assert.deepEqual(bob.requests[0]?.headers.getAll("Record-Route"), [
    "<sip:proxy.test:5060;transport=tcp;lr>",
    "<sip:proxy.test:5060;lr>",
  ]);
  const bye = bob.requests.at(-1)!;
  assert.equal(bye.method, "BYE");
  assert.equal(bye.routes.length, 0, "both come off again");
});
