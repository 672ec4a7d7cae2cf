import assert from "node:assert/strict";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";
import { silentLog } from "../../src/core/log.ts";
import { Driver } from "../../src/core/sans_io.ts";
import { SipResolver } from "../../src/sip/io/resolver.ts";
import { SipTransports, type WireInput } from "../../src/sip/io/transports.ts";
import { createResponse, serialize, SipRequest } from "../../src/sip/message/mod.ts";
import { ProxyCore, type ProxyInput, type ProxyOutput } from "../../src/sip/proxy/proxy.ts";
import type { Target } from "../../src/sip/resolve/target.ts";
import { DnsServer, type DnsZone } from "../support/dns_server.ts";
import { SipPeer } from "../support/sip_peer.ts";
import { testCertificate } from "../support/test_certificate.ts";

/** From a phone through our proxy to servers outside, by names, over TCP and TLS. */

const HOST = "127.0.0.1";

/** A server outside: answers each INVITE with a status, and keeps what it got. */
class Carrier implements AsyncDisposable {
  readonly got: string[] = [];
  readonly transports: SipTransports;

  constructor(status: number) {
    this.transports = new SipTransports({
      clock: systemClock,
      log: silentLog,
      onInput: (input) => this.#take(input, status),
    });
  }

  listen(transport: "TCP" | "TLS" | "UDP", tls?: { certificate: string; key: string }): number {
    const spec = { transport, host: HOST, port: 0, ...(tls ? { tls } : {}) };
    const listening = this.transports.listen(spec, () => {});
    assert(listening.ok);
    return listening.value.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.transports.close(1_000);
  }

  #take(input: WireInput, status: number): void {
    if (input.type !== "receive-framed" || input.event.type !== "message") return;
    const { message } = input.event;
    if (!(message instanceof SipRequest)) return;
    this.got.push(message.method);
    if (message.method === "ACK") return;
    const response = createResponse(message, status, undefined, {
      toTag: "far",
      recordRoute: true,
    });
    response.headers.append("Contact", `<sip:far@${input.flow.local};transport=tcp>`);
    this.transports.send(input.flow, serialize(response));
  }
}

/** Registrar and proxy on a network of their own, that let everybody out. */
class Relay implements AsyncDisposable {
  readonly port: number;
  readonly #transports: SipTransports;
  readonly #driver: Driver<ProxyInput, ProxyOutput>;
  readonly #resolver: SipResolver;

  constructor(nameServer: number, trusted: readonly string[] = []) {
    this.#transports = new SipTransports({
      clock: systemClock,
      log: silentLog,
      trusted,
      onInput: (input) => this.#driver.feed(input),
    });
    const listening = this.#transports.listen({ transport: "UDP", host: HOST, port: 0 }, () => {});
    assert(listening.ok);
    this.port = listening.value.port;
    const proxy = new ProxyCore({
      entropy: systemEntropy,
      sentBy: `${HOST}:${this.port}`,
      policy: {
        isOurs: (host) => host === HOST || host === "localhost",
        canonicalDomain: "localhost",
        authorize: () => ({ kind: "allow", identity: null }),
        account: () => undefined,
        hasAccount: () => false,
        mayRelay: () => true,
      },
    });
    this.#driver = new Driver(proxy, systemClock, (output) => this.#take(output));
    this.#resolver = new SipResolver({
      clock: systemClock,
      entropy: systemEntropy,
      log: silentLog,
      transports: ["UDP", "TCP", "TLS"],
      ipv6: false,
      nameServer: { ipAddr: HOST, port: nameServer },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transports.close(1_000);
    this.#driver.close();
  }

  #take(output: ProxyOutput): void {
    if (output.type === "send") return this.#transports.send(output.flow, output.bytes);
    if (output.type === "resolve") {
      void this.#resolver.resolve(output.uri).then((result) =>
        this.#driver.feed({ type: "resolved", id: output.id, result })
      );
    } else if (output.type === "connect") {
      void this.#transports.connect(output.target).then((result) =>
        this.#driver.feed({ type: "connected", id: output.id, result })
      );
    }
  }
}

const srv = (priority: number, port: number) => ({
  priority,
  weight: 0,
  port,
  target: "edge.carrier.test",
});

function closedPort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

Deno.test("outside: a dead server, one that is overloaded, and the third takes the call", async () => {
  await using overloaded = new Carrier(503);
  await using good = new Carrier(200);
  const zone: DnsZone = {
    "SRV _sip._tcp.carrier.test": [
      srv(3, good.listen("TCP")),
      srv(1, closedPort()),
      srv(2, overloaded.listen("TCP")),
    ],
    "A edge.carrier.test": [HOST],
  };
  await using names = new DnsServer(zone);
  await using relay = new Relay(names.port);
  const target = { transport: "UDP", host: HOST, port: relay.port } as const;
  await using phone = await SipPeer.open("alice", target);
  const invite = phone.request("INVITE", "sip:+4930123@carrier.test");
  const response = await phone.ask(invite);
  assert.equal(response.status, 200);
  await phone.ack(invite, response);
  await phone.until("the ACK arrived outside", () => good.got.includes("ACK"));
  assert.deepEqual(overloaded.got, ["INVITE", "ACK"]);
  assert.deepEqual(good.got, ["INVITE", "ACK"]);
  // Both Record-Routes are ours: one for each side (RFC 5658).
  assert.equal(response.headers.getAll("Record-Route").length, 2);
});

Deno.test("outside: TLS to the name that was meant, and to no other", async () => {
  const tls = await testCertificate();
  await using far = new Carrier(200);
  const port = far.listen("TLS", tls);
  await using names = new DnsServer({});
  // By the way of a proxy: a certificate for another name is none (RFC 5922 7).
  await using relay = new Relay(names.port, [tls.certificate]);
  const target = { transport: "UDP", host: HOST, port: relay.port } as const;
  await using phone = await SipPeer.open("alice", target);
  const statusOf = async (uri: string) => (await phone.ask(phone.request("MESSAGE", uri))).status;
  assert.equal(await statusOf(`sips:bob@other.localhost:${port}`), 480);
  assert.deepEqual(far.got, []);
  // The certificate's own name.
  const trusting = new SipTransports({
    clock: systemClock,
    log: silentLog,
    onInput: () => {},
    trusted: [tls.certificate],
  });
  const to: Target = { transport: "TLS", host: HOST, port, name: "localhost" };
  const connected = await trusting.connect(to);
  assert.ok(connected.ok);
  const again = await trusting.connect({ ...to, name: "other.example" });
  assert.ok(!again.ok, "a connection for one name does not serve another");
  await trusting.close(1_000);
});

Deno.test("outside: who takes a connection and says nothing of TLS is given up", async () => {
  using deaf = Deno.listen({ hostname: HOST, port: 0 });
  const held = deaf.accept();
  const transports = new SipTransports({
    clock: systemClock,
    log: silentLog,
    onInput: () => {},
    limits: { connectMs: 200 },
  });
  const { port } = deaf.addr;
  const silent = await transports.connect({
    transport: "TLS",
    host: HOST,
    port,
    name: "localhost",
  });
  assert(!silent.ok);
  assert.match(silent.error, /no connection within 200 ms/);
  (await held).close();
  await transports.close(100);
});

Deno.test("inbound: TLS connections without a handshake are counted, and free their places", async () => {
  const tls = await testCertificate();
  const transports = new SipTransports({
    clock: systemClock,
    log: silentLog,
    onInput: () => {},
    limits: { connectMs: 50, connectionsPerAddress: 2 },
  });
  const listening = transports.listen({ transport: "TLS", host: HOST, port: 0, tls }, () => {});
  assert(listening.ok);
  const { port } = listening.value;
  const open = () => Deno.connect({ hostname: HOST, port });
  const ping = async () => {
    const conn = await Deno.connectTls({
      hostname: "localhost",
      port,
      caCerts: [tls.certificate],
    });
    try {
      await conn.write(new TextEncoder().encode("\r\n\r\n"));
      return await conn.read(new Uint8Array(10));
    } finally {
      conn.close();
    }
  };
  const silent = [await open()];
  assert.equal(await ping(), 2, "one who dawdles keeps nobody out");
  silent.push(await open());
  for (;;) {
    // The place of the ping before is free once its end was noticed.
    if (await ping().then((count) => count === null, () => true)) break;
  }
  assert.equal(transports.counts()["TLS"], 0);
  for (const conn of silent) conn.close();
  for (let tries = 0;; tries++) {
    assert.ok(tries < 500, "the places were never freed");
    if (await ping().then((count) => count === 2, () => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await transports.close(1_000);
});
