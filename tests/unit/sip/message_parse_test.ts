import assert from "node:assert/strict";
import {
  createResponse,
  decodeText,
  encodeText,
  HeaderList,
  MAX_HEAD_BYTES,
  MAX_HEADER_FIELDS,
  parseMessage,
  serialize,
  SipRequest,
  SipResponse,
  validate,
} from "../../../src/sip/message/mod.ts";
import { fault, lines, request, value, wire } from "./message_support.ts";

Deno.test("parse: a request and its typed getters", () => {
  const r = request({ "Expires": "60", "Content-Type": "Application/SDP ;x=1" });
  assert.equal(r.method, "INVITE");
  assert.equal(r.uri, "sip:bob@example.net");
  assert.equal(value(r.requestUri).user, "bob");
  assert.equal(r.callId, "3848276298220188511@client.example.org");
  assert.deepEqual(r.cseq, { sequence: 2, method: "INVITE" });
  assert.equal(r.from.displayName, "Alice");
  assert.equal(r.from.tag, "9fxced76sl");
  assert.equal(r.to.tag, undefined);
  assert.equal(r.topVia.sentBy, "client.example.org:5061");
  assert.equal(r.maxForwards, 70);
  assert.equal(r.expires, 60);
  assert.equal(r.contentType, "application/sdp");
  assert.equal(r.contacts === "*" ? "*" : r.contacts[0]!.uri.transport, "UDP");
  assert.deepEqual([r.routes, r.recordRoutes, r.contentLength], [[], [], undefined]);
  assert.ok(validate(r).ok);
});

Deno.test("parse: getters follow the header list and keep what they parsed", () => {
  const r = request();
  assert.equal(r.from, r.from);
  r.headers.set("From", "<sip:carol@example.org>;tag=2");
  assert.equal(r.from.tag, "2");
  r.headers.prepend("Via", "SIP/2.0/TCP proxy;branch=z9hG4bKp");
  assert.equal(r.topVia.host, "proxy");
  assert.deepEqual(r.vias.map((v) => v.transport), ["TCP", "UDP"]);
  r.headers.removeFirstValue("Via");
  assert.equal(r.topVia.host, "client.example.org");
  r.uri = "sip:dave@example.net";
  assert.equal(value(r.requestUri).user, "dave");
  const copy = r.clone();
  copy.headers.remove("From");
  assert.equal(r.from.tag, "2");
  assert.throws(() => copy.from, /without from/);
});

Deno.test("parse: the body is as long as Content-Length says, else all that is left", () => {
  const body = "v=0\r\n\r\nx\0\r\n";
  const whole = value(parseMessage(wire(lines(), body)));
  assert.equal(decodeText(whole.body), body);
  const cut = value(parseMessage(wire(lines({ "Content-Length": "5" }), body)));
  assert.equal(decodeText(cut.body), "v=0\r\n");
  const none = value(parseMessage(wire(lines({ "l": "0" }), "INVITE sip:evil@b SIP/2.0\r\n\r\n")));
  assert.equal(none.body.length, 0);
});

Deno.test("parse: the body does not share the datagram's buffer", () => {
  const bytes = wire(lines(), "abc");
  const message = value(parseMessage(bytes));
  bytes.fill(0);
  assert.equal(decodeText(message.body), "abc");
});

Deno.test("parse: line ends before the start line are skipped, alone they are a keep-alive", () => {
  const bytes = wire(lines());
  assert.ok(parseMessage(new Uint8Array([13, 10, 13, 10, ...bytes])).ok);
  for (const text of ["", "\r\n", "\r\n\r\n"]) {
    assert.equal(fault(parseMessage(encodeText(text))).kind, "empty");
  }
});

Deno.test("parse: what can be answered comes with the fault", () => {
  const table: [string, Uint8Array][] = [
    ["Content-Length beyond the datagram", wire(lines({ "Content-Length": "99" }), "x")],
    ["negative Content-Length", wire(lines({ "Content-Length": "-9" }), "x")],
    ["Content-Length with a unit", wire(lines({ "Content-Length": "1 byte" }), "x")],
    ["two Content-Lengths", wire(lines({ "Content-Length": "0", "l": "0" }))],
    ["no empty line", encodeText(lines().join("\r\n"))],
    ["blank in the Request-URI", wire(lines({}, "INVITE sip:a@b; lr SIP/2.0"))],
    ["two blanks", wire(lines({}, "INVITE  sip:a@b SIP/2.0"))],
    ["blank at the end", wire(lines({}, "INVITE sip:a@b SIP/2.0 "))],
    ["no version", wire(lines({}, "INVITE sip:a@b"))],
    ["line without colon", wire([...lines(), "no colon here"])],
    ["name with a blank", wire([...lines(), "a b: c"])],
    ["no name", wire([...lines(), ": c"])],
    ["lone LF", wire([...lines(), "Subject: a\nX-Evil: b"])],
    ["lone CR", wire([...lines(), "Subject: a\rX-Evil: b"])],
  ];
  for (const [what, bytes] of table) {
    const f = fault(parseMessage(bytes));
    assert.equal(f.status, 400, what);
    assert.ok(f.request, what);
    const answer = createResponse(f.request, f.status, f.text, { toTag: "t" });
    const text = decodeText(serialize(answer));
    assert.match(text, /^SIP\/2\.0 400 [^\r\n"<>]+\r\nVia: SIP\/2\.0\/UDP client/, what);
    assert.ok(!text.includes("\nX-Evil"), what);
    assert.ok(parseMessage(encodeText(text)).ok, what);
  }
});

Deno.test("parse: what is no SIP at all has nothing to answer", () => {
  for (
    const bytes of [
      wire(["GET / HTTP/1.1", "Host: x"]),
      new Uint8Array(200).fill(0xff),
      new Uint8Array([0]),
      wire(["SIP/2.0 4294967301 no", ...lines().slice(1)]),
      wire(["SIP/2.0 099 low", ...lines().slice(1)]),
      wire(["SIP/2.0 700 high", ...lines().slice(1)]),
      wire(["SIP/2.0 200\tx", ...lines().slice(1)]),
      wire(["SIP/2.0 2000", ...lines().slice(1)]),
    ]
  ) {
    const result = parseMessage(bytes);
    const f = fault(result);
    assert.equal(f.kind, "malformed");
    assert.ok(f.request === undefined || !f.request.headers.has("Via"));
  }
});

Deno.test("parse: sizes are limited", () => {
  const big = wire([...lines(), `X: ${"x".repeat(MAX_HEAD_BYTES)}`]);
  assert.equal(fault(parseMessage(big)).status, 513);
  const many = wire([...lines(), ...Array.from({ length: MAX_HEADER_FIELDS }, () => "X: y")]);
  assert.match(fault(parseMessage(many)).text, /More than/);
  const body = fault(parseMessage(wire(lines({ "Content-Length": "4294967295" }))));
  assert.deepEqual([body.kind, body.status], ["too-large", 413]);
  const long = wire(lines({ "X-Long": "y".repeat(5000) }));
  assert.deepEqual(
    parseMessage(long).ok && value(parseMessage(long)).headers.get("x-long")?.length,
    5000,
  );
});

Deno.test("parse: reason phrases may be empty or hold anything but line ends", () => {
  for (const reason of ["", "OK", "= 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e"]) {
    const bytes = wire([`SIP/2.0 183 ${reason}`, ...lines().slice(1), "Content-Length: 0"]);
    const message = value(parseMessage(bytes));
    assert.equal(message.kind === "response" && message.reason, reason);
    assert.deepEqual(serialize(message), bytes);
  }
  assert.ok(parseMessage(wire(["SIP/2.0 100", ...lines().slice(1)])).ok);
});

Deno.test("parse: octets that are no UTF-8 come out as they came in", () => {
  const bytes = wire([...lines(), "X-Raw: ab", "Content-Length: 0"]);
  const at = bytes.findIndex((b, i) =>
    b === 0x61 && bytes[i + 1] === 0x62 && bytes[i - 1] === 0x20
  );
  for (
    const pair of [[0xff, 0xfe], [0xc3, 0x28], [0xed, 0xa0], [0xc0, 0x80], [0xef, 0xbf], [
      0xc3,
      0xa9,
    ]]
  ) {
    bytes.set(pair, at);
    const message = value(parseMessage(bytes));
    assert.deepEqual(serialize(message), bytes);
    message.headers.set("X-Copy", message.headers.get("x-raw")!);
    const copied = value(parseMessage(serialize(message)));
    assert.equal(copied.headers.get("X-Copy"), message.headers.get("X-Raw"));
  }
  assert.deepEqual(
    encodeText(decodeText(new Uint8Array([0xef, 0xbf, 0xbd, 0xff]))),
    new Uint8Array([0xef, 0xbf, 0xbd, 0xff]),
  );
  assert.equal(decodeText(encodeText("\ud800x")), "\ufffdx");
});

Deno.test("serialize: Content-Length is the body's, in the place and spelling it had", () => {
  const r = request({ "l": "0", "Z": "z" });
  r.body = encodeText("grün");
  assert.match(decodeText(serialize(r)), /\r\nl: 5\r\nZ: z\r\n\r\ngrün$/);
  r.headers.append("Content-Length", "7");
  assert.equal(decodeText(serialize(r)).match(/\r\n(l|Content-Length):/g)?.length, 1);
  const made = new SipRequest("OPTIONS", "sip:a@b", HeaderList.of([["Via", "SIP/2.0/UDP h"]]));
  assert.equal(
    decodeText(serialize(made)),
    "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nContent-Length: 0\r\n\r\n",
  );
  assert.match(decodeText(serialize(new SipResponse(486))), /^SIP\/2\.0 486 Busy Here\r\n/);
});

Deno.test("createResponse copies what RFC 3261 8.2.6 says", () => {
  const r = request({
    "v": "SIP/2.0/UDP second;branch=z9hG4bK2",
    "Record-Route": "<sip:p1;lr>",
    "Timestamp": "54",
    "Subject": "no",
  });
  const ringing = createResponse(r, 180, undefined, { toTag: "tt", recordRoute: true });
  assert.deepEqual(ringing.vias.map((v) => v.host), ["client.example.org", "second"]);
  assert.equal(ringing.to.tag, "tt");
  assert.equal(ringing.from.tag, "9fxced76sl");
  assert.deepEqual(ringing.cseq, { sequence: 2, method: "INVITE" });
  assert.deepEqual(ringing.recordRoutes.map((x) => `${x.uri}`), ["sip:p1;lr"]);
  assert.ok(!ringing.headers.has("Subject") && !ringing.headers.has("Timestamp"));
  assert.ok(validate(ringing).ok);
  const trying = createResponse(r, 100, undefined, { toTag: "tt" });
  assert.equal(trying.to.tag, undefined);
  assert.equal(trying.headers.get("timestamp"), "54");
  const within = request({ "To": "<sip:bob@example.net>;tag=old" });
  const ok = createResponse(within, 200, "OK", {
    toTag: "new",
    headers: [["Contact", "<sip:b@h>"]],
    body: encodeText("v=0"),
    contentType: "application/sdp",
  });
  assert.equal(ok.to.tag, "old");
  assert.equal(ok.contentType, "application/sdp");
  assert.equal(ok.headers.get("m"), "<sip:b@h>");
});

Deno.test("createResponse answers requests that lack or double what is copied", () => {
  const poor = value(parseMessage(wire(["INVITE sip:a@b SIP/2.0", "Via: SIP/2.0/UDP h"])));
  const doubled = value(parseMessage(wire([...lines(), "To: <sip:x@y>", "To: oops <"])));
  const broken = value(parseMessage(wire(lines({ "To": '"open <sip:a@b>' }))));
  for (const r of [poor, doubled, broken]) {
    const f = fault(validate(r));
    const answer = createResponse(r as SipRequest, f.status, f.text, { toTag: "t" });
    assert.ok(parseMessage(serialize(answer)).ok);
    assert.equal(answer.headers.count("To"), r.headers.count("To"));
  }
});

Deno.test("serialize: a line break in the start line is refused", () => {
  assert.throws(() => serialize(new SipRequest("OPTIONS", "sip:a\r\nX: y@b")), /line break/);
  assert.throws(() => serialize(new SipResponse(200, "OK\nX: y")), /line break/);
});
