import assert from "node:assert/strict";
import { nackItems } from "../../../src/rtp/engine/loss_watch.ts";
import { FakePhone, join, partsOf, rtcpOf } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

Deno.test("losses beside each other share an item of a NACK", () => {
  assert.deepEqual(nackItems([]), []);
  assert.deepEqual(nackItems([7, 8, 23, 24, 65535]), [[7, 0x8001], [24, 0], [65535, 0]]);
  assert.deepEqual(nackItems([65535, 0, 15, 16]), [[65535, 0x8001], [16, 0]]);
});

Deno.test("a phone's video: what is lost on the way to us is asked for by us, seldom enough", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { video: true, hasFeedback: true });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const nacks: { readonly at: number; readonly words: readonly number[] }[] = [];
  const plis: number[] = [];
  const send = (sequence: number) => {
    const said = phone.send(phone.packet({ ssrc: 8, sequence, payloadType: 99 }), "video");
    for (const { data } of said.filter(({ port }) => port === phone.port + 11)) {
      for (const { type, words } of partsOf(data)) {
        if (type === 205) nacks.push({ at: harness.now, words: words.slice(1) });
        if (type === 206) plis.push(harness.now);
      }
    }
    harness.now += 10;
  };
  const start = harness.now;
  for (const sequence of [50, 51, 53, 52, 54, 55]) send(sequence);
  assert.equal(nacks.length, 0, "out of order is not lost");
  // 56 and 59 never come, though they are asked for.
  for (let sequence = 57; sequence < 110; sequence++) if (sequence !== 59) send(sequence);
  const items = nacks.map(({ words: [, item] }) => [item! >>> 16, item! & 0xffff]);
  assert.deepEqual(items, [[56, 0], [59, 0], [56, 0], [59, 0], [56, 0], [59, 0]]);
  assert.ok(nacks[0]!.at - start >= 60 + 20);
  assert.equal(plis.length, 1, "then a picture that needs none of them");
  // What we have asked for is not asked for twice.
  send(111);
  for (let i = 0; i < 3; i++) send(112 + i);
  const asked = nacks.length;
  const sent = browser.send(browser.rtcp(rtcpOf(205, 1, 7, 8, 110 << 16)));
  assert.deepEqual(sent, []);
  assert.equal(nacks.length, asked);
});

Deno.test("a phone's video without feedback: after a loss it is asked for a key frame by INFO", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { video: true });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const send = (sequence: number) => {
    phone.send(phone.packet({ ssrc: 8, sequence, payloadType: 99 }), "video");
    harness.now += 10;
  };
  for (let i = 0; i < 50; i++) send(50 + i);
  const before = harness.of("key-frame-wanted").length;
  harness.now += 5000;
  for (let i = 0; i < 50; i++) if (i % 20 !== 7) send(100 + i);
  assert.equal(harness.of("key-frame-wanted").length, before + 1, "two losses, one request");
  harness.now += 5000;
  send(151);
  for (let i = 0; i < 50; i++) send(1151 + i);
  assert.equal(harness.of("key-frame-wanted").length, before + 2, "too many at once to mend");
});
