import assert from "node:assert/strict";
import { CALLS_PER_SESSION } from "../../../src/actors/calls.ts";
import type { StartCall } from "../../../src/actors/control_plane.ts";
import { SimWorld } from "../../sim/world.ts";

/** What operators may do, on a real control plane. */

function newWorld(...logins: string[]) {
  const world = new SimWorld({ seed: 1 });
  const clients = logins.map((login) => {
    const client = world.client(login).connect();
    client.onIncoming = (call) => client.answer(call);
    return client;
  });
  world.clock.advance(100);
  return { world, control: world.plane.control, clients };
}

function request(more: Partial<StartCall> = {}): StartCall {
  return { login: "alice", callee: "bob", hasAudio: true, hasVideo: false, ...more };
}

Deno.test("commands: an operator's call rings its first side, then calls the callee", () => {
  const { world, control, clients: [alice, bob] } = newWorld("alice", "bob");
  const started = control.startCall(request({ callId: "call-7" }));
  assert.deepEqual(started, { ok: true, value: { callId: "call-7" } });
  world.clock.advance(2_000);
  const statuses = [alice!, bob!].map(({ calls }) =>
    [...calls.values()].map((call) => call.status)
  );
  assert.deepEqual(statuses, [["talking"], ["talking"]]);
  const [first, second] = control.calls({ limit: 9 }).items;
  assert.deepEqual([first!.id, first!.callee, first!.state], ["call-7", "bob", "active"]);
  assert.deepEqual([second!.direction, second!.caller], ["inbound", "alice"]);
  assert(control.endCall("call-7").ok);
  world.clock.advance(5_000);
  assert.equal(control.call("call-7")?.termination?.reason, "operator");
  assert.equal(control.call(second!.id)?.termination?.reason, "remote_hangup");
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: an operator's call whose callee is nobody ends the first side in words", () => {
  const { world, control } = newWorld("alice");
  assert(control.startCall(request({ callId: "call-7", callee: "nobody" })).ok);
  world.clock.advance(5_000);
  assert.equal(control.call("call-7")?.termination?.reason, "not_found");
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: what can't be started is refused with a code, and nothing is left", () => {
  const { world, control, clients: [alice] } = newWorld("alice", "bob");
  const code = (more: Partial<StartCall>) => {
    const result = control.startCall(request(more));
    return result.ok ? "started" : result.error.code;
  };
  assert.equal(code({ login: "carol" }), "not_found");
  assert.equal(code({ callee: "" }), "invalid");
  assert.equal(code({ callId: "call-7" }), "started");
  assert.equal(code({ callId: "call-7" }), "conflict");
  world.clock.advance(2_000);
  assert(control.endCall("call-7").ok);
  world.clock.advance(5_000);
  assert.equal(code({ callId: "call-7" }), "conflict", "an ended call keeps its id");
  alice!.drop();
  assert.equal(code({}), "not_found", "a session without a connection is not connected");
  world.clock.advance(5_000);
  assert.deepEqual([...control.calls({ limit: 9 }).items], []);
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: a session has its number of calls and no more", () => {
  const { world, control, clients: [, bob] } = newWorld("alice", "bob");
  bob!.onIncoming = () => {};
  const codes = Array.from({ length: CALLS_PER_SESSION + 1 }, () => {
    const result = control.startCall(request());
    return result.ok ? "started" : result.error.code;
  });
  assert.equal(codes.filter((code) => code === "started").length, CALLS_PER_SESSION);
  assert.equal(codes.at(-1), "conflict");
  assert.deepEqual(world.finish(), []);
});

Deno.test("commands: ending what has ended, what never was, and a session with its calls", () => {
  const { world, control, clients: [alice, bob] } = newWorld("alice", "bob");
  const call = alice!.call("bob");
  world.clock.advance(1_000);
  const code = (result: ReturnType<typeof control.endCall>) => result.ok ? "ok" : result.error.code;
  assert.equal(code(control.endCall("nothing")), "not_found");
  assert.equal(code(control.endCall(call.id)), "ok");
  world.clock.advance(5_000);
  assert.equal(code(control.endCall(call.id)), "ended");
  const again = alice!.call("bob");
  world.clock.advance(1_000);
  assert.equal(code(control.endSession("nothing")), "not_found");
  assert.equal(code(control.endSession(bob!.handle!.id)), "ok");
  world.clock.advance(5_000);
  assert.deepEqual([again.status, bob!.disconnected], ["finished", "operator"]);
  assert.deepEqual(control.sessions({ limit: 9 }).items.map(({ login }) => login), ["alice"]);
  assert.deepEqual(world.finish(), []);
});
