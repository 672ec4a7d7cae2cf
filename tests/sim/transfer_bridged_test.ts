import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";
import type { PhoneCall, SimPhone } from "./phone.ts";
import { seeds } from "../support/dice.ts";

/** A browser hands a phone on that knows no REFER: the server itself joins it with the target. */

const CODECS = [
  [96, "opus/48000/2"],
  [0, "PCMU/8000"],
  [101, "telephone-event/8000"],
] as const;
const OTHERS = [
  [0, "PCMU/8000"],
  [97, "telephone-event/8000"],
] as const;

function clean(house: EdgeWorld): void {
  assert.deepEqual(house.finish(), []);
}

interface Options {
  /** What the phone answers to REFER. */
  readonly refer?: number;
  /** What it says that it takes; absent: nothing. */
  readonly allow?: string;
  readonly phoneCalls?: boolean;
  readonly seed?: number;
  readonly wire?: { loss: number; duplication: number; delayMs: number };
}

function stage({ refer = 405, allow, phoneCalls = false, seed = 1, wire }: Options = {}) {
  const accounts = ["1000", "1001"];
  const house = new EdgeWorld({ seed, accounts, ...(wire ? { wire } : {}) });
  const phone = (user: string, last: number, codecs: typeof CODECS | typeof OTHERS) => {
    const address = `192.0.2.${last}`;
    const more = allow === undefined ? {} : { allow };
    const made = house.phone({ user, transport: "UDP", address, codecs, ...more });
    made.onIncoming = (call) => made.answer(call);
    return made;
  };
  const desk = phone("1000", 10, CODECS);
  const next = phone("1001", 11, OTHERS);
  const asked: string[] = [];
  desk.onOther = (request) => {
    asked.push(request.method);
    return request.method === "REFER" ? refer : 200;
  };
  const alice = house.client("alice").connect();
  const step = wire ? 20_000 : 1_000;
  alice.onIncoming = (call) => alice.answer(call);
  house.clock.advance(wire ? 40_000 : 1_000);
  const placed = phoneCalls ? desk.call("alice") : undefined;
  const dialled = phoneCalls ? undefined : alice.call("1000");
  house.clock.advance(step);
  const out = dialled ?? [...alice.calls.values()][0]!;
  const there = placed ?? desk.live[0]!;
  return { house, desk, next, alice, out, there, asked };
}

type Stage = ReturnType<typeof stage>;

/** The two phones' endpoints feed each other, and no browser's is left. */
function joined({ house }: Stage): void {
  assert.equal(house.media.openEndpoints, 0, "the browser's endpoint should be gone");
  const [a, b, ...more] = house.rtp.live.values();
  assert(a && b && more.length === 0, `${house.rtp.live.size} endpoints of phones`);
  assert.deepEqual([a.peer, b.peer], [b.token, a.token]);
}

/** Nothing has changed: the browser talks with the first phone. */
function asBefore({ house, out, there }: Stage): void {
  assert.deepEqual([out.status, there.state], ["talking", "talking"]);
  const [browser] = house.media.open_.values();
  const [rtp, ...more] = house.rtp.live.values();
  assert(browser && rtp && more.length === 0);
  assert.deepEqual([browser.peer, rtp.peer], [rtp.token, browser.token]);
}

function target(next: SimPhone): PhoneCall {
  const [call] = [...next.calls.values()].slice(-1);
  assert(call, "the target should have been called");
  return call;
}

Deno.test("a phone that refuses REFER by 405, 420 or 501 is joined with the target by us", () => {
  for (const refer of [405, 420, 501]) {
    for (const phoneCalls of [false, true]) {
      const all = stage({ refer, phoneCalls });
      const { house, desk, next, alice, out, there, asked } = all;
      alice.hold(out, true);
      house.clock.advance(1_000);
      assert(there.isHeld);
      alice.transfer(out, "1001");
      house.clock.advance(2_000);
      // The Allow of a phone that calls says what it takes.
      const isAsked = phoneCalls ? [] : ["REFER"];
      assert.deepEqual(asked, isAsked);
      assert.deepEqual([out.status, out.reason], ["finished", "transferred"]);
      const call = target(next);
      assert.deepEqual([there.state, call.state], ["talking", "talking"]);
      assert.equal(there.isHeld, false, "the hold of who has left should be over");
      joined(all);
      const view = house.plane.control.call(out.id)!;
      assert.deepEqual([view.state, view.transfer?.role, view.transfer?.status], [
        "active",
        "bridging",
        "completed",
      ]);
      assert.deepEqual(
        [view.caller, view.callee].toSorted(),
        ["1000", "1001"],
        "the two who talk",
      );
      const media = view.legs.map((leg) => leg.kind === "sip" && leg.media?.remoteAddress);
      assert.deepEqual(media, ["192.0.2.11:4000", "192.0.2.10:4000"]);
      // Each can hold the other, and press digits.
      desk.hold(there, true);
      house.clock.advance(1_000);
      assert.equal(call.isHeld, true);
      desk.hold(there, false);
      house.clock.advance(1_000);
      next.hold(call, true);
      house.clock.advance(1_000);
      assert.equal(there.isHeld, true);
      next.hold(call, false);
      house.clock.advance(1_000);
      assert.deepEqual([call.isHeld, there.isHeld], [false, false]);
      next.inDialog(call, "INFO", { contentType: "application/dtmf-relay", body: "Signal=5\r\n" });
      house.clock.advance(1_000);
      assert.deepEqual(asked, [...isAsked, "INFO"]);
      joined(all);
      // The page that is gone has no part in it any more.
      alice.drop();
      house.clock.advance(3_700_000);
      assert.deepEqual([there.state, call.state], ["talking", "talking"]);
      const talking = house.plane.control.call(out.id)!;
      const [who, whom] = phoneCalls ? [desk, there] as const : [next, call] as const;
      who.hangup(whom);
      house.clock.advance(1_000);
      assert.equal(there.state, "ended");
      // The two phones are told of still, not the browser that left; nothing of them is open.
      const ended = house.plane.control.call(out.id)!;
      assert.equal(ended.state, "ended");
      const over = talking.legs.map((leg) => ({ ...leg, dialogState: "terminated" }));
      assert.deepEqual(ended.legs, over);
      assert.deepEqual(ended.legs.map((leg) => leg.kind === "sip" && leg.media?.kind), [
        "rtp",
        "rtp",
      ]);
      clean(house);
    }
  }
});

Deno.test("an operator who asks for it is told that it is under way, not refused", () => {
  const knowsNot = { allow: "INVITE, ACK, CANCEL, BYE, OPTIONS" };
  for (const options of [knowsNot, { refer: 405 }]) {
    const all = stage(options);
    const { house, next, out, there } = all;
    next.onIncoming = (call) => next.ring(call, false);
    const { control } = house.plane;
    const heard: string[] = [];
    control.transferCall(out.id, "1001", (answer) => {
      heard.push(answer.ok ? "ok" : answer.error.text);
    });
    house.clock.advance(1_000);
    assert.deepEqual(heard, ["ok"]);
    const view = control.call(out.id)?.transfer;
    assert.deepEqual([view?.role, view?.target], ["bridging", "1001"]);
    next.answer(target(next));
    house.clock.advance(2_000);
    assert.deepEqual([there.state, target(next).state], ["talking", "talking"]);
    assert.deepEqual(heard, ["ok"]);
    joined(all);
    next.hangup(target(next));
    house.clock.advance(1_000);
    clean(house);
  }
});

Deno.test("who says by Allow that it knows no REFER is not asked", () => {
  const all = stage({ allow: "INVITE, ACK, CANCEL, BYE, OPTIONS" });
  const { house, next, alice, out, asked } = all;
  alice.transfer(out, "1001");
  house.clock.advance(2_000);
  assert.deepEqual(asked, []);
  assert.equal(out.reason, "transferred");
  assert.equal(target(next).state, "talking");
  joined(all);
  assert(house.plane.control.endCall(out.id).ok, "an operator can end it");
  house.clock.advance(1_000);
  assert.deepEqual([target(next).state, all.there.state], ["ended", "ended"]);
  clean(house);
});

Deno.test("a target that refuses, does not answer or has nothing in common: all as it was", () => {
  for (const refuses of ["busy", "silent", "gone"]) {
    const all = stage();
    const { house, next, alice, out } = all;
    next.onIncoming = (call) => {
      if (refuses === "busy") next.reject(call, 486);
      else next.ring(call);
    };
    alice.transfer(out, refuses === "gone" ? "nobody" : "1001");
    house.clock.advance(75_000);
    const { status, sipStatus } = house.plane.control.call(out.id)!.transfer!;
    const wanted = { busy: 486, silent: 408, gone: 404 }[refuses];
    assert.deepEqual([status, sipStatus], ["failed", wanted], refuses);
    asBefore(all);
    clean(house);
  }
});

Deno.test("a far party that refuses the target's media stays, and the target is let go", () => {
  const all = stage();
  const { house, desk, next, alice, out, there } = all;
  desk.refusesOffers = 488;
  alice.transfer(out, "1001");
  house.clock.advance(2_000);
  assert.equal(target(next).state, "ended");
  assert.equal(house.plane.control.call(out.id)?.transfer?.sipStatus, 488);
  asBefore(all);
  desk.refusesOffers = 0;
  // And it can be held as before.
  alice.hold(out, true);
  house.clock.advance(1_000);
  assert(there.isHeld);
  clean(house);
});

Deno.test("who hangs up while the target rings ends all of it", () => {
  for (const who of ["desk", "alice"]) {
    const all = stage();
    const { house, desk, next, alice, out, there } = all;
    next.onIncoming = (call) => next.ring(call);
    alice.transfer(out, "1001");
    house.clock.advance(1_000);
    if (who === "desk") desk.hangup(there);
    else alice.hangup(out);
    house.clock.advance(2_000);
    assert.deepEqual([out.status, there.state, target(next).state], ["finished", "ended", "ended"]);
    clean(house);
  }
});

Deno.test("REFER that is refused for another reason is a refusal", () => {
  for (const refer of [403, 603, 404]) {
    const all = stage({ refer });
    const { house, next, alice, out } = all;
    alice.transfer(out, "1001");
    house.clock.advance(2_000);
    assert.equal(next.calls.size, 0);
    assert.equal(house.plane.control.call(out.id)?.transfer?.sipStatus, refer);
    asBefore(all);
    clean(house);
  }
});

Deno.test("in a lossy network a bridged transfer ends in one of the two calls", () => {
  let bridged = 0;
  for (const seed of seeds(20)) {
    const all = stage({ seed, wire: { loss: 0.15, duplication: 0.1, delayMs: 300 } });
    const { house, next, alice, out, there } = all;
    if (out.status === "talking" && there?.state === "talking") {
      alice.transfer(out, "1001");
      house.clock.advance(120_000);
      if (out.reason === "transferred") {
        bridged++;
        assert.deepEqual([there.state, target(next).state], ["talking", "talking"], `seed ${seed}`);
        joined(all);
      }
    }
    clean(house);
  }
  assert(bridged > 10, `only ${bridged} of 20`);
});
