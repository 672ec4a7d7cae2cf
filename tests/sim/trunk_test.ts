import assert from "node:assert/strict";
import { createInvite } from "../../src/sip/dialog/requests.ts";
import { MemoryAccounts } from "../../src/sip/auth/accounts.ts";
import { serialize } from "../../src/sip/message/mod.ts";
import { authorize } from "../../src/sip/user_agent/credentials.ts";
import type { SimClient } from "./client.ts";
import { TRUNK, TrunkWorld, type TrunkWorldOptions } from "./trunk_world.ts";
import { seeds } from "../support/dice.ts";

/** Numbers outside: who reaches them, over which trunk, as whom; and who is reached from there. */

const MAIN = "192.0.2.60";
const SPARE = "192.0.2.61";

function world(options: Partial<TrunkWorldOptions> = {}): TrunkWorld {
  const house = new TrunkWorld({
    accounts: [
      { name: "1000", password: "1234", rights: ["pstn"], number: "+4930555100" },
      { name: "1001", password: "1234" },
    ],
    carriers: [{ address: MAIN }, { address: SPARE }],
    trunks: [
      { ...TRUNK, name: "spare", host: SPARE, priority: 20 },
      { ...TRUNK, name: "main", host: MAIN },
    ],
    dialPlan: {
      outbound: [
        {
          match: "0.",
          strip: 0,
          prefix: "",
          e164: "49",
          trunks: ["main", "spare"],
          allow: ["pstn"],
        },
      ],
      inbound: [{ match: "+4930555100", to: "1000", trunks: [] }],
    },
    ...options,
  });
  house.clock.advance(1_000);
  return house;
}

function login(house: TrunkWorld, name: string): SimClient {
  const client = house.client(name).connect({ password: "1234" });
  house.clock.advance(1_000);
  return client;
}

function clean(house: TrunkWorld): void {
  assert.deepEqual(house.finish(), []);
}

function invites(house: TrunkWorld): number {
  return [...house.carriers.values()]
    .reduce((sum, carrier) => sum + carrier.requests("INVITE").length, 0);
}

Deno.test("trunk: an account with the right dials a mobile number, holds, and either hangs up", () => {
  const house = world();
  const alice = login(house, "1000");
  const call = alice.call("0170 123-45", { inviteParameters: { "X-Order": "17" } });
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const carrier = house.carrier(MAIN);
  const [invite] = carrier.requests("INVITE");
  assert.equal(invite?.uri, `sip:+4917012345@${MAIN}:5060`);
  assert.equal(invite?.headers.get("From")?.replace(/;tag=.*/, ""), `<sip:+4930555100@${MAIN}>`);
  assert.equal(invite?.headers.get("X-Order"), "17");
  assert.equal(house.rtp.live.size, 1);
  alice.hold(call, true);
  house.clock.advance(1_000);
  assert.equal(call.status, "held");
  assert.equal(carrier.requests("INVITE").length, 2);
  carrier.hangup();
  house.clock.advance(1_000);
  assert.equal(call.reason, "remote_hangup");
  const again = alice.call("017012345");
  house.clock.advance(1_000);
  alice.hangup(again);
  house.clock.advance(1_000);
  assert.equal(carrier.requests("BYE").length, 1);
  assert.equal(invites(house), 3);
  clean(house);
});

Deno.test("trunk: registered; the carrier's challenges are answered for the caller, CSeq counts on", () => {
  const register = { user: "acme", password: "carrier-pass" };
  const house = world({
    carriers: [{ address: MAIN, ...register }],
    trunks: [{
      ...TRUNK,
      name: "main",
      host: MAIN,
      register,
      callerId: "pai",
      number: "+49305550",
    }],
    accounts: [{ name: "1000", password: "1234", rights: ["pstn"] }],
    dialPlan: {
      outbound: [
        { match: "0.", strip: 0, prefix: "", e164: "", trunks: ["main"], allow: ["1000"] },
      ],
      inbound: [],
    },
  });
  const carrier = house.carrier(MAIN);
  assert.ok(carrier.registered > 0);
  assert.deepEqual(
    house.plane.control.trunks().map(({ state, isRegistered }) => [state, isRegistered]),
    [["up", true]],
  );
  const alice = login(house, "1000");
  const call = alice.call("030123");
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const sent = carrier.requests("INVITE");
  assert.deepEqual(
    sent.map(({ cseq }) => cseq.sequence),
    [1, 2],
  );
  assert.equal(sent[1]?.headers.get("P-Asserted-Identity"), `<sip:+49305550@${MAIN}>`);
  assert.match(sent[1]?.headers.get("From") ?? "", new RegExp(`^<sip:1000@${MAIN}>;tag=`));
  assert.deepEqual(carrier.requests("ACK").map(({ cseq }) => cseq.sequence), [2]);
  alice.hold(call, true);
  house.clock.advance(1_000);
  assert.equal(call.status, "held");
  alice.hangup(call);
  house.clock.advance(1_000);
  const [bye] = carrier.requests("BYE");
  assert.ok(bye && bye.cseq.sequence > 3, "counted on over re-INVITE and BYE");
  house.plane.stop(() => {});
  house.clock.advance(5_000);
  assert.equal(carrier.registered, 0);
  clean(house);
});

Deno.test("trunk: a carrier that refuses our credentials is no prompt for the caller's", () => {
  const house = world({
    carriers: [{ address: MAIN, user: "acme", password: "right" }],
    trunks: [{ ...TRUNK, name: "main", host: MAIN, optionsSeconds: 0 }],
    dialPlan: {
      outbound: [{
        match: "0.",
        strip: 0,
        prefix: "",
        e164: "",
        trunks: ["main"],
        allow: ["1000"],
      }],
      inbound: [],
    },
  });
  const alice = login(house, "1000");
  const call = alice.call("030123");
  house.clock.advance(5_000);
  assert.equal(call.status, "finished");
  for (const invite of house.carrier(MAIN).requests("INVITE")) {
    assert.equal(invite.headers.has("Proxy-Authorization"), false);
  }
  clean(house);
});

Deno.test("trunk: over a lossy wire, challenged, each call ends and nothing is left, by 60 seeds", () => {
  let talked = 0;
  for (const seed of seeds(60)) {
    const register = { user: "acme", password: "carrier-pass" };
    const house = world({
      seed,
      wire: { loss: 0.1, duplication: 0.1, delayMs: 80 },
      carriers: [{ address: MAIN, ...register }, { address: SPARE }],
      trunks: [
        { ...TRUNK, name: "main", host: MAIN, register },
        { ...TRUNK, name: "spare", host: SPARE, priority: 20 },
      ],
    });
    house.clock.advance(20_000);
    const alice = login(house, "1000");
    const bob = login(house, "1001");
    alice.onIncoming = (call) => alice.answer(call);
    for (let round = 0; round < 3; round++) {
      const call = alice.call("030123");
      house.clock.advance(500 + house.chance.below(12_000));
      if (call.status === "talking") talked++;
      if (house.chance.fraction() < 0.5) alice.hold(call, true);
      bob.call("030123");
      house.clock.advance(house.chance.below(3_000));
      if (house.chance.fraction() < 0.5) alice.hangup(call);
      else for (const carrier of house.carriers.values()) carrier.hangup();
      house.carrier(MAIN).call("+4930555100");
      house.clock.advance(3_000);
    }
    for (const carrier of house.carriers.values()) carrier.hangup();
    clean(house);
  }
  assert.ok(talked > 60, `only ${talked} calls came about`);
});

Deno.test("trunk: an account made by an operator reaches it once it has the right, as its number", () => {
  const house = world({ store: new MemoryAccounts() });
  const { control } = house.plane;
  assert(control.createAccount({ name: "dora", password: "1234" }).ok);
  const dora = login(house, "dora");
  const before = dora.call("030123");
  house.clock.advance(1_000);
  assert.equal(before.reason, "forbidden");
  assert.equal(invites(house), 0);
  assert(control.grantAccount("dora", { rights: ["pstn"], number: "+4930777" }).ok);
  const call = dora.call("030123");
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const [invite] = house.carrier(MAIN).requests("INVITE");
  assert.equal(invite?.headers.get("From")?.replace(/;tag=.*/, ""), `<sip:+4930777@${MAIN}>`);
  clean(house);
});

Deno.test("trunk: the next one follows on 5xx, 408 and silence, and not on a busy callee", () => {
  for (const status of [500, 503, 408, "silent"] as const) {
    const house = world();
    const alice = login(house, "1000");
    house.carrier(MAIN).onInvite = status;
    const call = alice.call("030123");
    house.clock.advance(6_000);
    assert.equal(call.status, "talking", String(status));
    assert.equal(house.carrier(SPARE).requests("INVITE").length, 1);
    clean(house);
  }
  const house = world();
  const alice = login(house, "1000");
  house.carrier(MAIN).onInvite = 486;
  const call = alice.call("030123");
  house.clock.advance(6_000);
  assert.equal(call.reason, "busy");
  assert.equal(house.carrier(SPARE).requests("INVITE").length, 0);
  clean(house);
});

Deno.test("trunk: pings tell up from down; a dead one is left out, comes back, none left is said", () => {
  const house = world();
  const alice = login(house, "1000");
  const main = house.carrier(MAIN);
  main.onOptions = "silent";
  house.clock.advance(45_000);
  const [first] = house.plane.control.trunks();
  assert.equal(first?.name, "main");
  assert.equal(first?.state, "down");
  assert.match(first?.reason ?? "", /does not answer/);
  const before = main.requests("INVITE").length;
  const call = alice.call("030123");
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  assert.equal(main.requests("INVITE").length, before);
  alice.hangup(call);
  main.onOptions = 404;
  house.clock.advance(60_000);
  assert.equal(house.plane.control.trunks()[0]?.state, "up");
  main.onOptions = house.carrier(SPARE).onOptions = 503;
  house.clock.advance(60_000);
  const none = alice.call("030123");
  house.clock.advance(1_000);
  assert.equal(none.status, "finished");
  clean(house);
});

Deno.test("trunk: nobody without the right reaches one: guest, account without, number as name", () => {
  const house = world();
  const guest = house.client("anybody").connect();
  const named = house.client("030123").connect();
  const without = login(house, "1001");
  house.clock.advance(1_000);
  for (const client of [guest, named, without]) {
    for (
      const callee of ["030123", "sip:030123@localhost", `030123@${MAIN}`, "+4930123", "00491"]
    ) {
      const call = client.call(callee);
      house.clock.advance(6_000);
      // A guest of that very name is called, if anybody.
      assert.notEqual(call.status, "talking", `${client.login} ${callee}`);
    }
  }
  const forger = house.client("1000").connect({ password: "wrong" });
  house.clock.advance(2_000);
  assert.equal(forger.disconnected, "registration_failed");
  assert.equal(invites(house), 0);
  clean(house);
});

Deno.test("trunk: an operator's call has the rights of its session and no header of ours", () => {
  const house = world();
  const [alice, bob] = [login(house, "1000"), login(house, "1001")];
  for (const client of [alice, bob]) client.onIncoming = (call) => client.answer(call);
  const start = (who: string, inviteParameters: Record<string, string> = {}) =>
    house.plane.control.startCall({
      login: who,
      callee: "030123",
      hasAudio: true,
      hasVideo: false,
      inviteParameters,
    });
  for (const name of ["Route", "From", "P-Asserted-Identity", "Remote-Party-ID", "i", "X-PZ-a"]) {
    assert.equal(start("1000", { [name]: "<sip:1000@localhost>" }).ok, false, name);
  }
  assert.ok(start("1001").ok);
  house.clock.advance(6_000);
  assert.equal(invites(house), 0);
  assert.ok(start("1000", { "X-Order": "17" }).ok);
  house.clock.advance(6_000);
  assert.equal(invites(house), 1);
  clean(house);
});

Deno.test("trunk: a stranger on the wire reaches none, by no From, route, target or header", () => {
  const house = world();
  const alice = login(house, "1000");
  const call = alice.call("030123");
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const before = invites(house);
  const targets = [
    "sip:030123@localhost",
    `sip:030123@${MAIN}`,
    `sip:gw@${MAIN}`,
    `sip:030123@127.0.0.1:5060;maddr=${MAIN}`,
    "tel:030123",
  ];
  const extras: [string, string][][] = [
    [],
    [["Route", `<sip:${MAIN};lr>`]],
    [["Route", `<sip:127.0.0.1:5060;lr>`], ["Route", `<sip:${MAIN};lr>`]],
    [["P-Asserted-Identity", "<sip:1000@localhost>"], ["P-Preferred-Identity", "<sip:1000@x>"]],
  ];
  let serial = 0;
  for (const target of targets) {
    for (const headers of extras) {
      const invite = createInvite({
        requestUri: target,
        from: "<sip:1000@localhost>;tag=1",
        to: `<${target}>`,
        callId: `stranger${++serial}`,
        sequence: 1,
        contact: "<sip:1000@198.51.100.9>",
        headers,
      });
      invite.headers.prepend("Via", `SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKs${serial}`);
      house.fromStranger(invite, serialize(invite));
    }
  }
  house.clock.advance(40_000);
  assert.equal(invites(house), before);
  alice.hangup(call);
  clean(house);
});

Deno.test("trunk: a carrier may speak in its dialogs over a connection of its own, others may not", () => {
  const house = world();
  const alice = login(house, "1000");
  const call = alice.call("017012345");
  house.clock.advance(1_000);
  assert.equal(call.status, "talking");
  const carrier = house.carrier(MAIN);
  carrier.fromConnection("BYE", "198.51.100.9");
  house.clock.advance(1_000);
  assert.equal(call.status, "talking", "not its address");
  carrier.fromConnection("INFO", MAIN);
  house.clock.advance(1_000);
  // What goes to it goes the way that is configured, as the caller's number.
  alice.hold(call, true);
  house.clock.advance(1_000);
  assert.equal(call.status, "held");
  const [, reoffer] = carrier.requests("INVITE");
  assert.match(reoffer!.headers.get("From") ?? "", /^<sip:\+4930555100@192\.0\.2\.60>/);
  carrier.fromConnection("BYE", MAIN);
  house.clock.advance(1_000);
  assert.equal(call.reason, "remote_hangup");
  clean(house);
});

Deno.test("trunk: no phone gets to a carrier by a Contact that was seen, whatever its rights", () => {
  const desk = "198.51.100.20";
  const house = world({ carriers: [{ address: MAIN }, { address: SPARE }, { address: desk }] });
  const alice = login(house, "1000");
  alice.call("030123");
  house.clock.advance(1_000);
  assert.equal(alice.live[0]?.status, "talking");
  const before = invites(house);
  const phone = house.carrier(desk);
  let serial = 0;
  /** INVITE with the proof that is asked for; tells the final status. */
  const dial = (account: string, target: string): number => {
    const invite = createInvite({
      requestUri: target,
      from: `<sip:${account}@localhost>;tag=1`,
      to: `<${target}>`,
      callId: `phone${++serial}`,
      sequence: 1,
      contact: `<sip:${account}@${desk}>`,
    });
    phone.send(invite.clone());
    house.clock.advance(1_000);
    const challenge = phone.responses.at(-1)!;
    assert.equal(challenge.status, 407);
    const proof = authorize(invite, challenge, { username: account, password: "1234" }, "c0ffee");
    invite.headers.set("CSeq", "2 INVITE");
    invite.headers.set(...proof!.header);
    phone.send(invite);
    house.clock.advance(6_000);
    return phone.responses.at(-1)!.status;
  };
  for (const account of ["1000", "1001"]) {
    for (const target of [`sip:gw@${MAIN}`, `sip:030123@${MAIN}`, `sip:gw@${MAIN}:5060`]) {
      assert.equal(dial(account, target), 403, `${account} ${target}`);
    }
  }
  assert.equal(dial("1001", "sip:030123@localhost"), 403);
  assert.equal(invites(house), before);
  clean(house);
});

Deno.test("trunk: a call from outside rings the browser of its number; unknown and forged do not", () => {
  const house = world();
  const alice = login(house, "1000");
  const bob = login(house, "1001");
  alice.onIncoming = (call) => alice.answer(call);
  const carrier = house.carrier(MAIN);
  carrier.call("+4930555100");
  house.clock.advance(1_000);
  const [call] = alice.live;
  assert.equal(call?.status, "talking");
  assert.equal(carrier.responses.at(-1)?.status, 200);
  alice.hangup(call!);
  house.clock.advance(1_000);
  assert.equal(carrier.requests("BYE").length, 1);
  const statusAfter = (number: string, from?: string) => {
    carrier.call(number, from);
    house.clock.advance(2_000);
    return carrier.responses.at(-1)?.status;
  };
  // Neither a name nor a number of others, and never out again by another trunk.
  assert.equal(statusAfter("1001"), 404);
  assert.equal(statusAfter("030123"), 404);
  assert.equal(statusAfter("+4930555100", "sip:1001@localhost"), 403);
  assert.equal(bob.calls.size, 0);
  assert.equal(invites(house), 0);
  clean(house);
});

Deno.test("trunk: a transfer goes by the rights of whoever asks for it, and by nobody else's", async (t) => {
  /** Somebody calls somebody, and hands him on to a mobile number. */
  const play = (caller: string, callee: string, who: "caller" | "callee") => {
    const house = world();
    const [one, other] = [login(house, caller), login(house, callee)];
    // A carrier has no Opus, and a browser goes on with the codec that it began with.
    for (const client of [one, other]) client.audio = [[8, "PCMA/8000"], [0, "PCMU/8000"]];
    other.onIncoming = (call) => other.answer(call);
    const out = one.call(callee);
    house.clock.advance(2_000);
    const [in_] = [...other.calls.values()];
    assert(in_ && out.status === "talking");
    if (who === "caller") one.transfer(out, "017012345");
    else other.transfer(in_, "017012345");
    house.clock.advance(5_000);
    const [asker, stayer] = who === "caller" ? [out, in_] : [in_, out];
    return { house, asker, stayer };
  };
  for (
    const [caller, callee, who] of [["1000", "1001", "caller"], [
      "guest",
      "1000",
      "callee",
    ]] as const
  ) {
    await t.step(`${who} 1000 lends his right`, () => {
      const { house, asker, stayer } = play(caller, callee, who);
      assert.equal(asker.reason, "transferred");
      assert.equal(stayer.status, "talking");
      assert.equal(house.carrier(MAIN).requests("INVITE").length, 1);
      clean(house);
    });
  }
  for (
    const [caller, callee, who] of [["1001", "1000", "caller"], [
      "1000",
      "guest",
      "callee",
    ]] as const
  ) {
    await t.step(`${who} of ${caller} and ${callee} has none to lend`, () => {
      const { house, asker, stayer } = play(caller, callee, who);
      assert.deepEqual([asker.status, stayer.status], ["talking", "talking"]);
      assert.equal(invites(house), 0);
      clean(house);
    });
  }
});
