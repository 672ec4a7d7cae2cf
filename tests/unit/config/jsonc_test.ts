import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { parseJsonc, toPlain } from "../../../src/core/config/jsonc.ts";

function plain(text: string): unknown {
  const parsed = parseJsonc(text);
  assert.ok(parsed.ok, parsed.ok ? "" : JSON.stringify(parsed.error));
  return toPlain(parsed.value);
}

function fault(text: string): string {
  const parsed = parseJsonc(text);
  assert.ok(!parsed.ok, `expected a fault in ${text}`);
  return `${parsed.error.line}:${parsed.error.column} ${parsed.error.text}`;
}

Deno.test("jsonc: every JSON text means what it means to JSON.parse", () => {
  fc.assert(fc.property(fc.json(), fc.constantFrom(0, 2), (json, indent) => {
    // A second writing of the same value, so that white space and escapes vary.
    const text = JSON.stringify(JSON.parse(json), null, indent);
    const expected = JSON.parse(json);
    assert.deepEqual(JSON.stringify(plain(json)), JSON.stringify(expected));
    assert.deepEqual(JSON.stringify(plain(text)), JSON.stringify(expected));
  }));
});

Deno.test("jsonc: no text makes the reader throw", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "a",
    "1",
    "-",
    "/",
    "*",
    "\n",
    "\\",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const parsed = parseJsonc(pieces.join(""));
    if (!parsed.ok) assert.ok(parsed.error.line >= 1 && parsed.error.column >= 1);
  }));
});

Deno.test("jsonc: comments, trailing commas and a byte order mark are no content", () => {
  const text =
    '\ufeff// first\n{ /* a, b */ "a": [1, 2,], // one\n "b": { "c": "//no", }, }\n// last';
  assert.deepEqual(plain(text), { a: [1, 2], b: { c: "//no" } });
});

Deno.test("jsonc: members know their line, also after comments and multi-line values", () => {
  const parsed = parseJsonc('{\n// x\n/*\n*/ "a": [\n1\n],\n "b": 2, "c": 3 }');
  assert.ok(parsed.ok && parsed.value instanceof Map);
  const lines = [...parsed.value].map(([name, { line }]) => [name, line]);
  assert.deepEqual(lines, [["a", 4], ["b", 7], ["c", 7]]);
});

Deno.test("jsonc: a fault names line, column and what was expected", () => {
  assert.equal(fault('{\n "a": 1,, }'), '2:9 expected a name in double quotes or "}", found ","');
  assert.equal(fault('{ "a" 1 }'), '1:7 expected ":", found "1"');
  assert.equal(fault('{ "a": yes }'), "1:8 expected a value, found yes");
  assert.equal(fault('{ "a": 1'), '1:9 expected "," or "}", found the end of the text');
  assert.equal(fault("[1 2]"), '1:4 expected "," or "]", found "2"');
  assert.equal(fault('{ "a": "x\n" }'), "1:8 this string is not closed on its line");
  assert.equal(fault('["\\q"]'), "1:2 this string holds a control character or an unknown escape");
  assert.equal(fault("/* x"), "1:1 this comment is never closed");
  assert.equal(fault("{} {}"), '1:4 expected the end, found "{"');
  assert.equal(fault('{"a":1,\n"a":2}'), '2:1 the name "a" stands here twice');
  assert.equal(fault(""), "1:1 expected a value, found the end of the text");
  assert.match(fault("[".repeat(100)), /nested deeper than 32/);
});
