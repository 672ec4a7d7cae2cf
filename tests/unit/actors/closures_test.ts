import assert from "node:assert/strict";
import type { ClientCallRecord, SimClient } from "../../sim/client.ts";
import { HEALTHY_MEDIA } from "../../sim/media.ts";
import { OPTIONS, SimWorld, type WorldOptions } from "../../sim/world.ts";

/** The table of docs/closures.md: who ends a call, and what each side is told. */

interface Scene {
  readonly world: SimWorld;
  readonly alice: SimClient;
  readonly bob: SimClient;
  readonly outbound: ClientCallRecord;
  /** The callee's call, where one came to be. */
  readonly inbound: ClientCallRecord | undefined;
}

/** alice calls bob, who answers at once or lets it ring. */
function scene(bobDoes: "answers" | "lets it ring", options: Partial<WorldOptions> = {}): Scene {
  const world = new SimWorld({ seed: 1, ...options });
  const alice = world.client("alice").connect();
  const bob = world.client("bob").connect();
  if (bobDoes === "answers") bob.onIncoming = (call) => bob.answer(call);
  world.clock.advance(100);
  const outbound = alice.call("bob");
  world.clock.advance(1_000);
  return { world, alice, bob, outbound, inbound: [...bob.calls.values()][0] };
}

/** Reasons of both sides as the operators read them, after `seconds`. */
function ends({ world, outbound, inbound }: Scene, seconds = 10): string {
  world.clock.advance(seconds * 1_000);
  const reason = (call: ClientCallRecord | undefined) => {
    const view = call && world.plane.control.call(call.id);
    return view?.state === "ended" ? view.termination!.reason : view?.state ?? "nothing";
  };
  const answer = `${reason(outbound)} / ${reason(inbound)}`;
  assert.deepEqual(world.finish(), []);
  return answer;
}

Deno.test("closures: before the answer", () => {
  const caller = scene("lets it ring");
  caller.alice.hangup(caller.outbound);
  assert.equal(ends(caller), "cancelled / cancelled");

  const callee = scene("lets it ring");
  callee.bob.hangup(callee.inbound!);
  assert.equal(ends(callee), "rejected / rejected");

  const nobody = scene("lets it ring");
  assert.equal(ends(nobody, 61), "ring_timeout / ring_timeout");

  const operator = scene("lets it ring");
  assert(operator.world.plane.control.endCall(operator.outbound.id).ok);
  assert.equal(ends(operator), "operator / cancelled");
});

Deno.test("closures: a busy callee, where sip.rejectStatus says so", () => {
  const { call } = OPTIONS;
  const busy = scene("lets it ring", { plane: { call: { ...call, rejectStatus: 486 } } });
  busy.bob.hangup(busy.inbound!);
  assert.equal(ends(busy), "busy / busy");
});

Deno.test("closures: nobody of that name, and an account that is not online", () => {
  const unknown = scene("answers");
  const call = unknown.alice.call("nobody");
  assert.equal(ends({ ...unknown, outbound: call, inbound: undefined }), "not_found / nothing");

  const offline = scene("answers", { accounts: [{ name: "1000", password: "x" }] });
  const toAccount = offline.alice.call("1000");
  assert.equal(
    ends({ ...offline, outbound: toAccount, inbound: undefined }),
    "unavailable / nothing",
  );
});

Deno.test("closures: in the call", () => {
  const hangup = scene("answers");
  hangup.alice.hangup(hangup.outbound);
  assert.equal(ends(hangup), "hangup / remote_hangup");

  const operator = scene("answers");
  assert(operator.world.plane.control.endCall(operator.inbound!.id).ok);
  assert.equal(ends(operator), "remote_hangup / operator");

  const lost = scene("answers");
  lost.bob.drop();
  lost.bob.calls.clear();
  assert.equal(ends(lost), "remote_hangup / session_lost");

  const both = scene("answers");
  both.alice.hangup(both.outbound);
  both.bob.hangup(both.inbound!);
  assert.equal(ends(both), "hangup / hangup");

  const shutdown = scene("answers");
  shutdown.world.plane.stop(() => {});
  assert.equal(ends(shutdown), "shutdown / shutdown");
});

Deno.test("closures: the callee's other window answers first", () => {
  const world = new SimWorld({ seed: 1 });
  const alice = world.client("alice").connect();
  const windows = [world.client("bob").connect(), world.client("bob").connect()];
  world.clock.advance(100);
  const outbound = alice.call("bob");
  world.clock.advance(1_000);
  const [first, second] = windows.map((window) => [...window.calls.values()][0]!);
  windows[1]!.answer(second!);
  world.clock.advance(1_000);
  assert.deepEqual([outbound.status, second!.status, first!.reason], [
    "talking",
    "talking",
    "answered_elsewhere",
  ]);
  assert.deepEqual(world.finish(), []);
});

Deno.test("closures: media that never comes, and a session that an operator ends", () => {
  const silent = scene("answers", { media: { ...HEALTHY_MEDIA, neverConnect: 1 } });
  const seen = ends(silent, 20);
  assert.match(seen, /^media_timeout \/ |\/ media_timeout$/);
  assert.match(seen, /^(?:media_timeout|remote_hangup) \/ (?:media_timeout|remote_hangup)$/);

  const session = scene("answers");
  assert(session.world.plane.control.endSession(session.alice.handle!.id).ok);
  assert.equal(ends(session), "operator / remote_hangup");
  assert.equal(session.alice.disconnected, "operator");
});

Deno.test("closures: what came first decides; what comes later changes nothing", () => {
  const late = scene("answers");
  late.alice.hangup(late.outbound);
  assert(late.world.plane.control.endCall(late.outbound.id).ok);
  late.alice.drop();
  late.alice.calls.clear();
  assert.equal(ends(late), "hangup / remote_hangup");
});
