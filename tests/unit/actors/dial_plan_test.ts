import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { DialPlan, numberOf, type OutboundRule, toE164 } from "../../../src/actors/dial_plan.ts";
import { compilePattern } from "../../../src/core/number_pattern.ts";

const RULE: OutboundRule = {
  match: "0.",
  strip: 0,
  prefix: "",
  e164: "49",
  trunks: ["a"],
  allow: ["pstn"],
};

function plan(...rules: Partial<OutboundRule>[]): DialPlan {
  return new DialPlan({ outbound: rules.map((rule) => ({ ...RULE, ...rule })), inbound: [] });
}

const ALICE = { account: "alice", rights: new Set(["pstn"]) };
const BOB = { account: "bob", rights: new Set<string>() };

Deno.test("number patterns: each sign means what it says, and the whole number counts", () => {
  const cases: [string, string[], string[]][] = [
    ["0.", ["01", "0049"], ["0", "10", "+01"]],
    ["0!", ["0", "01"], ["10"]],
    ["11X", ["110", "119"], ["11", "1100", "11a"]],
    ["ZNX", ["120", "999"], ["020", "110"]],
    ["+49.", ["+491"], ["+49", "49123", "+481"]],
    ["*21#", ["*21#"], ["21#", "x21#"]],
    ["^1|2", ["1", "2"], ["12", "21", "31"]],
    ["^0[1-9]\\d{3,}$", ["01234"], ["0123", "00123"]],
  ];
  for (const [text, yes, no] of cases) {
    const pattern = compilePattern(text);
    assert(pattern.ok, text);
    for (const number of yes) assert.ok(pattern.value.test(number), `${text} ${number}`);
    for (const number of no) assert.ok(!pattern.value.test(number), `${text} not ${number}`);
  }
  for (const text of ["", "abc", "1.2", "^(", "0.!"]) assert.equal(compilePattern(text).ok, false);
});

Deno.test("numbers: separators go, names and what hides behind digits are none", () => {
  const cases: [string, string | undefined][] = [
    ["030 123-45.6", "030123456"],
    ["+49 (30) 123", "+4930123"],
    ["0301;phone-context=+49", "0301"],
    ["*21*5#", "*21*5#"],
    ["alice", undefined],
    ["030@carrier", undefined],
    ["030\r\nX: y", undefined],
    ["", undefined],
    ["1".repeat(40), undefined],
  ];
  for (const [text, number] of cases) assert.equal(numberOf(text), number, text);
});

Deno.test("E.164: national, international and plain numbers; services stay as they are", () => {
  assert.equal(toE164("030123", "49"), "+4930123");
  assert.equal(toE164("0033123456", "49"), "+33123456");
  assert.equal(toE164("+33123456", "49"), "+33123456");
  assert.equal(toE164("112", "49"), "112");
  assert.equal(toE164("00", "49"), "00");
});

Deno.test("dial plan: the first rule that fits and allows; nobody without a right", () => {
  const rules = plan(
    { match: "00.", allow: ["world"], trunks: ["w"] },
    { match: "0.", trunks: ["a", "b"] },
    { match: "9.", strip: 1, prefix: "0049", trunks: ["c"], allow: ["bob"], e164: "" },
  );
  assert.deepEqual(rules.dial("0301234", ALICE), {
    kind: "trunks",
    number: "+49301234",
    trunks: ["a", "b"],
  });
  assert.deepEqual(rules.dial("930", BOB), { kind: "trunks", number: "004930", trunks: ["c"] });
  for (const dialler of [BOB, null]) {
    assert.deepEqual(rules.dial("0301234", dialler), { kind: "forbidden" });
  }
  assert.deepEqual(rules.dial("930", ALICE), { kind: "forbidden" });
  assert.equal(rules.dial("1000", ALICE), undefined);
});

Deno.test("dial plan: without account or right no number leads to a trunk, whatever is dialled", () => {
  const rules = plan({ match: "^.*" }, { match: "0.", allow: ["alice"] });
  fc.assert(fc.property(fc.string(), (typed) => {
    const number = numberOf(typed);
    if (number === undefined) return;
    assert.match(number, /^\+?[0-9*#]+$/);
    for (const dialler of [BOB, null]) {
      assert.notEqual(rules.dial(number, dialler)?.kind, "trunks");
    }
  }));
});

Deno.test("dial plan: calls from trunks by number and trunk", () => {
  const rules = new DialPlan({
    outbound: [],
    inbound: [
      { match: "+49301234XX", to: "1000", trunks: ["a"] },
      { match: "+49301234.", to: "1001", trunks: [] },
    ],
  });
  assert.equal(rules.receive("+4930123400", "a"), "1000");
  assert.equal(rules.receive("+4930123400", "b"), "1001");
  assert.equal(rules.receive("+4930", "a"), undefined);
});
