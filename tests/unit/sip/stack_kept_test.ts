import assert from "node:assert/strict";
import { createResponse, serialize } from "../../../src/sip/message/mod.ts";
import { requestText } from "../../support/sip_fixtures.ts";
import { Bench } from "../../support/sip_stack_bench.ts";

/** What the table keeps, and for how many. */

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
