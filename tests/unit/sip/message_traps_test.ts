/** Whole messages with the traps of RFC 4475 3.1.1, written anew. */
import assert from "node:assert/strict";
import {
  encodeText,
  parseMessage,
  serialize,
  SipRequest,
  StreamFramer,
  validate,
} from "../../../src/sip/message/mod.ts";
import { lines, value, wire } from "./message_support.ts";

function sound(bytes: Uint8Array): SipRequest {
  const message = value(parseMessage(bytes));
  const result = validate(message);
  assert.ok(result.ok, JSON.stringify(result));
  assert.ok(message instanceof SipRequest);
  return message;
}

Deno.test("trap: folds, blanks, odd cases and compact names everywhere (3.1.1.1)", () => {
  const bytes = wire([
    "INVITE sip:vivekg@chair.example.com;unknownparam SIP/2.0",
    "TO :",
    " sip:vivekg@chair.example.com ;   tag    = 77n",
    'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>',
    "  ;",
    "  tag = 98asjd8",
    "MaX-fOrWaRdS: 0068",
    "Call-ID: wsinv.ndaksdj@192.0.2.1",
    "Content-Length   : 4",
    "cseq: 0009",
    "  INVITE",
    "Via  : SIP  /   2.0",
    " /UDP",
    "    192.0.2.2;branch=390skdjuw",
    "s :",
    "NewFangledHeader:   newfangled value",
    " continued newfangled value",
    "UnknownHeaderWithUnusualValue: ;;,,;;,;",
    "Content-Type: application/sdp",
    "Route:",
    " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;",
    "  branch  =   z9hG4bK9ikj8  ,",
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
    " z9hG4bK30239",
    'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =',
    "      newvalue ;",
    "  secondparam ; q = 0.33",
  ], "v=0\n");
  const r = sound(bytes);
  assert.equal(r.maxForwards, 68);
  assert.deepEqual(r.cseq, { sequence: 9, method: "INVITE" });
  assert.deepEqual(r.vias.map((v) => [v.transport, v.sentBy, v.branch]), [
    ["UDP", "192.0.2.2", "390skdjuw"],
    ["TCP", "spindle.example.com", "z9hG4bK9ikj8"],
    ["UDP", "192.168.255.111", "z9hG4bK30239"],
  ]);
  assert.deepEqual([r.to.tag, r.from.tag, r.from.displayName], [
    "77n",
    "98asjd8",
    'J Rosenberg \\"',
  ]);
  const contacts = r.contacts;
  assert.ok(contacts !== "*");
  assert.equal(contacts[0]!.displayName, 'Quoted string ""');
  assert.equal(contacts[0]!.params.get("q"), "0.33");
  assert.ok(r.routes[0]!.uri.params.has("lr"));
  assert.equal(r.headers.get("subject"), "");
  assert.equal(r.headers.get("newfangledheader"), "newfangled value continued newfangled value");
  assert.deepEqual(serialize(r), bytes);
});

Deno.test("trap: every character that may stand where it may (3.1.1.2)", () => {
  const method = "!interesting-Method0123456789_*+`.%indeed'~";
  const user = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*";
  const password = "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)";
  const bytes = wire(lines({
    "CSeq": `139122385 ${method}`,
    "To": '"BEL:\\\u0007 NUL:\\\0 DEL:\\\u007f" <sip:1_unusual.URI~(to-be!sure)@example.com>',
    "From": "token1~` token2'+_ token3*%!.- <sip:mundane@example.com>" +
      ";fromParam''~+*_!.-%=\"\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439\"" +
      ";tag=_token~1'+`*%!-.",
    "Content-Length": "0",
  }, `${method} sip:${user}:${password}@example.com SIP/2.0`));
  const r = sound(bytes);
  assert.equal(r.method, method);
  const uri = value(r.requestUri);
  assert.deepEqual([uri.user, uri.password, uri.host], [user, password, "example.com"]);
  assert.equal(r.to.displayName, "BEL:\u0007 NUL:\0 DEL:\u007f");
  assert.equal(r.from.tag, "_token~1'+`*%!-.");
  assert.match(r.from.params.get("fromParam''~+*_!.-%")!, /^\u0440.*\u0439$/);
  assert.deepEqual(serialize(r), bytes);
});

Deno.test("trap: a percent sign outside URIs is a percent sign (3.1.1.5)", () => {
  const r = sound(wire(lines(
    { "CSeq": "29344 RE%47IST%45R", "From": "%Z%45 <sip:resource@example.com>;tag=f%31%32" },
    "RE%47IST%45R sip:registrar.example.com SIP/2.0",
  )));
  assert.notEqual(r.method, "REGISTER");
  assert.equal(r.from.displayName, "%Z%45");
  assert.equal(r.from.tag, "f%31%32");
});

Deno.test("trap: two requests in a datagram are one, in a stream two (3.1.1.8)", () => {
  const first = wire(
    lines({ "CSeq": "8 REGISTER", "Content-Length": "0" }, "REGISTER sip:example.com SIP/2.0"),
  );
  const second = wire(lines({ "Content-Length": "0" }));
  const both = new Uint8Array([...first, ...second]);
  assert.equal(sound(both).method, "REGISTER");
  assert.equal(sound(both).body.length, 0);
  const methods = new StreamFramer().push(both).map((e) =>
    e.type === "message" && e.message.kind === "request" ? e.message.method : e.type
  );
  assert.deepEqual(methods, ["REGISTER", "INVITE"]);
});

Deno.test("trap: a body of any octets passes byte for byte (3.1.1.11)", () => {
  const body = Uint8Array.from({ length: 600 }, (_, i) => (i * 7) & 0xff);
  const head = encodeText([...lines({ "Content-Length": "600" }), "", ""].join("\r\n"));
  const bytes = new Uint8Array([...head, ...body]);
  const r = sound(bytes);
  assert.deepEqual(r.body, body);
  assert.deepEqual(serialize(r), bytes);
  const pieces = new StreamFramer();
  const events = [bytes.subarray(0, head.length + 3), bytes.subarray(head.length + 3)]
    .flatMap((piece) => pieces.push(piece));
  assert.deepEqual(events.map((e) => e.type === "message" && e.message.body), [body]);
});
