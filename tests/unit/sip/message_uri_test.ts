import assert from "node:assert/strict";
import { escapeUser, Params, parseUri, SipUri } from "../../../src/sip/message/mod.ts";
import { fault, value } from "./message_support.ts";

const uri = (text: string) => value(parseUri(text));

Deno.test("uri: parts of a full one", () => {
  const u = uri("SIP:alice;day=tue:se%63ret@Atlanta.Example.COM:5070;Transport=TCP;lr?a=b%20c&d=");
  assert.deepEqual(
    [u.scheme, u.user, u.password, u.host, u.port, u.transport],
    ["sip", "alice;day=tue", "se%63ret", "atlanta.example.com", 5070, "TCP"],
  );
  assert.equal(u.params.get("lr"), "");
  assert.equal(u.params.get("maddr"), undefined);
  assert.deepEqual(u.headers, [["a", "b c"], ["d", ""]]);
  assert.equal(u.hostPort, "atlanta.example.com:5070");
});

Deno.test("uri: what was read is written back as it was", () => {
  for (
    const text of [
      "sip:%61lice@EXAMPLE.com",
      "sips:1212@gateway.example.com",
      "sip:[2001:DB8::1]:5060;transport=udp",
      "sip:example.com",
      "sip:a%00b@example.com",
      "tel:+1-201-555-0123;phone-context=example.com",
      "nobodyKnowsThisScheme:totally+opaque",
      "urn:service:sos",
    ]
  ) assert.equal(`${uri(text)}`, text);
  assert.equal(uri("sip:[2001:DB8::1]").address, "2001:db8::1");
  for (const ip of ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "fe80::1:2"]) {
    assert.equal(uri(`sip:[${ip}]:5060`).address, ip);
  }
});

Deno.test("uri: semicolons and escaped at signs belong to the user (RFC 4475 3.1.1.9)", () => {
  const u = uri("sip:user;par=u%40example.net@example.com");
  assert.equal(u.user, "user;par=u@example.net");
  assert.equal(u.rawUser, "user;par=u%40example.net");
  assert.equal(u.host, "example.com");
  assert.equal(u.params.size, 0);
});

Deno.test("uri: escapes are undone once, in parameters too (RFC 4475 3.1.1.3)", () => {
  const u = uri("sip:sips%3Auser%40example.com@example.net;%6C%72;n%61me=v%61lue%25%34%31");
  assert.equal(u.scheme, "sip");
  assert.equal(u.user, "sips:user@example.com");
  assert.equal(u.host, "example.net");
  assert.ok(u.params.has("lr"));
  assert.equal(u.params.get("name"), "value%41");
});

Deno.test("uri: what is none", () => {
  for (
    const text of [
      "",
      "sip:",
      "sip:@example.com",
      "sip:a@",
      "alice@example.com",
      "<sip:a@b>",
      " sip:a@b",
      "sip:a@b ",
      "sip:a b@c",
      "sip:a@b;",
      "sip:a@b;;lr",
      "sip:a@b;lr=",
      "sip:a@b:",
      "sip:a@b:x",
      "sip:a@b:65536",
      "sip:a@b:5060x",
      "sip:a@b@c",
      "sip:a%4@b",
      "sip:a%zz@b",
      "sip:ü@b",
      "sip:a\u0000@b",
      "sip:a@b?x",
      "sip:a@b?x=y z",
      "sip:a@b..c",
      "sip:a@[::1",
      "sip:a@[zz]",
      "sip:a@[1:2]",
      "sip:a@[1::2::3]",
      "sip:a@[1:2:3:4:5:6:7:8:9]",
      "sip:a@[::12345]",
      "sip:a@[:::]",
      "sip:a\r\nX: y@b",
      "tel:",
      "tel:alice",
      "http:a b",
      "x:",
      '"sip:a@b"',
    ]
  ) assert.ok(fault(parseUri(text)).text.length > 0, text);
});

Deno.test("uri: equality as in the examples of RFC 3261 19.1.4", () => {
  const equal: [string, string][] = [
    ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
    [
      "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
      "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ],
    [
      "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
      "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ],
    ["tel:+1-201-555-0123", "tel:+1(201)5550123"],
    ["urn:service:sos", "urn:service:sos"],
  ];
  for (const [a, b] of equal) {
    assert.ok(uri(a).equals(uri(b)) && uri(b).equals(uri(a)), `${a} = ${b}`);
  }
  const different: [string, string][] = [
    ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
    ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
    ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;newparam=6"],
    ["sip:a@b", "sips:a@b"],
    ["sip:a@b", "sip:b"],
    ["sip:a%3Bb@c", "sip:a;b@c"],
    ["sip:a%253Bb@c", "sip:a%3Bb@c"],
    ["sip:a%00@c", "sip:a%00%00@c"],
    ["sip:a@b;user=phone", "sip:a@b"],
    ["tel:+1-201-555-0123", "tel:+1-201-555-0124"],
  ];
  for (const [a, b] of different) {
    assert.ok(!uri(a).equals(uri(b)) && !uri(b).equals(uri(a)), `${a} != ${b}`);
  }
});

Deno.test("uri: the address of record is one key for all its spellings", () => {
  assert.equal(uri("sip:%61lice@Example.COM;transport=tcp").aorKey(), "alice@example.com");
  assert.equal(uri("sips:alice@example.com:5061").aorKey(), "alice@example.com:5061");
  assert.equal(uri("sip:alice@127.0.0.1:8080").aorKey("Lab.Example"), "alice@lab.example");
  assert.equal(uri("sip:example.com").aorKey(), "example.com");
  assert.notEqual(uri("sip:Alice@example.com").aorKey(), uri("sip:alice@example.com").aorKey());
});

Deno.test("uri: built from what people write", () => {
  const u = SipUri.of({ user: "Jörg Ä @home", host: "Example.com", port: 5060 });
  assert.equal(`${u}`, "sip:J%C3%B6rg%20%C3%84%20%40home@example.com:5060");
  assert.equal(uri(`${u}`).user, "Jörg Ä @home");
  assert.ok(u.equals(uri(`${u}`)));
  assert.equal(`${SipUri.of({ host: "::1", port: 5060 })}`, "sip:[::1]:5060");
  const params = Params.ofUri({ transport: "tcp", lr: null, "odd name": "a;b" });
  const full = SipUri.of({ scheme: "sips", user: "a", password: "p:w", host: "h", params });
  assert.equal(`${full}`, "sips:a:p%3Aw@h;transport=tcp;lr;odd%20name=a%3Bb");
  assert.equal(uri(`${full}`).params.get("odd name"), "a;b");
});

Deno.test("uri: changes leave the original alone", () => {
  const u = uri("sip:a%3Bb@h:5062;lr;x=%41?h=v");
  assert.equal(`${u.withParam("transport", "ws")}`, "sip:a%3Bb@h:5062;lr;x=%41;transport=ws?h=v");
  assert.equal(`${u.withoutParam("LR").withoutHeaders()}`, "sip:a%3Bb@h:5062;x=%41");
  assert.equal(`${u.withHost("Other")}`, "sip:a%3Bb@other;lr;x=%41?h=v");
  assert.equal(
    `${u.withHeaders([["Replaces", "a;to-tag=b"]])}`.split("?")[1],
    "Replaces=a%3Bto-tag%3Db",
  );
  assert.equal(`${u}`, "sip:a%3Bb@h:5062;lr;x=%41?h=v");
});

Deno.test("escapeUser escapes what a user part forbids and nothing else", () => {
  assert.equal(escapeUser("alice-_.!~*'()&=+$,;?/09"), "alice-_.!~*'()&=+$,;?/09");
  assert.equal(
    escapeUser('a b@c:d#%<>"\\é€😀'),
    "a%20b%40c%3Ad%23%25%3C%3E%22%5C%C3%A9%E2%82%AC%F0%9F%98%80",
  );
  assert.equal(escapeUser("a\r\nX: y"), "a%0D%0AX%3A%20y");
});

Deno.test("uri: a host that is none is not built", () => {
  for (const host of ["", "a>b", "a;x=y", "a b", "a@b", "a\r\nX: y", "a:b", "[::1"]) {
    assert.throws(() => SipUri.of({ user: "u", host }), /no host/, host);
    assert.throws(() => uri("sip:a@b").withHost(host), /no host/, host);
  }
});
