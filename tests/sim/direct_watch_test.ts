import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";

/** Phones whose media passes by us, and of which one vanishes without a word. */

const CODECS = [[0, "PCMU/8000"]] as const;

function stage() {
  const house = new EdgeWorld({
    seed: 1,
    accounts: ["1000", "1001"],
    settings: () => ({ media: "direct" }),
  });
  const [caller, callee] = ["1000", "1001"].map((user, index) =>
    house.phone({ user, transport: "UDP", address: `192.0.2.${10 + index}`, codecs: CODECS })
  );
  callee!.onIncoming = (call) => callee!.answer(call);
  house.clock.advance(1_000);
  const call = caller!.call("1001");
  house.clock.advance(1_000);
  const there = callee!.live[0]!;
  assert.deepEqual([call.state, there.state], ["talking", "talking"]);
  assert.equal(house.rtp.all.length, 0, "media passes by us");
  return { house, caller: caller!, callee: callee!, call, there };
}

Deno.test("direct: phones that answer anything at all are left alone", () => {
  const { house, call, there, caller, callee } = stage();
  house.clock.advance(3_600_000);
  assert.deepEqual([call.state, there.state], ["talking", "talking"]);
  assert(caller.pings >= 59 && callee.pings >= 59, `${caller.pings} and ${callee.pings} OPTIONS`);
  caller.hangup(call);
  house.clock.advance(1_000);
  assert.equal(there.state, "ended");
  const { pings } = callee;
  house.clock.advance(3_600_000);
  assert.equal(callee.pings, pings, "nobody is asked after the end");
  assert.deepEqual(house.finish(), []);
});

Deno.test("direct: a phone that vanishes, caller or callee, is found out, and the other told", () => {
  for (const who of ["caller", "callee"] as const) {
    const { house, caller, callee, call, there } = stage();
    const [gone, left] = who === "caller" ? [caller, there] : [callee, call];
    gone.isDead = true;
    house.clock.advance(60_000 + 33_000);
    assert.equal(left.state, "ended", who);
    assert.match(left.endedBy?.headers.get("Reason") ?? "", /does not answer/);
    const [ended] = house.plane.control.calls({ limit: 10, state: "ended" }).items;
    assert.equal(ended?.termination?.reason, "session_expired");
    house.clock.advance(60_000);
    assert.equal(house.plane.counts().anchors, 0, "nothing of it should be left");
    gone.forget();
    assert.deepEqual(house.finish(), []);
  }
});
