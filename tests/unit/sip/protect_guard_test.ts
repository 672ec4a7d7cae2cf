import assert from "node:assert/strict";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import type { Log, LogFields } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import { isLoopback, sourceOf } from "../../../src/core/sources.ts";
import type { Flow, SipTransport } from "../../../src/sip/flow.ts";
import { createResponse, serialize } from "../../../src/sip/message/mod.ts";
import { SipGuard } from "../../../src/sip/protect/guard.ts";
import {
  DEFAULT_PROTECTION_LIMITS,
  type ProtectionLimits,
} from "../../../src/sip/protect/limits.ts";
import type { SourceRecord } from "../../../src/sip/protect/source_book.ts";
import {
  bytesOf,
  request,
  type RequestOptions,
  requestText,
  textOf,
} from "../../support/sip_fixtures.ts";

const HOSTILE = "192.0.2.66";
const PHONE = "192.0.2.7";

/** A guard with a clock, and with what it let in, sent by itself, and wrote to the log. */
class Bench {
  readonly clock = new ManualClock();
  readonly passed: string[] = [];
  readonly sent: string[] = [];
  readonly lines: { readonly text: string; readonly fields: LogFields }[] = [];
  readonly used = new Set<FlowId>();
  readonly exempt = new Set<string>();
  isOverloaded = false;
  readonly guard: SipGuard;
  #serial = 0;

  constructor(limits: Partial<ProtectionLimits> = {}) {
    const say = (text: string, fields: LogFields = {}) => void this.lines.push({ text, fields });
    const log: Log = { debug: say, info: say, warn: say, error: say };
    this.guard = new SipGuard({
      clock: this.clock,
      entropy: new SeededEntropy(1),
      log,
      limits: { ...DEFAULT_PROTECTION_LIMITS, ...limits },
      pass: (input) => {
        if (input.type !== "flow-closed") this.passed.push(textOf(input.bytes!));
      },
      send: (_flow, bytes) => void this.sent.push(textOf(bytes)),
      isFlowUsed: (id) => this.used.has(id),
      isExempt: (_flow, address) => this.exempt.has(address),
      isOverloaded: () => this.isOverloaded,
    });
  }

  flow(address: string, port = 5060, transport: SipTransport = "UDP"): Flow {
    const id = `${transport}/${address}:${port}` as FlowId;
    return { id, transport, remote: `${address}:${port}`, peer: { address, port } };
  }

  /** True where it was let in. */
  receive(text: string, from: Flow): boolean {
    const before = this.passed.length;
    this.guard.receive({ type: "receive", flow: from, bytes: bytesOf(text) });
    return this.passed.length > before;
  }

  /** A new request with a Call-ID and a branch of its own. */
  ask(method: string, from: Flow, options: RequestOptions = {}): boolean {
    const serial = ++this.#serial;
    const own = { callId: `c${serial}`, branch: `z9hG4bK${serial}`, ...options };
    return this.receive(requestText(method, own), from);
  }

  /** What our elements answer. */
  answer(status: number, method: string, to: Flow, options: RequestOptions = {}): boolean {
    const answer = createResponse(request(method, options), status, undefined, { toTag: "z" });
    return this.guard.maySend(to, serialize(answer));
  }

  record(source: string): SourceRecord {
    const found = [...this.guard.heldBack()].find((record) => record.source === source);
    assert(found, `${source} is not held back`);
    return found;
  }
}

const times = <T>(count: number, act: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => act(at));
const count = (results: readonly boolean[]) => results.filter((one) => one).length;

Deno.test("sources: an IPv4 address, an IPv6 /64; loopback is what stays on the machine", () => {
  assert.equal(sourceOf("192.0.2.1"), "192.0.2.1");
  assert.equal(sourceOf("2001:db8::1"), sourceOf("2001:db8:0:0:ffff::2"));
  assert.notEqual(sourceOf("2001:db8:0:1::1"), sourceOf("2001:db8::1"));
  for (const address of ["127.0.0.1", "127.8.0.1", "::1"]) assert(isLoopback(address));
  for (const address of ["128.0.0.1", "::2", "10.127.0.0.1"]) assert(!isLoopback(address));
});

Deno.test("guard: a burst of registrations is let in, then as many as come back with time", () => {
  const bench = new Bench({ registrations: { burst: 10, perSecond: 2 } });
  const phone = bench.flow(PHONE);
  assert.equal(count(times(30, () => bench.ask("REGISTER", phone))), 10);
  bench.clock.advance(3_000);
  assert.equal(count(times(30, () => bench.ask("REGISTER", phone))), 6);
  assert.equal(
    count(times(30, () => bench.ask("INVITE", phone))),
    30,
    "calls have a bucket of their own",
  );
  assert(bench.ask("REGISTER", bench.flow("192.0.2.8")), "another source is not touched");
});

Deno.test("guard: the first refusals are 503 with Retry-After, then silence", () => {
  const bench = new Bench({ requests: { burst: 1, perSecond: 0.001 }, told: 3 });
  const hostile = bench.flow(HOSTILE);
  const long = { extra: [`X-Filler: ${"x".repeat(100)}`] };
  assert(bench.ask("OPTIONS", hostile, long));
  times(20, () => bench.ask("OPTIONS", hostile, long));
  assert.equal(bench.sent.length, 3);
  for (const answer of bench.sent) {
    assert.match(answer, /^SIP\/2\.0 503 /);
    const seconds = Number(/\r\nRetry-After: (\d+)\r\n/.exec(answer)?.[1]);
    assert(seconds >= 5 && seconds <= 30, `Retry-After ${seconds}`);
  }
  const { refused, dropped, why } = bench.record(HOSTILE);
  assert.deepEqual({ refused, dropped }, { refused: 3, dropped: 17 });
  assert.equal(why.get("requests"), 20);
});

Deno.test("guard: its own answer is never longer than the datagram that it answers", () => {
  const bench = new Bench({ requests: { burst: 1, perSecond: 0.001 } });
  const short = "OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK1\r\nf:<sip:a>;tag=1\r\n" +
    "t:<sip:a>\r\ni:1\r\nCSeq:1 OPTIONS\r\n\r\n";
  const hostile = bench.flow(HOSTILE);
  assert(bench.receive(short, hostile));
  times(5, () => bench.receive(short, hostile));
  assert.deepEqual(bench.sent, []);
});

Deno.test("guard: wrong passwords block a source for a while, not who is registered there", () => {
  const bench = new Bench({ failures: { burst: 5, perSecond: 0.001 }, blockMs: 60_000 });
  const hostile = bench.flow(HOSTILE, 1);
  const phone = bench.flow(HOSTILE, 2);
  bench.used.add(phone.id);
  times(5, () => {
    assert(bench.ask("REGISTER", hostile));
    bench.answer(403, "REGISTER", hostile);
  });
  assert(!bench.ask("REGISTER", hostile), "blocked");
  assert(!bench.ask("REGISTER", bench.flow(HOSTILE, 3)), "another port is the same source");
  assert(bench.ask("REGISTER", phone), "a registered phone behind the same address");
  assert(bench.ask("REGISTER", bench.flow(PHONE)), "another source");
  assert(!bench.guard.isWelcome(HOSTILE), "no connections of a blocked source");
  assert(bench.guard.isWelcome(PHONE) && bench.guard.isWelcome("198.51.100.1"));
  assert.equal(bench.record(HOSTILE).why.get("wrong credentials"), 6);
  bench.clock.advance(60_001);
  assert(bench.ask("REGISTER", hostile), "a block ends");
});

Deno.test("guard: challenges cost little, and nothing once an account is proven", () => {
  const bench = new Bench({ failures: { burst: 2, perSecond: 0.0001 } });
  const office = bench.flow(PHONE);
  for (let phone = 0; phone < 100; phone++) {
    assert(bench.ask("REGISTER", office), `phone ${phone}`);
    bench.answer(401, "REGISTER", office);
    assert(bench.ask("REGISTER", office), `phone ${phone} with its proof`);
    bench.answer(200, "REGISTER", office);
  }
  const hostile = bench.flow(HOSTILE);
  const challenged = count(times(100, () => {
    const isIn = bench.ask("REGISTER", hostile);
    if (isIn) bench.answer(401, "REGISTER", hostile);
    return isIn;
  }));
  assert(challenged >= 15 && challenged <= 25, `${challenged} names could be tried`);
});

Deno.test("guard: what names itself a scanner is soon not answered", () => {
  const bench = new Bench();
  const extra = ["User-Agent: friendly-scanner"];
  const tried = count(times(50, () => bench.ask("OPTIONS", bench.flow(HOSTILE), { extra })));
  assert(tried >= 1 && tried <= 4, `${tried} were let in`);
  assert(bench.record(HOSTILE).isBlocked(bench.clock.now()));
});

Deno.test("guard: garbage blocks its source; line ends alone are no fault", () => {
  const bench = new Bench();
  const phone = bench.flow(PHONE);
  times(1_000, () => bench.receive("\r\n\r\n\r\n", phone));
  assert.deepEqual([...bench.guard.heldBack()], []);
  const hostile = bench.flow(HOSTILE);
  const tried = count(times(100, (at) => bench.receive(`nonsense ${at}\r\n\r\n`, hostile)));
  assert.equal(tried, 20);
  assert.equal(bench.record(HOSTILE).dropped, 80);
});

Deno.test("guard: requests inside dialogs and answers pass where new requests have to wait", () => {
  const bench = new Bench({
    requests: { burst: 1, perSecond: 0.001 },
    registrations: { burst: 1, perSecond: 0.001 },
  });
  bench.isOverloaded = true;
  const phone = bench.flow(PHONE);
  const to = "<sip:bob@example.com>;tag=b";
  assert(!bench.ask("INVITE", phone));
  assert(!bench.ask("REGISTER", phone));
  for (const method of ["INVITE", "BYE", "ACK", "UPDATE", "INFO"]) {
    assert(bench.ask(method, phone, { to }), method);
  }
  assert(bench.ask("CANCEL", phone));
  assert(bench.receive(textOf(serialize(createResponse(request("INVITE"), 200))), phone));
});

Deno.test("guard: a tag that is none makes no dialog", () => {
  const bench = new Bench({ requests: { burst: 1, perSecond: 0.001 } });
  const to = '"x;tag=1 <sip:a@b>;tag=2" <sip:bob@example.com;tag=3>';
  const hostile = bench.flow(HOSTILE);
  assert.equal(count(times(5, () => bench.ask("INVITE", hostile, { to }))), 1);
});

Deno.test("guard: an INVITE that repeats itself is let in, but not for ever", () => {
  const bench = new Bench({ requests: { burst: 1, perSecond: 0.001 } });
  const phone = bench.flow(PHONE);
  const same = () => bench.ask("INVITE", phone, { callId: "same" });
  assert.equal(count(times(7, same)), 7);
  assert(count(times(50, same)) < 5);
  assert.equal(bench.guard.calls, 1);
});

Deno.test("guard: calls of a source are counted until they end, however they end", () => {
  const bench = new Bench({ callsPerSource: 3 });
  const phone = bench.flow(PHONE);
  const call = (callId: string) => bench.ask("INVITE", phone, { callId });
  assert.equal(count(["a", "b", "c", "d"].map(call)), 3);
  assert.equal(bench.guard.calls, 3);
  bench.answer(486, "INVITE", phone, { callId: "a" });
  assert.equal(bench.guard.calls, 2);
  assert(call("e"));
  bench.answer(200, "INVITE", phone, { callId: "b" });
  bench.answer(200, "BYE", phone, { callId: "b" });
  assert(call("f"));
  assert(!call("g"));
  bench.answer(200, "INVITE", phone, { callId: "c" });
  const bye = requestText("BYE", { callId: "c", to: "<sip:bob@example.com>;tag=b" });
  assert(bench.guard.maySend(phone, bytesOf(bye)));
  assert(call("h"));
  bench.answer(481, "BYE", phone, { callId: "e" });
  assert(!call("i"), "a BYE that ends nothing frees nothing");
});

Deno.test("guard: calls that nobody ended are forgotten, ringing ones soon", () => {
  const bench = new Bench({ callsPerSource: 2 });
  const phone = bench.flow(PHONE);
  assert(bench.ask("INVITE", phone, { callId: "a" }));
  assert(bench.ask("INVITE", phone, { callId: "b" }));
  bench.answer(200, "INVITE", phone, { callId: "b" });
  bench.clock.advance(301_000);
  assert(bench.ask("INVITE", phone, { callId: "c" }));
  assert(!bench.ask("INVITE", phone, { callId: "d" }), "b stands");
});

Deno.test("guard: all calls together have a limit that exempt sources know too", () => {
  const bench = new Bench({ calls: 2 });
  bench.exempt.add(PHONE);
  assert.equal(count(times(5, () => bench.ask("INVITE", bench.flow(PHONE)))), 2);
  assert(!bench.ask("INVITE", bench.flow(HOSTILE)));
  assert.match(bench.sent.at(-1)!, /^SIP\/2\.0 503/);
});

Deno.test("guard: an exempt source is not counted, a lifted one starts anew", () => {
  const bench = new Bench({ failures: { burst: 2, perSecond: 0.001 } });
  bench.exempt.add(PHONE);
  const phone = bench.flow(PHONE);
  const hostile = bench.flow(HOSTILE);
  for (const flow of [phone, hostile]) times(10, () => bench.answer(403, "REGISTER", flow));
  assert(bench.ask("REGISTER", phone));
  assert(!bench.ask("REGISTER", hostile));
  assert(!bench.guard.lift(PHONE));
  assert(bench.guard.lift(HOSTILE));
  assert(bench.ask("REGISTER", hostile));
  assert.deepEqual([...bench.guard.heldBack()], []);
});

Deno.test("guard: over UDP nobody unproven is answered three times what he sent", () => {
  const bench = new Bench();
  const hostile = bench.flow(HOSTILE);
  const options = { callId: "c", branch: "z9hG4bKx" };
  const text = requestText("INVITE", options);
  bench.receive(text, hostile);
  let bytes = 0;
  times(40, () => {
    const answer = serialize(
      createResponse(request("INVITE", options), 407, undefined, { toTag: "z" }),
    );
    if (bench.guard.maySend(hostile, answer)) bytes += answer.length;
  });
  assert(bytes > 0 && bytes <= 3 * text.length, `${bytes} bytes for ${text.length}`);
  const stream = bench.flow(HOSTILE, 1, "TCP");
  assert(bench.answer(407, "INVITE", stream, options), "a connection proves where it comes from");
  bench.answer(200, "REGISTER", bench.flow(HOSTILE, 2, "TCP"), options);
  assert(bench.answer(407, "INVITE", hostile, options), "somebody there has an account");
});

Deno.test("guard: a line of log a source and minute, and not too many in all", () => {
  const bench = new Bench({ requests: { burst: 1, perSecond: 0.0001 } });
  const hostile = bench.flow(HOSTILE);
  times(100, () => bench.ask("OPTIONS", hostile));
  assert.equal(bench.lines.length, 1);
  assert.equal(bench.lines[0]!.fields.source, HOSTILE);
  assert.equal(bench.lines[0]!.fields.why, "requests");
  bench.clock.advance(60_001);
  bench.ask("OPTIONS", hostile);
  assert.equal(bench.lines.length, 2);
  assert.equal(bench.lines[1]!.fields.unsaid, 98);
  times(500, (at) => {
    const flow = bench.flow(`198.51.100.${at % 250}`, at);
    times(3, () => bench.ask("OPTIONS", flow));
  });
  assert(bench.lines.length <= 40, `${bench.lines.length} lines`);
});

Deno.test("guard: the table of sources does not grow, and a block is not washed out of it", () => {
  const bench = new Bench({ sources: 100, failures: { burst: 1, perSecond: 0.0001 } });
  bench.answer(403, "REGISTER", bench.flow(HOSTILE));
  times(5_000, (at) => bench.ask("OPTIONS", bench.flow(`10.${at >> 8}.${at & 255}.1`)));
  assert.equal(bench.guard.sourceCount, 100);
  assert(!bench.ask("REGISTER", bench.flow(HOSTILE)));
});
