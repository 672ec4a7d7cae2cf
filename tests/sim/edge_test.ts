import assert from "node:assert/strict";
import type { FlowId } from "../../src/core/ids.ts";
import { EdgeWorld, type EdgeWorldOptions } from "./edge_world.ts";
import { MEDIA_ADDRESS } from "./rtp_media.ts";
import type { SimPhone } from "./phone.ts";

const USERS = ["1000", "1001", "1002"];
const PHONE_CODECS = [
  [0, "PCMU/8000"],
  [8, "PCMA/8000"],
  [96, "opus/48000/2"],
  [101, "telephone-event/8000"],
] as const;

function world(options: Partial<EdgeWorldOptions> = {}): EdgeWorld {
  return new EdgeWorld({ seed: 1, accounts: USERS, ...options });
}

function phone(world: EdgeWorld, user: string, last: number, more = {}): SimPhone {
  const address = `192.0.2.${last}`;
  return world.phone({ user, transport: "UDP", address, codecs: PHONE_CODECS, ...more });
}

/** The house with a desk phone of 1000 and Alice at a browser, both there. */
function deskAndAlice(options: Partial<EdgeWorldOptions> = {}, more = {}) {
  const house = world(options);
  const desk = phone(house, "1000", 10, more);
  const alice = house.client("alice").connect();
  house.clock.advance(1_000);
  return { house, desk, alice };
}

function clean(world: EdgeWorld): void {
  assert.deepEqual(world.finish(), []);
}

Deno.test("edge: a browser calls a phone, both hold, the phone hangs up", () => {
  const { house, desk, alice } = deskAndAlice();
  assert.equal(desk.registered, true);
  desk.onIncoming = (call) => desk.ring(call);
  const call = alice.call("1000");
  house.clock.advance(1_000);
  assert.equal(call.status, "ringing");
  const ringing = desk.live[0]!;
  assert.equal(ringing.remote?.address, MEDIA_ADDRESS);
  // The offerer's own numbers, and nothing else of the browser.
  assert.deepEqual(ringing.remote?.codecs.map(([type]) => type), [111, 9, 0, 8, 126]);
  desk.answer(ringing);
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const endpoint = house.rtp.all[0]!;
  const browser = [...house.media.open_.values()][0]!;
  assert.equal(endpoint.peer, browser.token);
  assert.equal(browser.peer, endpoint.token);
  assert.equal(endpoint.options.near, browser.token);
  const remote = endpoint.remote[0]!;
  assert.deepEqual([remote.address, remote.port, remote.rtcpPort], ["192.0.2.10", 4000, 4001]);
  // The phone calls opus 96 and events 101; the browser 111 and 126.
  assert.deepEqual(
    remote.payloads.map(({ payloadType, peerPayloadType }) => [payloadType, peerPayloadType]),
    [[96, 111], [0, undefined], [8, undefined], [101, 126]],
  );
  endpoint.emit({ type: "latched", kind: "audio", address: "203.0.113.9:777" });
  const sip = house.plane.control.call(call.id)!.legs[1];
  assert.equal(sip.media?.remoteAddress, "203.0.113.9:777");
  assert.equal(sip.media?.kind, "rtp");
  alice.hold(call, true);
  house.clock.advance(1_000);
  assert.equal(ringing.isHeld, true);
  assert.equal(call.status, "held");
  alice.hold(call, false);
  house.clock.advance(1_000);
  assert.equal(ringing.isHeld, false);
  assert.equal(call.status, "talking");
  desk.hold(ringing, true);
  house.clock.advance(1_000);
  assert.equal(ringing.held, true);
  assert.equal(house.plane.control.calls({ limit: 1 }).items[0]!.state, "held");
  desk.hold(ringing, false);
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  desk.hangup(ringing);
  house.clock.advance(1_000);
  assert.equal(call.status, "finished");
  assert.equal(house.rtp.live.size, 0);
  clean(house);
});

Deno.test("edge: a phone calls a browser, with an offer and without one", () => {
  for (const keys of [false, true]) {
    const house = world();
    const desk = phone(house, "1000", 10, { keys });
    const bob = house.client("bob").connect();
    house.clock.advance(1_000);
    bob.onIncoming = (call) => bob.answer(call);
    const call = desk.call("bob");
    house.clock.advance(2_000);
    assert.equal(call.state, "talking");
    assert.equal(call.remote?.address, MEDIA_ADDRESS);
    assert.equal(call.remote?.keys, keys);
    const remote = house.rtp.all[0]!.remote[0]!;
    assert.equal(remote.keys !== null, keys);
    // The browser speaks with the phone's numbers: nothing is mapped.
    assert(remote.payloads.every(({ peerPayloadType }) => peerPayloadType === undefined));
    bob.hangup(bob.live[0]!);
    house.clock.advance(1_000);
    assert.equal(call.state, "ended");
    clean(house);
  }
});

Deno.test("edge: phone to phone through our workers, and past them", () => {
  for (const media of ["relay", "direct"] as const) {
    for (const lateOffer of [false, true]) {
      const house = world({ settings: () => ({ media }) });
      const caller = phone(house, "1000", 10, { lateOffer });
      const callee = phone(house, "1001", 11);
      house.clock.advance(1_000);
      callee.onIncoming = (call) => {
        callee.ring(call, !lateOffer);
        house.clock.setTimeout(() => callee.answer(call), 500);
      };
      const call = caller.call("1001");
      house.clock.advance(2_000);
      assert.equal(call.state, "talking");
      const other = callee.live[0]!;
      const own = { relay: MEDIA_ADDRESS, direct: "192.0.2.11" }[media];
      assert.equal(call.remote?.address, own);
      const theirs = { relay: MEDIA_ADDRESS, direct: "192.0.2.10" }[media];
      assert.equal(other.remote?.address, theirs);
      assert.equal(house.rtp.live.size, media === "relay" ? 2 : 0);
      const { items } = house.plane.control.calls({ limit: 10 });
      assert.deepEqual(
        items.map(({ direction, caller, callee, state }) => [direction, caller, callee, state]),
        [["transit", "1000", "1001", "active"]],
      );
      const view = house.plane.control.call(items[0]!.id)!;
      assert.deepEqual(
        view.legs.map((leg) => leg.kind === "sip" && [leg.media?.kind, leg.codecs[0]]),
        Array(2).fill([media === "relay" ? "rtp" : "direct", call.codec.split("/")[0]]),
      );
      if (media === "relay") {
        const [a, b] = [...house.rtp.live.values()];
        assert.deepEqual([a!.peer, b!.peer], [b!.token, a!.token]);
      }
      caller.hold(call, true);
      house.clock.advance(1_000);
      assert.deepEqual([call.held, other.isHeld], [true, true]);
      callee.hangup(other);
      house.clock.advance(1_000);
      assert.equal(call.state, "ended");
      clean(house);
    }
  }
});

Deno.test("edge: one call forks to browser and phone; whoever answers has it", () => {
  for (const winner of ["phone", "browser"]) {
    const house = world({ accounts: ["1000", "1001"] });
    const desk = phone(house, "1000", 10);
    const window = house.client("1000").connect({ password: "1234" });
    const caller = phone(house, "1001", 11);
    house.clock.advance(1_000);
    desk.onIncoming = (call) => {
      desk.ring(call, true);
      if (winner === "phone") house.clock.setTimeout(() => desk.answer(call), 900);
    };
    window.onIncoming = (call) => {
      if (winner === "browser") house.clock.setTimeout(() => window.answer(call), 900);
    };
    const call = caller.call("1000");
    house.clock.advance(3_000);
    assert.equal(call.state, "talking", winner);
    const [mine] = [...house.rtp.live.values()];
    const peer = mine!.peer!;
    assert.equal(house.rtp.live.has(peer), winner === "phone");
    assert.equal(house.media.open_.has(peer), winner === "browser");
    caller.hangup(call);
    house.clock.advance(40_000);
    assert.equal(house.rtp.live.size, 0);
    clean(house);
  }
});

Deno.test("edge: no codec in common is refused here, and no endpoint is left", () => {
  const house = world();
  const odd = phone(house, "1000", 10, { codecs: [[97, "speex/8000"]] });
  const bob = house.client("bob").connect();
  house.clock.advance(1_000);
  bob.onIncoming = (call) => bob.answer(call);
  const toBrowser = odd.call("bob");
  house.clock.advance(2_000);
  assert.equal(toBrowser.state, "ended");
  odd.onIncoming = (call) => odd.answer(call);
  const call = bob.call("1000");
  house.clock.advance(2_000);
  assert.equal(call.status, "finished");
  assert.equal(house.rtp.live.size, 0);
  clean(house);
});

Deno.test("edge: a phone that asks for a key frame by INFO gets it from the browser", () => {
  const { house, desk, alice } = deskAndAlice();
  desk.onIncoming = (call) => desk.answer(call);
  alice.call("1000");
  house.clock.advance(2_000);
  const browser = [...house.media.open_.values()][0]!;
  const before = browser.keyFrames;
  let status = 0;
  desk.fastUpdate(desk.live[0]!, (answer) => status = answer);
  house.clock.advance(1_000);
  assert.equal(status, 200);
  assert.equal(browser.keyFrames, before + 1);
  clean(house);
});

Deno.test("edge: an endpoint that can't be opened ends the call with a clear status", () => {
  const { house, desk, alice } = deskAndAlice({ rtp: { failOpen: 1 } });
  const out = alice.call("1000");
  const incoming = desk.call("alice");
  house.clock.advance(2_000);
  assert.equal(out.status, "finished");
  assert.equal(incoming.status, 503);
  clean(house);
});

Deno.test("edge: a flow that goes takes calls along that ring", () => {
  const { house, desk, alice } = deskAndAlice({}, { transport: "TCP" });
  desk.onIncoming = (call) => desk.ring(call);
  alice.call("1000");
  house.clock.advance(2_000);
  assert.equal(house.rtp.live.size, 1);
  assert.equal(house.plane.isFlowUsed(desk.flow.id), true);
  house.plane.receiveWire({ type: "flow-closed", flow: desk.flow.id });
  house.phones.delete(desk.flow.id);
  assert.equal(house.rtp.live.size, 0);
  clean(house);
});

for (const other of ["browser", "phone"] as const) {
  for (const returns of [false, true]) {
    const what = returns ? "finds its call when it comes back" : "is given up after a while";
    Deno.test(`edge: a phone that loses its connection to a ${other} ${what}`, () => {
      const house = world();
      const desk = phone(house, "1000", 10, { transport: "TCP" });
      const next = phone(house, "1001", 11);
      const alice = house.client("alice").connect();
      house.clock.advance(1_000);
      desk.onIncoming = (call) => desk.answer(call);
      const [out, there] = other === "browser" ? [alice.call("1000")] : [, next.call("1000")];
      house.clock.advance(2_000);
      const call = desk.live[0]!;
      const endpoints = house.rtp.live.size;
      const { flow } = desk;
      house.plane.receiveWire({ type: "flow-closed", flow: flow.id });
      house.phones.delete(flow.id);
      house.clock.advance(10_000);
      assert.equal(house.rtp.live.size, endpoints, "media goes on meanwhile");
      if (returns) {
        Object.assign(desk, { flow: { ...flow, id: `${flow.id} again` as FlowId } });
        house.phones.set(desk.flow.id, desk);
        desk.hold(call, true);
        house.clock.advance(60_000);
        assert.equal(call.held, true);
        assert.equal(out ? out.status : there?.state, "talking");
        if (out) alice.hangup(out);
        else next.hangup(there!);
        house.clock.advance(1_000);
        assert.equal(call.state, "ended", "it is told over its new connection");
        assert.equal(call.endedBy?.method, "BYE");
      } else {
        house.clock.advance(21_000);
        assert.equal(house.rtp.live.size, 0);
        assert.equal(out ? out.reason : there?.state, out ? "session_expired" : "ended");
        const [ended] = house.plane.control.calls({ limit: 1, state: "ended" }).items;
        assert.equal(ended?.termination?.reason, "session_expired");
        desk.forget();
      }
      house.clock.advance(60_000);
      clean(house);
    });
  }
}

Deno.test("edge: a transit call ends by BYE to both sides: operator, silence, lost worker", () => {
  for (const how of ["operator", "silence", "lost"] as const) {
    const house = world();
    const caller = phone(house, "1000", 10);
    const callee = phone(house, "1001", 11, { transport: "TCP" });
    house.clock.advance(1_000);
    callee.onIncoming = (call) => callee.answer(call);
    const call = caller.call("1001");
    house.clock.advance(1_000);
    const other = callee.live[0]!;
    assert.deepEqual([call.state, other.state], ["talking", "talking"]);
    const [a, b] = [...house.rtp.live.values()];
    if (how === "operator") {
      const [transit] = house.plane.control.calls({ limit: 1 }).items;
      assert(house.plane.control.endCall(transit!.id).ok);
    } else if (how === "lost") a!.emit({ type: "lost", text: "The worker died" });
    else {
      a!.emit({ type: "silent", ms: 60_000 });
      assert.equal(house.rtp.live.size, 2);
      b!.emit({ type: "silent", ms: 60_000 });
    }
    house.clock.advance(1_000);
    assert.deepEqual([call.state, other.state], ["ended", "ended"], how);
    assert.equal(house.rtp.live.size, 0);
    // It is kept as others are, and told.
    const [ended] = house.plane.control.calls({ limit: 1, state: "ended" }).items;
    const view = house.plane.control.call(ended!.id)!;
    assert.deepEqual([view.direction, view.state, view.legs.length], ["transit", "ended", 2]);
    const reasons = { operator: "operator", silence: "media_silent", lost: "worker_lost" } as const;
    assert.equal(view.termination?.reason, reasons[how]);
    const told: string[] = [];
    house.plane.bus.subscribe(0, ({ type, data }) => {
      if (data.id === view.id) told.push(type);
    });
    house.clock.advance(1);
    assert.deepEqual(told, ["call.connected", "call.ended"]);
    clean(house);
  }
});

const OPUS_ALONE = [[96, "opus/48000/2"], [101, "telephone-event/8000"]] as const;
const G729_ALONE = [[18, "G729/8000"], [101, "telephone-event/8000"]] as const;

Deno.test("edge: a browser and a phone without a common codec get a transcoder, both ways round", () => {
  const { house, desk, alice } = deskAndAlice(
    { codecs: ["OPUS", "PCMU", "PCMA", "G722", "G729"] },
    { codecs: G729_ALONE },
  );
  desk.onIncoming = (call) => desk.answer(call);
  const call = alice.call("1000");
  house.clock.advance(2_000);
  assert.equal(call.status, "talking");
  const endpoint = house.rtp.all[0]!;
  const browser = [...house.media.open_.values()][0]!;
  assert.deepEqual(endpoint.sides?.own.codec, "G729");
  assert.deepEqual(endpoint.sides?.own.telephoneEvent, { payloadType: 101, clockRate: 8000 });
  assert.equal(endpoint.sides?.peer.codec, "OPUS");
  assert.deepEqual([endpoint.peer, browser.peer], [browser.token, endpoint.token]);
  const [leg] = house.plane.control.call(call.id)!.legs.filter(({ kind }) => kind === "sip");
  assert(leg?.kind === "sip");
  assert.deepEqual(
    leg.media?.transcoding && [leg.media.transcoding.from, leg.media.transcoding.to],
    [
      "G729",
      "OPUS",
    ],
  );
  const { sides } = endpoint;
  alice.hold(call, true);
  house.clock.advance(1_000);
  assert.equal(desk.live[0]!.isHeld, true);
  alice.hold(call, false);
  house.clock.advance(1_000);
  desk.hold(desk.live[0]!, true);
  house.clock.advance(1_000);
  assert.deepEqual(endpoint.sides, sides);
  alice.hangup(call);
  house.clock.advance(1_000);
  alice.onIncoming = (incoming) => alice.answer(incoming);
  const back = desk.call("alice");
  house.clock.advance(2_000);
  assert.equal(back.state, "talking");
  assert.equal(house.rtp.all[1]!.sides?.own.codec, "G729");
  clean(house);
});

Deno.test("edge: phones without a common codec need one transcoder; with one, or none there, none", () => {
  for (
    const [theirs, codecs, expected] of [
      [OPUS_ALONE, ["OPUS", "G729"], 1],
      [G729_ALONE, ["OPUS", "G729"], 0],
      [OPUS_ALONE, [], undefined],
    ] as const
  ) {
    const house = world({ codecs });
    const caller = phone(house, "1000", 10, { codecs: G729_ALONE });
    const callee = phone(house, "1001", 11, { codecs: theirs });
    house.clock.advance(1_000);
    callee.onIncoming = (call) => callee.answer(call);
    const call = caller.call("1001");
    house.clock.advance(2_000);
    assert.equal(call.state, expected === undefined ? "ended" : "talking");
    const sides = [...house.rtp.live.values()].flatMap((endpoint) => endpoint.sides ?? []);
    assert.equal(sides.length, expected ?? 0);
    clean(house);
  }
});

Deno.test("edge: a phone's media that is lost ends its call with a browser, on both sides", () => {
  const { house, desk, alice } = deskAndAlice();
  desk.onIncoming = (call) => desk.answer(call);
  const call = alice.call("1000");
  house.clock.advance(2_000);
  assert.equal(call.status, "talking");
  house.rtp.all[0]!.emit({ type: "lost", text: "its transcoder is gone" });
  house.clock.advance(1_000);
  assert.equal(call.status, "finished");
  assert.equal(desk.live.length, 0);
  assert.equal(house.plane.control.call(call.id)?.termination?.reason, "worker_lost");
  clean(house);
});
