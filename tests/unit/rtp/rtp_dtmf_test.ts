import assert from "node:assert/strict";
import { FakePhone, headerOf, isRtcp, join } from "../../support/fake_phone.ts";
import { type Datagram, EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

interface Heard {
  readonly at: number;
  readonly packet: Uint8Array;
}

/** Sends `ms` of audio from the browser, 20 ms a packet, and gives what the phone gets. */
function talk(
  harness: EngineHarness,
  browser: FakeBrowser,
  phone: FakePhone,
  from: number,
  n: number,
) {
  const heard: Heard[] = [];
  const take = (sent: readonly Datagram[]) => {
    for (const packet of phone.plain(sent.filter((one) => !isRtcp(one)))) {
      heard.push({ at: harness.now, packet });
    }
  };
  for (let i = 0; i < n; i++) {
    take(browser.send(browser.rtp({ ssrc: 9, sequence: from + i })));
    for (let ms = 0; ms < 20; ms += 5) take(harness.advance(5));
  }
  return heard;
}

function eventOf({ packet }: Heard) {
  const [event, flags, high, low] = packet.subarray(12);
  return { event, isEnd: flags! >= 128, volume: flags! & 63, duration: (high! << 8) | low! };
}

Deno.test("digits: durations, three ends, one time stamp each, marker, gap; audio gives way", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const before = talk(harness, browser, phone, 0, 5);
  assert.equal(before.length, 5);
  harness.command({ type: "send-dtmf", endpoint: 2, digits: "5#", durationMs: 100 });
  const after = talk(harness, browser, phone, 5, 20);
  const all = [...before, ...after];
  const sequences = all.map(({ packet }) => headerOf(packet).sequence);
  assert.deepEqual(sequences, sequences.map((_, i) => sequences[0]! + i), "no hole, no repetition");
  assert.ok(all.every(({ packet }) => headerOf(packet).ssrc === 9));
  const events = all.filter(({ packet }) => headerOf(packet).payloadType === 97);
  assert.deepEqual(events.map((one) => eventOf(one).event), [
    ...Array(7).fill(5),
    ...Array(7).fill(11),
  ]);
  for (const digit of [events.slice(0, 7), events.slice(7)]) {
    // 48 kHz, the clock of the audio around it: 20 ms are 960.
    assert.deepEqual(digit.map((one) => eventOf(one).duration), [
      960,
      1920,
      2880,
      3840,
      4800,
      4800,
      4800,
    ]);
    assert.deepEqual(digit.map((one) => eventOf(one).isEnd), [
      false,
      false,
      false,
      false,
      true,
      true,
      true,
    ]);
    assert.deepEqual(digit.map(({ packet }) => headerOf(packet).marker), [
      true,
      ...Array(6).fill(false),
    ]);
    assert.equal(new Set(digit.map(({ packet }) => headerOf(packet).timestamp)).size, 1);
    assert.equal(eventOf(digit[0]!).volume, 10);
  }
  const [first, second] = [headerOf(events[0]!.packet), headerOf(events[7]!.packet)];
  assert.equal(first.timestamp, 4 * 960 + 960, "100 ms after the audio began");
  assert.equal(second.timestamp - first.timestamp, 150 * 48, "100 ms of event, 50 ms of gap");
  const audio = after.filter(({ packet }) => headerOf(packet).payloadType === 96);
  assert.ok(audio.length >= 4, "audio goes on after the last digit");
  for (const { packet } of audio.slice(-4)) {
    const { timestamp } = headerOf(packet);
    assert.equal(timestamp % 960, 0, "with the time stamps that it would have had");
  }
});

Deno.test("digits towards a phone that hears nothing else; without telephone-event nothing is sent", () => {
  const harness = new EngineHarness();
  const phone = new FakePhone(harness, 2);
  phone.up();
  harness.command({ type: "send-dtmf", endpoint: 2, digits: "1x2", durationMs: 10 });
  const sent = phone.plain(harness.advance(400).filter((one) => !isRtcp(one)));
  const digits = sent.map((packet) => packet[12]);
  assert.deepEqual(
    digits,
    [1, 1, 1, 1, 2, 2, 2, 2],
    "40 ms at least; what is no digit is left out",
  );
  const audio = [{
    payloadType: 0,
    peerPayloadType: 0,
    kind: "audio",
    codec: "PCMU",
    clockRate: 8000,
  }];
  const deaf = new FakePhone(harness, 3, { audio: audio as never });
  deaf.up();
  harness.command({ type: "send-dtmf", endpoint: 3, digits: "1", durationMs: 100 });
  assert.deepEqual(harness.advance(500), []);
});

Deno.test("each digit of a phone is told once, whatever is lost or doubled", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  let sequence = 0;
  let passed = 0;
  const event = (event: number, timestamp: number, duration: number, isEnd: boolean) => {
    const payload = Uint8Array.of(event, (isEnd ? 0x80 : 0) | 10, duration >>> 8, duration & 255);
    const [payloadType, ssrc] = [101, 5];
    const packet = phone.packet({ ssrc, sequence: sequence++, payloadType, timestamp, payload });
    passed += browser.plain(phone.send(packet)).length;
    harness.advance(20);
  };
  // All there.
  event(1, 1000, 160, false);
  event(1, 1000, 320, false);
  for (let i = 0; i < 3; i++) event(1, 1000, 480, true);
  // The same digit again, its beginning lost.
  for (let i = 0; i < 3; i++) event(1, 3000, 800, true);
  // All ends lost.
  event(11, 9000, 160, false);
  event(11, 9000, 320, false);
  harness.advance(2000);
  // Beginning of the next tells the end of the one before.
  event(4, 20_000, 160, false);
  event(6, 22_000, 160, false);
  event(6, 22_000, 320, true);
  // A straggler of the digit before, and no digits: a flash, and what is too short.
  event(4, 20_000, 160, true);
  event(16, 30_000, 160, true);
  phone.send(
    phone.packet({ ssrc: 5, sequence: sequence++, payloadType: 101, payload: new Uint8Array(3) }),
  );
  harness.advance(2000);
  const told = harness.of("dtmf").map(({ digit, durationMs }) => `${digit} ${durationMs}`);
  assert.deepEqual(told, ["1 60", "1 100", "# 40", "4 20", "6 40"]);
  assert.equal(passed, sequence - 1, "and they are heard at the other side");
});
