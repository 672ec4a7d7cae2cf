import assert from "node:assert/strict";
import type { CallView } from "../../src/actors/control_plane.ts";
import type { EndpointToken } from "../../src/core/ids.ts";
import type { ClientCallRecord, SimClient } from "./client.ts";
import type { SimEndpoint } from "./media.ts";
import { type HopFaults, SimWorld } from "./world.ts";
import { seeds } from "../support/dice.ts";

/** A caller, who is talked with, and somebody else, with one call between the first two. */
interface Stage {
  readonly world: SimWorld;
  readonly alice: SimClient;
  readonly bob: SimClient;
  readonly carol: SimClient;
  /** Alice's call, and Bob's of the same conversation. */
  readonly out: ClientCallRecord;
  readonly in_: ClientCallRecord;
}

function stage(seed: number, hop?: HopFaults, options: { readonly video?: boolean } = {}): Stage {
  const world = new SimWorld({ seed, ...(hop ? { hop } : {}) });
  const [alice, bob, carol] = ["alice", "bob", "carol"].map((name) => world.client(name)) as [
    SimClient,
    SimClient,
    SimClient,
  ];
  for (const client of world.clients) {
    client.onIncoming = (call) => client.answer(call);
    client.connect();
  }
  world.clock.advance(hop ? 5_000 : 10);
  const out = alice.call("bob", options);
  world.clock.advance(hop ? 10_000 : 2_000);
  const [in_] = [...bob.calls.values()];
  assert(in_ && out.status === "talking" && in_.status === "talking", "the call must stand first");
  return { world, alice, bob, carol, out, in_ };
}

function only(client: SimClient): ClientCallRecord {
  const [call, ...more] = client.calls.values();
  assert(call && more.length === 0, `${client.login} should have one call`);
  return call;
}

function view(world: SimWorld, call: ClientCallRecord): CallView {
  const found = world.plane.control.call(call.id);
  assert(found, `no view of ${call.id}`);
  return found;
}

/** The endpoint of a call, as the media workers see it. */
function endpoint(world: SimWorld, call: ClientCallRecord): SimEndpoint {
  const record = [...world.media.open_.values()].find((each) => each.label === call.id);
  assert(record, `no endpoint of ${call.id}`);
  return record;
}

function joined(world: SimWorld, one: ClientCallRecord, other: ClientCallRecord): void {
  const [a, b] = [endpoint(world, one), endpoint(world, other)];
  const peers: (EndpointToken | null)[] = [a.peer, b.peer];
  assert.deepEqual(peers, [b.token, a.token], "the endpoints should feed each other");
  assert(a.isFlowing && b.isFlowing, "media should flow");
}

function events(world: SimWorld): string[] {
  const heard: string[] = [];
  world.plane.control.subscribe(0, ({ type, data }) => {
    if (type === "call.transfer") heard.push(`${data.role} ${data.target} ${data.status}`);
  });
  return heard;
}

Deno.test("the caller hands the callee on: the callee's call stays, with somebody else in it", () => {
  const { world, alice, bob, carol, out, in_ } = stage(1);
  const before = view(world, in_);
  carol.onIncoming = (call) => void world.clock.setTimeout(() => carol.answer(call), 1_000);
  alice.transfer(out, "carol");
  world.clock.advance(5_000);
  assert.equal(out.status, "finished");
  assert.equal(out.reason, "transferred");
  assert.equal(in_.status, "talking");
  const third = only(carol);
  assert.equal(third.status, "talking");
  joined(world, in_, third);
  const after = view(world, in_);
  assert.deepEqual(
    [after.id, after.caller, after.callee, after.direction],
    [before.id, "carol", "bob", "inbound"],
  );
  assert.deepEqual(after.sipCallIds, [before.sipCallId, after.sipCallId]);
  assert.notEqual(after.sipCallId, before.sipCallId);
  assert.equal(after.peerCallId, third.id);
  assert.equal(view(world, third).caller, "bob");
  assert.deepEqual(events(world), [
    "requested carol trying",
    "dialling carol trying",
    "requested carol trying",
    "dialling carol ringing",
    "requested carol ringing",
    "dialling carol completed",
    "requested carol completed",
  ]);
  // The new conversation is one like any other: held, taken back, ended by the new side.
  carol.hold(third, true);
  world.clock.advance(1_000);
  assert.equal(view(world, in_).hold.remote, true);
  assert.equal(endpoint(world, in_).isFlowing, false);
  carol.hold(third, false);
  bob.hold(in_, true);
  world.clock.advance(5_000);
  assert.equal(in_.status, "held");
  bob.hold(in_, false);
  world.clock.advance(2_000);
  joined(world, in_, third);
  carol.hangup(third);
  world.clock.advance(2_000);
  assert.equal(in_.status, "finished");
  assert.deepEqual([...world.finish(), ...world.errors], []);
});

Deno.test("the callee hands the caller on, with video, after holding for it", () => {
  const { world, bob, carol, out, in_ } = stage(2, undefined, { video: true });
  bob.handle?.command({ type: "hold", callId: in_.id, forTransfer: true });
  world.clock.advance(1_000);
  assert.equal(in_.status, "held");
  assert.equal(endpoint(world, out).isFlowing, false);
  bob.transfer(in_, "sip:carol@somewhere.example");
  world.clock.advance(5_000);
  assert.deepEqual([in_.status, in_.reason], ["finished", "transferred"]);
  const third = only(carol);
  joined(world, out, third);
  assert.deepEqual([view(world, out).caller, view(world, out).callee], ["alice", "carol"]);
  assert.equal(view(world, out).state, "active", "who was held is not any more");
  assert.equal(third.hasVideo, true);
  assert.deepEqual([...world.finish(), ...world.errors], []);
});

Deno.test("a browser is handed on again and again, and keeps its one description", () => {
  const { world, alice, bob, carol, out, in_ } = stage(3);
  const dave = world.client("dave").connect();
  dave.onIncoming = (call) => dave.answer(call);
  world.clock.advance(10);
  alice.transfer(out, "carol");
  world.clock.advance(5_000);
  carol.transfer(only(carol), "dave");
  world.clock.advance(5_000);
  joined(world, in_, only(dave));
  assert.equal(view(world, in_).sipCallIds.length, 3);
  assert.equal(in_.descriptions, 1);
  bob.transfer(in_, "alice");
  world.clock.advance(5_000);
  const back = [...alice.calls.values()].find((call) => call.status === "talking");
  assert(back, "alice should be talking with dave now");
  joined(world, only(dave), back);
  assert.deepEqual([...world.finish(), ...world.errors], []);
});

Deno.test("a transfer that fails leaves the call as it was", async (t) => {
  const failures: Readonly<Record<string, (stage: Stage) => string>> = {
    "nobody of that name": () => "nobody",
    "busy or declined": ({ carol }) => {
      carol.onIncoming = (call) => carol.hangup(call);
      return "carol";
    },
    "no answer": ({ carol }) => {
      carol.onIncoming = () => {};
      return "carol";
    },
    "no such address": () => "sip:",
  };
  for (const [name, prepare] of Object.entries(failures)) {
    for (const isHeld of [false, true]) {
      await t.step(`${name}, ${isHeld ? "held" : "talking"}`, () => {
        const set = stage(4);
        const { world, alice, out, in_ } = set;
        const target = prepare(set);
        if (isHeld) alice.hold(out, true);
        world.clock.advance(1_000);
        const told = alice.heard.length;
        alice.transfer(out, target);
        world.clock.advance(80_000);
        const state = isHeld ? "held" : "talking";
        assert.equal(out.status, state);
        assert.deepEqual(alice.heard.slice(told).map((line) => line.split(" ")[0]), [state]);
        assert.equal(in_.status, "talking");
        assert.equal(view(world, in_).sipCallIds.length, 1);
        if (isHeld) alice.hold(out, false);
        world.clock.advance(1_000);
        joined(world, out, in_);
        alice.hangup(out);
        world.clock.advance(1_000);
        assert.equal(in_.status, "finished");
        assert.deepEqual([...world.finish(), ...world.errors], []);
      });
    }
  }
});

Deno.test("whoever leaves while the target rings", async (t) => {
  await t.step("the one who asked: the transfer goes on", () => {
    const { world, alice, carol, out, in_ } = stage(5);
    carol.onIncoming = (call) => void world.clock.setTimeout(() => carol.answer(call), 3_000);
    alice.transfer(out, "carol");
    world.clock.advance(1_000);
    alice.hangup(out);
    world.clock.advance(1_000);
    assert.equal(out.status, "finished");
    assert.equal(in_.status, "talking");
    world.clock.advance(5_000);
    joined(world, in_, only(carol));
    assert.deepEqual([...world.finish(), ...world.errors], []);
  });
  await t.step("the one who asked, and the target declines: nobody is left to talk to", () => {
    const { world, alice, carol, out, in_ } = stage(6);
    carol.onIncoming = (call) => void world.clock.setTimeout(() => carol.hangup(call), 3_000);
    alice.transfer(out, "carol");
    world.clock.advance(1_000);
    alice.hangup(out);
    world.clock.advance(5_000);
    assert.deepEqual([in_.status, in_.reason], ["finished", "remote_hangup"]);
    assert.deepEqual([...world.finish(), ...world.errors], []);
  });
  await t.step("the one who is handed on: the target stops ringing", () => {
    const { world, alice, bob, carol, out, in_ } = stage(7);
    carol.onIncoming = () => {};
    alice.transfer(out, "carol");
    world.clock.advance(1_000);
    assert.equal(only(carol).status, "ringing");
    bob.hangup(in_);
    world.clock.advance(2_000);
    assert.equal(out.status, "finished");
    assert.deepEqual([only(carol).status, only(carol).reason], ["finished", "cancelled"]);
    assert.deepEqual([...world.finish(), ...world.errors], []);
  });
  await t.step("the connection of the one who is handed on", () => {
    const { world, alice, bob, carol, out, in_ } = stage(8);
    carol.onIncoming = () => {};
    alice.transfer(out, "carol");
    world.clock.advance(1_000);
    bob.drop();
    bob.calls.delete(in_.id);
    world.clock.advance(5_000);
    assert.equal(out.status, "finished");
    assert.equal(only(carol).status, "finished");
    assert.deepEqual([...world.finish(), ...world.errors], []);
  });
});

Deno.test("both ask at the same time, and hold meanwhile: nothing hangs", () => {
  for (const seed of seeds(20, 10)) {
    const { world, alice, bob, out, in_ } = stage(seed);
    alice.transfer(out, "carol");
    bob.transfer(in_, "carol");
    alice.hold(out, true);
    bob.hold(in_, seed % 2 === 0);
    world.clock.advance(90_000);
    assert.deepEqual([...world.finish(), ...world.errors], []);
  }
});

Deno.test("transfers over a lossy hop end as they should", () => {
  const hop: HopFaults = { loss: 0.1, duplication: 0.05, delayMs: 30 };
  let completed = 0;
  for (const seed of seeds(60, 100)) {
    const { world, alice, bob, out } = stage(seed, hop);
    const { chance, clock } = world;
    if (chance.fraction() < 0.5) alice.hold(out, true);
    clock.advance(chance.below(3_000));
    alice.transfer(out, chance.fraction() < 0.8 ? "carol" : "nobody");
    clock.advance(chance.below(3_000));
    if (chance.fraction() < 0.1) alice.hangup(out);
    if (chance.fraction() < 0.1) { for (const call of bob.live) bob.hangup(call); }
    clock.advance(120_000);
    if (out.reason === "transferred") completed++;
    assert.deepEqual([...world.finish(), ...world.errors], [], `seed ${seed}`);
  }
  assert(completed > 20, `only ${completed} of 60 transfers came about`);
});
