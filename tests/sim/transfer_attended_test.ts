import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";
import type { PhoneCall, SimPhone } from "./phone.ts";
import { seeds } from "../support/dice.ts";

/** Attended transfer: somebody takes another's place in a browser's call (RFC 3891). */

const CODECS = [
  [96, "opus/48000/2"],
  [0, "PCMU/8000"],
  [101, "telephone-event/8000"],
] as const;
/** The same by other numbers. */
const OTHER_NUMBERS = [
  [107, "opus/48000/2"],
  [99, "telephone-event/8000"],
] as const;

type Codecs = readonly (readonly [number, string])[];

function phone(
  house: EdgeWorld,
  user: string,
  last: number,
  codecs: Codecs = CODECS,
  lateOffer = false,
): SimPhone {
  const address = `192.0.2.${last}`;
  const made = house.phone({ user, transport: "UDP", address, codecs, lateOffer });
  made.onIncoming = (call) => made.answer(call);
  return made;
}

function clean(house: EdgeWorld): void {
  assert.deepEqual(house.finish(), []);
}

/** Alice's browser talks with a desk phone; another phone stands by. */
function stage(
  options: {
    codecs?: Codecs;
    lateOffer?: boolean;
    transcoders?: string[];
    trace?: (machine: string, state: string) => void;
  } = {},
) {
  const { transcoders = [], trace } = options;
  const accounts = ["1000", "1001"];
  const house = new EdgeWorld({
    seed: 1,
    accounts,
    codecs: transcoders,
    ...(trace ? { trace } : {}),
  });
  const desk = phone(house, "1000", 10);
  const next = phone(house, "1001", 11, options.codecs, options.lateOffer);
  const alice = house.client("alice").connect();
  house.clock.advance(1_000);
  const out = alice.call("1000");
  house.clock.advance(1_000);
  const there = desk.live[0];
  assert(there && out.status === "talking");
  return { house, desk, next, alice, out, there };
}

/** The dialog of `call` as its other side knows it. */
function replaces({ callId, dialog }: PhoneCall, more = ""): readonly [string, string] {
  const value = `${callId};to-tag=${dialog!.remoteTag};from-tag=${dialog!.localTag}${more}`;
  return ["Replaces", value];
}

/** The endpoints of a browser and of the only phone that is left feed each other. */
function joined(house: EdgeWorld) {
  const [browser, ...more] = house.media.open_.values();
  const [rtp, ...others] = house.rtp.live.values();
  assert(
    browser && rtp && more.length === 0 && others.length === 0,
    "two endpoints should be left",
  );
  assert.deepEqual([browser.peer, rtp.peer], [rtp.token, browser.token]);
  assert(browser.isFlowing && rtp.isFlowing);
  return rtp;
}

Deno.test("a phone takes another's place in a browser's call, which stays what it is", () => {
  const { house, next, alice, out, there } = stage({ codecs: OTHER_NUMBERS });
  const before = house.plane.control.call(out.id)!;
  const taken = next.call("alice", [
    replaces(there),
    ["Require", "replaces"],
  ]);
  house.clock.advance(1_000);
  assert.equal(taken.state, "talking");
  assert.equal(taken.codec, "opus/48000/2");
  assert.equal(there.state, "ended", "who was replaced should have got BYE");
  assert.equal(out.status, "talking");
  assert.equal(out.descriptions, 1, "a browser takes one description");
  // By its own numbers to the phone, by the browser's to the browser.
  const rtp = joined(house);
  const [audio] = rtp.remote;
  assert.deepEqual(
    audio?.payloads.map(({ payloadType, codec, peerPayloadType }) => [
      payloadType,
      codec,
      peerPayloadType,
    ]),
    [[107, "opus", 111], [99, "telephone-event", 126]],
  );
  const after = house.plane.control.call(out.id)!;
  assert.deepEqual(
    [after.id, after.callee, after.sipCallIds],
    [before.id, "1001", [before.sipCallId, taken.callId]],
  );
  const { role, target, status } = after.transfer!;
  assert.deepEqual([role, target, status], ["replacing", "1001", "completed"]);
  // It is a call like any other: held by both, ended by the new side.
  alice.hold(out, true);
  house.clock.advance(1_000);
  assert.deepEqual([out.status, taken.isHeld], ["held", true]);
  alice.hold(out, false);
  house.clock.advance(1_000);
  next.hold(taken, true);
  house.clock.advance(1_000);
  assert.equal(house.plane.control.call(out.id)?.hold.remote, true);
  next.hold(taken, false);
  house.clock.advance(1_000);
  joined(house);
  next.hangup(taken);
  house.clock.advance(2_000);
  assert.equal(out.status, "finished");
  clean(house);
});

Deno.test("a phone that offers nothing takes another's place by the answer in its ACK", () => {
  const { house, next, out, there } = stage({ lateOffer: true });
  const taken = next.call("alice", [replaces(there)]);
  house.clock.advance(1_000);
  assert.deepEqual([taken.state, there.state, out.status], ["talking", "ended", "talking"]);
  joined(house);
  clean(house);
});

Deno.test("who lacks the browser's codec takes the place by a transcoder, or is refused", () => {
  for (const transcoders of [["OPUS", "PCMU"], []]) {
    const codecs = [[0, "PCMU/8000"]] as const;
    const { house, next, out, there } = stage({ codecs, transcoders });
    const taken = next.call("alice", [replaces(there)]);
    house.clock.advance(1_000);
    const isAble = transcoders.length > 0;
    assert.deepEqual(
      [taken.state, taken.status, there.state],
      isAble ? ["talking", 0, "ended"] : ["ended", 488, "talking"],
    );
    assert.equal(out.status, "talking");
    if (isAble) assert.equal(joined(house).sides?.peer.payloadType, 111);
    clean(house);
  }
});

Deno.test("dialogs that are not the browser's, are over, or shall be early are not replaced", () => {
  const { house, next, alice, out, there } = stage();
  const [name, value] = replaces(there);
  const cases: readonly (readonly [string, number])[] = [
    [value.replace(/to-tag=\w+/, "to-tag=0"), 481],
    [value.replace(/from-tag=\w+/, "from-tag=0"), 481],
    [value.replace(/^[^;]+/, "another"), 481],
    [value.replace(/;.*/, ""), 400],
    [`${value};early-only`, 486],
  ];
  for (const [bad, wanted] of cases) {
    const call = next.call("alice", [[name, bad]]);
    house.clock.advance(500);
    assert.deepEqual([call.state, call.status], ["ended", wanted], bad);
    assert.deepEqual([out.status, there.state], ["talking", "talking"]);
  }
  alice.hangup(out);
  house.clock.advance(1_000);
  const late = next.call("alice", [[name, value]]);
  house.clock.advance(500);
  assert.equal(late.status, 481);
  clean(house);
});

Deno.test("who is replaced may hang up before the newcomer has confirmed", () => {
  let onReplacing = () => {};
  const trace = (_machine: string, state: string) => {
    if (state === "replacing") onReplacing();
  };
  const { house, desk, next, out, there } = stage({ trace });
  onReplacing = () => house.clock.defer(() => desk.hangup(there));
  const taken = next.call("alice", [replaces(there)]);
  house.clock.advance(2_000);
  assert.deepEqual([taken.state, out.status], ["talking", "talking"]);
  joined(house);
  clean(house);
});

Deno.test("a phone joins a browser with its second call by REFER with Replaces", () => {
  for (const byContact of [false, true]) {
    const { house, desk, next, out, there } = stage();
    const second = desk.call("1001");
    house.clock.advance(1_000);
    const answered = next.live[0];
    assert(answered && second.state === "talking");
    // Of the second call, as the phone at its other end knows it.
    const value = encodeURIComponent(replaces(second)[1]);
    const uri = byContact ? next.contact : "sip:1001@localhost";
    const statuses: number[] = [];
    desk.onOther = () => 200;
    desk.inDialog(
      there,
      "REFER",
      { headers: [["Refer-To", `<${uri}?Replaces=${value}>`]] },
      (status) => statuses.push(status),
    );
    house.clock.advance(5_000);
    assert.deepEqual(statuses, [202]);
    assert.equal(house.plane.control.call(out.id)?.transfer?.status, "completed", uri);
    assert.deepEqual([out.status, answered.state, there.state], ["talking", "ended", "ended"]);
    joined(house);
    clean(house);
  }
});

Deno.test("in a lossy network a replacement ends in one call or in the old one", () => {
  let replaced = 0;
  for (const seed of seeds(20)) {
    const wire = { loss: 0.15, duplication: 0.1, delayMs: 300 };
    const house = new EdgeWorld({ seed, accounts: ["1000", "1001"], wire });
    const desk = phone(house, "1000", 10);
    const next = phone(house, "1001", 11);
    const alice = house.client("alice").connect();
    house.clock.advance(40_000);
    const out = alice.call("1000");
    house.clock.advance(20_000);
    const [there] = desk.live;
    if (there?.state === "talking" && out.status === "talking" && there.dialog) {
      const taken = next.call("alice", [replaces(there)]);
      house.clock.advance(60_000);
      if (taken.state === "talking") {
        replaced++;
        assert.deepEqual([out.status, there.state], ["talking", "ended"], `seed ${seed}`);
        joined(house);
      }
    }
    clean(house);
  }
  assert(replaced > 10, `only ${replaced} of 20`);
});
