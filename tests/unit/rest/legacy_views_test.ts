import assert from "node:assert/strict";
import type { CallState } from "../../../src/actors/control_plane.ts";
import { termination, type TerminationReason } from "../../../src/core/termination.ts";
import { everyItem, fits, liveCalls, toLegacyCall } from "../../../src/rest/legacy_views.ts";
import { MemoryControlPlane } from "../../support/memory_control_plane.ts";

Deno.test("each state has the Web Call Server's status and SIP status", () => {
  const cases: readonly (readonly [CallState, TerminationReason | null, string, number])[] = [
    ["trying", null, "TRYING", 100],
    ["ringing", null, "RING", 180],
    ["active", null, "ESTABLISHED", 200],
    ["held", null, "HOLD", 200],
    ["ending", null, "FINISH", 200],
    ["ended", "hangup", "FINISH", 200],
    ["ended", "busy", "BUSY", 486],
    ["ended", "not_found", "FAILED", 404],
    ["ended", "ring_timeout", "FAILED", 480],
  ];
  const plane = new MemoryControlPlane();
  for (const [state, reason, status, sipStatus] of cases) {
    plane.addCall("call", { state, termination: reason && termination(reason) });
    const object = toLegacyCall(plane.call("call")!);
    assert.deepEqual([object.status, object.sipStatus], [status, sipStatus], `${state} ${reason}`);
  }
  plane.addCall("call", { direction: "inbound", custom: { a: 1 } });
  const inbound = toLegacyCall(plane.call("call")!);
  assert.equal(inbound.incoming, true);
  assert.deepEqual(inbound.custom, { a: 1 });
});

Deno.test("all pages are walked, also where a call ends between two of them", () => {
  const plane = new MemoryControlPlane();
  for (let i = 0; i < 2500; i++) plane.addCall(`call-${i}`);
  assert.equal([...everyItem((query) => plane.calls(query))].length, 2500);
  const seen = new Set<string>();
  for (const call of liveCalls(plane)) {
    seen.add(call.id);
    if (seen.size === 10) plane.endCall("call-2499");
  }
  assert.ok(seen.size >= 2499);
});

Deno.test("a filter compares values by what they say", () => {
  const object = { callId: "a", hasAudio: true, sipStatus: 200, custom: { a: 1 }, target: null };
  assert.ok(fits(object, { hasAudio: "true", sipStatus: "200", callId: null }));
  assert.ok(fits(object, { custom: { a: 1 } }));
  assert.ok(!fits(object, { custom: { a: 2 } }));
  assert.ok(!fits(object, { target: "x" }));
  assert.ok(!fits(object, { unheardOf: "x" }));
  assert.ok(!fits(object, { toString: "x" }));
});
