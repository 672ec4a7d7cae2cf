import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import { parseUri } from "../../../src/sip/message/mod.ts";
import type { Answer, Query, SrvRecord } from "../../../src/sip/resolve/records.ts";
import { orderSrv } from "../../../src/sip/resolve/srv_order.ts";
import {
  type ClientTransport,
  type Target,
  targetsForSize,
} from "../../../src/sip/resolve/target.ts";
import { MAX_TARGETS, TargetLookup } from "../../../src/sip/resolve/target_lookup.ts";

/** RFC 3263, with a DNS that is a table: `A name` -> records. */
type Zone = Readonly<Record<string, readonly unknown[]>>;

interface Found {
  readonly targets: readonly string[];
  readonly fault: string | undefined;
  readonly asked: readonly string[];
}

function find(
  text: string,
  zone: Zone = {},
  options: { transports?: readonly ClientTransport[]; ipv6?: boolean; seed?: number } = {},
): Found {
  const uri = parseUri(text);
  assert(uri.ok, text);
  const lookup = new TargetLookup(uri.value, {
    entropy: new SeededEntropy(options.seed ?? 1),
    transports: options.transports ?? ["UDP", "TCP", "TLS"],
    ipv6: options.ipv6 ?? false,
  });
  const asked: string[] = [];
  for (let round = 0; !lookup.result; round++) {
    assert.ok(round < 10, "no end");
    for (const query of lookup.queries) {
      asked.push(`${query.type} ${query.name}`);
      lookup.answer(query, answerOf(query, zone));
    }
  }
  const { result } = lookup;
  return {
    targets: result.ok ? result.value.map(write) : [],
    fault: result.ok ? undefined : result.error,
    asked,
  };
}

function answerOf({ type, name }: Query, zone: Zone): Answer {
  return { type, records: zone[`${type} ${name}`] ?? [] } as Answer;
}

const write = ({ transport, host, port }: Target) => `${transport} ${host}:${port}`;
const srv = (priority: number, weight: number, port: number, target: string): SrvRecord => ({
  priority,
  weight,
  port,
  target,
});
const naptr = (order: number, preference: number, services: string, replacement: string) => ({
  order,
  preference,
  flags: "s",
  services,
  regexp: "",
  replacement,
});

Deno.test("resolve: numbers and ports leave nothing to look up", () => {
  const rows: readonly [string, string][] = [
    ["sip:192.0.2.1", "UDP 192.0.2.1:5060"],
    ["sip:192.0.2.1:5080;transport=tcp", "TCP 192.0.2.1:5080"],
    ["sips:192.0.2.1", "TLS 192.0.2.1:5061"],
    ["sips:192.0.2.1;transport=tcp", "TLS 192.0.2.1:5061"],
    ["sip:192.0.2.1;transport=tls", "TLS 192.0.2.1:5061"],
    ["sip:a@[2001:db8::1]", "UDP 2001:db8::1:5060"],
    ["sip:host.example;maddr=192.0.2.7", "UDP 192.0.2.7:5060"],
  ];
  for (const [uri, target] of rows) {
    assert.deepEqual(find(uri), { targets: [target], fault: undefined, asked: [] }, uri);
  }
});

Deno.test("resolve: a port means addresses only, of both families", () => {
  const zone = {
    "A host.example": ["192.0.2.1", "192.0.2.2"],
    "AAAA host.example": ["2001:db8::1"],
  };
  const found = find("sip:bob@host.example:5070", zone, { ipv6: true });
  assert.deepEqual(found.targets, [
    "UDP 192.0.2.1:5070",
    "UDP 192.0.2.2:5070",
    "UDP 2001:db8::1:5070",
  ]);
  assert.deepEqual(found.asked, ["A host.example", "AAAA host.example"]);
});

Deno.test("resolve: NAPTR chooses the transports, SRV the hosts (the example of RFC 3263 4.1)", () => {
  const zone = {
    "NAPTR example.com": [
      naptr(90, 50, "SIP+D2U", "_sip._udp.example.com."),
      naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
      naptr(70, 50, "SIP+D2T", "_sip._tcp.example.com."),
      naptr(10, 50, "H323+D2U", "_h323._udp.example.com."),
    ],
    "SRV _sips._tcp.example.com": [srv(0, 1, 5061, "tls.example.com.")],
    "SRV _sip._tcp.example.com": [
      srv(1, 1, 5060, "server2.example.com."),
      srv(0, 1, 5060, "server1.example.com."),
    ],
    "SRV _sip._udp.example.com": [srv(0, 1, 5066, "server1.example.com.")],
    "A tls.example.com": ["192.0.2.3"],
    "A server1.example.com": ["192.0.2.1"],
    "A server2.example.com": ["192.0.2.2"],
  };
  assert.deepEqual(find("sip:example.com", zone).targets, [
    "TLS 192.0.2.3:5061",
    "TCP 192.0.2.1:5060",
    "TCP 192.0.2.2:5060",
    "UDP 192.0.2.1:5066",
  ]);
  assert.deepEqual(find("sips:example.com", zone).targets, ["TLS 192.0.2.3:5061"]);
  assert.deepEqual(find("sip:example.com", zone, { transports: ["UDP"] }).targets, [
    "UDP 192.0.2.1:5066",
  ]);
  assert.deepEqual(find("sip:example.com;transport=tcp", zone).asked.slice(0, 1), [
    "SRV _sip._tcp.example.com",
  ]);
});

Deno.test("resolve: without NAPTR each transport's SRV, without SRV the host itself", () => {
  const zone = {
    "SRV _sip._tcp.example.com": [srv(0, 0, 5070, "a.example.com")],
    "A a.example.com": ["192.0.2.1"],
    "A bare.example": ["192.0.2.9"],
  };
  const found = find("sip:example.com", zone);
  assert.deepEqual(found.targets, ["TCP 192.0.2.1:5070"]);
  assert.deepEqual(found.asked.slice(0, 4), [
    "NAPTR example.com",
    "SRV _sip._udp.example.com",
    "SRV _sip._tcp.example.com",
    "SRV _sips._tcp.example.com",
  ]);
  assert.deepEqual(find("sip:bare.example", zone).targets, ["UDP 192.0.2.9:5060"]);
  assert.deepEqual(find("sips:bare.example", zone).targets, ["TLS 192.0.2.9:5061"]);
});

Deno.test("resolve: what cannot be is one sentence", () => {
  const faults = (uri: string, zone: Zone = {}) => find(uri, zone).fault;
  assert.equal(faults("sip:nobody.example"), "nobody.example has no address");
  assert.equal(faults("tel:+4930123"), "tel URIs cannot be looked up");
  assert.equal(faults("sip:a.example;transport=sctp"), "transport SCTP is no way out");
  assert.equal(faults("sips:a.example;transport=udp"), "transport UDP is no way out");
  const refusing = { "SRV _sip._udp.a.example": [srv(0, 0, 0, ".")] };
  assert.equal(faults("sip:a.example", refusing), "a.example says that it offers no SIP");
});

Deno.test("resolve: a zone of thousands is cut, and a loop of names has an end", () => {
  const many = {
    "SRV _sip._udp.big.example": Array.from({ length: 500 }, (_, n) => srv(n, 0, 5060, `h${n}.x`)),
    ...Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`A h${n}.x`, Array(50).fill(`192.0.2.${n % 250}`)]),
    ),
  };
  const found = find("sip:big.example", many);
  assert.equal(found.targets.length, MAX_TARGETS);
  assert.ok(found.asked.length <= 4 + MAX_TARGETS);
});

Deno.test("resolve: SRV by priority, within it by weight in proportion (RFC 2782)", () => {
  const records = [srv(1, 0, 1, "last"), srv(0, 75, 1, "three"), srv(0, 25, 1, "one")];
  const first = new Map<string, number>();
  const entropy = new SeededEntropy(7);
  for (let n = 0; n < 4_000; n++) {
    const order = orderSrv(records, entropy);
    assert.equal(order[2]!.target, "last");
    first.set(order[0]!.target, (first.get(order[0]!.target) ?? 0) + 1);
  }
  const share = first.get("three")! / 4_000;
  assert.ok(share > 0.71 && share < 0.78, `share of weight 75: ${share}`);
});

Deno.test("resolve: any SRV set comes back whole and in order of priority", () => {
  const record = fc.record({
    priority: fc.integer({ min: 0, max: 3 }),
    weight: fc.integer({ min: 0, max: 65_535 }),
    port: fc.integer({ min: 1, max: 65_535 }),
    target: fc.string({ minLength: 1, maxLength: 4 }),
  });
  fc.assert(fc.property(fc.array(record, { maxLength: 20 }), fc.integer(), (records, seed) => {
    const ordered = orderSrv(records, new SeededEntropy(seed));
    assert.equal(new Set(ordered).size, new Set(records).size);
    const priorities = ordered.map(({ priority }) => priority);
    assert.deepEqual(priorities, priorities.toSorted((a, b) => a - b));
  }));
});

Deno.test("resolve: a large request tries TCP before UDP, once each", () => {
  const udp: Target = { transport: "UDP", host: "192.0.2.1", port: 5060, name: "a" };
  const tcp: Target = { ...udp, transport: "TCP" };
  const written = (targets: readonly Target[], bytes: number) =>
    targetsForSize(targets, bytes).map(write);
  assert.deepEqual(written([udp], 1_300), ["UDP 192.0.2.1:5060"]);
  assert.deepEqual(written([udp], 1_301), ["TCP 192.0.2.1:5060", "UDP 192.0.2.1:5060"]);
  assert.deepEqual(written([tcp, udp], 2_000), ["TCP 192.0.2.1:5060", "UDP 192.0.2.1:5060"]);
});
