import assert from "node:assert/strict";
import type { ClientCallRecord } from "./client.ts";
import { EdgeWorld } from "./edge_world.ts";
import type { PhoneCall, SimPhone } from "./phone.ts";
import { seeds } from "../support/dice.ts";

/** Transfer and digits where a phone has a part in it. */

const CODECS = [
  [96, "opus/48000/2"],
  [0, "PCMU/8000"],
  [101, "telephone-event/8000"],
] as const;

function world(): EdgeWorld {
  return new EdgeWorld({ seed: 1, accounts: ["1000", "1001"] });
}

function phone(house: EdgeWorld, user: string, last: number): SimPhone {
  const address = `192.0.2.${last}`;
  const made = house.phone({ user, transport: "UDP", address, codecs: CODECS });
  made.onIncoming = (call) => made.answer(call);
  return made;
}

function clean(house: EdgeWorld): void {
  assert.deepEqual(house.finish(), []);
}

/** A browser in a call with a desk phone, and another browser. */
function stage() {
  const house = world();
  const desk = phone(house, "1000", 10);
  const alice = house.client("alice").connect();
  const carol = house.client("carol").connect();
  carol.onIncoming = (call) => carol.answer(call);
  house.clock.advance(1_000);
  const out = alice.call("1000");
  house.clock.advance(1_000);
  const ringing = desk.live[0];
  assert(ringing && out.status === "talking");
  return { house, desk, alice, carol, out, ringing };
}

/** A browser's call, which it has had with another and has handed on to the phone 1000. */
function handedOn(house: EdgeWorld): ClientCallRecord {
  const alice = house.client("alice").connect();
  const bob = house.client("bob").connect();
  bob.onIncoming = (call) => bob.answer(call);
  house.clock.advance(1_000);
  const out = alice.call("bob");
  house.clock.advance(1_000);
  alice.transfer(out, "1000");
  house.clock.advance(5_000);
  assert.equal(out.reason, "transferred");
  const [in_] = [...bob.calls.values()];
  assert(in_?.status === "talking");
  return in_;
}

const progressOf = (desk: SimPhone): string[] => {
  const told: string[] = [];
  desk.onOther = (request) => {
    if (request.method !== "NOTIFY") return 405;
    const state = request.headers.get("Subscription-State")?.split(";")[0];
    told.push(`${new TextDecoder().decode(request.body).trim()} ${state}`);
    return 200;
  };
  return told;
};

Deno.test("a phone hands a browser on to another browser by REFER, and hears how it goes", () => {
  const { house, desk, carol, out, ringing } = stage();
  const told = progressOf(desk);
  const statuses: number[] = [];
  desk.inDialog(
    ringing,
    "REFER",
    { headers: [["Refer-To", "<sip:carol@localhost>"]] },
    (status) => statuses.push(status),
  );
  house.clock.advance(1_500);
  assert.deepEqual(statuses, [202]);
  assert.deepEqual([told[0], told.at(-1)], [
    "SIP/2.0 100 Trying active",
    "SIP/2.0 200 OK terminated",
  ]);
  desk.hangup(ringing);
  house.clock.advance(5_000);
  assert.equal(out.status, "talking");
  const [third] = [...carol.calls.values()];
  assert.equal(third?.status, "talking");
  assert.equal(house.plane.control.call(out.id)?.peerCallId, third.id);
  assert.equal(house.rtp.live.size, 0, "the phone's endpoint should be gone");
  clean(house);
});

Deno.test("a phone that asks and then says nothing more is left by us", () => {
  const { house, desk, out, ringing } = stage();
  progressOf(desk);
  desk.inDialog(ringing, "REFER", { headers: [["Refer-To", "<sip:carol@localhost>"]] });
  house.clock.advance(10_000);
  assert.equal(ringing.state, "ended");
  assert.equal(out.status, "talking");
  clean(house);
});

Deno.test("REFERs that can't be done are refused, and the call goes on", () => {
  const { house, desk, out, ringing } = stage();
  progressOf(desk);
  const cases: readonly (readonly [string, number])[] = [
    ["<mailto:x@example.org>", 400],
    ["nonsense", 400],
    ["<sip:localhost>", 404],
  ];
  for (const [target, wanted] of cases) {
    let status = 0;
    desk.inDialog(ringing, "REFER", { headers: [["Refer-To", target]] }, (said) => status = said);
    house.clock.advance(1_000);
    assert.equal(status, wanted, target);
  }
  // A second one while the first is under way.
  const [carol] = house.clients.filter(({ login }) => login === "carol");
  carol!.onIncoming = () => {};
  const statuses: number[] = [];
  for (let i = 0; i < 2; i++) {
    const headers = [["Refer-To", "<sip:carol@localhost>"]] as const;
    desk.inDialog(ringing, "REFER", { headers }, (status) => statuses.push(status));
  }
  house.clock.advance(1_000);
  assert.deepEqual(statuses.toSorted(), [202, 491]);
  assert.equal(out.status, "talking");
  clean(house);
});

Deno.test("a browser hands a browser on to a phone", () => {
  const house = world();
  const desk = phone(house, "1000", 10);
  const in_ = handedOn(house);
  const [browser] = house.media.open_.values();
  const [rtp] = house.rtp.live.values();
  assert.equal(browser?.peer, rtp?.token);
  assert.equal(rtp?.peer, browser?.token);
  assert.equal(desk.live[0]?.codec, "opus/48000/2");
  desk.hangup(desk.live[0]!);
  house.clock.advance(2_000);
  assert.equal(in_.status, "finished");
  clean(house);
});

/** What a phone does that is asked to call somebody else. */
function obeys(desk: SimPhone, call: PhoneCall): void {
  desk.onOther = (request) => {
    if (request.method !== "REFER") return 405;
    const target = /sip:([^@]+)@/.exec(request.headers.get("Refer-To") ?? "")?.[1] ?? "";
    const event = ["Event", `refer;id=${request.cseq.sequence}`] as const;
    const notify = (line: string, state: string) =>
      desk.inDialog(call, "NOTIFY", {
        headers: [event, ["Subscription-State", state]],
        contentType: "message/sipfrag;version=2.0",
        body: `SIP/2.0 ${line}\r\n`,
      });
    notify("100 Trying", "active");
    const next = desk.call(target);
    next.wantsEnd = false;
    const watch = () => {
      if (next.state === "talking") return notify("200 OK", "terminated;reason=noresource");
      if (next.state === "ended") {
        return notify(`${next.status} No`, "terminated;reason=noresource");
      }
      desk.world.clock.setTimeout(watch, 100);
    };
    watch();
    return 202;
  };
}

Deno.test("a browser hands a phone on: the phone calls by itself and tells how it goes", () => {
  const { house, desk, alice, carol, out, ringing } = stage();
  obeys(desk, ringing);
  alice.transfer(out, "carol");
  house.clock.advance(5_000);
  assert.equal(out.reason, "transferred");
  assert.equal(ringing.state, "ended");
  assert.equal([...carol.calls.values()][0]?.status, "talking");
  clean(house);
});

Deno.test("a phone that can't reach the target, or does not know REFER either: all as it was", () => {
  for (const knows of [true, false]) {
    const { house, desk, alice, out, ringing } = stage();
    if (knows) obeys(desk, ringing);
    alice.hold(out, true);
    house.clock.advance(1_000);
    alice.transfer(out, "nobody");
    house.clock.advance(5_000);
    assert.equal(out.status, "held");
    assert.equal(house.plane.control.call(out.id)?.transfer?.sipStatus, 404);
    alice.hold(out, false);
    house.clock.advance(1_000);
    assert.equal(out.status, "talking");
    clean(house);
  }
});

Deno.test("digits to a phone by each method, in order; and from it by event and INFO", () => {
  const { house, desk, alice, out, ringing } = stage();
  const infos: string[] = [];
  desk.onOther = (request) => {
    if (request.method !== "INFO") return 405;
    infos.push(`${request.contentType} ${new TextDecoder().decode(request.body).trim()}`);
    return 200;
  };
  alice.dtmf(out, "12#");
  alice.dtmf(out, "3A", "INFO");
  alice.dtmf(out, "*", "INFO_RELAY");
  house.clock.advance(1_000);
  const [rtp] = house.rtp.live.values();
  assert.deepEqual(rtp?.dtmf, ["12#"]);
  assert.deepEqual(infos, [
    "application/dtmf 3",
    "application/dtmf A",
    "application/dtmf-relay Signal=*\r\nDuration=160",
  ]);
  const events: unknown[] = [];
  house.plane.control.subscribe(undefined, ({ type, data }) => {
    if (type === "call.dtmf") events.push([data.digit, data.from, data.method]);
  });
  rtp?.emit({ type: "dtmf", digit: "7", durationMs: 100 });
  const statuses: number[] = [];
  const info = (contentType: string, body: string) =>
    desk.inDialog(ringing, "INFO", { contentType, body }, (status) => statuses.push(status));
  info("application/dtmf-relay", "Signal= 8\r\nDuration= 100\r\n");
  house.clock.advance(500);
  info("application/dtmf", "11");
  house.clock.advance(500);
  info("application/dtmf", "nonsense");
  info("text/plain", "5");
  house.clock.advance(500);
  assert.deepEqual(statuses, [200, 200, 415, 415]);
  const wanted = [["7", "1000", "RFC2833"], ["8", "1000", "INFO_RELAY"], ["#", "1000", "INFO"]];
  assert.deepEqual(events, wanted);
  const view = house.plane.control.call(out.id);
  assert.deepEqual(view?.dtmf.map(({ digit, from, method }) => [digit, from, method]), wanted);
  clean(house);
});

Deno.test("digits in a lossy network keep their order", () => {
  let talked = 0;
  for (const seed of seeds(10)) {
    const wire = { loss: 0.2, duplication: 0.1, delayMs: 400 };
    const house = new EdgeWorld({ seed, accounts: ["1000"], wire });
    const desk = phone(house, "1000", 10);
    const alice = house.client("alice").connect();
    house.clock.advance(40_000);
    const out = alice.call("1000");
    house.clock.advance(20_000);
    const heard: string[] = [];
    desk.onOther = (request) => {
      if (request.method === "INFO") heard.push(new TextDecoder().decode(request.body));
      return 200;
    };
    if (out.status === "talking") {
      talked++;
      alice.dtmf(out, "123456", "INFO");
      house.clock.advance(120_000);
      assert.equal(heard.join(""), "123456", `seed ${seed}`);
    }
    clean(house);
  }
  assert(talked > 5, `only ${talked} of 10 calls came about`);
});

Deno.test("a browser that talks Opus is handed on to a phone that has none, by a transcoder", () => {
  const house = new EdgeWorld({ seed: 1, accounts: ["1000"], codecs: ["OPUS", "PCMU"] });
  const desk = house.phone({
    user: "1000",
    transport: "UDP",
    address: "192.0.2.10",
    codecs: [[0, "PCMU/8000"], [101, "telephone-event/8000"]],
  });
  desk.onIncoming = (call) => desk.answer(call);
  const in_ = handedOn(house);
  assert.equal(house.plane.control.call(in_.id)?.codecs[0], "opus");
  const [rtp] = house.rtp.live.values();
  assert(rtp?.sides, "the phone's endpoint should be transcoded");
  clean(house);
});
