import assert from "node:assert/strict";
import type { Outcome } from "../../../src/actors/control_plane.ts";
import { EdgeWorld } from "../../sim/edge_world.ts";
import { SimWorld } from "../../sim/world.ts";

/** What operators do with a call that stands, on a real control plane. */

type Heard = string[];

/** Notes each outcome as `ok`, or as code and sentence. */
function ear(heard: Heard): Outcome {
  return (result) => heard.push(result.ok ? "ok" : `${result.error.code}: ${result.error.text}`);
}

function talking() {
  const world = new SimWorld({ seed: 1 });
  const [alice, bob] = ["alice", "bob"].map((name) => world.client(name).connect());
  bob!.onIncoming = (call) => bob!.answer(call);
  world.clock.advance(100);
  const out = alice!.call("bob");
  world.clock.advance(2_000);
  const [in_] = [...bob!.calls.values()];
  assert(in_ && out.status === "talking");
  return { world, control: world.plane.control, alice: alice!, bob: bob!, out, in_ };
}

/** A browser that talks with a phone. */
function withPhone(seed: number) {
  const house = new EdgeWorld({ seed, accounts: ["1000"] });
  const desk = house.phone({
    user: "1000",
    transport: "UDP",
    address: "192.0.2.9",
    codecs: [[96, "opus/48000/2"]],
  });
  desk.onIncoming = (call) => desk.answer(call);
  const alice = house.client("alice").connect();
  house.clock.advance(1_000);
  const call = alice.call("1000");
  house.clock.advance(2_000);
  assert.equal(call.status, "talking");
  return { house, desk, call };
}

Deno.test("commands: hold and unhold tell their outcome once, and twice the same is fine", () => {
  const { world, control, out, in_ } = talking();
  const heard: Heard = [];
  for (const on of [true, true, false, false]) {
    control.setHold(out.id, on, ear(heard));
    assert.equal(heard.length, 0, "the outcome comes later");
    world.clock.advance(1_000);
    assert.deepEqual(heard.splice(0), ["ok"]);
    assert.equal(out.status, on ? "held" : "talking");
    assert.equal(control.call(in_.id)?.hold.remote, on);
  }
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: what can't be done is refused by code", () => {
  const { world, control, alice, out } = talking();
  alice.onIncoming = () => {};
  const rings = world.client("dave").connect().call("alice");
  world.clock.advance(1_000);
  const heard: Heard = [];
  const all = (id: string) => {
    control.setHold(id, true, ear(heard));
    control.transferCall(id, "bob", ear(heard));
    const sent = control.sendDtmf(id, "1", "RFC2833");
    world.clock.advance(1_000);
    return [...heard.splice(0), sent.ok ? "ok" : sent.error.code].map((text) => text.split(":")[0]);
  };
  assert.deepEqual(all("nobody"), ["not_found", "not_found", "not_found"]);
  assert.deepEqual(all(rings.id), ["conflict", "conflict", "conflict"]);
  alice.hangup(out);
  world.clock.advance(1_000);
  assert.deepEqual(all(out.id), ["ended", "ended", "ended"]);
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: a call that ends meanwhile, or a far side that says nothing", () => {
  const { world, control, out, bob, in_ } = talking();
  const heard: Heard = [];
  control.setHold(out.id, true, ear(heard));
  bob.hangup(in_);
  world.clock.advance(1_000);
  assert.match(heard[0] ?? "", /^(?:ok|ended)/);
  assert.equal(heard.length, 1);
  assert.deepEqual(world.finish(), []);

  const { house, desk, call } = withPhone(2);
  // The phone is unplugged.
  house.phones.delete(desk.flow.id);
  house.plane.control.setHold(call.id, true, ear(heard));
  house.clock.advance(15_000);
  assert.equal(heard[1], "conflict: The other side did not answer in time");
  house.phones.set(desk.flow.id, desk);
  assert.deepEqual(house.finish(), []);
});

Deno.test("commands: a phone that refuses to be held leaves the call as it was", () => {
  const { house, desk, call } = withPhone(3);
  // It takes nothing but what it has not got.
  Object.assign(desk.options, { codecs: [[77, "AMR/8000"]] });
  const heard: Heard = [];
  house.plane.control.setHold(call.id, true, ear(heard));
  house.clock.advance(11_000);
  assert.deepEqual(heard, ["conflict: The other side refused to be held"]);
  assert.equal(call.status, "talking");
  assert.deepEqual(house.finish(), []);
});

Deno.test("commands: a transfer is under way as soon as the far side agrees, and one at a time", () => {
  const { world, control, out, in_ } = talking();
  const carol = world.client("carol").connect();
  world.clock.advance(100);
  const heard: Heard = [];
  control.transferCall(out.id, "carol", ear(heard));
  control.transferCall(out.id, "carol", ear(heard));
  world.clock.advance(1_000);
  assert.equal(heard[0]?.split(":")[0], "conflict");
  assert.equal(heard[1], "ok");
  assert.equal(control.call(out.id)?.transfer?.status, "ringing");
  assert.equal(control.call(in_.id)?.transfer?.role, "dialling");
  control.transferCall(out.id, "", ear(heard));
  world.clock.advance(100);
  assert.equal(heard[2]?.split(":")[0], "invalid");
  carol.answer([...carol.calls.values()][0]!);
  world.clock.advance(2_000);
  assert.equal(control.call(out.id)?.termination?.reason, "transferred");
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: an ended call keeps its messages as long as its view", () => {
  const { world, control, alice, out, in_ } = talking();
  alice.hangup(out);
  world.clock.advance(2_000);
  const ladder = control.messages(out.id);
  assert(ladder && ladder.messages.length > 10);
  assert.deepEqual(control.messages(in_.id)?.messages, ladder.messages);
  assert.equal(ladder.messages.at(-1)?.summary, "200 OK");
  assert.equal(control.messages("nobody"), undefined);
  assert.deepEqual(world.finish(), []);
});
