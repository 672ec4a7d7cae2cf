import assert from "node:assert/strict";
import { requestText, response } from "../../support/sip_fixtures.ts";
import { Bench, MOMENT_MS } from "../../support/sip_stack_bench.ts";

/** Server transactions (RFC 3261 17.2). */

Deno.test("an INVITE received: 100 after 200 ms, repeated for the INVITE's repetition", () => {
  const bench = new Bench();
  bench.receive(requestText("INVITE"));
  bench.clock.advance(199);
  assert.deepEqual(bench.ladder, []);
  bench.clock.advance(1);
  bench.receive(requestText("INVITE"));
  assert.deepEqual(bench.ladder, ["+200 100", "+200 100"]);
  assert.equal(bench.of("request").length, 1);
});

Deno.test("a refusal is repeated until its ACK: timers G, H, I (17.2.1)", () => {
  const bench = new Bench();
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 486) });
  bench.clock.advance(8_000);
  assert.deepEqual(bench.ladder, ["+0 486", "+500 486", "+1500 486", "+3500 486", "+7500 486"]);
  bench.receive(requestText("ACK", { to: "<sip:bob@example.com>;tag=b" }));
  bench.clock.advance(4_999);
  assert.equal(bench.stack.transactionCount, 1);
  bench.clock.advance(1 + MOMENT_MS);
  assert.equal(bench.ladder.length, 5);
  assert.equal(bench.of("ack").length, 0, "this ACK is the transaction's");
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("a challenge of an INVITE is said once and kept by nobody (26.3.2.4)", () => {
  const bench = new Bench();
  const challenge = () => {
    const { id, request: invite } = bench.of("request").at(-1)!;
    bench.feed({ type: "respond", id, response: response(invite, 407), isStateless: true });
  };
  bench.receive(requestText("INVITE"));
  challenge();
  assert.equal(bench.stack.transactionCount, 0);
  bench.receive(requestText("ACK", { to: "<sip:bob@example.com>;tag=b" }));
  bench.clock.advance(40_000);
  assert.deepEqual(bench.ladder, ["+0 407"]);
  // The answer was lost, or came late: the repetition is asked about anew.
  bench.receive(requestText("INVITE"));
  assert.equal(bench.of("request").length, 2);
  challenge();
  assert.deepEqual(bench.ladder, ["+0 407", "+40000 407"]);
});

Deno.test("a refusal without ACK: timer H says so", () => {
  const bench = new Bench("TCP");
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 486) });
  bench.clock.advance(32_000);
  assert.deepEqual(bench.ladder, ["+0 486"]);
  assert.deepEqual(bench.of("server-failed").map((o) => o.reason), ["timeout"]);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("a user agent repeats its 2xx until the ACK of the dialog comes (13.3.1.4)", () => {
  const bench = new Bench("TCP", true);
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 200) });
  bench.clock.advance(2_000);
  assert.deepEqual(bench.ladder, ["+0 200", "+500 200", "+1500 200"]);
  // Another dialog's ACK does not count.
  bench.receive(requestText("ACK", { branch: "z9hG4bKx", to: "<sip:bob@example.com>;tag=other" }));
  bench.clock.advance(2_000);
  assert.equal(bench.ladder.length, 4);
  bench.receive(requestText("ACK", { branch: "z9hG4bKy", to: "<sip:bob@example.com>;tag=b" }));
  bench.clock.advance(60_000);
  assert.equal(bench.ladder.length, 4);
  assert.equal(bench.of("ack").length, 2);
  assert.equal(bench.of("server-failed").length, 0);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("a user agent's 2xx that is never ACKed: server-failed", () => {
  const bench = new Bench("UDP", true);
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 200) });
  bench.clock.advance(32_000);
  assert.deepEqual(bench.of("server-failed").map((o) => o.reason), ["timeout"]);
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("a proxy's 2xx is passed once each, and INVITE repetitions are absorbed", () => {
  const bench = new Bench();
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 200) });
  bench.receive(requestText("INVITE"));
  bench.feed({ type: "respond", id, response: response(invite, 200) });
  bench.feed({ type: "respond", id, response: response(invite, 486) });
  bench.clock.advance(32_000);
  assert.deepEqual(bench.ladder, ["+0 200", "+0 200"]);
  assert.equal(bench.of("request").length, 1);
});

Deno.test("CANCEL received: 200 with the INVITE's To tag, cancelled to the user (9.2)", () => {
  const bench = new Bench();
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 180, "ring") });
  bench.receive(requestText("CANCEL", { extra: ['Reason: SIP;cause=200;text="a, b"'] }));
  const ok = bench.last();
  assert.ok(ok.kind === "response");
  assert.equal(ok.status, 200);
  assert.equal(ok.to.tag, "ring");
  assert.deepEqual(bench.of("cancelled"), [
    { type: "cancelled", id, reason: 'SIP;cause=200;text="a, b"' },
  ]);
  bench.receive(requestText("CANCEL"));
  assert.equal(bench.of("cancelled").length, 1, "a repetition is only answered");
  bench.feed({ type: "respond", id, response: response(invite, 487, "ring") });
  assert.deepEqual(bench.ladder.slice(-1), ["+0 487"]);
});

Deno.test("CANCEL of nothing: 481; CANCEL after the final response: 200 and no more", () => {
  const bench = new Bench();
  bench.receive(requestText("CANCEL", { branch: "z9hG4bKnone" }));
  assert.deepEqual(bench.ladder, ["+0 481"]);
  bench.receive(requestText("INVITE"));
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 200) });
  bench.receive(requestText("CANCEL"));
  assert.deepEqual(bench.ladder, ["+0 481", "+0 200", "+0 200"]);
  assert.equal(bench.of("cancelled").length, 0);
});

Deno.test("an abandoned request ends in silence (RFC 4320)", () => {
  const bench = new Bench();
  bench.receive(requestText("OPTIONS"));
  bench.feed({ type: "abandon", id: bench.of("request")[0]!.id });
  assert.deepEqual(bench.ladder, []);
  assert.equal(bench.stack.transactionCount, 0);
});
