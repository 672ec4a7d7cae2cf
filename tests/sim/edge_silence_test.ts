import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";

/**
 * Phones that vanish without a word while their media is ours: nothing comes from them any more.
 */

const CODECS = [[0, "PCMU/8000"]] as const;
/** What the house waits for, and a little less. */
const LONG = 60_000;
const SHORT = 59_000;

function stage() {
  const house = new EdgeWorld({ seed: 1, accounts: ["1000", "1001"] });
  const [desk, next] = ["1000", "1001"].map((user, index) => {
    const address = `192.0.2.${10 + index}`;
    const made = house.phone({ user, transport: "UDP", address, codecs: CODECS });
    made.onIncoming = (call) => made.answer(call);
    return made;
  });
  const alice = house.client("alice").connect();
  house.clock.advance(1_000);
  return { house, desk: desk!, next: next!, alice };
}

Deno.test("silence: a phone that vanishes ends the browser's call, in words", () => {
  const { house, desk, alice } = stage();
  const call = alice.call("1000");
  house.clock.advance(2_000);
  assert.equal(call.status, "talking");
  desk.isDead = true;
  const [endpoint] = house.rtp.live.values();
  endpoint!.emit({ type: "silent", ms: SHORT });
  house.clock.advance(1_000);
  assert.equal(call.status, "talking", "it is not over before its time");
  endpoint!.emit({ type: "silent", ms: LONG });
  house.clock.advance(1_000);
  assert.deepEqual([call.status, call.reason], ["finished", "media_silent"]);
  house.clock.advance(60_000);
  assert.match(house.plane.control.call(call.id)!.termination!.text, /No packet .* 60 s/);
  assert.equal(house.rtp.live.size, 0);
  desk.forget();
  assert.deepEqual(house.finish(), []);
});

Deno.test("silence: while it rings, and while either side holds, no phone owes media", () => {
  const { house, desk, alice } = stage();
  desk.onIncoming = (call) => desk.ring(call, true);
  const call = alice.call("1000");
  house.clock.advance(2_000);
  const [endpoint] = house.rtp.live.values();
  const still = (what: string, status = "talking") => {
    endpoint!.emit({ type: "silent", ms: LONG });
    house.clock.advance(1_000);
    assert.equal(call.status, status, what);
  };
  still("it rings", "ringing");
  const there = desk.live[0]!;
  desk.answer(there);
  house.clock.advance(1_000);
  alice.hold(call, true);
  house.clock.advance(1_000);
  still("the browser holds", "held");
  alice.hold(call, false);
  house.clock.advance(1_000);
  desk.hold(there, true);
  house.clock.advance(1_000);
  still("the phone holds");
  desk.hold(there, false);
  house.clock.advance(1_000);
  still("nobody holds any more", "finished");
  assert.equal(call.reason, "media_silent");
  house.clock.advance(1_000);
  assert.equal(there.state, "ended", "a phone that is still there is told");
  assert.deepEqual(house.finish(), []);
});

Deno.test("silence: two phones that the server has joined are parted when one vanishes", () => {
  const { house, desk, next, alice } = stage();
  desk.onOther = ({ method }) => method === "REFER" ? 405 : 200;
  const call = alice.call("1000");
  house.clock.advance(2_000);
  alice.transfer(call, "1001");
  house.clock.advance(3_000);
  assert.equal(call.reason, "transferred");
  const { items } = house.plane.control.calls({ limit: 10 });
  assert.deepEqual(items.map(({ id, state }) => [id, state]), [[call.id, "active"]]);
  next.isDead = true;
  const silent = [...house.rtp.live.values()].find(({ remote }) =>
    remote[0]?.address === "192.0.2.11"
  );
  silent!.emit({ type: "silent", ms: LONG });
  house.clock.advance(1_000);
  assert.equal(desk.live.length, 0, "who is left hears of it");
  house.clock.advance(60_000);
  const view = house.plane.control.call(call.id)!;
  assert.deepEqual([view.state, view.termination?.reason], ["ended", "media_silent"]);
  next.forget();
  assert.deepEqual(house.finish(), []);
});

Deno.test("silence: of two phones the one that is muted stays, the one that is gone does not", () => {
  const { house, desk, next } = stage();
  const call = desk.call("1001");
  house.clock.advance(1_000);
  const there = next.live[0]!;
  const [, endpoint] = house.rtp.live.values();
  endpoint!.emit({ type: "silent", ms: LONG });
  house.clock.advance(60_000);
  assert.deepEqual([call.state, there.state], ["talking", "talking"]);
  assert.equal(next.pings, 1, "it was asked");
  next.isDead = true;
  endpoint!.emit({ type: "silent", ms: 2 * LONG });
  house.clock.advance(33_000);
  assert.equal(call.state, "ended");
  assert.match(call.endedBy?.headers.get("Reason") ?? "", /No media/);
  const [ended] = house.plane.control.calls({ limit: 10, state: "ended" }).items;
  assert.equal(ended?.termination?.reason, "media_silent");
  house.clock.advance(60_000);
  next.forget();
  assert.deepEqual(house.finish(), []);
});
