import assert from "node:assert/strict";
import type { SrtpKeys, SrtpProfile } from "../../../src/rtp/contract.ts";
import { DRAIN } from "../../../src/rtp/engine/rtp_legs.ts";
import { FakePhone, headerOf, isRtcp, join, partsOf } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

function keys(profile: SrtpProfile, fill: number): SrtpKeys {
  return {
    profile,
    localKey: new Uint8Array(16).fill(fill),
    localSalt: new Uint8Array(14).fill(fill + 1),
    remoteKey: new Uint8Array(16).fill(fill + 2),
    remoteSalt: new Uint8Array(14).fill(fill + 3),
  };
}

function browserAndPhone(options: ConstructorParameters<typeof FakePhone>[2] = {}) {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2, options)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  return { harness, browser, phone };
}

Deno.test("browser and phone hear each other; each with its own payload types", () => {
  const { browser, phone } = browserAndPhone();
  const [toBrowser] = browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 100 })));
  assert.deepEqual(headerOf(toBrowser!).payloadType, 111);
  assert.equal(toBrowser!.length, 72);
  const [toPhone] = phone.plain(browser.send(browser.rtp({ ssrc: 9, sequence: 7 })));
  const { payloadType, sequence, ssrc, timestamp } = headerOf(toPhone!);
  assert.deepEqual([payloadType, sequence, ssrc, timestamp], [96, 7, 9, 7 * 960]);
  assert.equal(toPhone!.length, 172);
});

Deno.test("what was not negotiated with the phone does not reach it, nor the browser", () => {
  const { harness, browser, phone } = browserAndPhone();
  assert.deepEqual(browser.send(browser.rtp({ ssrc: 9, sequence: 7, payloadType: 13 })), []);
  phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  const noise = phone.packet({ ssrc: 5, sequence: 2, payloadType: 13 });
  assert.deepEqual(phone.send(noise), [], "comfort noise that the browser does not know");
  harness.advance(1000);
  const of = harness.of("statistics").at(-1)!.endpoints.find(({ endpoint }) => endpoint === 2)!;
  assert.equal(of.statistics.receivePackets, 2, "and yet it was heard");
  assert.equal(of.statistics.audioCodec, "opus");
});

Deno.test("header extensions stay on the side that negotiated them", () => {
  const { browser, phone } = browserAndPhone();
  const plain = phone.packet({ ssrc: 5, sequence: 1, payload: Uint8Array.of(1, 2, 3, 4) });
  const extended = new Uint8Array(plain.length + 8);
  extended.set(plain.subarray(0, 12));
  extended.set([0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0], 12);
  extended.set(plain.subarray(12), 20);
  extended[0] = 0x90;
  const [got] = browser.plain(phone.send(extended));
  assert.equal(got!.length, 16);
  assert.deepEqual([...got!.subarray(12)], [1, 2, 3, 4]);
  assert.equal(got![0], 0x80);
});

for (const profile of [1, 2] as const) {
  Deno.test(`SDES, suite ${profile}: opened and closed with the keys of each direction`, () => {
    const { browser, phone, harness } = browserAndPhone({ keys: keys(profile, 40) });
    const packet = phone.packet({ ssrc: 5, sequence: 100 });
    assert.equal(packet.length, 72 + (profile === 1 ? 10 : 4));
    assert.equal(browser.plain(phone.send(packet)).length, 1);
    assert.deepEqual(phone.send(packet), [], "a replayed packet");
    const forged = phone.packet({ ssrc: 5, sequence: 101 });
    forged[30]! ^= 1;
    assert.deepEqual(phone.send(forged), []);
    assert.equal(phone.plain(browser.send(browser.rtp({ ssrc: 9, sequence: 7 }))).length, 1);
    // The same description again keeps counters and windows.
    phone.describe();
    assert.deepEqual(phone.send(packet), []);
    assert.equal(browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 102 }))).length, 1);
    harness.command({ type: "close", endpoint: 2 });
  });
}

Deno.test("the address is learned from the first valid packet, and told", () => {
  const { harness, browser, phone } = browserAndPhone();
  phone.address = 0x0c000009;
  phone.port = 4321;
  const wrong = phone.packet({ ssrc: 5, sequence: 1, payloadType: 55 });
  phone.send(wrong);
  assert.deepEqual(
    harness.of("latched"),
    [],
    "a payload type that nobody agreed on proves nothing",
  );
  phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  assert.deepEqual(harness.of("latched").map(({ address }) => address), ["12.0.0.9:4321"]);
  const [sent] = browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  assert.deepEqual([sent!.address, sent!.port], [0x0c000009, 4321]);
});

Deno.test("who is where the description says goes before whoever came first", () => {
  const { harness, browser, phone } = browserAndPhone();
  const [address, port] = [phone.address, phone.port];
  phone.address = 0x0c000009;
  phone.send(phone.packet({ ssrc: 6, sequence: 1 }));
  phone.address = address;
  assert.equal(browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 1 }))).length, 1);
  const [sent] = browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  assert.deepEqual([sent!.address, sent!.port], [address, port]);
  assert.equal(harness.of("latched").length, 2);
});

Deno.test("another source: only when the old one is silent, and only if its stream goes on", () => {
  const { harness, browser, phone } = browserAndPhone();
  phone.send(phone.packet({ ssrc: 5, sequence: 1000 }));
  harness.advance(20_000);
  phone.send(phone.packet({ ssrc: 5, sequence: 1001 }));
  const { port } = phone;
  phone.port = 7000;
  assert.deepEqual(phone.send(phone.packet({ ssrc: 5, sequence: 1002 })), [], "it still speaks");
  harness.advance(600);
  assert.deepEqual(phone.send(phone.packet({ ssrc: 6, sequence: 1003 })), [], "another stream");
  assert.deepEqual(phone.send(phone.packet({ ssrc: 5, sequence: 900 })), [], "it goes backwards");
  assert.equal(browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 1003 }))).length, 1);
  const [sent] = browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  assert.equal(sent!.port, 7000);
  phone.port = port;
  assert.deepEqual(
    phone.send(phone.packet({ ssrc: 5, sequence: 1004 })),
    [],
    "the old place is over",
  );
});

Deno.test("SRTP that does not authenticate moves nothing, however silent the phone", () => {
  const { harness, browser, phone } = browserAndPhone({ keys: keys(1, 40) });
  phone.send(phone.packet({ ssrc: 5, sequence: 1000 }));
  harness.advance(5000);
  const forged = phone.packet({ ssrc: 5, sequence: 1001 });
  forged[40]! ^= 1;
  const { port } = phone;
  phone.port = 7000;
  assert.deepEqual(phone.send(forged), []);
  const [sent] = browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  assert.equal(sent!.port, port);
  assert.equal(harness.of("latched").length, 1);
});

Deno.test("long after the description only the address that it names is learned", () => {
  const { harness, phone } = browserAndPhone();
  harness.advance(11_000);
  const { address } = phone;
  phone.address = 0x0c000009;
  phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  assert.deepEqual(harness.of("latched"), []);
  [phone.address, phone.port] = [address, 9999];
  phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  assert.equal(harness.of("latched").length, 1, "another port of it will do");
});

Deno.test("a re-offer to another place is followed at once, and the old place is left", () => {
  const { harness, browser, phone } = browserAndPhone();
  phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  const old = phone.port;
  phone.port = 33_000;
  phone.describe();
  const [sent] = browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  assert.equal(sent!.port, 33_000);
  phone.port = old;
  assert.deepEqual(phone.send(phone.packet({ ssrc: 5, sequence: 2 })), []);
  phone.port = 33_000;
  assert.equal(browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 3 }))).length, 1);
  assert.equal(harness.of("latched").length, 2);
});

Deno.test("two phones: payload types of both sides, RTP and RTCP ports apart", () => {
  const harness = new EngineHarness();
  const other = [
    { payloadType: 120, peerPayloadType: 111, kind: "audio", codec: "opus", clockRate: 48000 },
  ] as const;
  const [a, b] = [new FakePhone(harness, 1), new FakePhone(harness, 2, { audio: other })];
  a.up();
  b.up();
  join(harness, 1, 2);
  const [sent] = a.send(a.packet({ ssrc: 5, sequence: 1 }));
  assert.equal(sent!.socket, b.sockets[0]);
  assert.equal(headerOf(b.plain([sent!])[0]!).payloadType, 120);
  const back = b.send(b.packet({ ssrc: 6, sequence: 1, payloadType: 120 }));
  assert.equal(headerOf(a.plain(back)[0]!).payloadType, 96);
});

Deno.test("a flood costs only what is over the limit, and strangers do not use up the phone's", () => {
  const { harness, browser, phone } = browserAndPhone();
  phone.send(phone.packet({ ssrc: 5, sequence: 0 }));
  let passed = 0;
  for (let i = 1; i <= 300; i++) {
    passed += browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: i }))).length;
  }
  assert.ok(passed >= 45 && passed <= 50, `${passed} of 300 in no time`);
  harness.advance(200);
  const { port } = phone;
  for (let i = 0; i < 1000; i++) {
    phone.port = 40_000 + i;
    phone.send(phone.packet({ ssrc: 7, sequence: i }));
  }
  phone.port = port;
  assert.equal(browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 400 }))).length, 1);
});

Deno.test("closing: BYE to the phone, and its ports swallow what still comes for two seconds", () => {
  const { harness, browser, phone } = browserAndPhone();
  browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  harness.sent = [];
  harness.command({ type: "close", endpoint: 2 });
  const [bye] = harness.sent.filter(isRtcp);
  assert.equal(bye!.port, phone.port + 1);
  assert.equal(partsOf(bye!.data).at(-1)!.type, 203);
  assert.deepEqual(phone.send(phone.packet({ ssrc: 5, sequence: 1 })), []);
  assert.ok(phone.sockets.every((socket) => harness.openSockets.has(socket)));
  harness.advance(DRAIN + 1);
  assert.ok(phone.sockets.every((socket) => !harness.openSockets.has(socket)));
  harness.command({ type: "close", endpoint: 1 });
  assert.deepEqual(harness.engine.size, { endpoints: 0, places: 0, drained: 0 });
});

Deno.test("a SIP leg needs no consent: in a worker that is up for long it is heard for long", () => {
  const harness = new EngineHarness();
  harness.now = 3_600_000;
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  for (let i = 0; i < 60; i++) {
    harness.advance(1000);
    browser.check();
    assert.equal(
      phone.plain(browser.send(browser.rtp({ ssrc: 9, sequence: i }))).length,
      1,
      `${i} s`,
    );
  }
  assert.ok(harness.of("ice").every(({ endpoint }) => endpoint === 1));
});
