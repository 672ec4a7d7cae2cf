import assert from "node:assert/strict";
import { Dialog, dialogKeyOfRequest, dialogKeyOfResponse } from "../../../src/sip/dialog/dialog.ts";
import { type Body, createInvite, createRegister } from "../../../src/sip/dialog/requests.ts";
import { parseMessage, serialize, validate } from "../../../src/sip/message/mod.ts";
import type { SipRequest } from "../../../src/sip/message/mod.ts";
import { request, response, textOf } from "../../support/sip_fixtures.ts";

const RECORD_ROUTE: [string, string][] = [
  ["Record-Route", "<sip:p2.test;lr>, <sip:p1.test;lr>"],
];
const CONTACT: [string, string] = ["Contact", "<sip:bob@phone.test:5070;x=1?h=y>;q=0.5"];

function invite(extra: readonly string[] = []): SipRequest {
  return request("INVITE", {
    sequence: 10,
    from: '"Alice" <sip:alice@example.com>;tag=a',
    extra: ["Contact: <sip:alice@pc.test>", ...extra],
  });
}

function uac(status = 200, headers = [...RECORD_ROUTE, CONTACT]): Dialog {
  const asked = invite();
  const made = Dialog.ofUac(asked, response(asked, status, "b", headers));
  assert.ok(made.ok);
  return made.value;
}

Deno.test("the caller's dialog: route set reversed, target without URI headers (12.1.2)", () => {
  const dialog = uac();
  assert.equal(dialog.state, "confirmed");
  assert.deepEqual(dialog.routeSet, ["<sip:p1.test;lr>", "<sip:p2.test;lr>"]);
  assert.equal(dialog.remoteTarget, "sip:bob@phone.test:5070;x=1");
  assert.equal(dialog.localTag, "a");
  assert.equal(dialog.remoteTag, "b");
  assert.equal(dialog.localUri, "sip:alice@example.com");
  assert.equal(dialog.remoteUri, "sip:bob@example.com");
});

Deno.test("a request inside the dialog (12.2.1.1)", () => {
  const dialog = uac();
  const body: Body = { contentType: "application/sdp", bytes: new Uint8Array([118]) };
  const sent = dialog.request("INVITE", { contact: "<sip:alice@pc.test>", body });
  assert.equal(
    textOf(serialize(sent)),
    [
      "INVITE sip:bob@phone.test:5070;x=1 SIP/2.0",
      "Route: <sip:p1.test;lr>",
      "Route: <sip:p2.test;lr>",
      "Max-Forwards: 70",
      'From: "Alice" <sip:alice@example.com>;tag=a',
      "To: <sip:bob@example.com>;tag=b",
      "Call-ID: call-1",
      "CSeq: 11 INVITE",
      "Contact: <sip:alice@pc.test>",
      "Content-Type: application/sdp",
      "Content-Length: 1",
      "",
      "v",
    ].join("\r\n"),
  );
  assert.equal(dialog.request("BYE").cseq.sequence, 12);
  const ack = dialog.ack(11);
  assert.deepEqual(ack.cseq, { sequence: 11, method: "ACK" });
  assert.equal(dialog.localSequence, 12);
});

Deno.test("a strict router at the top of the route set (12.2.1.1)", () => {
  const asked = invite();
  const headers: [string, string][] = [
    ["Record-Route", "<sip:p2.test;lr>, <sip:p1.test>"],
    CONTACT,
  ];
  const made = Dialog.ofUac(asked, response(asked, 200, "b", headers));
  assert.ok(made.ok);
  const bye = made.value.request("BYE");
  assert.equal(bye.uri, "sip:p1.test");
  assert.deepEqual(bye.headers.getAll("Route"), [
    "<sip:p2.test;lr>",
    "<sip:bob@phone.test:5070;x=1>",
  ]);
});

Deno.test("no dialog without tag, contact or a status that makes one", () => {
  const asked = invite();
  const fault = (status: number, tag: string | undefined, headers: [string, string][]) => {
    const made = response(asked, status, tag ?? "b", headers);
    if (tag === undefined) made.headers.set("To", "<sip:bob@example.com>");
    const dialog = Dialog.ofUac(asked, made);
    return dialog.ok ? "made" : dialog.error;
  };
  assert.equal(fault(100, "b", [CONTACT]), "no-dialog-status");
  assert.equal(fault(302, "b", [CONTACT]), "no-dialog-status");
  assert.equal(fault(180, undefined, [CONTACT]), "no-tag");
  assert.equal(fault(200, "b", []), "no-contact");
  assert.equal(fault(180, "b", [CONTACT]), "made");
  const bare = Dialog.ofUas(request("INVITE"), "b");
  assert.equal(bare.ok ? "made" : bare.error, "no-contact");
});

Deno.test("an early dialog takes route set and target of its 2xx (13.2.2.4)", () => {
  const dialog = uac(180);
  assert.equal(dialog.state, "early");
  const asked = invite();
  dialog.confirm(response(asked, 200, "b", [
    ["Record-Route", "<sip:p9.test;lr>"],
    ["Contact", "<sip:bob@elsewhere.test>"],
  ]));
  assert.equal(dialog.state, "confirmed");
  assert.deepEqual(dialog.routeSet, ["<sip:p9.test;lr>"]);
  assert.equal(dialog.remoteTarget, "sip:bob@elsewhere.test");
  // A repeated 2xx refreshes the target, never the route set.
  dialog.confirm(response(asked, 200, "b", [["Record-Route", "<sip:p8.test;lr>"]]));
  assert.deepEqual(dialog.routeSet, ["<sip:p9.test;lr>"]);
});

Deno.test("the callee's dialog: route set in order, sequence from the INVITE (12.1.1)", () => {
  const asked = invite(["Record-Route: <sip:p2.test;lr>", "Record-Route: <sip:p1.test;lr>"]);
  const made = Dialog.ofUas(asked, "b");
  assert.ok(made.ok);
  const dialog = made.value;
  assert.equal(dialog.state, "early");
  assert.deepEqual(dialog.routeSet, ["<sip:p2.test;lr>", "<sip:p1.test;lr>"]);
  const ok = dialog.respond(asked, 200, undefined, {
    contact: "<sip:bob@phone.test>",
    body: { contentType: "application/sdp", bytes: new Uint8Array([1, 2]) },
  });
  assert.deepEqual(ok.headers.getAll("Record-Route"), ["<sip:p2.test;lr>", "<sip:p1.test;lr>"]);
  assert.equal(ok.to.tag, "b");
  assert.equal(ok.body.length, 2);
  assert.equal(dialogKeyOfResponse(ok), "call-1\na\nb");
  assert.equal(dialog.respond(asked, 486).headers.has("Record-Route"), false);
  dialog.confirm();
  const bye = dialog.request("BYE");
  assert.deepEqual(bye.cseq, { sequence: 1, method: "BYE" });
  assert.equal(bye.uri, "sip:alice@pc.test");
  assert.equal(bye.from.tag, "b");
  assert.equal(bye.to.toString(), '"Alice" <sip:alice@example.com>;tag=a');
  assert.equal(dialogKeyOfRequest(bye), "call-1\na\nb", "seen from the caller");
});

Deno.test("received requests: order, repetition by another path, wrong dialog (12.2.2)", () => {
  const made = Dialog.ofUas(invite(), "b");
  assert.ok(made.ok);
  const dialog = made.value;
  const receive = (method: string, sequence: number, tag = "b") => {
    const result = dialog.receive(
      request(method, { sequence, to: `<sip:bob@example.com>;tag=${tag}` }),
    );
    return result.ok ? 0 : result.error.status;
  };
  assert.equal(receive("INFO", 9), 500);
  assert.equal(receive("INFO", 10), 482);
  assert.equal(receive("INFO", 12), 0);
  assert.equal(receive("ACK", 10), 0, "an ACK has the number of its INVITE");
  assert.equal(receive("INFO", 11), 500);
  assert.equal(receive("INFO", 13, "other"), 481);
  dialog.terminate();
  assert.equal(receive("INFO", 14), 481);
});

Deno.test("sips makes a secure dialog", () => {
  const asked = request("INVITE", {
    uri: "sips:bob@example.com",
    extra: ["Contact: <sips:alice@pc.test>"],
  });
  const made = Dialog.ofUas(asked, "b");
  assert.ok(made.ok && made.value.secure);
  assert.equal(uac().secure, false);
});

Deno.test("requests outside dialogs can be sent as they are", () => {
  const common = {
    from: "<sip:alice@example.com>;tag=a",
    callId: "c",
    sequence: 1,
    contact: "<sip:alice@pc.test>",
  };
  const made = [
    createInvite({
      ...common,
      requestUri: "sip:bob@example.com",
      to: "<sip:bob@example.com>",
      headers: [["X-Custom", "1"]],
    }),
    createRegister({
      ...common,
      requestUri: "sip:example.com",
      aor: "sip:alice@example.com",
      expires: 600,
    }),
  ];
  for (const sent of made) {
    sent.headers.prepend("Via", "SIP/2.0/TCP us.test;branch=z9hG4bK1");
    const parsed = parseMessage(serialize(sent));
    assert.ok(parsed.ok);
    assert.deepEqual(validate(parsed.value), { ok: true, value: undefined });
  }
  assert.equal(made[0]?.headers.get("X-Custom"), "1");
  assert.equal(made[1]?.expires, 600);
  assert.equal(made[1]?.to.toString(), "<sip:alice@example.com>");
});
