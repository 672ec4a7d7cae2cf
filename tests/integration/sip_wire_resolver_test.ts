import assert from "node:assert/strict";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { silentLog } from "../../src/core/log.ts";
import { SipResolver } from "../../src/sip/io/resolver.ts";
import { parseUri } from "../../src/sip/message/mod.ts";
import { DnsServer, type DnsZone } from "../support/dns_server.ts";

/** The resolver against a name server of our own, over real datagrams. */

const ZONE: DnsZone = {
  "NAPTR example.test": [
    {
      order: 10,
      preference: 1,
      flags: "S",
      services: "SIP+D2T",
      replacement: "_sip._tcp.example.test",
    },
    {
      order: 20,
      preference: 1,
      flags: "S",
      services: "SIP+D2U",
      replacement: "_sip._udp.example.test",
    },
  ],
  "SRV _sip._tcp.example.test": [
    { priority: 2, weight: 0, port: 5072, target: "two.example.test" },
    { priority: 1, weight: 0, port: 5071, target: "one.example.test" },
  ],
  "SRV _sip._udp.example.test": [{
    priority: 1,
    weight: 0,
    port: 5073,
    target: "one.example.test",
  }],
  "A one.example.test": ["192.0.2.1"],
  "A two.example.test": ["192.0.2.2", "192.0.2.3"],
  "AAAA one.example.test": ["2001:db8::1"],
};

function resolver(server: DnsServer, ipv6 = false, timeoutMs = 5_000): SipResolver {
  return new SipResolver({
    clock: systemClock,
    entropy: new SeededEntropy(1),
    log: silentLog,
    transports: ["UDP", "TCP", "TLS"],
    ipv6,
    timeoutMs,
    nameServer: { ipAddr: "127.0.0.1", port: server.port },
  });
}

async function resolve(subject: SipResolver, text: string): Promise<string[] | string> {
  const uri = parseUri(text);
  assert(uri.ok);
  const result = await subject.resolve(uri.value);
  return result.ok
    ? result.value.map(({ transport, host, port }) => `${transport} ${host} ${port}`)
    : result.error;
}

Deno.test({
  name: "resolver: NAPTR, SRV and addresses over the wire, and kept for a while",
  async fn() {
    await using server = new DnsServer(ZONE);
    const subject = resolver(server);
    const expected = [
      "TCP 192.0.2.1 5071",
      "TCP 192.0.2.2 5072",
      "TCP 192.0.2.3 5072",
      "UDP 192.0.2.1 5073",
    ];
    assert.deepEqual(await resolve(subject, "sip:example.test"), expected);
    const asked = server.asked.length;
    assert.deepEqual(await resolve(subject, "sip:example.test"), expected);
    assert.equal(server.asked.length, asked, "a second look asks nobody");
    assert.deepEqual(await resolve(resolver(server, true), "sip:one.example.test:5090"), [
      "UDP 192.0.2.1 5090",
      "UDP 2001:db8::1 5090",
    ]);
  },
});

Deno.test({
  name: "resolver: numbers and localhost ask nobody; unknown names and silence are sentences",
  async fn() {
    await using server = new DnsServer(ZONE);
    const subject = resolver(server, true);
    assert.deepEqual(await resolve(subject, "sip:127.0.0.1:5080"), ["UDP 127.0.0.1 5080"]);
    assert.deepEqual(await resolve(subject, "sip:localhost:5080"), [
      "UDP 127.0.0.1 5080",
      "UDP ::1 5080",
    ]);
    assert.equal(server.asked.length, 0);
    assert.equal(
      await resolve(subject, "sip:nobody.example.test"),
      "nobody.example.test has no address",
    );
    await using silent = new DnsServer(ZONE, { answers: false });
    assert.equal(
      await resolve(resolver(silent, false, 200), "sip:example.test:5060"),
      "example.test has no address",
    );
  },
});
