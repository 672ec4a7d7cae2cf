import assert from "node:assert/strict";
import type { FlowId } from "../../src/core/ids.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { silentLog } from "../../src/core/log.ts";
import type { Flow } from "../../src/sip/flow.ts";
import type { TransportLimits } from "../../src/sip/io/limits.ts";
import { type ListenSpec, SipTransports, type WireInput } from "../../src/sip/io/transports.ts";
import { createResponse, parseMessage, serialize, SipRequest } from "../../src/sip/message/mod.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** The transports alone: what comes in, what goes out, and what nobody may do to them. */

class Bench implements AsyncDisposable {
  readonly inputs: WireInput[] = [];
  readonly requests: { readonly flow: Flow; readonly request: SipRequest }[] = [];
  readonly used = new Set<FlowId>();
  readonly promised = new Set<FlowId>();
  readonly transports: SipTransports;
  /** Answers every request with 200. */
  answers = true;

  constructor(limits: Partial<TransportLimits> = {}) {
    this.transports = new SipTransports({
      clock: systemClock,
      log: silentLog,
      limits,
      onInput: (input) => this.#take(input),
      isFlowUsed: (flow) => this.used.has(flow),
      promisesLife: (flow) => this.promised.has(flow),
    });
  }

  listen(transport: ListenSpec["transport"], host = "127.0.0.1"): number {
    const listening = this.transports.listen({ transport, host, port: 0 }, () => {});
    assert(listening.ok);
    return listening.value.port;
  }

  get closed(): FlowId[] {
    return this.inputs.flatMap((input) => input.type === "flow-closed" ? [input.flow] : []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transports.close(1_000);
    assert.deepEqual(this.transports.counts(), { UDP: 0, TCP: 0, TLS: 0, WS: 0, WSS: 0 });
  }

  #take(input: WireInput): void {
    this.inputs.push(input);
    const request = requestOf(input);
    if (!request || input.type === "flow-closed") return;
    this.requests.push({ flow: input.flow, request });
    if (!this.answers || request.method === "ACK") return;
    const response = createResponse(request, 200, "OK", { toTag: "b" });
    this.transports.send(input.flow, serialize(response));
  }
}

function requestOf(input: WireInput): SipRequest | undefined {
  if (input.type === "flow-closed") return undefined;
  if (input.type === "receive-framed") {
    const { event } = input;
    return event.type === "message" && event.message instanceof SipRequest
      ? event.message
      : undefined;
  }
  const parsed = parseMessage(input.bytes);
  return parsed.ok && parsed.value instanceof SipRequest ? parsed.value : undefined;
}

const loopback = (transport: "UDP" | "TCP", port: number) => ({
  transport,
  host: "127.0.0.1",
  port,
});

Deno.test("wire: a TCP stream is framed however it is split, at every byte", async () => {
  await using bench = new Bench();
  const port = bench.listen("TCP");
  await using peer = await SipPeer.open("alice", loopback("TCP", port));
  const message = peer.request("MESSAGE", "sip:bob@localhost");
  message.body = new TextEncoder().encode("grüße\r\n\r\nOPTIONS sip:x SIP/2.0\r\n\r\n");
  const bytes = new Uint8Array(serialize(message));
  for (let at = 1; at < bytes.length; at++) {
    await peer.raw(bytes.slice(0, at));
    await peer.raw(bytes.slice(at));
  }
  await peer.until("all were framed", () => bench.requests.length === bytes.length - 1);
  assert.ok(
    bench.requests.every(({ request }) =>
      request.method === "MESSAGE" && request.body.length === message.body.length
    ),
  );
  // One byte at a time, and three in one write.
  for (const byte of bytes) await peer.raw(Uint8Array.of(byte));
  const three = new Uint8Array([...bytes, ...bytes, ...bytes]);
  await peer.raw(three);
  await peer.until("four more", () => bench.requests.length === bytes.length + 3);
  await peer.until("all were answered", () => peer.heard.length === bytes.length + 3);
});

Deno.test("wire: keep-alives are answered by one CRLF, between messages too", async () => {
  await using bench = new Bench();
  const port = bench.listen("TCP");
  await using peer = await SipPeer.open("alice", loopback("TCP", port));
  await peer.raw("\r\n");
  await peer.raw("\r\n");
  await peer.until("a pong", () => peer.pongs === 1);
  await peer.ask(peer.request("OPTIONS", "sip:localhost"));
  await peer.raw("\r\n\r\n\r\n\r\n");
  await peer.until("two pongs more", () => peer.pongs === 3);
  assert.equal(bench.requests.length, 1);
});

Deno.test("wire: who begins a message and does not end it is cut, each byte in time or not", async () => {
  await using bench = new Bench({ messageMs: 300 });
  const port = bench.listen("TCP");
  await using slow = await SipPeer.open("slow", loopback("TCP", port));
  await using good = await SipPeer.open("good", loopback("TCP", port));
  const started = systemClock.now();
  const drip = setInterval(() => void slow.raw("X-Slow: 1\r\n").catch(() => {}), 20);
  try {
    await slow.raw("OPTIONS sip:localhost SIP/2.0\r\n");
    await slow.until("the slow one is cut", () => slow.isClosed);
  } finally {
    clearInterval(drip);
  }
  assert.ok(systemClock.now() - started >= 290);
  assert.equal((await good.ask(good.request("OPTIONS", "sip:localhost"))).status, 200);
  assert.equal(bench.closed.length, 1);
});

Deno.test("wire: a quiet connection is let go, with or without pings, unless it is used", async () => {
  await using bench = new Bench({ idleMs: 200, usedIdleMs: 60_000 });
  const port = bench.listen("TCP");
  await using quiet = await SipPeer.open("quiet", loopback("TCP", port));
  await using pinging = await SipPeer.open("pinging", loopback("TCP", port));
  await using used = await SipPeer.open("used", loopback("TCP", port));
  await used.ask(used.request("OPTIONS", "sip:localhost"));
  bench.used.add(bench.requests[0]!.flow.id);
  const pings = setInterval(() => void pinging.raw("\r\n\r\n").catch(() => {}), 30);
  try {
    await quiet.until("both are let go", () => quiet.isClosed && pinging.isClosed);
  } finally {
    clearInterval(pings);
  }
  assert.equal((await used.ask(used.request("OPTIONS", "sip:localhost"))).status, 200);
});

Deno.test("wire: who has promised keep-alives and sends none is gone, others stay (RFC 5626)", async () => {
  await using bench = new Bench({ usedIdleMs: 60_000, promisedIdleMs: 300 });
  const port = bench.listen("TCP");
  const open = async (name: string) => {
    const peer = await SipPeer.open(name, loopback("TCP", port));
    assert.equal((await peer.ask(peer.request("OPTIONS", "sip:localhost"))).status, 200);
    bench.used.add(bench.requests.at(-1)!.flow.id);
    return peer;
  };
  await using pinging = await open("pinging");
  await using silent = await open("silent");
  for (const flow of bench.used) bench.promised.add(flow);
  await using other = await open("other");
  const pings = setInterval(() => void pinging.raw("\r\n\r\n").catch(() => {}), 30);
  try {
    // The promise counts from what is heard next.
    await silent.ask(silent.request("OPTIONS", "sip:localhost"));
    await silent.until("it is let go", () => silent.isClosed);
  } finally {
    clearInterval(pings);
  }
  assert.equal((await pinging.ask(pinging.request("OPTIONS", "sip:localhost"))).status, 200);
  assert.equal((await other.ask(other.request("OPTIONS", "sip:localhost"))).status, 200);
});

Deno.test("wire: too large a message gets 513 where it can be answered, then the end", async () => {
  await using bench = new Bench({ messageBytes: 8_192 });
  bench.answers = false;
  const port = bench.listen("TCP");
  await using big = await SipPeer.open("big", loopback("TCP", port));
  const message = big.request("MESSAGE", "sip:bob@localhost");
  message.body = new Uint8Array(9_000).fill(0x61);
  await big.send(message).catch(() => {});
  await big.until("the end", () => big.isClosed);
  const [fault] = bench.inputs;
  assert(fault?.type === "receive-framed" && fault.event.type === "fault");
  assert.equal(fault.event.fault.status, 513);
  assert.equal(fault.event.fault.request?.method, "MESSAGE");

  // A header field of a megabyte is not even kept.
  await using endless = await SipPeer.open("endless", loopback("TCP", port));
  await endless.raw(`OPTIONS sip:localhost SIP/2.0\r\nX-Long: ${"a".repeat(1024 * 1024)}`)
    .catch(() => {});
  await endless.until("the end", () => endless.isClosed);
});

Deno.test("wire: a source has so many connections and no more; closing makes room", async () => {
  await using bench = new Bench({ connectionsPerAddress: 3 });
  const port = bench.listen("TCP");
  const peers = await Promise.all(
    ["a", "b", "c"].map((name) => SipPeer.open(name, loopback("TCP", port))),
  );
  for (const peer of peers) await peer.ask(peer.request("OPTIONS", "sip:localhost"));
  await using fourth = await SipPeer.open("d", loopback("TCP", port));
  await fourth.until("the fourth is refused", () => fourth.isClosed);
  await peers[0]![Symbol.asyncDispose]();
  await fourth.until("its flow is closed", () => bench.closed.length === 1);
  await using fifth = await SipPeer.open("e", loopback("TCP", port));
  assert.equal((await fifth.ask(fifth.request("OPTIONS", "sip:localhost"))).status, 200);
  for (const peer of peers.slice(1)) await peer[Symbol.asyncDispose]();
});

Deno.test("wire: who does not read is cut when too much waits for him", async () => {
  await using bench = new Bench({ backlogBytes: 64 * 1024 });
  const port = bench.listen("TCP");
  using deaf = await Deno.connect({ hostname: "127.0.0.1", port });
  const probe = await SipPeer.open("probe", loopback("TCP", port));
  await deaf.write(serialize(probe.request("OPTIONS", "sip:localhost")) as Uint8Array<ArrayBuffer>);
  await probe.until("his flow is there", () => bench.requests.length === 1);
  const { flow } = bench.requests[0]!;
  const chunk = new Uint8Array(16 * 1024).fill(0x20);
  for (let sent = 0; bench.closed.length === 0; sent += chunk.length) {
    assert.ok(sent < 64 * 1024 * 1024, "64 MiB were taken for one who reads nothing");
    bench.transports.send(flow, chunk);
    if (sent % (1024 * 1024) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.deepEqual(bench.closed, [flow.id]);
  await probe[Symbol.asyncDispose]();
});

Deno.test("wire: what we opened is used again, by all who wait for it; inbound is not", async () => {
  await using far = new Bench();
  await using near = new Bench();
  const port = far.listen("TCP");
  const target = { ...loopback("TCP", port), transport: "TCP" as const, name: "localhost" };
  const [one, two] = await Promise.all([
    near.transports.connect(target),
    near.transports.connect(target),
  ]);
  assert(one.ok && two.ok);
  assert.equal(one.value.id, two.value.id);
  const again = await near.transports.connect(target);
  assert(again.ok && again.value.id === one.value.id);
  assert.equal(near.transports.counts()["TCP"], 1);
  near.transports.drop(one.value.id, "test");
  const fresh = await near.transports.connect(target);
  assert(fresh.ok && fresh.value.id !== one.value.id);
  const nobody = await near.transports.connect({ ...target, port: 1 });
  assert(!nobody.ok);
  assert.match(nobody.error, /^Cannot connect to TCP 127\.0\.0\.1:1: /);
});

Deno.test("wire: a connection that we opened and need is pinged, one that we don't is let go", async () => {
  const limits = { keepAliveMs: 40, idleMs: 600, usedIdleMs: 60_000 };
  await using near = new Bench(limits);
  let pings = 0;
  const far = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = far.addr;
  const connected = near.transports.connect({ ...loopback("TCP", port), name: "localhost" });
  using conn = await far.accept();
  const flow = await connected;
  assert(flow.ok);
  near.used.add(flow.value.id);
  const buffer = new Uint8Array(100);
  while (pings < 20) {
    const count = await conn.read(buffer);
    assert.ok(count !== null, "cut while it was needed");
    assert.match(new TextDecoder().decode(buffer.subarray(0, count)), /^(\r\n\r\n)+$/);
    pings += count / 4;
    await conn.write(new TextEncoder().encode("\r\n"));
  }
  near.used.clear();
  while (await conn.read(buffer) !== null);
  assert.deepEqual(near.closed, [flow.value.id]);
  far.close();
});

Deno.test("wire: UDP has a flow a peer, forgotten when quiet and unneeded", async () => {
  await using bench = new Bench({ idleMs: 200 });
  const port = bench.listen("UDP");
  await using kept = await SipPeer.open("kept", loopback("UDP", port));
  await using passing = await SipPeer.open("passing", loopback("UDP", port));
  assert.equal((await kept.ask(kept.request("OPTIONS", "sip:localhost"))).status, 200);
  const { flow } = bench.requests[0]!;
  assert.equal(flow.remote, kept.local);
  assert.equal(flow.local, `127.0.0.1:${port}`);
  bench.used.add(flow.id);
  await passing.ask(passing.request("OPTIONS", "sip:localhost"));
  await passing.until("the passing one is forgotten", () => bench.closed.length === 1);
  assert.notEqual(bench.closed[0], flow.id);
  // What is kept is reached without having spoken again.
  const request = passing.request("OPTIONS", "sip:kept@localhost");
  bench.transports.send(flow, serialize(request));
  await kept.hearRequest("OPTIONS");
});

Deno.test("wire: ten thousand datagrams of rubbish from many peers cost no peer that is needed", async () => {
  await using bench = new Bench({ udpFlows: 50 });
  const port = bench.listen("UDP");
  await using kept = await SipPeer.open("kept", loopback("UDP", port));
  await kept.ask(kept.request("OPTIONS", "sip:localhost"));
  const { flow } = bench.requests[0]!;
  bench.used.add(flow.id);
  const sockets = Array.from(
    { length: 100 },
    () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
  );
  const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
  let seed = 1;
  for (let n = 0; n < 10_000; n++) {
    seed = Math.imul(seed, 1_103_515_245) + 12_345 >>> 0;
    const rubbish = Uint8Array.from({ length: seed % 700 }, (_, at) => (seed >>> (at % 24)) & 0xff);
    await sockets[n % sockets.length]!.send(rubbish, to);
    assert.ok(bench.transports.counts()["UDP"]! <= 50);
  }
  for (const socket of sockets) socket.close();
  assert.equal((await kept.ask(kept.request("OPTIONS", "sip:localhost"))).status, 200);
  assert.ok(!bench.closed.includes(flow.id));
});

Deno.test("wire: IPv6 over UDP and TCP; flows are told apart by port and written in brackets", async () => {
  await using bench = new Bench();
  for (const transport of ["UDP", "TCP"] as const) {
    const port = bench.listen(transport, "::1");
    await using peer = await SipPeer.open("six", { transport, host: "::1", port });
    const response = await peer.ask(peer.request("OPTIONS", "sip:[::1]"));
    assert.equal(response.status, 200);
    const { flow } = bench.requests.at(-1)!;
    assert.equal(flow.remote, peer.local);
    assert.equal(flow.peer?.address, "::1");
    assert.equal(flow.local, `[::1]:${port}`);
  }
});

Deno.test("wire: a port in use is one sentence", async () => {
  await using bench = new Bench();
  const port = bench.listen("TCP");
  const again = bench.transports.listen(
    { transport: "TCP", host: "127.0.0.1", port },
    () => {},
  );
  assert(!again.ok);
  assert.equal(
    again.error.text,
    `Port ${port} (sip tcp) of 127.0.0.1 is in use by another process; ` +
      "give it another by sip.port (PORTZERO_SIP_PORT)",
  );
});
