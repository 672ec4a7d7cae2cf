import assert from "node:assert/strict";
import { HeaderList, parseMessage, serialize, splitList } from "../../../src/sip/message/mod.ts";
import { value, wire } from "./message_support.ts";

Deno.test("header list: names match in any case and in compact form", () => {
  const list = HeaderList.of([["v", "SIP/2.0/TCP a;branch=1"], ["SUBJECT", "hi"], ["k", "path"]]);
  assert.equal(list.get("Via"), "SIP/2.0/TCP a;branch=1");
  assert.equal(list.get("via"), list.get("V"));
  assert.equal(list.get("s"), "hi");
  assert.ok(list.has("Supported") && list.has("supported") && !list.has("Require"));
  // Names of JavaScript's own are names like others.
  assert.equal(list.get("constructor"), undefined);
  list.append("constructor", "x");
  assert.equal(list.get("Constructor"), "x");
});

Deno.test("header list: comma lists are split outside quotes and brackets only", () => {
  const list = HeaderList.of([
    ["Contact", '"Bell, A" <sip:a@b;x=1,2>;q=0.5 ,  <sip:c@d>'],
    ["Date", "Sat, 13 Nov 2010 23:29:00 GMT"],
    ["m", "<sip:e@f>"],
    ["WWW-Authenticate", 'Digest realm="a", nonce="b"'],
  ]);
  assert.deepEqual(list.getAll("contact"), [
    '"Bell, A" <sip:a@b;x=1,2>;q=0.5',
    "<sip:c@d>",
    "<sip:e@f>",
  ]);
  assert.equal(list.get("Contact"), '"Bell, A" <sip:a@b;x=1,2>;q=0.5');
  assert.equal(list.get("date"), "Sat, 13 Nov 2010 23:29:00 GMT");
  assert.deepEqual(list.getAll("www-authenticate"), ['Digest realm="a", nonce="b"']);
  assert.deepEqual(splitList('a "x\\",y" , ,b'), ['a "x\\",y"', "", "b"]);
  assert.deepEqual(splitList('"unterminated, x'), ['"unterminated, x']);
});

Deno.test("header list: set, append, prepend, remove keep the order of the others", () => {
  const list = HeaderList.of([["A", "1"], ["B", "2"], ["a", "3"], ["C", "4"]]);
  const text = () => list.entries().map((f) => f.line).join("|");
  list.set("a", "5");
  assert.equal(text(), "a: 5|B: 2|C: 4");
  list.prepend("C", "0");
  assert.equal(text(), "a: 5|B: 2|C: 0|C: 4");
  list.prepend("Z", "z");
  assert.equal(text(), "Z: z|a: 5|B: 2|C: 0|C: 4");
  assert.equal(list.remove("c"), true);
  assert.equal(list.remove("c"), false);
  list.set("New", "n");
  assert.equal(text(), "Z: z|a: 5|B: 2|New: n");
  assert.equal(list.count("a"), 1);
});

Deno.test("header list: the first value comes off and is replaced across lines and commas", () => {
  const list = HeaderList.of([["Route", "<sip:a>, <sip:b>"], ["Route", "<sip:c>"]]);
  list.replaceFirstValue("route", "<sip:x>");
  assert.deepEqual(list.getAll("Route"), ["<sip:x>", "<sip:b>", "<sip:c>"]);
  assert.equal(list.removeFirstValue("Route"), "<sip:x>");
  assert.equal(list.removeFirstValue("Route"), "<sip:b>");
  assert.equal(list.removeFirstValue("Route"), "<sip:c>");
  assert.equal(list.removeFirstValue("Route"), undefined);
  assert.equal(list.size, 0);
  list.replaceFirstValue("Route", "<sip:y>");
  assert.deepEqual(list.getAll("route"), ["<sip:y>"]);
});

Deno.test("header list: a clone is a list of its own", () => {
  const list = HeaderList.of([["Via", "SIP/2.0/UDP a"]]);
  const other = list.clone();
  other.prepend("Via", "SIP/2.0/UDP b");
  other.set("Subject", "x");
  assert.equal(list.size, 1);
  assert.equal(list.get("via"), "SIP/2.0/UDP a");
});

Deno.test("header list: a line break or a name that is no token never becomes a header", () => {
  const list = new HeaderList();
  assert.throws(() => list.append("Subject", "a\r\nX-Evil: 1"), /line break/);
  assert.throws(() => list.set("Subject", "a\nb"), /line break/);
  assert.throws(() => list.append("Sub ject", "a"), /no token/);
  assert.throws(() => list.append("Subject:\r\nX", "a"), /no token/);
  assert.equal(list.size, 0);
});

Deno.test("header list: folded and oddly spaced lines read as one and are relayed as received", () => {
  const bytes = wire([
    "OPTIONS sip:a@b SIP/2.0",
    "sUbJeCt \t:  one",
    "   two  ",
    "\tthree",
    "X-Unknown:;;,,;,;",
    "Empty:",
    "Content-Length:  0",
  ]);
  const message = value(parseMessage(bytes));
  assert.equal(message.headers.get("Subject"), "one two three");
  assert.equal(message.headers.get("Empty"), "");
  assert.deepEqual(serialize(message), bytes);
});

Deno.test("header list: only blanks and tabs are trimmed", () => {
  const list = HeaderList.of([["Subject", " \t\u00a0x\v \t"]]);
  assert.equal(list.get("subject"), "\u00a0x\v");
});
