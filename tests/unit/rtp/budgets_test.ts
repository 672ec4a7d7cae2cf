import assert from "node:assert/strict";
import { HmacSha1 } from "../../../src/rtp/srtp/hmac_sha1.ts";
import { FakePhone, isRtcp, join } from "../../support/fake_phone.ts";
import {
  type Datagram,
  EngineHarness,
  FakeBrowser,
  joinedPair,
} from "../../support/media_engine.ts";

/** What one far end can make us send, whatever it asks for. */

/** Feedback of 17 packets each, as many as fit. */
function nacks(media: number, first: number, count: number): Uint8Array {
  const packet = new Uint8Array(12 + 4 * count);
  const view = new DataView(packet.buffer);
  packet.set([0x81, 205]);
  view.setUint16(2, 2 + count);
  view.setUint32(4, 7);
  view.setUint32(8, media);
  for (let i = 0; i < count; i++) {
    view.setUint32(12 + 4 * i, (((first + 17 * i) & 0xffff) << 16 | 0xffff) >>> 0);
  }
  return packet;
}

function bytesOf(sent: readonly Datagram[]): number {
  return sent.reduce((sum, { data }) => sum + data.length, 0);
}

const VIDEO_BYTES = 1100;

/** A phone's camera as the browser sees it: 200 packets. */
function watching() {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { video: true, hasFeedback: true });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const payload = new Uint8Array(VIDEO_BYTES);
  const show = (sequence: number) =>
    phone.send(phone.packet({ ssrc: 8, sequence, payloadType: 99, payload }), "video")
      .filter(({ port }) => port === browser.port);
  const look = (sequence: number) =>
    browser.send(browser.rtp({ ssrc: 10, sequence, payloadType: 96 }))
      .filter(({ port }) => port === phone.port + 10);
  for (let i = 0; i < 200; i++) {
    show(i);
    look(i);
    harness.advance(1);
  }
  return { harness, browser, phone, show, look };
}

for (const who of ["a browser", "a forged phone"] as const) {
  Deno.test(`repeats: a flood of NACKs from ${who} is answered by no flood`, () => {
    const { harness, browser, phone, show, look } = watching();
    const isBrowser = who === "a browser";
    const ask = (count: number) =>
      isBrowser
        ? browser.send(browser.rtcp(nacks(8, 0, count)))
        : phone.sendRtcp(nacks(10, 0, count), "video");
    let [asked, got, datagrams] = [0, 0, 0];
    for (let i = 0; i < 1000; i++) {
      const sent = ask(12);
      asked += 60;
      got += bytesOf(sent);
      datagrams += sent.length;
      if (i % 100 === 0) harness.advance(100);
    }
    assert.ok(got < 300_000, `${got} bytes for ${asked}`);
    assert.ok(datagrams < 3000, `${datagrams} datagrams for 1000`);
    // Media is none the worse for it, and later on what is lost is repeated again.
    assert.equal(isBrowser ? show(200).length : look(200).length, 1);
    harness.advance(2000);
    const again = isBrowser
      ? browser.send(browser.rtcp(nacks(8, 184, 1)))
      : phone.sendRtcp(nacks(10, 184, 1), "video").filter(({ port }) => port === phone.port + 10);
    assert.equal(again.filter((one) => !isRtcp(one)).length, 17);
  });
}

Deno.test("repeats: each packet once in a while; asked for again later it comes again", () => {
  const { harness, browser } = watching();
  const ask = () => browser.send(browser.rtcp(nacks(8, 100, 1))).length;
  assert.equal(ask(), 17);
  harness.advance(10);
  assert.equal(ask(), 0, "it is under way");
  harness.advance(15);
  assert.equal(ask(), 17);
});

Deno.test("repeats: half of a stream lost, and each loss asked for, is made good", () => {
  const { harness, browser, show } = watching();
  let missing = 0;
  for (let i = 200; i < 3000; i++) {
    show(i & 0xffff);
    harness.advance(4);
    if (i % 5 > 1) continue;
    const packet = nacks(8, i, 1);
    packet.set([0, 0], 14);
    if (browser.send(browser.rtcp(packet)).length !== 1) missing++;
  }
  assert.equal(missing, 0);
});

Deno.test("no consent: what is asked for is not repeated", () => {
  const { harness, browser, show } = watching();
  for (let second = 0; second < 32; second++) {
    harness.advance(1000);
    show(200 + second);
  }
  assert.equal(harness.of("ice").at(-1)!.state, "disconnected");
  assert.deepEqual(browser.send(browser.rtcp(nacks(8, 184, 1))), []);
});

Deno.test("RTCP: some hundred packets a second of one far end, on whatever way they go", () => {
  const report = Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 9);
  const pass = (harness: EngineHarness, send: (one: Uint8Array) => Datagram[], count: number) => {
    let sent = 0;
    for (let ms = 0; ms < 1000; ms += 10) {
      for (let i = 0; i < count / 100; i++) sent += send(report).length;
      harness.now += 10;
    }
    return sent;
  };
  for (const [count, least, most] of [[100, 100, 100], [10_000, 400, 600]] as const) {
    const harness = new EngineHarness();
    const [a] = joinedPair(harness);
    const sent = pass(harness, (one) => a.send(a.rtcp(one)), count);
    assert.ok(sent >= least && sent <= most, `${sent} of ${count} between browsers`);
  }
  for (const [count, least, most] of [[100, 100, 100], [10_000, 400, 600]] as const) {
    const { harness, browser, phone } = watching();
    const stamp = Uint8Array.of(0x81, 205, 0, 3, 0, 0, 0, 7, 0, 0, 0, 10, 0xff, 0, 0, 0);
    const sent = pass(harness, () => phone.sendRtcp(stamp, "video"), count);
    assert.ok(sent >= least && sent <= most, `${sent} of ${count} for the browser`);
    const estimate = Uint8Array.of(0x81, 205, 0, 3, 0, 0, 0, 7, 0, 0, 0, 8, 0xff, 0, 0, 0);
    const back = pass(harness, () => browser.send(browser.rtcp(estimate)), count);
    assert.ok(back >= least && back <= most, `${back} of ${count} for the phone`);
  }
});

Deno.test("RTCP: one packet of many parts is as many", () => {
  const { harness, browser } = watching();
  let sent = 0;
  for (let i = 0; i < 1000; i++) {
    const part = Uint8Array.of(0x81, 205, 0, 3, 0, 0, 0, 7, 0, 0, 0, 8, 0xff, 0, 0, 0);
    const compound = new Uint8Array(part.length * 60);
    for (let k = 0; k < 60; k++) compound.set(part, k * part.length);
    sent += browser.send(browser.rtcp(compound)).length;
    harness.now += 1;
  }
  assert.ok(sent <= 600, `${sent} datagrams for 1000`);
});

Deno.test("checks: more than any browser makes are not answered; those of a new place first", () => {
  const harness = new EngineHarness();
  const [a] = joinedPair(harness);
  const count = (checks: () => Datagram[], times: number) => {
    let answers = 0;
    for (let i = 0; i < times; i++) {
      answers += checks().length;
      if (i % (times / 100) === 0) harness.now += 10;
    }
    return answers;
  };
  assert.equal(count(() => a.send(a.request()), 100), 100);
  harness.advance(1000);
  const all = count(() => a.send(a.request()), 5000);
  assert.ok(all >= 250 && all <= 330, `${all} of 5000 answered`);
  harness.advance(1000);
  // Whoever knows a name and not the password: costs a hash each, and shuts nobody out.
  const key = new HmacSha1(Uint8Array.of(1));
  let port = 1000;
  for (let i = 0; i < 200; i++) {
    assert.deepEqual(harness.receive(0, 0x01020304, port++, a.request({ key })), []);
  }
  assert.equal(harness.receive(0, 0x0a000063, 7, a.request()).length, 0, "new places wait");
  assert.equal(a.send(a.request()).length, 1, "a known one does not");
  harness.advance(200);
  assert.equal(harness.receive(0, 0x0a000063, 7, a.request()).length, 1);
});
