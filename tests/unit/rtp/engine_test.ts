import assert from "node:assert/strict";
import { BINDING_ERROR, BINDING_SUCCESS, readStun } from "../../../src/rtp/ice/stun.ts";
import { HmacSha1 } from "../../../src/rtp/srtp/hmac_sha1.ts";
import { EngineHarness, FakeBrowser, joinedPair, PAYLOADS } from "../../support/media_engine.ts";

const VIDEO = { payloadType: 96 };

function isPli(packet: Uint8Array, ssrc: number): boolean {
  return packet.length === 12 && packet[1] === 206 && (packet[0]! & 31) === 1 &&
    new DataView(packet.buffer).getUint32(8) === ssrc;
}

Deno.test("ICE-lite: answers authentic checks only, and takes the nomination", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  browser.open();
  assert.equal(browser.check({ ufrag: "nobody" }), undefined);
  assert.equal(browser.check({ key: new HmacSha1(Uint8Array.of(1)) }), undefined);
  assert.deepEqual(harness.of("ice"), [], "nothing learned from those");
  const [answer] = browser.send(browser.request({ nominate: false }));
  const message = answer && readStun(answer.data, 0, answer.data.length);
  assert.ok(message);
  assert.equal(message.type, BINDING_SUCCESS);
  const at = answer!.data.subarray(message.mappedAddress);
  assert.equal(((at[2]! << 8) | at[3]!) ^ 0x2112, browser.port, "XOR-MAPPED-ADDRESS says the port");
  assert.equal(harness.of("ice").at(-1)?.state, "checking");
  browser.check();
  const { state, remoteAddress } = harness.of("ice").at(-1)!;
  assert.deepEqual([state, remoteAddress], ["connected", `10.0.0.1:${browser.port}`]);
  const told = harness.of("ice").length;
  browser.check();
  assert.equal(harness.of("ice").length, told, "the same nomination is no news");
});

Deno.test("ICE-lite: an attribute that must be understood gets 420", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  browser.open();
  assert.equal(browser.check({ extra: 0x7abc }), BINDING_ERROR);
  assert.deepEqual(harness.of("ice"), []);
});

Deno.test("consent: 30 s without a check is disconnected; a check brings it back", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  for (let second = 0; second < 40; second += 5) {
    harness.advance(5000);
    b.check();
  }
  assert.equal(
    harness.of("ice").filter((event) => event.endpoint === 1).at(-1)?.state,
    "disconnected",
  );
  assert.deepEqual(
    b.send(b.rtp({ ssrc: 9, sequence: 1 })),
    [],
    "nothing goes where nobody consents",
  );
  a.check();
  assert.equal(harness.of("ice").at(-1)?.state, "connected");
  assert.equal(b.send(b.rtp({ ssrc: 9, sequence: 2 })).length, 1);
});

Deno.test("media is closed until the keys are there, whatever comes early", () => {
  const harness = new EngineHarness();
  const [a, b] = [new FakeBrowser(harness, 1), new FakeBrowser(harness, 2)];
  b.up();
  a.open();
  a.check();
  harness.command({ type: "connect", endpoint: 1, peer: 2 });
  assert.deepEqual(a.send(a.rtp({ ssrc: 5, sequence: 1, ...VIDEO })), []);
  a.giveKeys();
  const sent = a.send(a.rtp({ ssrc: 5, sequence: 2, ...VIDEO }));
  // The first packets were lost to us: the browser is asked for a new key frame, and the peer gets
  // this.
  assert.equal(sent.length, 2);
  assert.ok(isPli(a.plain([sent[0]!])[0]!, 5));
  assert.equal(b.plain([sent[1]!])[0]!.length, 172);
  harness.advance(1000);
  const reported = harness.of("statistics").at(-1)!.endpoints.find(({ endpoint }) =>
    endpoint === 1
  );
  assert.equal(reported!.statistics.dropped, 1);
});

Deno.test("packets pass with header and payload untouched, once, under the peer's keys", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  const packet = a.rtp({ ssrc: 0xdeadbeef, sequence: 65535, marker: 42 });
  const [plain] = b.plain(a.send(packet));
  assert.deepEqual([...plain!.subarray(0, 4)], [0x80, 111, 255, 255]);
  assert.equal(new DataView(plain!.buffer).getUint32(8), 0xdeadbeef);
  assert.equal(plain![12], 42);
  assert.deepEqual(a.send(packet), [], "a replayed packet goes nowhere");
  // Over the end of the sequence numbers, out of order.
  for (const sequence of [2, 0, 1, 65534]) {
    assert.equal(b.plain(a.send(a.rtp({ ssrc: 0xdeadbeef, sequence }))).length, 1);
  }
  const forged = a.rtp({ ssrc: 0xdeadbeef, sequence: 9 });
  forged[20]! ^= 1;
  assert.deepEqual(a.send(forged), []);
  const stranger = harness.receive(0, a.address, a.port + 1, a.rtp({ ssrc: 1, sequence: 1 }));
  assert.deepEqual(stranger, [], "an address that no check came from is a stranger's");
  harness.advance(1000);
  const { endpoints, packets, strays } = harness.of("statistics").at(-1)!;
  const [ofA, ofB] = endpoints.map(({ statistics }) => statistics);
  assert.equal(ofA!.receivePackets, 5);
  assert.equal(ofA!.dropped, 2);
  assert.equal(ofA!.receiveLost, 0);
  assert.equal(ofA!.audioCodec, "opus");
  assert.equal(ofB!.sendPackets, 5);
  assert.deepEqual([packets, strays], [5, 1]);
});

Deno.test("loss is counted by the sequence numbers (RFC 3550 A.3)", () => {
  const harness = new EngineHarness();
  const [a] = joinedPair(harness);
  for (const sequence of [100, 101, 105, 106, 104]) a.send(a.rtp({ ssrc: 3, sequence }));
  harness.advance(1000);
  const [ofA] = harness.of("statistics").at(-1)!.endpoints;
  assert.equal(ofA!.statistics.receiveLost, 2);
});

Deno.test("hold: nothing either way; unhold asks both for key frames", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  a.send(a.rtp({ ssrc: 5, sequence: 1, ...VIDEO }));
  b.send(b.rtp({ ssrc: 6, sequence: 1, ...VIDEO }));
  harness.command({ type: "set-flowing", endpoint: 1, flowing: false });
  assert.deepEqual(a.send(a.rtp({ ssrc: 5, sequence: 2, ...VIDEO })), []);
  assert.deepEqual(b.send(b.rtp({ ssrc: 6, sequence: 2, ...VIDEO })), []);
  harness.now += 1000;
  harness.sent = [];
  harness.command({ type: "set-flowing", endpoint: 1, flowing: true });
  assert.equal(harness.sent.length, 2);
  const toA = harness.sent.filter(({ port }) => port === a.port);
  const toB = harness.sent.filter(({ port }) => port === b.port);
  assert.ok(isPli(a.plain(toA)[0]!, 5));
  assert.ok(isPli(b.plain(toB)[0]!, 6));
  assert.equal(a.send(a.rtp({ ssrc: 5, sequence: 3, ...VIDEO })).length, 1);
});

Deno.test("key frames: when the second leg comes up, and at most one each 500 ms", () => {
  const harness = new EngineHarness();
  const [a, b] = [new FakeBrowser(harness, 1), new FakeBrowser(harness, 2)];
  a.up();
  b.open();
  harness.command({ type: "connect", endpoint: 1, peer: 2 });
  harness.now = 10;
  a.send(a.rtp({ ssrc: 5, sequence: 1, ...VIDEO }));
  a.send(a.rtp({ ssrc: 7, sequence: 1, payloadType: 97 }));
  a.send(a.rtp({ ssrc: 8, sequence: 1 }));
  harness.sent = [];
  b.check();
  b.giveKeys();
  const asked = harness.sent.filter(({ port, data }) => port === a.port && data[1] === 206);
  assert.equal(asked.length, 1, "for the video stream, not for its repair or the audio");
  assert.ok(isPli(a.plain(asked)[0]!, 5));
  harness.sent = [];
  for (let i = 0; i < 5; i++) harness.command({ type: "key-frame", endpoint: 1 });
  assert.deepEqual(harness.sent, []);
  assert.equal(harness.engine.deadline()?.reason, "key frame put off by the rate limit");
  assert.equal(harness.advance(600).length, 1, "what was put off is sent once");
});

Deno.test("RTCP passes unchanged, and the round trip is read off it", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  const senderReport = (ssrc: number, stamp: number) => {
    const packet = new Uint8Array(28);
    const view = new DataView(packet.buffer);
    view.setUint32(0, 0x80c80006);
    view.setUint32(4, ssrc);
    view.setUint32(8, stamp >>> 16);
    view.setUint32(12, (stamp & 0xffff) << 16);
    return packet;
  };
  const receiverReport = (ssrc: number, about: number, stamp: number, delayMs: number) => {
    const packet = new Uint8Array(32);
    const view = new DataView(packet.buffer);
    view.setUint32(0, 0x81c90007);
    view.setUint32(4, ssrc);
    view.setUint32(8, about);
    view.setUint32(24, stamp);
    view.setUint32(28, Math.round(delayMs * 65.536));
    return packet;
  };
  for (const [from, to, ssrc, way] of [[a, b, 11, 40], [b, a, 22, 60]] as const) {
    const report = senderReport(ssrc, 0x12345678);
    assert.deepEqual(to.plain(from.send(from.rtcp(report)))[0], report);
    harness.now += way + 100;
    to.send(to.rtcp(receiverReport(ssrc + 1, ssrc, 0x12345678, 100)));
  }
  a.send(a.rtp({ ssrc: 1, sequence: 1 }));
  harness.advance(1000);
  const { statistics } = harness.of("statistics").at(-1)!.endpoints[0]!;
  assert.ok(Math.abs(statistics.roundTripMs! - 100) < 1, `round trip ${statistics.roundTripMs} ms`);
});

Deno.test("DTLS: handed over as a copy from the checked address; strays stay out once up", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  browser.open();
  const record = (type: number, epoch: number, first: number) =>
    Uint8Array.of(type, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 1, 0, 2, first, 40);
  const hello = record(22, 0, 1);
  browser.send(hello);
  assert.deepEqual(harness.of("dtls-receive"), [], "before any check it is a stranger's");
  browser.check();
  browser.send(hello);
  assert.deepEqual([...harness.of("dtls-receive")[0]!.data], [...hello]);
  assert.notEqual(harness.of("dtls-receive")[0]!.data.buffer, harness.arena.buffer);
  browser.giveKeys();
  for (const stray of [record(21, 0, 2), hello, record(22, 0, 1).subarray(0, 14)]) {
    browser.send(stray);
  }
  assert.equal(harness.of("dtls-receive").length, 1);
  browser.send(record(21, 1, 2));
  browser.send(record(22, 0, 16));
  assert.equal(harness.of("dtls-receive").length, 3, "what can be authentic passes");
  harness.sent = [];
  harness.command({ type: "dtls-send", endpoint: 1, data: hello });
  assert.equal(harness.sent[0]!.port, browser.port);
});

Deno.test("media is told once for each kind, silence each time that it has lasted as long again", () => {
  const harness = new EngineHarness(5000);
  const [a] = joinedPair(harness);
  a.send(a.rtp({ ssrc: 1, sequence: 1 }));
  a.send(a.rtp({ ssrc: 1, sequence: 2 }));
  assert.deepEqual(harness.of("media").map(({ endpoint, kind }) => [endpoint, kind]), [[
    1,
    "audio",
  ]]);
  const silences = () => {
    const found = harness.of("silent").filter(({ endpoint }) => endpoint === 1);
    harness.events.length = 0;
    return found.map(({ ms }) => Math.floor(ms / 5000));
  };
  harness.advance(17_000);
  assert.deepEqual(silences(), [1, 2, 3]);
  a.send(a.rtcp(Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 1)));
  harness.advance(5000);
  assert.deepEqual(silences(), [], "RTCP is a sign of life too");
  harness.command({ type: "set-flowing", endpoint: 1, flowing: false });
  harness.advance(4000);
  assert.deepEqual(silences(), []);
  harness.advance(2000);
  assert.deepEqual(silences(), [1]);
});

Deno.test("a plain hop between two engines carries both directions", () => {
  const [left, right] = [new EngineHarness(), new EngineHarness()];
  const a = new FakeBrowser(left, 1);
  const b = new FakeBrowser(right, 2);
  a.up();
  b.up();
  left.command({ type: "open", endpoint: 11, kind: "plain" });
  right.command({ type: "open", endpoint: 12, kind: "plain" });
  const here = left.of("opened").at(-1)!.local!;
  const there = right.of("opened").at(-1)!.local!;
  const payloads = [{ payloadType: 96, kind: "video", codec: "VP8", clockRate: 90000 }] as const;
  left.command({ type: "set-remote", endpoint: 11, payloads, remote: there });
  right.command({ type: "set-remote", endpoint: 12, payloads, remote: here });
  left.command({ type: "connect", endpoint: 1, peer: 11 });
  left.command({ type: "connect", endpoint: 11, peer: 1 });
  right.command({ type: "connect", endpoint: 2, peer: 12 });
  right.command({ type: "connect", endpoint: 12, peer: 2 });
  const [hop] = a.send(a.rtp({ ssrc: 5, sequence: 1, ...VIDEO }));
  assert.equal(hop!.data.length, 172, "plain on the hop");
  assert.equal(hop!.port, there.port);
  const loopback = 0x7f000001;
  const arrived = right.receive(1, loopback, here.port, hop!.data);
  assert.equal(b.plain(arrived).length, 1);
  assert.deepEqual(right.receive(1, loopback, here.port + 1, hop!.data), [], "from that port only");
  const pli = Uint8Array.of(0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 5);
  const [back] = b.send(b.rtcp(pli));
  assert.deepEqual(a.plain(left.receive(1, loopback, there.port, back!.data))[0], pli);
  left.command({ type: "close", endpoint: 11 });
  assert.deepEqual([...left.openSockets], [0]);
});

Deno.test("closing frees everything, and the peer's packets stop", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  harness.command({ type: "close", endpoint: 2 });
  assert.deepEqual(a.send(a.rtp({ ssrc: 1, sequence: 1 })), []);
  assert.equal(b.check(), undefined);
  harness.command({ type: "close", endpoint: 1 });
  assert.deepEqual(harness.engine.size, { endpoints: 0, places: 0, drained: 0 });
  assert.equal(harness.engine.deadline(), undefined);
  harness.command({ type: "set-flowing", endpoint: 1, flowing: true });
});

Deno.test("a place belongs to the endpoint that checks from it, until its checks stop", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  const other = new FakeBrowser(harness, 3);
  Object.assign(other, { address: a.address, port: a.port });
  other.open();
  assert.equal(other.check(), undefined, "a forged source address must not cut off a call");
  assert.equal(b.plain(a.send(a.rtp({ ssrc: 1, sequence: 1 }))).length, 1);
  harness.advance(11_000);
  assert.equal(other.check(), BINDING_SUCCESS);
  other.giveKeys();
  harness.command({ type: "close", endpoint: 1 });
  harness.command({ type: "connect", endpoint: 3, peer: 2 });
  assert.equal(other.send(other.rtp({ ssrc: 2, sequence: 1 })).length, 1);
});

Deno.test("a browser that moves is followed when it nominates, and not before", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  Object.assign(a, { port: a.port + 100 });
  const [away] = b.send(b.rtp({ ssrc: 2, sequence: 1 }));
  a.check({ nominate: false });
  const [still] = b.send(b.rtp({ ssrc: 2, sequence: 2 }));
  assert.deepEqual([away!.port, still!.port], [a.port - 100, a.port - 100]);
  assert.equal(b.plain(a.send(a.rtp({ ssrc: 1, sequence: 1 }))).length, 1, "it is heard from both");
  a.check();
  assert.equal(a.plain(b.send(b.rtp({ ssrc: 2, sequence: 3 }))).length, 1);
  assert.equal(harness.of("ice").at(-1)!.remoteAddress, `10.0.0.1:${a.port}`);
});

Deno.test("video inside RED is known by its codec, and asked for key frames", () => {
  const harness = new EngineHarness();
  const [a] = joinedPair(harness);
  const red = { payloadType: 118, kind: "video", codec: "red", clockRate: 90000 } as const;
  harness.command({ type: "set-remote", endpoint: 1, payloads: [...PAYLOADS, red] });
  a.send(a.rtp({ ssrc: 5, sequence: 1, payloadType: 118, marker: 97 }));
  assert.deepEqual(harness.of("media"), [], "repair inside RED is no video yet");
  a.send(a.rtp({ ssrc: 5, sequence: 2, payloadType: 118, marker: 96 }));
  assert.deepEqual(harness.of("media").map(({ kind }) => kind), ["video"]);
  harness.sent = [];
  harness.command({ type: "key-frame", endpoint: 1 });
  assert.ok(isPli(a.plain(harness.sent)[0]!, 5));
  harness.advance(1000);
  assert.equal(harness.of("statistics").at(-1)!.endpoints[0]!.statistics.videoCodec, "VP8");
});
