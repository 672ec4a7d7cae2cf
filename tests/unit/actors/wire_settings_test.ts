import assert from "node:assert/strict";
import { accountAt, type WireParty } from "../../../src/actors/wire_settings.ts";
import { type Binding, Location } from "../../../src/sip/registrar/location.ts";
import { flow, request } from "../../support/sip_fixtures.ts";

/** Whose media settings count at the far end of a wire. */

const GATEWAY = flow("gateway");

function house(): Location {
  const location = new Location();
  for (const user of ["alice", "bob"]) {
    location.put({
      aor: `${user}@house.test`,
      contact: `sip:${user}@10.0.0.9:5060`,
      contactValue: `<sip:${user}@10.0.0.9:5060>`,
      flow: GATEWAY,
      callId: user,
      sequence: 1,
      expiresAt: 1_000,
      q: 1,
      instance: null,
      regId: null,
      path: [],
      refreshedAt: 0,
      userAgent: null,
    });
  }
  return location;
}

function party(more: Partial<WireParty> = {}): WireParty {
  const invite = request("INVITE", {
    uri: "sip:bob@10.0.0.9:5060",
    from: "<sip:alice@house.test>;tag=a",
    to: "<sip:bob@house.test>",
  });
  const rest = { location: house(), domain: "house.test", now: 0 };
  return { flow: GATEWAY, invite, role: "callee", ...rest, ...more };
}

Deno.test("settings: who is called is the one whose binding the call goes to", () => {
  assert.equal(accountAt(party()), "bob");
  const elsewhere = party({ flow: flow("another") });
  assert.equal(accountAt(elsewhere), "alice", "no binding there: whoever From names");
  const handedOn = request("INVITE", {
    uri: "sip:bob@10.0.0.9:5060",
    from: "<sip:alice@house.test>;tag=a",
    to: "<sip:sales@house.test>",
  });
  assert.equal(accountAt(party({ invite: handedOn })), "bob", "To names another");
});

Deno.test("settings: who calls is whoever From says, whatever it asks for", () => {
  assert.equal(accountAt(party({ role: "caller" })), "alice");
});

Deno.test("settings: a flow with thousands of phones is not gone through for a call", () => {
  const all = house();
  const onFlow = (): Binding[] => assert.fail("all bindings of the flow were asked for");
  const location = { lookup: all.lookup.bind(all), onFlow };
  assert.equal(accountAt(party({ location })), "bob");
  assert.equal(accountAt(party({ location, role: "caller" })), "alice");
});
