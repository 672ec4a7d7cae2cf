import assert from "node:assert/strict";
import { request } from "../../support/sip_fixtures.ts";
import { answer, Bench, ID, sendInvite } from "../../support/sip_stack_bench.ts";

/** Client transactions (RFC 3261 17.1). */

Deno.test("INVITE without an answer: timer A doubles, timer B ends it (RFC 3261 17.1.1.2)", () => {
  const bench = new Bench();
  sendInvite(bench);
  bench.clock.advance(60_000);
  const times = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500];
  assert.deepEqual(bench.ladder, times.map((t) => `+${t} INVITE`));
  assert.deepEqual(bench.heard.map((o) => o.type), ["failed", "terminated"]);
  assert.equal(bench.stack.transactionCount, 0);
  assert.equal(bench.clock.pendingTimers, 0);
});

Deno.test("non-INVITE: timer E doubles up to T2, a provisional sets it to T2 (17.1.2.2)", () => {
  const bench = new Bench();
  bench.feed({ type: "request", id: ID, request: request("OPTIONS"), flow: bench.flow });
  bench.clock.advance(4_000);
  bench.receive(answer(bench, "OPTIONS", 100));
  bench.clock.advance(60_000);
  const times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
  assert.deepEqual(bench.ladder, times.map((t) => `+${t} OPTIONS`));
  assert.deepEqual(bench.of("failed").map((o) => o.reason), ["timeout"]);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("a reliable transport repeats nothing, but times out all the same", () => {
  const bench = new Bench("TCP");
  sendInvite(bench);
  bench.clock.advance(60_000);
  assert.deepEqual(bench.ladder, ["+0 INVITE"]);
  assert.deepEqual(bench.of("failed").map((o) => o.reason), ["timeout"]);
});

Deno.test("a refused INVITE: ACK on the same branch, again for each repetition (17.1.1.3)", () => {
  const bench = new Bench();
  sendInvite(bench);
  const busy = answer(bench, "INVITE", 486);
  bench.receive(busy);
  bench.receive(busy);
  assert.deepEqual(bench.ladder, ["+0 INVITE", "+0 ACK", "+0 ACK"]);
  const [invite, ack] = bench.sent;
  assert.ok(ack?.kind === "request" && invite);
  assert.equal(ack.topVia.toString(), invite.topVia.toString());
  assert.equal(ack.headers.count("Via"), 1);
  assert.equal(ack.to.tag, "b");
  assert.deepEqual(ack.cseq, { sequence: 1, method: "ACK" });
  assert.equal(bench.of("response").length, 1);
  bench.clock.advance(32_000);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("2xx to an INVITE: each passes up for 64*T1, none is ACKed here (RFC 6026 7.2)", () => {
  const bench = new Bench();
  sendInvite(bench);
  bench.receive(answer(bench, "INVITE", 180));
  for (let i = 0; i < 3; i++) bench.receive(answer(bench, "INVITE", 200));
  assert.deepEqual(bench.of("response").map((o) => o.response.status), [180, 200, 200, 200]);
  assert.deepEqual(bench.ladder, ["+0 INVITE"]);
  bench.clock.advance(32_000);
  assert.equal(bench.of("terminated").length, 1);
  bench.receive(answer(bench, "INVITE", 200));
  assert.equal(bench.of("response").length, 4, "a stray 2xx goes nowhere");
});

Deno.test("CANCEL waits for a provisional and copies the INVITE's hop (9.1)", () => {
  const bench = new Bench("TCP");
  const invite = request("INVITE", { extra: ["Route: <sip:proxy.test;lr>"] });
  bench.feed({ type: "request", id: ID, request: invite, flow: bench.flow });
  bench.feed({ type: "cancel", id: ID, reason: "SIP;cause=200" });
  bench.feed({ type: "cancel", id: ID });
  assert.deepEqual(bench.ladder, ["+0 INVITE"], "nothing before a provisional");
  bench.receive(answer(bench, "INVITE", 100));
  assert.deepEqual(bench.ladder, ["+0 INVITE", "+0 CANCEL"], "one CANCEL");
  const cancel = bench.last();
  assert.ok(cancel.kind === "request");
  assert.equal(cancel.uri, "sip:bob@example.com");
  assert.equal(cancel.topVia.branch, bench.sent[0]?.topVia.branch);
  assert.equal(cancel.headers.count("Via"), 1);
  assert.deepEqual(cancel.headers.getAll("Route"), ["<sip:proxy.test;lr>"]);
  assert.equal(cancel.headers.get("Reason"), "SIP;cause=200");
  bench.receive(answer(bench, "CANCEL", 200));
  bench.receive(answer(bench, "INVITE", 487));
  assert.deepEqual(bench.of("response").map((o) => o.response.status), [100, 487]);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("a CANCEL that changes nothing ends the INVITE after 64*T1 (9.1)", () => {
  const bench = new Bench();
  sendInvite(bench);
  bench.receive(answer(bench, "INVITE", 180));
  bench.clock.advance(100_000);
  assert.equal(bench.stack.transactionCount, 1, "ringing has no limit of its own");
  bench.feed({ type: "cancel", id: ID });
  bench.clock.advance(32_000);
  assert.deepEqual(bench.of("failed").map((o) => o.reason), ["timeout"]);
  bench.clock.advance(1_000);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("CANCEL after the final response is ignored", () => {
  const bench = new Bench();
  sendInvite(bench);
  bench.receive(answer(bench, "INVITE", 200));
  bench.feed({ type: "cancel", id: ID });
  assert.deepEqual(bench.ladder, ["+0 INVITE"]);
});
