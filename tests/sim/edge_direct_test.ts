import assert from "node:assert/strict";
import { EdgeWorld, type EdgeWorldOptions } from "./edge_world.ts";
import type { SimPhone } from "./phone.ts";
import { MEDIA_ADDRESS } from "./rtp_media.ts";

/** A phone whose media may go straight: nothing is opened for it before somebody needs it. */

const CODECS = [[0, "PCMU/8000"], [101, "telephone-event/8000"]] as const;
const DIRECT = "192.0.2.10";

/** Only the phone at `DIRECT` and those in `also` may have media past us. */
function world(also: readonly string[] = [], more: Partial<EdgeWorldOptions> = {}): EdgeWorld {
  return new EdgeWorld({
    seed: 1,
    accounts: ["1000", "1001", "1002"],
    settings: ({ peer }) =>
      peer && [DIRECT, ...also].includes(peer.address) ? { media: "direct" } : {},
    ...more,
  });
}

function phone(house: EdgeWorld, user: string, last: number, more = {}): SimPhone {
  return house.phone({
    user,
    transport: "UDP",
    address: `192.0.2.${last}`,
    codecs: CODECS,
    ...more,
  });
}

Deno.test("direct: between two such phones no endpoint is ever opened", () => {
  const house = world(["192.0.2.11"]);
  const caller = phone(house, "1000", 10);
  const callee = phone(house, "1001", 11);
  house.clock.advance(1_000);
  callee.onIncoming = (call) => {
    callee.ring(call, true);
    house.clock.setTimeout(() => callee.answer(call), 500);
  };
  const call = caller.call("1001");
  house.clock.advance(2_000);
  assert.equal(call.state, "talking");
  assert.equal(call.remote?.address, "192.0.2.11");
  assert.equal(house.rtp.all.length, 0);
  caller.hangup(call);
  house.clock.advance(1_000);
  assert.deepEqual(house.finish(), []);
});

Deno.test("direct: a callee that is relayed gets an endpoint as its peer, early or at the answer", () => {
  for (const isEarly of [false, true]) {
    const house = world();
    const caller = phone(house, "1000", 10);
    const callee = phone(house, "1001", 11);
    house.clock.advance(1_000);
    callee.onIncoming = (call) => {
      callee.ring(call, isEarly);
      house.clock.setTimeout(() => callee.answer(call), 500);
    };
    const call = caller.call("1001");
    house.clock.advance(300);
    assert.equal(
      house.rtp.all.length,
      isEarly ? 2 : 1,
      "the callee's own, and no more than needed",
    );
    house.clock.advance(2_000);
    assert.equal(call.state, "talking");
    assert.equal(call.remote?.address, MEDIA_ADDRESS);
    const [theirs, ours] = house.rtp.all;
    assert.deepEqual([theirs!.peer, ours!.peer], [ours!.token, theirs!.token]);
    assert.equal(ours!.options.near, theirs!.token, "in the callee's worker");
    assert.equal(ours!.remote[0]?.address, DIRECT);
    caller.hold(call, true);
    house.clock.advance(1_000);
    assert.equal(call.held, true);
    callee.hangup(callee.live[0]!);
    house.clock.advance(1_000);
    assert.equal(house.rtp.live.size, 0);
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("direct: to a browser media goes through us all the same", () => {
  const house = world();
  const caller = phone(house, "1000", 10);
  const bob = house.client("bob").connect();
  house.clock.advance(1_000);
  bob.onIncoming = (call) => bob.answer(call);
  const call = caller.call("bob");
  house.clock.advance(2_000);
  assert.equal(call.state, "talking");
  assert.equal(call.remote?.address, MEDIA_ADDRESS);
  const browser = [...house.media.open_.values()][0]!;
  const endpoint = house.rtp.all[0]!;
  assert.deepEqual([browser.peer, endpoint.peer], [endpoint.token, browser.token]);
  bob.hangup(bob.live[0]!);
  house.clock.advance(1_000);
  assert.deepEqual(house.finish(), []);
});

Deno.test("direct: of a relayed and a direct branch whoever answers decides", () => {
  for (const winner of [11, 12]) {
    const house = world(["192.0.2.11"]);
    const caller = phone(house, "1000", 10);
    const branches = [11, 12].map((last) => phone(house, "1001", last));
    house.clock.advance(1_000);
    branches.forEach((branch, i) => {
      branch.onIncoming = (call) => {
        branch.ring(call, true);
        if (winner === 11 + i) house.clock.setTimeout(() => branch.answer(call), 700);
      };
    });
    const call = caller.call("1001");
    house.clock.advance(3_000);
    assert.equal(call.state, "talking");
    assert.equal(call.remote?.address, winner === 11 ? "192.0.2.11" : MEDIA_ADDRESS);
    assert.equal(house.rtp.live.size, winner === 11 ? 0 : 2, "what nobody needs is closed");
    caller.hangup(call);
    house.clock.advance(40_000);
    assert.equal(house.rtp.live.size, 0);
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("direct: an endpoint that can't be opened at the answer ends both sides", () => {
  for (const callee of ["bob", "1001"]) {
    const house = world();
    const caller = phone(house, "1000", 10);
    const desk = phone(house, "1001", 11);
    const bob = house.client("bob").connect();
    house.clock.advance(1_000);
    bob.onIncoming = (call) => bob.answer(call);
    desk.onIncoming = (call) => desk.answer(call);
    failLateOnes(house);
    const call = caller.call(callee);
    house.clock.advance(5_000);
    assert.equal(call.state, "ended", callee);
    assert.deepEqual([bob.live.length, desk.live.length, house.rtp.live.size], [0, 0, 0]);
    assert.deepEqual(house.finish(), []);
  }
});

/** No port is left for whoever asks late. */
function failLateOnes({ rtp, clock }: EdgeWorld): void {
  const open = rtp.openRtp.bind(rtp);
  rtp.openRtp = (options, listener) => {
    if (options.token === undefined) return open(options, listener);
    const text = "No port is free";
    clock.defer(() => listener({ type: "failed", reason: "no_port", text }));
    const endpoint = open(options, () => {});
    endpoint.close();
    return endpoint;
  };
}
