import assert from "node:assert/strict";
import { readPhoneSdp } from "./phone_sdp.ts";
import { TRUNK, TrunkWorld } from "./trunk_world.ts";
import type { TrunkOptions } from "../../src/actors/trunks.ts";

/** Which codecs a carrier's calls have, and how digits go to it. */

const ADDRESS = "192.0.2.60";
const PLAIN = [[8, "PCMA/8000"], [0, "PCMU/8000"]] as const;
const WITH_EVENTS = [...PLAIN, [101, "telephone-event/8000"]] as const;

function stage(
  trunk: Partial<TrunkOptions>,
  codecs: readonly (readonly [number, string])[] = WITH_EVENTS,
) {
  const house = new TrunkWorld({
    accounts: [{ name: "1000", password: "1234", rights: ["pstn"] }],
    carriers: [{ address: ADDRESS, codecs }],
    trunks: [{ ...TRUNK, name: "main", host: ADDRESS, ...trunk }],
    dialPlan: {
      outbound: [{
        match: "0.",
        strip: 0,
        prefix: "",
        e164: "",
        trunks: ["main"],
        allow: ["pstn"],
      }],
      inbound: [{ match: "+4930555100", to: "1000", trunks: [] }],
    },
  });
  const alice = house.client("1000").connect({ password: "1234" });
  alice.onIncoming = (call) => alice.answer(call);
  house.clock.advance(1_000);
  return { house, alice, carrier: house.carrier(ADDRESS) };
}

function names(body: Uint8Array | undefined): string[] {
  const sdp = readPhoneSdp(new TextDecoder().decode(body));
  return (sdp?.codecs ?? []).map(([, name]) => name.split("/")[0]!)
    .filter((name) => name !== "telephone-event");
}

Deno.test("trunk: only the codecs of its list are offered, in the list's order", () => {
  const cases = [
    [["pcmu", "pcma"], ["PCMU", "PCMA"]],
    [["pcma"], ["PCMA"]],
    [null, ["opus", "G722", "PCMU", "PCMA"]],
  ] as const;
  for (const [codecs, wanted] of cases) {
    const { house, alice, carrier } = stage({ codecs });
    const call = alice.call("0301234");
    house.clock.advance(1_000);
    assert.equal(call.status, "talking");
    assert.deepEqual(names(carrier.requests("INVITE")[0]?.body), wanted);
    assert.deepEqual(house.plane.control.trunks()[0]?.codecs, codecs);
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("trunk: of its own offers only these codecs are taken, and none is a refusal", () => {
  const cases = [[["pcmu"], ["PCMU"]], [null, ["PCMA", "PCMU"]], [["g722"], []]] as const;
  for (const [codecs, wanted] of cases) {
    const { house, carrier } = stage({ codecs });
    carrier.call("+4930555100");
    house.clock.advance(2_000);
    const last = carrier.responses.at(-1)!;
    assert.equal(last.status, wanted.length > 0 ? 200 : 488);
    assert.deepEqual(names(last.body).toSorted(), wanted);
    assert.deepEqual(house.finish(), []);
  }
});

Deno.test("trunk: digits are telephone-events, or INFO where it is set or nothing else is taken", () => {
  const cases = [
    ["rfc2833", WITH_EVENTS, ["1#"], []],
    ["info", WITH_EVENTS, [], ["Signal=1", "Signal=#"]],
    ["rfc2833", PLAIN, [], ["Signal=1", "Signal=#"]],
  ] as const;
  for (const [dtmf, codecs, events, infos] of cases) {
    const { house, alice, carrier } = stage({ dtmf }, codecs);
    const call = alice.call("0301234");
    house.clock.advance(1_000);
    alice.dtmf(call, "1#");
    house.clock.advance(1_000);
    const [rtp] = house.rtp.live.values();
    assert.deepEqual(rtp?.dtmf, events);
    const said = carrier.requests("INFO").map(({ contentType, body }) => {
      assert.equal(contentType, "application/dtmf-relay");
      return new TextDecoder().decode(body).split("\r\n")[0];
    });
    assert.deepEqual(said, infos);
    assert.equal(house.plane.control.trunks()[0]?.dtmf, dtmf);
    assert.deepEqual(house.finish(), []);
  }
});
