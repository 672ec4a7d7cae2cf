import assert from "node:assert/strict";
import { Protection } from "../../../src/actors/protection.ts";
import type { LogFields } from "../../../src/core/log.ts";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import { silentLog } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { Flow } from "../../../src/sip/flow.ts";
import { createResponse, serialize } from "../../../src/sip/message/mod.ts";
import { protection as schema } from "../../../src/rest/schemas.ts";
import { bytesOf, request, requestText } from "../../support/sip_fixtures.ts";

/** A protection whose load a test sets. */
function open(options: { readonly limitsLoopback?: boolean; readonly exempt?: string[] } = {}) {
  const clock = new ManualClock();
  const passed: string[] = [];
  const sent: string[] = [];
  const said: string[] = [];
  const load = { transactions: 0 };
  const trunks = new Set<FlowId>();
  const say = (text: string, _fields?: LogFields) => void said.push(text);
  const protection = new Protection({
    clock,
    entropy: new SeededEntropy(1),
    log: { ...silentLog, info: say, warn: say },
    pass: (input) => void passed.push(input.type),
    send: (_flow, bytes) => void sent.push(new TextDecoder().decode(bytes)),
    isFlowUsed: () => false,
    isTrusted: (flow) => trunks.has(flow.id),
    transactions: () => load.transactions,
  }, {
    limits: { failures: { burst: 2, perSecond: 0.01 }, blockMs: 60_000 },
    overload: { lagMs: 100, transactions: 1_000 },
    limitsLoopback: false,
    exempt: [],
    ...options,
  });
  const flow = (address: string): Flow => ({
    id: address as FlowId,
    transport: "TCP",
    remote: address,
    peer: { address, port: 5060 },
  });
  const refusal = serialize(createResponse(request("REGISTER"), 403, undefined, { toTag: "z" }));
  return {
    clock,
    protection,
    said,
    sent,
    load,
    trunks,
    flow,
    fail: (address: string) => protection.maySend(flow(address), refusal),
    /** True where it was let in. */
    ask(method: string, address: string): boolean {
      const before = passed.length;
      const bytes = bytesOf(requestText(method, { callId: `c${clock.now()}${address}` }));
      protection.receive({ type: "receive", flow: flow(address), bytes });
      return passed.length > before;
    },
  };
}

Deno.test("protection: the view names sources, what they did, since when, and until when", () => {
  const { protection, clock, fail, ask } = open();
  fail("192.0.2.1");
  clock.advance(1_000);
  for (let at = 0; at < 3; at++) fail("2001:db8:0:7::9");
  ask("REGISTER", "2001:db8:0:7::1");
  const view = protection.view({ limit: 10 });
  assert.deepEqual(schema.parse(view), view);
  const [blocked, limited] = view.sources;
  assert.equal(blocked?.source, "2001:db8:0:7::/64");
  assert.equal(blocked.state, "blocked");
  assert.deepEqual(blocked.reasons.map(({ reason }) => reason), [
    "wrong credentials, or speaking for others",
    "messages while blocked",
  ]);
  assert.equal(Date.parse(blocked.until!) - Date.parse(blocked.since), 60_000);
  assert.equal(limited?.source, "192.0.2.1");
  assert.equal(limited.state, "limited");
  assert.equal(Date.parse(blocked.since) - Date.parse(limited.since), 1_000);
  assert.deepEqual(protection.view({ limit: 1 }).sources, [blocked]);
  assert.deepEqual(protection.view({ limit: 1, cursor: "1" }), { ...view, sources: [limited] });
  clock.advance(61_000);
  assert.deepEqual(protection.view({ limit: 9 }).sources.map(({ state }) => state), [
    "free",
    "free",
  ]);
});

Deno.test("protection: a source is forgiven by the name of the view or by an address", () => {
  const { protection, fail, ask } = open();
  for (const name of ["2001:db8:0:7::/64", "2001:db8:0:7::1234"]) {
    for (let at = 0; at < 3; at++) fail("2001:db8:0:7::9");
    assert(!ask("REGISTER", "2001:db8:0:7::1"));
    assert(protection.lift(name).ok, name);
    assert(ask("REGISTER", "2001:db8:0:7::1"));
  }
  const unknown = protection.lift("192.0.2.3");
  assert(!unknown.ok);
  assert.equal(unknown.error.code, "not_found");
});

Deno.test("protection: loopback by setting, exempt addresses and trunks are not counted", () => {
  const free = open({ exempt: ["192.0.2.5", "2001:db8::1"] });
  free.trunks.add(free.flow("192.0.2.6").id);
  for (const address of ["127.0.0.1", "::1", "192.0.2.5", "2001:db8::99", "192.0.2.6"]) {
    for (let at = 0; at < 5; at++) free.fail(address);
    assert(free.ask("REGISTER", address), address);
  }
  assert.deepEqual(free.protection.view({ limit: 9 }).sources, []);
  const strict = open({ limitsLoopback: true });
  for (let at = 0; at < 5; at++) strict.fail("127.0.0.1");
  assert(!strict.ask("REGISTER", "127.0.0.1"));
});

Deno.test("protection: overload is watched while it runs, and nothing is left after it", () => {
  const { protection, clock, load, said, sent, ask } = open();
  protection.start();
  clock.advance(1_000);
  assert(!protection.isOverloaded, "a clock that is on time");
  load.transactions = 1_500;
  clock.advance(250);
  assert.deepEqual(protection.overloadReasons, [
    "1500 SIP transactions are alive, 1000 are too many",
  ]);
  assert(!ask("INVITE", "127.0.0.1"), "nobody is exempt from that");
  assert.match(sent.join(), /^SIP\/2\.0 503 .*\r\nRetry-After: \d+\r\n/s);
  load.transactions = 10;
  clock.advance(4_000);
  assert(!ask("REGISTER", "127.0.0.1"), "not yet");
  clock.advance(2_000);
  assert(ask("INVITE", "127.0.0.1"));
  assert.deepEqual(said.map((line) => line.split(":")[0]), ["overloaded", "no longer overloaded"]);
  protection.stop();
  assert.equal(clock.pendingTimers, 0);
});
