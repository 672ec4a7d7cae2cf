import assert from "node:assert/strict";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import { Driver } from "../../../src/core/sans_io.ts";
import { type Flow, isReliable, type SipTransport } from "../../../src/sip/flow.ts";
import {
  createResponse,
  serialize,
  type SipMessage,
  type SipResponse,
} from "../../../src/sip/message/mod.ts";
import { clientTransactionId, SipStack, type StackOutput } from "../../../src/sip/stack.ts";
import type { StackInput } from "../../../src/sip/stack_io.ts";
import type { ServerTransactionId } from "../../../src/sip/transaction/ids.ts";
import { InviteServerTransaction } from "../../../src/sip/transaction/invite_server.ts";
import { TransactionTable } from "../../../src/sip/transaction/table.ts";
import { DEFAULT_TIMERS } from "../../../src/sip/transaction/timers.ts";
import { bytesOf, flow, request, requestText, response } from "../../support/sip_fixtures.ts";

/** One stack, one flow, a clock; what was sent as `+ms WHAT`. */
class Bench {
  readonly clock = new ManualClock();
  readonly stack: SipStack;
  readonly flow: Flow;
  readonly ladder: string[] = [];
  readonly sent: SipMessage[] = [];
  readonly heard: Exclude<StackOutput, { type: "send" }>[] = [];
  readonly #driver: Driver<StackInput, StackOutput>;

  constructor(
    transport: SipTransport = "UDP",
    userAgent = false,
    maxTransactions = 1000,
    share = 500,
  ) {
    this.flow = flow("f", transport);
    const entropy = new SeededEntropy(1);
    const sentBy = "us.test:5060";
    this.stack = new SipStack({
      entropy,
      sentBy,
      userAgent,
      maxTransactions,
      shares: { most: share, sourceOf: ({ id }) => id },
    });
    this.#driver = new Driver(this.stack, this.clock, (output) => this.#take(output));
  }

  feed(input: StackInput): void {
    this.#driver.feed(input);
  }

  receive(message: string | SipResponse): void {
    const bytes = typeof message === "string" ? bytesOf(message) : serialize(message);
    this.feed({ type: "receive", flow: this.flow, bytes });
  }

  /** What was heard of one type, and only those. */
  of<T extends StackOutput["type"]>(type: T): Extract<StackOutput, { type: T }>[] {
    return this.heard.filter((o): o is never => o.type === type);
  }

  last(): SipMessage {
    const last = this.sent.at(-1);
    assert.ok(last, "something was sent");
    return last;
  }

  #take(output: StackOutput): void {
    if (output.type !== "send") {
      this.heard.push(output);
      return;
    }
    const { message } = output;
    this.sent.push(message);
    const what = message.kind === "request" ? message.method : String(message.status);
    this.ladder.push(`+${this.clock.now()} ${what}`);
  }
}

const ID = clientTransactionId("c1");

function sendInvite(bench: Bench): void {
  bench.feed({ type: "request", id: ID, request: request("INVITE"), flow: bench.flow });
}

/** The answer to what the stack sent last under this method. */
function answer(bench: Bench, method: string, status: number): SipResponse {
  const sent = bench.sent.findLast((m) => m.kind === "request" && m.method === method);
  assert.ok(sent?.kind === "request", `a ${method} was sent`);
  return response(sent, status);
}

/** By so much later, at most, the end of what lingers comes. */
const MOMENT_MS = 128;

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

Deno.test("more transactions than the limit: 503 with Retry-After, ACK in silence", () => {
  const bench = new Bench("UDP", false, 2);
  for (const n of [1, 2, 3]) bench.receive(requestText("OPTIONS", { branch: `z9hG4bK${n}` }));
  bench.receive(requestText("ACK", { branch: "z9hG4bK4" }));
  assert.equal(bench.of("request").length, 2);
  assert.deepEqual(bench.ladder, ["+0 503"]);
  assert.ok(Number(bench.last().headers.get("Retry-After")) > 0);
});

Deno.test("a request that was answered: the same bytes for each repetition, for 64*T1", () => {
  const bench = new Bench();
  const options = requestText("OPTIONS");
  bench.receive(options);
  const [heard] = bench.of("request");
  assert.ok(heard);
  bench.feed({ type: "respond", id: heard.id, response: createResponse(heard.request, 200) });
  assert.equal(bench.of("terminated").length, 1, "the user is done with it");
  assert.equal(bench.stack.transactionCount, 1, "what is kept counts");
  bench.clock.advance(31_000);
  bench.receive(options);
  assert.equal(bench.sent.length, 2);
  assert.deepEqual(serialize(bench.sent[1]!), serialize(bench.sent[0]!));
  bench.feed({ type: "respond", id: heard.id, response: createResponse(heard.request, 404) });
  assert.equal(bench.sent.length, 2, "a second final answer is discarded (17.2.2)");
  bench.clock.advance(1_000);
  assert.equal(bench.stack.transactionCount, 0);
  bench.receive(options);
  assert.equal(bench.of("request").length, 2, "after that it is another request");
});

/** Answers the last request by a challenge that differs each time. */
function challenge(bench: Bench): void {
  const last = bench.heard.findLast((heard) => heard.type === "request");
  assert(last?.type === "request");
  const { id, request } = last;
  const response = createResponse(request, 401, undefined, { toTag: `t${bench.sent.length}` });
  bench.feed({ type: "respond", id, response, isStateless: true });
}

Deno.test("a challenge leaves no transaction; the first repetitions get the same (8.2.7)", () => {
  const bench = new Bench();
  const options = requestText("OPTIONS");
  bench.receive(options);
  challenge(bench);
  assert.equal(bench.stack.transactionCount, 0);
  bench.clock.advance(3_500);
  bench.receive(options);
  assert.equal(bench.of("request").length, 1);
  assert.deepEqual(serialize(bench.sent[1]!), serialize(bench.sent[0]!));
  bench.clock.advance(1_000);
  bench.receive(options);
  assert.equal(bench.of("request").length, 2, "after that it is asked about anew");
});

Deno.test("challenges of very many strangers are kept so far, and no further", () => {
  const bench = new Bench();
  const options = (n: number) => requestText("OPTIONS", { branch: `z9hG4bK${n}` });
  for (let n = 0; n < 20_000; n++) {
    bench.receive(options(n));
    challenge(bench);
  }
  assert.equal(bench.of("request").length, 20_000, "none is refused");
  bench.receive(options(0));
  assert.equal(bench.of("request").length, 20_000);
  bench.receive(options(19_999));
  assert.equal(bench.of("request").length, 20_001, "this one is asked about anew");
  assert.equal(bench.stack.transactionCount, 1);
});

Deno.test("one source has its share of the table; others, INVITEs and its answers go on", () => {
  const bench = new Bench("UDP", false, 1_000, 2);
  const of = (branch: string, method = "OPTIONS") => requestText(method, { branch });
  bench.receive(of("z9hG4bK1"));
  bench.receive(of("z9hG4bK2"));
  bench.receive(of("z9hG4bK3"));
  assert.equal(bench.of("request").length, 2);
  assert.equal(bench.ladder.at(-1), "+0 503");
  assert.equal(bench.last().headers.get("Retry-After"), "5");
  bench.receive(of("z9hG4bK4", "INVITE"));
  assert.equal(bench.of("request").length, 3, "INVITEs have a limit of their own");
  const { id, request } = bench.of("request")[0]!;
  bench.feed({ type: "respond", id, response: createResponse(request, 200) });
  bench.receive(of("z9hG4bK5"));
  assert.equal(bench.ladder.at(-1), "+0 503", "an answer that is kept counts on");
  bench.clock.advance(32_000);
  bench.receive(of("z9hG4bK6"));
  assert.equal(bench.of("request").length, 4);
});

Deno.test("an abandoned request ends in silence (RFC 4320)", () => {
  const bench = new Bench();
  bench.receive(requestText("OPTIONS"));
  bench.feed({ type: "abandon", id: bench.of("request")[0]!.id });
  assert.deepEqual(bench.ladder, []);
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
