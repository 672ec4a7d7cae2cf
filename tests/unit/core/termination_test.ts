import assert from "node:assert/strict";
import { termination, terminationOfStatus } from "../../../src/core/termination.ts";

Deno.test("termination: what a final response means for the call that sent the INVITE", () => {
  const table: [number, string, string][] = [
    [400, "bad_request", "client"],
    [401, "forbidden", "client"],
    [403, "forbidden", "client"],
    [404, "not_found", "client"],
    [407, "forbidden", "client"],
    [408, "request_timeout", "upstream"],
    [410, "unavailable", "client"],
    [415, "no_common_codec", "client"],
    [480, "unavailable", "client"],
    [482, "bad_request", "client"],
    [486, "busy", "success"],
    [487, "cancelled", "success"],
    [488, "no_common_codec", "client"],
    [500, "upstream_error", "upstream"],
    [503, "upstream_error", "upstream"],
    [600, "busy", "success"],
    [603, "rejected", "success"],
    [604, "not_found", "client"],
    [606, "no_common_codec", "client"],
  ];
  for (const [status, reason, result] of table) {
    const end = terminationOfStatus(status, "Phrase");
    assert.deepEqual([end.reason, end.result], [reason, result], String(status));
    assert.deepEqual([end.sipStatus, end.by], [status, "remote"]);
    assert(end.text.length > 10);
  }
});

Deno.test("termination: every final status from 300 to 699 means something", () => {
  for (let status = 300; status < 700; status++) {
    const end = terminationOfStatus(status, "Phrase");
    assert.equal(end.sipStatus, status);
    assert.notEqual(end.reason, "internal_error");
  }
});

Deno.test("termination: a refusal that has no word of its own says the phrase", () => {
  assert.match(terminationOfStatus(423, "Interval Too Brief").text, /Interval Too Brief/);
  assert.match(terminationOfStatus(502, "Bad Gateway").text, /502 Bad Gateway/);
  assert.match(terminationOfStatus(403, "Not Today").text, /Not Today/);
});

Deno.test("termination: what this end knows better goes before the rule, the rest stays", () => {
  assert.deepEqual(termination("media_silent", { text: "Nothing for 60 s" }), {
    reason: "media_silent",
    result: "client",
    sipStatus: 200,
    by: "server",
    text: "Nothing for 60 s",
  });
});
