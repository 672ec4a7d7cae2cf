import assert from "node:assert/strict";
import { NameAddr, Params, parseUri, Via } from "../../../src/sip/message/mod.ts";
import { fault, value } from "./message_support.ts";

const addr = (text: string) => value(NameAddr.parse(text));
const via = (text: string) => value(Via.parse(text));

Deno.test("name-addr: the forms of RFC 3261 20.10", () => {
  const table: [string, string | null, string, string | undefined][] = [
    ['"A. G. Bell" <sip:agb@bell.example>;tag=a48s', "A. G. Bell", "sip:agb@bell.example", "a48s"],
    ["sip:+12125551212@server.example;tag=887s", null, "sip:+12125551212@server.example", "887s"],
    ["Anonymous <sip:c8@privacy.example>;tag=hy", "Anonymous", "sip:c8@privacy.example", "hy"],
    ["caller<sip:caller@example.com>", "caller", "sip:caller@example.com", undefined],
    ["Watson,T <sip:a@b>".replace(",", " "), "Watson T", "sip:a@b", undefined],
    ["<sip:a@b;lr>", null, "sip:a@b;lr", undefined],
    ["  <sip:a@b> ; tag = x ", null, "sip:a@b", "x"],
    ['"" <sip:a@b>', "", "sip:a@b", undefined],
    ['"<sip:x@y>" <sip:a@b>', "<sip:x@y>", "sip:a@b", undefined],
    ['"a\\"b\\\\" <sip:a@b>', 'a"b\\', "sip:a@b", undefined],
    ["%Z%45 <sip:a@b>;tag=%zz", "%Z%45", "sip:a@b", "%zz"],
    ["Jörg <sip:a@b>", "Jörg", "sip:a@b", undefined],
    ["isbn:2983792873", null, "isbn:2983792873", undefined],
    ['<sip:a@b>;x="<,;>";tag=t', null, "sip:a@b", "t"],
    ['sip:a@b;x="<q>";tag=t', null, "sip:a@b", "t"],
  ];
  for (const [text, name, uri, tag] of table) {
    const a = addr(text);
    assert.deepEqual([a.displayName, `${a.uri}`, a.tag], [name, uri, tag], text);
  }
});

Deno.test("name-addr: parameters outside brackets are the header's (RFC 4475 3.3.12, 3.3.13)", () => {
  const outside = addr("sip:u@h;unknownparam");
  assert.equal(outside.uri.params.size, 0);
  assert.equal(outside.params.get("unknownparam"), "");
  assert.equal(
    `${NameAddr.of({ uri: outside.uri, params: outside.params })}`,
    "<sip:u@h>;unknownparam",
  );
  const inside = addr("<sip:u@h;unknownparam>");
  assert.ok(inside.uri.params.has("unknownparam"));
  assert.equal(inside.params.size, 0);
});

Deno.test("name-addr: what is none", () => {
  for (
    const text of [
      "",
      '"Mr. J. User <sip:j.user@example.com>',
      "Bell, Alexander <sip:agb@example.com>",
      "<sip:a@b",
      "< sip:a@b >",
      "sip:a@b?Route=%3Csip:x%3E",
      "<sip:a@b>tag=1",
      "<sip:a@b>;;tag=1",
      "<sip:a@b>;tag=",
      '<sip:a@b>;x="y',
      '"a" b <sip:a@b>',
      "a@b <sip:a@b>",
      "<sip:a@b>, <sip:c@d>",
    ]
  ) assert.ok(fault(NameAddr.parse(text)).length > 0, text);
});

Deno.test("name-addr: written with quotes and brackets, and as received when unchanged", () => {
  const uri = value(parseUri("sip:bob@example.com"));
  const made = NameAddr.of({ displayName: 'B "o" \\b', uri });
  assert.equal(`${made}`, '"B \\"o\\" \\\\b" <sip:bob@example.com>');
  assert.equal(addr(`${made}`).displayName, 'B "o" \\b');
  assert.equal(`${made.withTag("x1")}`, '"B \\"o\\" \\\\b" <sip:bob@example.com>;tag=x1');
  assert.equal(
    `${NameAddr.of({ displayName: "a\r\nX: y", uri })}`,
    '"a X: y" <sip:bob@example.com>',
  );
  const received = "Bob  <sip:bob@example.com> ;TAG=7;x";
  assert.equal(`${addr(received)}`, received);
  assert.equal(addr(received).withoutParam("tag").tag, undefined);
  assert.equal(addr(received).tag, "7");
});

Deno.test("params: values that are no token are quoted, flags have none", () => {
  const params = Params.of({ q: "0.7", "+sip.instance": "<urn:uuid:1>", ob: null });
  assert.equal(`${params}`, ';q=0.7;+sip.instance="<urn:uuid:1>";ob');
  const read = addr(`<sip:a@b>${params}`).params;
  assert.deepEqual([...read.entries()], [["q", "0.7"], ["+sip.instance", "<urn:uuid:1>"], [
    "ob",
    null,
  ]]);
  assert.equal(read.with("Q", "1.0").get("q"), "1.0");
  assert.equal(read.with("Q", "1.0").size, 3);
  assert.throws(() => params.with("a b", "x"), /no token/);
  assert.equal(addr("<sip:a@b>;tag=1;TAG=2").params.repeated, "tag");
});

Deno.test("via: parts, with blanks wherever the grammar allows them", () => {
  const plain = via("SIP/2.0/UDP erlang.example:5060;received=192.0.2.207;branch=z9hG4bK77asjd");
  assert.deepEqual(
    [plain.protocol, plain.transport, plain.host, plain.port, plain.branch, plain.received],
    ["SIP/2.0", "UDP", "erlang.example", 5060, "z9hG4bK77asjd", "192.0.2.207"],
  );
  const odd = via("SIP  / 2.0\t / tcp   Spindle.Example : 5061 ; branch = z9hG4bK9ikj8 ; rport");
  assert.deepEqual(
    [odd.protocol, odd.transport, odd.sentBy, odd.branch, odd.rport],
    ["SIP/2.0", "TCP", "spindle.example:5061", "z9hG4bK9ikj8", ""],
  );
  const six = via('SIP/2.0/TLS [2001:db8::9:1]:5061;received=[2001:db8::9:255];x="a;b"');
  assert.deepEqual([six.host, six.received], ["[2001:db8::9:1]", "[2001:db8::9:255]"]);
  assert.equal(via("SIP/2.0/UDP h;received=2001:db8::1").received, "2001:db8::1");
  assert.equal(via("SIP/2.0/UNKNOWN h").branch, undefined);
});

Deno.test("via: what is none", () => {
  for (
    const text of [
      "",
      "SIP/2.0 h",
      "SIP/2.0/UDP",
      "SIP/2.0/UDP ",
      "SIP/2.0/UDPh",
      "SIP/2.0/UDP h;;",
      "SIP/2.0/UDP h:",
      "SIP/2.0/UDP h:99999",
      "SIP/2.0/UDP h x",
      "SIP/2.0/UDP h;branch=",
      "/2.0/UDP h",
    ]
  ) assert.ok(fault(Via.parse(text)).length > 0, text);
});

Deno.test("via: built and answered", () => {
  const made = Via.of({
    transport: "WSS",
    host: "lab",
    port: 8443,
    params: Params.of({ branch: "z9hG4bKx" }),
  });
  assert.equal(`${made}`, "SIP/2.0/WSS lab:8443;branch=z9hG4bKx");
  const answered = via("SIP/2.0/UDP h;rport;branch=b").withParam("rport", "4711")
    .withParam("received", "192.0.2.1");
  assert.equal(`${answered}`, "SIP/2.0/UDP h;rport=4711;branch=b;received=192.0.2.1");
  assert.equal(
    `${answered.withParam("received", "2001:db8::1")}`.split("received=")[1],
    "2001:db8::1",
  );
});
