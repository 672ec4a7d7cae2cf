import assert from "node:assert/strict";
import type { Result } from "../../src/core/result.ts";
import type { CommandRefusal } from "../../src/actors/control_plane.ts";
import { EdgeWorld } from "./edge_world.ts";

/** What operators may do with calls that have no client of ours. */

const CODECS = [[0, "PCMU/8000"]] as const;
const USERS = ["1000", "1001"];

function stage() {
  const house = new EdgeWorld({ seed: 1, accounts: USERS });
  const [desk, next] = USERS.map((user, index) => {
    const address = `192.0.2.${10 + index}`;
    const made = house.phone({ user, transport: "UDP", address, codecs: CODECS });
    made.onIncoming = (call) => made.answer(call);
    return made;
  });
  house.clock.advance(1_000);
  return { house, desk: desk!, next: next!, control: house.plane.control };
}

/** Hold, digits and transfer are refused, and the refusals say why. */
function isLeftAlone({ house, control }: ReturnType<typeof stage>, id: string): void {
  const results: Result<unknown, CommandRefusal>[] = [control.sendDtmf(id, "1", "RFC2833")];
  control.setHold(id, true, (result) => results.push(result));
  control.setHold(id, false, (result) => results.push(result));
  control.transferCall(id, "1001", (result) => results.push(result));
  house.clock.advance(10);
  assert.equal(results.length, 4);
  for (const result of results) {
    assert(!result.ok);
    assert.equal(result.error.code, "conflict");
    assert.match(result.error.text, /between two SIP phones/);
  }
}

for (const early of [false, true]) {
  const how = early ? "with early media" : "without early media";
  Deno.test(`operators: a phone that rings for another, ${how}, is listed and ended`, () => {
    const all = stage();
    const { house, desk, next, control } = all;
    next.onIncoming = (call) => next.ring(call, early);
    const call = desk.call("1001");
    house.clock.advance(1_000);
    const { items } = control.calls({ limit: 10 });
    assert.deepEqual(
      items.map(({ direction, caller, callee, state }) => [direction, caller, callee, state]),
      [["transit", "1000", "1001", "ringing"]],
    );
    const { id } = items[0]!;
    assert.equal(control.call(id)?.state, "ringing");
    isLeftAlone(all, id);
    assert(control.endCall(id).ok);
    house.clock.advance(1_000);
    assert.deepEqual([call.state, call.status], ["ended", 487]);
    assert.equal(next.live.length, 0);
    assert.deepEqual([...control.calls({ limit: 10 }).items], []);
    const view = control.call(id);
    assert.deepEqual([view?.state, view?.termination?.reason], ["ended", "operator"]);
    const again = control.endCall(id);
    assert.equal(again.ok ? "" : again.error.code, "ended");
    assert.equal(house.rtp.live.size, 0);
    assert.deepEqual(house.finish(), []);
  });
}

Deno.test("operators: a call of two phones that talk is not steered, but ended", () => {
  const all = stage();
  const { house, desk, next, control } = all;
  const call = desk.call("1001");
  house.clock.advance(1_000);
  const [found] = control.calls({ limit: 10 }).items;
  isLeftAlone(all, found!.id);
  assert.equal(call.state, "talking");
  assert(control.endCall(found!.id).ok);
  house.clock.advance(1_000);
  assert.deepEqual([desk.live.length, next.live.length], [0, 0]);
  assert.deepEqual(house.finish(), []);
});

for (const isCaller of [false, true]) {
  const who = isCaller ? "called" : "was called";
  Deno.test(`operators: phones that we have joined are one call; the first one ${who}`, () => {
    const all = stage();
    const { house, desk, next, control } = all;
    desk.onOther = ({ method }) => method === "REFER" ? 405 : 200;
    const alice = house.client("alice").connect();
    alice.onIncoming = (call) => alice.answer(call);
    house.clock.advance(1_000);
    if (isCaller) desk.call("alice");
    else alice.call("1000");
    house.clock.advance(2_000);
    const [out] = alice.live;
    alice.transfer(out!, "1001");
    house.clock.advance(3_000);
    assert.equal(out!.reason, "transferred");
    const { items } = control.calls({ limit: 10 });
    assert.deepEqual(items.map(({ id, state }) => [id, state]), [[out!.id, "active"]]);
    isLeftAlone(all, out!.id);
    assert(control.endCall(out!.id).ok);
    house.clock.advance(1_000);
    assert.deepEqual([desk.live.length, next.live.length], [0, 0]);
    const { items: ended } = control.calls({ limit: 10, state: "ended" });
    assert.deepEqual(ended.map(({ id, termination }) => [id, termination?.reason]), [
      [out!.id, "operator"],
    ]);
    assert.deepEqual(house.finish(), []);
  });
}
