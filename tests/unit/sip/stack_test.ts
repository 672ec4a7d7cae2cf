import assert from "node:assert/strict";
import { isReliable } from "../../../src/sip/flow.ts";
import { createResponse, type SipResponse } from "../../../src/sip/message/mod.ts";
import type { ServerTransactionId } from "../../../src/sip/transaction/ids.ts";
import { InviteServerTransaction } from "../../../src/sip/transaction/invite_server.ts";
import { TransactionTable } from "../../../src/sip/transaction/table.ts";
import { DEFAULT_TIMERS } from "../../../src/sip/transaction/timers.ts";
import { flow, request, requestText, response } from "../../support/sip_fixtures.ts";
import { Bench, MOMENT_MS, sendInvite } from "../../support/sip_stack_bench.ts";

/** What is common to all transactions: matching (RFC 3261 17.1.3, 17.2.3), flows, faults. */

Deno.test("requests are matched by branch, sent-by and method (17.2.3)", () => {
  const bench = new Bench();
  bench.receive(requestText("OPTIONS"));
  bench.receive(requestText("OPTIONS", { branch: "z9hG4bK2" }));
  bench.receive(requestText("MESSAGE"));
  bench.receive(requestText("OPTIONS", {
    via: "Via: SIP/2.0/UDP mallory.test:5060;branch=z9hG4bK1",
  }));
  bench.receive(requestText("OPTIONS"));
  assert.equal(bench.of("request").length, 4);
});

Deno.test("without the magic cookie the whole request tells (17.2.3, RFC 2543)", () => {
  const bench = new Bench();
  const via = "Via: SIP/2.0/UDP old.test:5060";
  bench.receive(requestText("INVITE", { via }));
  bench.receive(requestText("INVITE", { via }));
  assert.equal(bench.of("request").length, 1);
  const { id, request: invite } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: response(invite, 486) });
  bench.receive(requestText("ACK", { via, to: "<sip:bob@example.com>;tag=b" }));
  bench.clock.advance(5_000 + MOMENT_MS);
  assert.equal(bench.stack.transactionCount, 0, "the ACK found its INVITE");
  bench.receive(requestText("INVITE", { via, sequence: 2 }));
  assert.equal(bench.of("request").length, 2);
});

Deno.test("responses that are not ours are dropped: branch, method, sent-by (18.1.2)", () => {
  const bench = new Bench();
  sendInvite(bench);
  const sent = bench.sent[0]!;
  assert.ok(sent.kind === "request");
  const spoil = (change: (r: SipResponse) => void) => {
    const made = createResponse(sent, 200, undefined, { toTag: "b" });
    change(made);
    bench.receive(made);
  };
  const via = sent.topVia.toString();
  spoil((r) => r.headers.set("Via", via.replace("us.test", "them.test")));
  spoil((r) => r.headers.set("Via", via.replace(/branch=.{12}/, "branch=z9hG4bKother")));
  spoil((r) => r.headers.set("CSeq", "1 OPTIONS"));
  assert.equal(bench.of("response").length, 0);
  spoil(() => {});
  assert.equal(bench.of("response").length, 1);
});

Deno.test("a flow that closes fails its transactions and leaves nothing", () => {
  const bench = new Bench();
  sendInvite(bench);
  bench.receive(requestText("INVITE"));
  bench.receive(requestText("OPTIONS", { branch: "z9hG4bK2" }));
  bench.feed({ type: "flow-closed", flow: bench.flow.id });
  assert.deepEqual(bench.of("failed").map((o) => o.reason), ["transport"]);
  assert.deepEqual(bench.of("server-failed").map((o) => o.reason), ["transport", "transport"]);
  assert.equal(bench.of("terminated").length, 3);
  assert.equal(bench.stack.transactionCount, 0);
  bench.clock.advance(1);
  assert.equal(bench.clock.pendingTimers, 0);
});

Deno.test("what is malformed is answered without a transaction, ACK never", () => {
  const bench = new Bench();
  const good = requestText("OPTIONS");
  bench.receive(good.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"));
  bench.receive(good.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"));
  bench.receive(requestText("ACK").replace("CSeq: 1 ACK", "CSeq: 1 INVITE"));
  bench.receive("\r\n\r\n");
  bench.receive("nonsense\r\n\r\n");
  assert.deepEqual(bench.ladder, ["+0 400", "+0 505"]);
  assert.equal(bench.of("malformed").length, 4, "a keep-alive is no fault");
  assert.equal(bench.stack.transactionCount, 0);
});

Deno.test("the same id twice is our bug and throws", () => {
  const bench = new Bench();
  sendInvite(bench);
  assert.throws(() => sendInvite(bench), /c1 exists already/);
});

Deno.test("UDP asks for rport, reliable transports do not; the Via names us", () => {
  for (const transport of ["UDP", "TCP", "WSS"] as const) {
    const bench = new Bench(transport);
    sendInvite(bench);
    const via = bench.last().topVia;
    assert.equal(via.transport, transport);
    assert.equal(via.sentBy, "us.test:5060");
    assert.match(via.branch ?? "", /^z9hG4bK[0-9a-f]{24}$/);
    assert.equal(via.rport !== undefined, !isReliable(bench.flow));
  }
});

Deno.test("a table of transactions forgets the ones that ended, by every key", () => {
  const table = new TransactionTable();
  const f = flow("f");
  const invite = request("INVITE");
  const machine = new InviteServerTransaction(invite, true, DEFAULT_TIMERS);
  const id = "s1" as ServerTransactionId;
  const entry = table.addServer({ id, key: "k", flow: f, machine, hidden: false }, 0);
  table.expectAck(entry, "ack");
  table.setTimer(entry, "L", 5);
  assert.equal(table.deadline()?.at, 128, "what lingers ends with others");
  assert.equal(table.takeDue(4), undefined);
  table.setTimer(entry, "G", 5);
  table.setTimer(entry, "G", 7);
  assert.equal(table.deadline()?.at, 7, "a timer set again has moved, and is to the point");
  assert.equal(table.takeDue(7)?.timer, "G");
  assert.equal(table.takeDue(7)?.timer, "L");
  table.setTimer(entry, "L", 5);
  assert.equal(table.acceptedBy("ack"), entry);
  assert.deepEqual(table.entriesOf(f.id), [entry]);
  table.remove(entry);
  assert.deepEqual(
    [table.serverByKey("k"), table.serverById(id), table.acceptedBy("ack"), table.deadline()],
    [undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(table.entriesOf(f.id), []);
  table.expectAck(entry, "ack");
  assert.equal(table.acceptedBy("ack"), undefined, "too late to expect anything");
});
