import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";
import type { SimPhone } from "./phone.ts";

/** In batches, since a phone of the simulator remembers all its calls. */
const BATCHES = 30;
const CALLS = 100;
const CODECS = [[0, "PCMU/8000"]] as const;

function phone(house: EdgeWorld, user: string, last: number): SimPhone {
  return house.phone({ user, transport: "UDP", address: `192.0.2.${last}`, codecs: CODECS });
}

Deno.test("3,000 calls between phones, relayed, direct and mixed, leave nothing behind", () => {
  for (let batch = 0; batch < BATCHES; batch++) {
    const isDirect = (address: string | undefined) =>
      batch % 3 === 0 || (batch % 3 === 1 && address === "192.0.2.10");
    const house = new EdgeWorld({
      seed: batch,
      accounts: ["1000", "1001"],
      settings: ({ peer }) => ({ media: isDirect(peer?.address) ? "direct" : "relay" }),
    });
    const [caller, callee] = [phone(house, "1000", 10), phone(house, "1001", 11)];
    house.clock.advance(1_000);
    let talked = 0;
    callee.onIncoming = (call) => {
      const dice = house.chance.fraction();
      callee.ring(call, dice < 0.5);
      house.clock.setTimeout(() => {
        if (dice < 0.1) callee.reject(call);
        else callee.answer(call);
      }, house.chance.below(300));
    };
    for (let i = 0; i < CALLS; i++) {
      const call = caller.call("1001");
      // Some are given up while they ring.
      house.clock.advance(100 + house.chance.below(400));
      if (call.state === "talking") talked++;
      caller.hangup(call);
    }
    house.clock.advance(40_000);
    const { bindings, ...rest } = house.plane.counts();
    assert.equal(bindings, 2);
    for (const [what, count] of Object.entries(rest)) assert.equal(count, 0, `${what} are left`);
    assert.equal(house.rtp.live.size, 0);
    assert.ok(talked > CALLS / 3, `only ${talked} of ${CALLS} were answered in time`);
    assert.deepEqual(house.finish(), []);
  }
});
