import assert from "node:assert/strict";
import { parseCallee } from "../../../src/actors/routing.ts";

const OPTIONS = {
  canonicalDomain: "lab.example",
  isOurs: (host: string) => ["lab.example", "127.0.0.1", "localhost"].includes(host.toLowerCase()),
};

function callee(text: string, isPortZero = true): string {
  const result = parseCallee(text, isPortZero, OPTIONS);
  return result.ok ? `${result.value.name} -> ${result.value.uri}` : result.error;
}

Deno.test("routing: what a user of SIP Port 0 may type means somebody of ours", () => {
  const cases: [string, string][] = [
    ["bob", "bob -> sip:bob@lab.example"],
    ["  bob ", "bob -> sip:bob@lab.example"],
    ["1000", "1000 -> sip:1000@lab.example"],
    ["+49 30 1", "+49 30 1 -> sip:+49%2030%201@lab.example"],
    ["bob@anything.example", "bob -> sip:bob@lab.example"],
    ["bob@work@anything.example", "bob@work -> sip:bob%40work@lab.example"],
    ["sip:bob@anything.example:5090", "bob -> sip:bob@lab.example"],
    ["SIP:bob@localhost", "bob -> sip:bob@lab.example"],
    ["sips:bob@localhost", "bob -> sip:bob@lab.example"],
    ["Jürgen", "Jürgen -> sip:J%C3%BCrgen@lab.example"],
  ];
  for (const [text, wanted] of cases) assert.equal(callee(text), wanted, text);
});

Deno.test("routing: on another port a foreign domain stays foreign, ours is ours", () => {
  const cases: [string, string][] = [
    ["bob", "bob -> sip:bob@lab.example"],
    ["bob@LOCALHOST", "bob -> sip:bob@lab.example"],
    ["bob@other.example", "bob@other.example -> sip:bob@other.example"],
    ["sip:bob@127.0.0.1:5060", "bob -> sip:bob@lab.example"],
    [
      "sip:bob@other.example;transport=tcp",
      "bob@other.example -> sip:bob@other.example;transport=tcp",
    ],
  ];
  for (const [text, wanted] of cases) assert.equal(callee(text, false), wanted, text);
});

Deno.test("routing: what names nobody is said in words", () => {
  const cases: [string, RegExp][] = [
    ["", /callee is empty/],
    ["   ", /callee is empty/],
    ["@lab.example", /lacks a name or a domain/],
    ["bob@", /lacks a name or a domain/],
    ["sip:lab.example", /names nobody/],
    ["sip:", /no SIP URI/],
    ["sip:bob@lab example", /no SIP URI/],
  ];
  for (const [text, wanted] of cases) assert.match(callee(text), wanted, text);
});
