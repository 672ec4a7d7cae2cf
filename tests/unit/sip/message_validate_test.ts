import assert from "node:assert/strict";
import { parseMessage, validate } from "../../../src/sip/message/mod.ts";
import { fault, lines, request, value, wire } from "./message_support.ts";

Deno.test("validate: requests that are sound", () => {
  const table: [string, Record<string, string | null>, string?][] = [
    ["RFC 2543: no branch, no Max-Forwards, no tag", {
      "Via": "SIP/2.0/UDP h",
      "Max-Forwards": null,
      "From": "sip:a@b",
    }],
    ["leading zeros", { "Max-Forwards": "0068", "CSeq": "0009\tINVITE" }],
    ["unknown method", { "CSeq": "1 RE%47IST%45R" }, "RE%47IST%45R sip:a@b SIP/2.0"],
    ["a method is case-sensitive", { "CSeq": "1 invite" }, "invite sip:a@b SIP/2.0"],
    ["tel", {}, "INVITE tel:+12015550123 SIP/2.0"],
    ["unknown schemes elsewhere", { "From": "<http://x.example/>", "To": "isbn:2983792873" }],
    ["Contact *", { "CSeq": "1 REGISTER", "Contact": "*" }, "REGISTER sip:b SIP/2.0"],
    ["a Date that is none", { "Date": "Fri, 01 Jan 2010 16:00:00 EST" }],
    ["an Expires that is none", { "Expires": "1000000000000000" }],
    ["unknown transports below the top", { "v": "SIP/2.0/UNKNOWN h;branch=z9hG4bKu" }],
    ["several values a line", { "Contact": '"A, B" <sip:a@b>, <sip:c@d>' }],
    ["version in lower case", {}, "INVITE sip:a@b sip/2.0"],
  ];
  for (const [what, better, startLine] of table) {
    const result = validate(request(better, startLine));
    assert.ok(result.ok, `${what}: ${JSON.stringify(result)}`);
  }
});

Deno.test("validate: faults name status, header and value", () => {
  const table: [Record<string, string | null>, number, RegExp, string?][] = [
    [{ "From": null, "To": null, "Call-ID": null }, 400, /^Missing From, To, Call-ID$/],
    [{ "Via": null }, 400, /^Missing Via$/],
    [{ "t": "<sip:a@b>" }, 400, /^More than one To$/],
    [{ "i": "again" }, 400, /^More than one Call-ID$/],
    [{ "max-forwards": "1" }, 400, /^More than one Max-Forwards$/],
    [{ "Call-ID": "two words" }, 400, /Call-ID/],
    [{ "CSeq": "36893488147419103232 INVITE" }, 400, /below 2\^31/],
    [{ "CSeq": "2147483648 INVITE" }, 400, /CSeq/],
    [{ "CSeq": "-1 INVITE" }, 400, /CSeq/],
    [{ "CSeq": "1INVITE" }, 400, /CSeq/],
    [{ "CSeq": "1 INVITE x" }, 400, /CSeq/],
    [{ "CSeq": "2 OPTIONS" }, 400, /CSeq says OPTIONS, the request line INVITE/],
    [{ "Max-Forwards": "300" }, 400, /0 to 255/],
    [{ "Max-Forwards": "x" }, 400, /Max-Forwards/],
    [{ "Via": "SIP/2.0/UDP h;branch=z9hG4bK" }, 400, /cookie/],
    [{ "Via": "SIP/2.0/UDP 192.0.2.15;;,;,," }, 400, /Via/],
    [{ "Via": "SIP/2.0/UDP h;branch=a;branch=b" }, 400, /branch stands twice/],
    [{ "Contact": '"Joe" <sip:joe@example.org>;;;;' }, 400, /Contact/],
    [{ "Contact": "*" }, 400, /Contact \*/],
    [{ "Contact": "sip:u@h?Route=%3Csip:x%3E" }, 400, /Contact/],
    [{ "Contact": "" }, 400, /Contact/],
    [{ "Route": "sip:a b" }, 400, /Route/],
    [{ "Record-Route": "<sip:a" }, 400, /Record-Route/],
    [{ "To": '"Mr. J. User <sip:j.user@example.com>' }, 400, /To: unterminated/],
    [{ "To": '"T" < sip:t@example.org >' }, 400, /To/],
    [{ "From": "Bell, Alexander <sip:agb@example.com>;tag=43" }, 400, /must be quoted/],
    [{ "From": "<sip:a@b>;tag=1;tag=2" }, 400, /tag stands twice/],
    [{}, 505, /^Version Not Supported$/, "INVITE sip:a@b SIP/7.0"],
    [{}, 416, /Scheme/, "INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"],
    [{}, 416, /Scheme/, "INVITE soap.beep://192.0.2.103:3002 SIP/2.0"],
    [{}, 400, /Request-URI/, "INVITE <sip:a@b> SIP/2.0"],
    [{}, 400, /Request-URI/, "INVITE sip:a@b?Route=%3Csip:x%3E SIP/2.0"],
    [{}, 400, /Request-URI/, "INVITE sip:a@b@c SIP/2.0"],
  ];
  for (const [better, status, text, startLine] of table) {
    const f = fault(validate(request(better, startLine)));
    assert.equal(f.status, status, f.text);
    assert.match(f.text, text);
  }
});

Deno.test("validate: Contact * with another value, or twice", () => {
  for (const contact of [["*", "<sip:a@b>"], ["*, <sip:a@b>"], ["*", "*"]]) {
    const r = wire([
      ...lines({ "CSeq": "1 REGISTER", "Contact": null }, "REGISTER sip:b SIP/2.0"),
      ...contact.map((c) => `m: ${c}`),
    ]);
    assert.equal(fault(validate(value(parseMessage(r)))).status, 400, contact.join("|"));
  }
});

Deno.test("validate: responses pass without a method to compare and fail like requests", () => {
  const response = (better: Record<string, string | null>) =>
    value(parseMessage(wire(lines(better, "SIP/2.0 200 OK"))));
  assert.ok(validate(response({})).ok);
  assert.ok(validate(response({ "CSeq": "1 ANYTHING" })).ok);
  assert.equal(fault(validate(response({ "CSeq": "9292394834772304023312 OPTIONS" }))).status, 400);
  assert.equal(fault(validate(response({ "Via": null }))).status, 400);
});
