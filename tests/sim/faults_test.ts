import assert from "node:assert/strict";
import { SimWorld } from "./world.ts";

/**
 * Everything a call's machines do: rings, answers, holds, is held, is handed on, hangs up; both
 * sides.
 */
function scenario(world: SimWorld): { victims: Set<string> } {
  const { clock } = world;
  const alice = world.client("alice").connect();
  const bob = world.client("bob").connect();
  const erin = world.client("erin").connect();
  for (const callee of [bob, erin]) {
    callee.onIncoming = (call) => {
      clock.setTimeout(() => callee.answer(call), 1_000);
    };
  }
  clock.advance(10);
  const out = alice.call("bob", { video: true });
  clock.advance(3_000);
  alice.hold(out, true);
  clock.advance(1_000);
  alice.hold(out, false);
  clock.advance(1_000);
  const incoming = [...bob.calls.values()][0];
  if (incoming) bob.hold(incoming, true);
  clock.advance(1_000);
  if (incoming) bob.hold(incoming, false);
  clock.advance(1_000);
  alice.transfer(out, "nobody");
  clock.advance(1_000);
  if (incoming) bob.transfer(incoming, "erin");
  clock.advance(5_000);
  alice.hangup(out);
  clock.advance(60_000);
  return { victims: new Set([out.id, ...(incoming ? [incoming.id] : [])]) };
}

function machinesAndStates(): [string, string, number][] {
  const seen = new Map<string, number>();
  const trace = (machine: string, state: string) => {
    const key = `${machine} ${state}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  };
  const world = new SimWorld({ seed: 3, trace });
  bystanders(world);
  seen.clear();
  scenario(world);
  return [...seen].map(([key, times]) => {
    const [machine, state] = key.split(" ") as [string, string];
    return [machine, state, times];
  });
}

/** Two people in a call that must never notice anything. */
function bystanders(world: SimWorld) {
  const carol = world.client("carol").connect();
  const dave = world.client("dave").connect();
  dave.onIncoming = (call) => dave.answer(call);
  world.clock.advance(10);
  const call = carol.call("dave");
  world.clock.advance(2_000);
  assert.equal(call.status, "talking");
  return { carol, dave, call };
}

const CALL_MACHINES = new Set(["call", "sip_dialog", "webrtc_leg", "media_session"]);

Deno.test("a throw in any state of any machine of a call ends that call and nothing else", async (t) => {
  const all = machinesAndStates().filter(([machine]) => CALL_MACHINES.has(machine));
  const names = all.map(([machine, state]) => `${machine}.${state}`).sort().join(" ");
  assert(all.length > 30, `the scenario enters only ${names}`);
  for (const [machine, state, times] of all) {
    for (let nth = 1; nth <= times; nth++) {
      await t.step(`${machine} ${state} ${nth}`, () => throwAt(machine, state, nth));
    }
  }
});

function throwAt(machine: string, state: string, nth: number): void {
  let left = nth;
  let isArmed = false;
  const world = new SimWorld({
    seed: 3,
    trace(where, what) {
      if (!isArmed || where !== machine || what !== state || --left > 0) return;
      isArmed = false;
      throw new Error(`injected at ${machine} ${state}`);
    },
  });
  const { carol, dave, call } = bystanders(world);
  isArmed = true;
  scenario(world);
  assert.equal(isArmed, false, "the throw never happened");
  assert.equal(call.status, "talking", "a bystander's call was hurt");
  assert(carol.handle && dave.handle, "a bystander's session was hurt");
  const ended = world.plane.control.calls({ state: "ended", limit: 10 }).items;
  assert(ended.length >= 1 && ended.every((view) => view.termination !== null));
  // One side failed by our fault; where that was after the end had begun, it ended as meant.
  const alice = world.clients.find((client) => client.login === "alice")!;
  for (const record of alice.calls.values()) {
    assert.equal(record.status, "finished", "the caller was not told of the end");
  }
  const bob = world.clients.find((client) => client.login === "bob")!;
  for (const record of bob.calls.values()) {
    assert.equal(record.status, "finished", "the callee was not told of the end");
  }
  // New calls go on.
  const next = alice.call("dave");
  world.clock.advance(2_000);
  assert.equal(next.status, "talking", "no new call was possible");
  assert.deepEqual(world.finish(), []);
}

Deno.test("a session that fails takes its own calls along and nobody else's", () => {
  let isArmed = false;
  const world = new SimWorld({
    seed: 5,
    trace(machine, state) {
      if (!isArmed || machine !== "session" || state !== "detached") return;
      isArmed = false;
      throw new Error("injected");
    },
  });
  const { call } = bystanders(world);
  const alice = world.client("alice").connect();
  const bob = world.client("bob").connect();
  bob.onIncoming = (incoming) => bob.answer(incoming);
  world.clock.advance(10);
  alice.call("bob");
  world.clock.advance(2_000);
  isArmed = true;
  alice.drop();
  world.clock.advance(60_000);
  assert.equal(isArmed, false);
  assert.equal(call.status, "talking");
  assert([...bob.calls.values()].every((record) => record.status === "finished"));
  alice.calls.clear();
  assert.deepEqual(world.finish(), []);
});
