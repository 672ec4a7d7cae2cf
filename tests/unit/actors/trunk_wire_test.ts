import assert from "node:assert/strict";
import { type TrunkFace, TrunkWire } from "../../../src/actors/trunk_wire.ts";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import { createInvite } from "../../../src/sip/dialog/requests.ts";
import type { Flow } from "../../../src/sip/flow.ts";
import { createResponse, SipRequest } from "../../../src/sip/message/mod.ts";

const FLOW: Flow = { id: "udp/1" as FlowId, transport: "UDP", remote: "192.0.2.60:5060" };

function face(more: Partial<TrunkFace> = {}): TrunkFace {
  return {
    host: "carrier.example",
    callerId: "from",
    credentials: null,
    numberOf: ({ user }) => user === "1000" ? "+4930555100" : undefined,
    ...more,
  };
}

function wire(): TrunkWire {
  const send = () => assert.fail("nothing is sent of its own");
  return new TrunkWire({ clock: new ManualClock(), entropy: new SeededEntropy(1), send });
}

function invite(user = "1000"): SipRequest {
  const request = createInvite({
    requestUri: "sip:+4917012345@carrier.example",
    from: `"+4911833 Police" <sip:${user}@localhost>;tag=7`,
    to: "<sip:017012345@localhost>",
    callId: "call",
    sequence: 5,
    contact: "<sip:c@127.0.0.1>",
    headers: [
      ["P-Asserted-Identity", '"Chief" <sip:+4911@carrier.example>'],
      ["p-preferred-identity", "<sip:+4911@carrier.example>"],
      ["Remote-Party-ID", "<sip:+4911@carrier.example>"],
      ["Diversion", "<sip:+4911@carrier.example>"],
      ["History-Info", "<sip:+4911@carrier.example>;index=1"],
      ["Proxy-Authorization", 'Digest username="x"'],
      ["X-Order", "17"],
    ],
  });
  request.headers.prepend("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1");
  return request;
}

const NAMES = [
  ...["P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info"],
  ...["Proxy-Authorization", "Authorization"],
];

Deno.test("trunk wire: a carrier hears the number, and nothing that callers say of themselves", () => {
  const before = invite();
  const sent = wire().outgoing(face(), FLOW, before);
  assert(sent instanceof SipRequest);
  assert.equal(sent.headers.get("From"), "<sip:+4930555100@carrier.example>;tag=7");
  for (const name of [...NAMES, "P-Asserted-Identity"]) {
    assert.equal(sent.headers.has(name), false, name);
  }
  assert.equal(sent.headers.get("X-Order"), "17");
  assert.equal(before.headers.has("Diversion"), true, "the element's own message is its own");
});

Deno.test("trunk wire: by P-Asserted-Identity the number is ours alone, once", () => {
  const sent = wire().outgoing(face({ callerId: "pai" }), FLOW, invite());
  assert.deepEqual(sent.headers.getAll("P-Asserted-Identity"), [
    "<sip:+4930555100@carrier.example>",
  ]);
  assert.equal(sent.headers.get("From"), "<sip:1000@carrier.example>;tag=7");
  for (const name of NAMES) assert.equal(sent.headers.has(name), false, name);
});

Deno.test("trunk wire: who is no account keeps his From and asserts nothing", () => {
  const sent = wire().outgoing(face({ callerId: "pai" }), FLOW, invite("+4930555200"));
  assert.match(sent.headers.get("From") ?? "", /<sip:\+4930555200@localhost>;tag=7$/);
  assert.equal(sent.headers.has("P-Asserted-Identity"), false);
});

Deno.test("trunk wire: answers come back as the element knows them; a refusal of ours is 503", () => {
  for (const [status, expected] of [[200, 200], [486, 486], [401, 503], [407, 503]] as const) {
    const trunk = wire();
    const before = invite();
    const sent = trunk.outgoing(face(), FLOW, before);
    assert(sent instanceof SipRequest);
    const answer = createResponse(sent, status, undefined, {
      toTag: "far",
      headers: [["Proxy-Authenticate", 'Digest realm="carrier", nonce="1"']],
    });
    const heard = trunk.incoming(face(), FLOW, answer);
    assert(heard?.kind === "response");
    assert.equal(heard.status, expected);
    assert.equal(heard.headers.get("From"), before.headers.get("From"));
    assert.equal(heard.to.tag, "far");
    assert.equal(heard.cseq.sequence, 5);
    if (expected === 503) assert.equal(heard.headers.has("Proxy-Authenticate"), false);
  }
});
