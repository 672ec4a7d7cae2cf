import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";
import { OutsideWorld } from "./outside_world.ts";
import { TRUNK, TrunkWorld } from "./trunk_world.ts";
import type { SimWorld } from "./world.ts";

/** A caller who gives up while it rings: all of it is over at once, by whatever way it went. */

const CODECS = [[0, "PCMU/8000"]] as const;
/** Longer than any way to and fro, and far below 64*T1. */
const SOON_MS = 1_000;

function isOver(house: SimWorld & { readonly rtp: EdgeWorld["rtp"] }): void {
  assert.equal(house.plane.counts().calls, 0, "the call should be archived");
  assert.equal(house.rtp.live.size, 0, "its endpoints should be closed");
}

Deno.test("cancel: browser to phone, and two phones, ringing or silent", () => {
  for (const transport of ["UDP", "TCP"] as const) {
    for (const rings of [true, false]) {
      const house = new EdgeWorld({ seed: 1, accounts: ["1000"] });
      const phones = [10, 11].map((last) =>
        house.phone({ user: "1000", transport, address: `192.0.2.${last}`, codecs: CODECS })
      );
      for (const phone of phones) phone.onIncoming = (call) => rings && phone.ring(call);
      const alice = house.client("alice").connect();
      house.clock.advance(1_000);
      const call = alice.call("1000");
      house.clock.advance(1_000);
      assert.deepEqual(phones.map(({ live }) => live.length), [1, 1]);
      alice.hangup(call);
      assert.equal(call.reason, "cancelled", "the page is told at once");
      house.clock.advance(SOON_MS);
      assert.deepEqual(phones.map(({ live }) => live.length), [0, 0]);
      isOver(house);
      assert.deepEqual(house.finish(), []);
    }
  }
});

Deno.test("cancel: phone to browser and to phone", () => {
  for (const callee of ["alice", "1001"]) {
    const house = new EdgeWorld({ seed: 1, accounts: ["1000", "1001"] });
    const [desk, next] = ["1000", "1001"].map((user, index) =>
      house.phone({ user, transport: "UDP", address: `192.0.2.${10 + index}`, codecs: CODECS })
    );
    next!.onIncoming = (call) => next!.ring(call);
    house.client("alice").connect();
    house.clock.advance(1_000);
    const call = desk!.call(callee);
    house.clock.advance(1_000);
    assert(call.ringing);
    desk!.hangup(call);
    house.clock.advance(SOON_MS);
    assert.deepEqual([call.state, call.status], ["ended", 487]);
    isOver(house);
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("cancel: browser to a carrier that has asked who calls, at any moment", () => {
  for (const after of [0, 1, 1_000]) {
    const proof = { user: "u", password: "p" };
    const house = new TrunkWorld({
      accounts: [{ name: "1000", password: "1234", rights: ["pstn"] }],
      trunks: [{ ...TRUNK, name: "main", host: "192.0.2.60", register: proof }],
      carriers: [{ address: "192.0.2.60", ...proof }],
      dialPlan: {
        inbound: [],
        outbound: [{
          match: "0.",
          strip: 0,
          prefix: "",
          e164: "",
          trunks: ["main"],
          allow: ["pstn"],
        }],
      },
    });
    const alice = house.client("1000").connect({ password: "1234" });
    house.clock.advance(1_000);
    house.carrier("192.0.2.60").onInvite = "ring";
    const call = alice.call("0301234");
    house.clock.advance(after);
    alice.hangup(call);
    house.clock.advance(SOON_MS);
    isOver(house);
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("cancel: over a server of others", () => {
  const house = new OutsideWorld({ seed: 1, users: { alice: "alice", bob: "bob" } });
  const alice = house.guest("alice");
  const bob = house.guest("bob");
  house.clock.advance(2_000);
  const call = alice.call("bob");
  house.clock.advance(1_000);
  assert.equal(call.status, "ringing");
  alice.hangup(call);
  house.clock.advance(SOON_MS);
  assert.equal([...bob.calls.values()][0]?.status, "finished");
  isOver(house);
  assert.deepEqual(house.finish(), []);
});
