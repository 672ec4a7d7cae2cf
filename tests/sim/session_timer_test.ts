import assert from "node:assert/strict";
import type { SipRequest } from "../../src/sip/message/mod.ts";
import { EdgeWorld } from "./edge_world.ts";
import { type SimCarrier, TRUNK, TrunkWorld } from "./trunk_world.ts";

/** Session timers of our clients' calls with phones and trunks (RFC 4028). */

const CODECS = [[0, "PCMU/8000"]] as const;
const HALF_HOUR_MS = 1_800_000;

function stage(options: { allow?: string; sessionExpires?: string; phoneCalls?: boolean } = {}) {
  const { phoneCalls = false, allow, sessionExpires } = options;
  const house = new EdgeWorld({ seed: 1, accounts: ["1000"] });
  const desk = house.phone({
    user: "1000",
    transport: "UDP",
    address: "192.0.2.10",
    codecs: CODECS,
    ...(allow === undefined ? {} : { allow }),
    ...(sessionExpires === undefined ? {} : { sessionExpires }),
  });
  desk.onIncoming = (call) => desk.answer(call);
  const asked: SipRequest[] = [];
  desk.onOther = (request) => {
    asked.push(request);
    return 200;
  };
  const alice = house.client("alice").connect();
  alice.onIncoming = (call) => alice.answer(call);
  house.clock.advance(1_000);
  const placed = phoneCalls ? desk.call("alice") : undefined;
  const dialled = phoneCalls ? undefined : alice.call("1000");
  house.clock.advance(1_000);
  const there = placed ?? desk.live[0]!;
  const out = dialled ?? [...alice.calls.values()][0]!;
  assert.deepEqual([there.state, out.status], ["talking", "talking"]);
  return { house, desk, alice, there, out, asked };
}

const UPDATES = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

Deno.test("a phone is refreshed by UPDATE or re-INVITE as long as it answers", () => {
  for (const phoneCalls of [false, true]) {
    for (const allow of [UPDATES, "INVITE, ACK, CANCEL, BYE, OPTIONS"]) {
      // A phone that calls says by itself that it takes UPDATE.
      if (phoneCalls && allow !== UPDATES) continue;
      const { house, there, out, asked, desk } = stage({ allow, phoneCalls });
      if (!phoneCalls) {
        const asks = there.invite.headers.get("Session-Expires");
        assert.equal(asks, "1800");
        assert(there.invite.headers.getAll("Supported").includes("timer"));
      }
      const before = desk.reoffers;
      house.clock.advance(4 * HALF_HOUR_MS);
      const refreshes = allow === UPDATES ? asked.length : desk.reoffers - before;
      assert(refreshes >= 7 && refreshes <= 8, `${refreshes} refreshes in two hours`);
      assert(asked.every(({ method }) => method === "UPDATE"));
      assert.deepEqual([there.state, out.status], ["talking", "talking"]);
      assert.deepEqual(house.finish(), []);
    }
  }
});

Deno.test("a phone that vanishes ends the call in words when a refresh finds it gone", () => {
  for (const allow of [UPDATES, "INVITE, BYE"]) {
    const { house, desk, out } = stage({ allow });
    desk.isDead = true;
    house.clock.advance(HALF_HOUR_MS / 2 + 40_000);
    assert.deepEqual([out.status, out.reason], ["finished", "session_expired"]);
    house.clock.advance(60_000);
    assert.equal(house.rtp.live.size, 0, "its endpoint should be gone");
    const view = house.plane.control.call(out.id)!;
    assert.deepEqual([view.state, view.termination?.result], ["ended", "upstream"]);
    desk.forget();
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("a phone that shall refresh and does not is said BYE, with the reason", () => {
  const { house, desk, there, out } = stage({ sessionExpires: "120;refresher=uas" });
  house.clock.advance(87_000);
  assert.equal(out.status, "talking");
  desk.refresh(there, "120;refresher=uac");
  house.clock.advance(87_000);
  assert.equal(out.status, "talking");
  house.clock.advance(2_000);
  assert.deepEqual([out.status, out.reason], ["finished", "session_expired"]);
  assert.equal(there.state, "ended");
  assert.match(
    there.endedBy?.headers.get("Reason") ?? "",
    /cause=408;text="Session timer expired"/,
  );
  assert.deepEqual(house.finish(), []);
});

Deno.test("a phone that asks for a shorter time is refused by 422, with the least", () => {
  const { house, desk, there } = stage();
  const statuses: string[] = [];
  const again = desk.call("alice", [["Session-Expires", "20"], ["Supported", "timer"]]);
  house.clock.advance(1_000);
  assert.deepEqual([again.state, again.status], ["ended", 422]);
  assert.equal(there.state, "talking");
  assert.deepEqual(statuses, []);
  assert.deepEqual(house.finish(), []);
});

Deno.test("a carrier that wants longer times says so by 422, and gets its call", () => {
  const house = new TrunkWorld({
    accounts: [{ name: "1000", password: "1234", rights: ["pstn"] }],
    trunks: [{ ...TRUNK, name: "carrier", host: "203.0.113.1" }],
    dialPlan: {
      outbound: [{
        match: "0.",
        strip: 0,
        prefix: "",
        e164: "",
        trunks: ["carrier"],
        allow: ["pstn"],
      }],
      inbound: [],
    },
    carriers: [{ address: "203.0.113.1", minSe: 3_600 }],
  });
  const carrier: SimCarrier = house.carrier("203.0.113.1");
  const page = house.client("1000").connect({ password: "1234" });
  house.clock.advance(1_000);
  const out = page.call("0301234");
  house.clock.advance(1_000);
  assert.equal(out.status, "talking");
  const invites = carrier.heard.filter(({ method }) => method === "INVITE");
  const asked = invites.map(({ headers }) => headers.get("Session-Expires"));
  assert.deepEqual(asked, ["1800", "3600"]);
  assert.equal(invites[1]?.headers.get("Min-SE"), "3600");
  // Refreshed by us, since the carrier leaves it to us; then it falls silent.
  house.clock.advance(3_600_000);
  assert.equal(out.status, "talking");
  carrier.onInvite = "silent";
  house.clock.advance(1_800_000 + 60_000);
  assert.deepEqual([out.status, out.reason], ["finished", "session_expired"]);
  assert.deepEqual(house.finish(), []);
});
