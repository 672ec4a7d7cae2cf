import assert from "node:assert/strict";
import { checkInviteParameters, checkSipSdp } from "../../../src/websdk/invite_options.ts";
import {
  checkAuthName,
  checkHost,
  checkUser,
  checkVisibleName,
} from "../../../src/websdk/validation.ts";

Deno.test("user names: every ASCII character is allowed or not as RFC 3261 says", () => {
  const unreserved = "-_.!~*'()&=+$,;?/";
  for (let code = 0; code < 128; code++) {
    const character = String.fromCharCode(code);
    const allowed = /[A-Za-z0-9]/.test(character) || unreserved.includes(character);
    const checked = checkUser("sipLogin", `a${character}`);
    assert.equal(checked.ok, allowed, JSON.stringify(character));
    if (!checked.ok) assert.match(checked.error.text, /^sipLogin: character .* at position 2 /);
  }
});

Deno.test("user names: escapes of characters that print, and no others", () => {
  for (const good of ["%20", "a%41b", "%7e", "%C3%BC"]) assert.ok(checkUser("f", good).ok, good);
  for (const bad of ["%", "%4", "%zz", "100%", "%00", "%0d%0A", "%7F", "%1f"]) {
    assert.equal(checkUser("f", bad).ok, false, bad);
  }
});

Deno.test("user names: beyond ASCII what prints is allowed; what hides or steers is not", () => {
  for (const good of ["Jürgen", "алиса", "李", "😀", "👩\u200d👧", "نام\u200cها"]) {
    assert.ok(checkUser("f", good).ok, good);
  }
  for (const code of [0x85, 0xa0, 0xad, 0x2028, 0x202e, 0x200b, 0x2003, 0xfeff, 0xd800, 0xe000]) {
    const checked = checkUser("f", `a${String.fromCharCode(code)}`);
    assert.equal(checked.ok, false, code.toString(16));
  }
});

Deno.test("positions count characters, not UTF-16 units", () => {
  const checked = checkUser("f", "😀😀 x");
  assert.match(checked.ok ? "" : checked.error.text, /position 3 /);
});

Deno.test("auth names: @ and backslash yes; blanks, controls, quotes and brackets no", () => {
  for (const good of ["alice@example.org", "DOMAIN\\alice", "a:b", "x'y"]) {
    assert.ok(checkAuthName("f", good).ok, good);
  }
  for (const bad of ["a b", 'a"b', "a<b", "a>b", "a\r\nb", "a\u007f", "a\u2028"]) {
    assert.equal(checkAuthName("f", bad).ok, false, JSON.stringify(bad));
  }
});

Deno.test("hosts: names and addresses, without ports, paths and schemes", () => {
  const good = ["localhost", "a.b-c.example.", "192.0.2.10", "[::1]", "::1", "fe80::1", "my_pc"];
  for (const host of good) assert.ok(checkHost("f", host).ok, host);
  const bad = [
    "",
    "a b",
    "host:5060",
    "ws://host",
    "[::1",
    "::1]",
    "a@b",
    "a..b",
    "-",
    "a/b",
    "a,b",
  ];
  for (const host of bad) assert.equal(checkHost("f", host).ok, false, host);
});

Deno.test("visible names: blanks and quotes yes, line ends and text that turns round no", () => {
  assert.ok(checkVisibleName("f", 'Jürgen "the boss" <x>').ok);
  for (const bad of ["a\nb", "a\u0000", "a\u202eb", "x".repeat(200)]) {
    assert.equal(checkVisibleName("f", bad).ok, false);
  }
});

Deno.test("headers that make the call cannot be set, in any spelling", () => {
  const names = ["Via", "FROM", "to", "Call-ID", "CSeq", "contact", "Max-Forwards", "Route"];
  names.push("Record-Route", "Content-Length", "Content-Type", "Authorization", "Privacy");
  names.push("Proxy-Authorization", "P-Asserted-Identity", "P-Preferred-Identity", "Replaces");
  names.push("Remote-Party-ID", "Identity", "Diversion", "History-Info", "Referred-By", "Require");
  names.push("f", "t", "i", "m", "v", "l", "x", "X-PZ-Endpoint", "User-Agent", "Date");
  for (const name of names) {
    const checked = checkInviteParameters({ [name]: "x" });
    assert.equal(checked.ok, false, name);
  }
  for (const name of ["X-Foo", "Subject", "Call-Info", "Alert-Info", "User-to-User", "Priority"]) {
    assert.ok(checkInviteParameters({ [name]: "x" }).ok, name);
  }
});

Deno.test("a parameter named __proto__ is a header like any other", () => {
  const checked = checkInviteParameters(JSON.parse('{"__proto__":"x"}'));
  assert.ok(checked.ok);
  assert.deepEqual(Object.entries(checked.value), [["__proto__", "x"]]);
  assert.equal(Object.getPrototypeOf(checked.value), Object.prototype);
});

Deno.test("parameters and SDP lines are bounded", () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`X-${i}`, "x"]));
  assert.equal(checkInviteParameters(many).ok, false);
  assert.equal(checkInviteParameters({ "X-A": "x".repeat(513) }).ok, false);
  assert.equal(checkInviteParameters({ "X-A": { b: 1 } }).ok, false);
  assert.equal(checkSipSdp(Array(17).fill("b=AS:64")).ok, false);
  assert.equal(checkSipSdp([`i=${"x".repeat(600)}`]).ok, false);
});

Deno.test("SDP lines: bandwidth and plain attributes, not what is negotiated", () => {
  for (const good of [undefined, null, "b=AS:64", ["b=TIAS:64000", "a=x-mine:1", "a=tool"], []]) {
    assert.ok(checkSipSdp(good).ok, JSON.stringify(good));
  }
  const bad = ["m=audio 9 RTP/AVP 0", "c=IN IP4 10.0.0.1", "v=0", "o=x", "a=Candidate:1", "b", ""];
  bad.push("a=fingerprint:sha-256 AA", "a=ice-ufrag:x", "a=rtpmap:0 X/8000", "a=sendonly", "a=");
  bad.push("a=X-PZ-endpoint:1", "b=AS:64\nm=audio", "b=AS:64\u2028", "a=crypto:1 x", "k=clear:x");
  for (const line of bad) assert.equal(checkSipSdp([line]).ok, false, JSON.stringify(line));
  assert.equal(checkSipSdp([5]).ok, false);
  assert.equal(checkSipSdp({}).ok, false);
});
