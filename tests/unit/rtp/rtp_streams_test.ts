import assert from "node:assert/strict";
import { FakePhone, headerOf, isRtcp, join, partsOf, rtcpOf } from "../../support/fake_phone.ts";
import { type Datagram, EngineHarness, FakeBrowser, PAYLOADS } from "../../support/media_engine.ts";

const NOT_RTCP = (one: Datagram) => !isRtcp(one);

/** Browser 1 talks with browser 2, then with browser 3; gives what 1 heard last and first. */
function transferred() {
  const harness = new EngineHarness();
  const [a, b, c] = [1, 2, 3].map((id) => new FakeBrowser(harness, id)) as [
    FakeBrowser,
    FakeBrowser,
    FakeBrowser,
  ];
  for (const browser of [a, b, c]) browser.up();
  join(harness, 1, 2);
  const [last] = a.plain(b.send(b.rtp({ ssrc: 200, sequence: 5000 })));
  a.plain(b.send(b.rtp({ ssrc: 201, sequence: 70, payloadType: 96 })));
  harness.advance(2000);
  join(harness, 1, 3);
  const [first] = a.plain(c.send(c.rtp({ ssrc: 300, sequence: 77 })).filter(NOT_RTCP));
  const [video] = a.plain(
    c.send(c.rtp({ ssrc: 301, sequence: 9, payloadType: 96 })).filter(NOT_RTCP),
  );
  return { harness, a, b, c, last: headerOf(last!), first: headerOf(first!), video: video! };
}

Deno.test("a new far side goes on with the old one's SSRC, sequence numbers and time", () => {
  const { a, b, c, harness, last, first, video } = transferred();
  assert.equal(last.ssrc, 200);
  assert.deepEqual([first.ssrc, first.sequence, first.marker], [200, 5001, true]);
  assert.equal(first.timestamp, last.timestamp + 2000 * 48);
  assert.deepEqual([headerOf(video).ssrc, headerOf(video).sequence], [201, 71]);
  const next = headerOf(a.plain(c.send(c.rtp({ ssrc: 300, sequence: 79 })))[0]!);
  assert.deepEqual([next.sequence, next.timestamp], [5003, first.timestamp + 2 * 960]);
  assert.deepEqual(b.send(b.rtp({ ssrc: 200, sequence: 5001 })).filter(NOT_RTCP), []);
  // And back to the first one: it goes on again.
  join(harness, 1, 2);
  const again = headerOf(
    a.plain(b.send(b.rtp({ ssrc: 200, sequence: 5050 })).filter(NOT_RTCP))[0]!,
  );
  assert.deepEqual([again.ssrc, again.sequence], [200, 5004]);
});

Deno.test("retransmissions of the new far side name the packets by their new numbers", () => {
  const { a, c } = transferred();
  const rtx = c.rtp({ ssrc: 302, sequence: 1, payloadType: 97, marker: 0 });
  const [got] = a.plain(c.send(rtx));
  // The original sequence number 0 is 71 - 9 = 62 further on the staying side.
  assert.equal((got![12]! << 8) | got![13]!, 62);
});

Deno.test("feedback of the staying side reaches the new one with its own numbers", () => {
  const { a, c, harness } = transferred();
  const nack = c.plain(a.send(a.rtcp(rtcpOf(205, 1, 7, 201, (71 << 16) | 0b101))));
  const [part] = partsOf(nack[0]!);
  assert.deepEqual([part!.type, part!.words[1], part!.words[2]], [205, 301, (9 << 16) | 0b101]);
  harness.now += 1000;
  const pli = c.plain(a.send(a.rtcp(rtcpOf(206, 1, 7, 201))));
  assert.ok(
    pli.some((packet) =>
      partsOf(packet).some(({ type, words }) => type === 206 && words[1] === 301)
    ),
  );
  const block = [200, 0x05000003, 0x00011389 + 1, 11, 22, 33];
  const [report] = c.plain(a.send(a.rtcp(rtcpOf(201, 1, 7, ...block))));
  const [receiver] = partsOf(report!);
  assert.equal(receiver!.type, 201);
  assert.deepEqual(receiver!.words.slice(1), [
    300,
    0x05000003,
    0x0001138a - (5001 - 77),
    11,
    22,
    33,
  ]);
  const stale = c.plain(a.send(a.rtcp(rtcpOf(205, 1, 7, 4711, 71 << 16))));
  assert.deepEqual(stale, [], "about a stream that nobody sends");
  const remb = rtcpOf(206, 15, 7, 0, 0x52454d42, 0x02000001, 200, 201);
  const [estimate] = c.plain(a.send(a.rtcp(remb)));
  assert.deepEqual(partsOf(estimate!)[0]!.words.slice(4), [300, 301]);
});

Deno.test("sender reports of the new side: SSRC, time and counts of the staying stream; no BYE", () => {
  const { a, c, first } = transferred();
  const ntp = [3_900_000_000, 0x80000000];
  const compound = new Uint8Array([
    ...rtcpOf(200, 0, 300, ...ntp, 77 * 960 + 480, 1, 160),
    ...rtcpOf(202, 1, 300, 0x01024142, 0),
    ...rtcpOf(203, 1, 300),
  ]);
  const [report] = a.plain(c.send(c.rtcp(compound)));
  const [sender, sdes, ...rest] = partsOf(report!);
  assert.deepEqual(sender!.words.slice(0, 4), [200, ...ntp, first.timestamp + 480]);
  assert.equal(sender!.words[4], 2, "packets of it, whoever sent them");
  assert.deepEqual([sdes!.type, sdes!.words[0]], [202, 200]);
  assert.deepEqual(rest, [], "the BYE stays behind");
});

Deno.test("the leg that leaves closes first; the next one goes on all the same", () => {
  const harness = new EngineHarness();
  const [a, b] = [new FakeBrowser(harness, 1), new FakeBrowser(harness, 2)];
  a.up();
  b.up();
  join(harness, 1, 2);
  a.plain(b.send(b.rtp({ ssrc: 200, sequence: 65_535 })));
  harness.command({ type: "close", endpoint: 2 });
  const phone = new FakePhone(harness, 3);
  phone.up();
  join(harness, 1, 3);
  const [first] = a.plain(phone.send(phone.packet({ ssrc: 1, sequence: 10 })));
  const { ssrc, sequence, payloadType } = headerOf(first!);
  assert.deepEqual([ssrc, sequence, payloadType], [200, 0, 111]);
  // A phone that starts a new stream is no new stream for the browser.
  const [second] = a.plain(phone.send(phone.packet({ ssrc: 2, sequence: 900 })));
  assert.deepEqual([headerOf(second!).ssrc, headerOf(second!).sequence], [200, 1]);
});

Deno.test("browser and AVP phone: reports pass translated, feedback stays away from the phone", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 1 })));
  browser.send(browser.rtp({ ssrc: 9, sequence: 7 }));
  const report = rtcpOf(200, 1, 9, 1, 2, 3, 4, 5, 5, 0x01000002, 1, 2, 3, 4);
  const remb = rtcpOf(206, 15, 9, 0, 0x52454d42, 0x01000001, 5);
  const wide = rtcpOf(205, 15, 9, 5, 0, 0);
  const sent = browser.send(browser.rtcp(new Uint8Array([...report, ...remb, ...wide])));
  assert.equal(sent.length, 1);
  assert.deepEqual([sent[0]!.socket, sent[0]!.port], [phone.sockets[1], phone.port + 1]);
  const [sender, sdes, ...rest] = partsOf(phone.plain(sent)[0]!);
  assert.deepEqual([sender!.type, sender!.count, sdes!.type, rest], [200, 1, 202, []]);
  assert.equal(sender!.words[6], 5);
  const back = browser.plain(phone.sendRtcp(rtcpOf(201, 1, 5, 9, 0, 7, 0, 0, 0)));
  assert.deepEqual(partsOf(back[0]!).map(({ type }) => type), [201, 202]);
  assert.equal(partsOf(back[0]!)[0]!.words[1], 9);
});

Deno.test("a phone without RTCP: the browser gets reports of ours on what is heard and sent", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const got: Uint8Array[] = [];
  for (let i = 0; i < 350; i++) {
    phone.send(phone.packet({ ssrc: 5, sequence: i }));
    if (i % 10 !== 0) browser.send(browser.rtp({ ssrc: 9, sequence: i }));
    const sent = harness.advance(20).filter(({ port }) => port === browser.port);
    got.push(...browser.plain(sent));
  }
  assert.equal(got.length, 1, "one each five seconds");
  const [sender, sdes] = partsOf(got[0]!);
  assert.equal(sender!.type, 200);
  assert.equal(sender!.words[0], 5);
  const ntp = sender!.words[1]! - 2_208_988_800;
  assert.ok(ntp >= 1_700_000_000 && ntp < 1_700_000_020, "the time of day");
  const { timestamp } = { timestamp: sender!.words[3]! };
  const age = timestamp / 48;
  assert.ok(age > 4900 && age < 6100, `the media's time now, ${age} ms`);
  assert.equal(sender!.words[6], 9, "a block about the browser's stream");
  const lost = sender!.words[7]! & 0xffffff;
  assert.ok(lost >= 23 && lost <= 30, `${lost} lost of 250`);
  assert.ok(sender!.words[7]! >>> 24 >= 23 && sender!.words[7]! >>> 24 <= 28, "a tenth of 256");
  assert.equal(sdes!.type, 202);
});

Deno.test("on hold the phone gets silence now and then, and reports; the stream goes on after", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const [before] = phone.plain(browser.send(browser.rtp({ ssrc: 9, sequence: 100 })));
  harness.command({ type: "set-flowing", endpoint: 2, flowing: false });
  const sent = harness.advance(16_000).filter(({ address }) => address === phone.address);
  const silence = phone.plain(sent.filter(NOT_RTCP));
  assert.equal(silence.length, 3, "each five seconds");
  assert.deepEqual(silence.map((packet) => headerOf(packet).sequence), [101, 102, 103]);
  assert.deepEqual([...silence[0]!.subarray(12)], [0xf8, 0xff, 0xfe]);
  assert.ok(headerOf(silence[0]!).timestamp > headerOf(before!).timestamp + 4 * 48_000);
  assert.ok(sent.some(isRtcp));
  harness.command({ type: "set-flowing", endpoint: 2, flowing: true });
  const [after] = phone.plain(browser.send(browser.rtp({ ssrc: 9, sequence: 200 })));
  assert.deepEqual([headerOf(after!).sequence, headerOf(after!).ssrc], [104, 9]);
});

Deno.test("video from a phone: lost packets are repeated by us, once asked, byte for byte", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { video: true });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const passed: Uint8Array[] = [];
  for (let i = 0; i < 5; i++) {
    const packet = phone.packet({ ssrc: 8, sequence: 50 + i, payloadType: 99 });
    passed.push(phone.send(packet, "video").find(NOT_RTCP)!.data);
  }
  const sent = browser.send(browser.rtcp(rtcpOf(205, 1, 7, 8, (51 << 16) | 0b11)));
  assert.deepEqual(sent.map(({ data }) => data), passed.slice(1, 4));
  assert.deepEqual(browser.send(browser.rtcp(rtcpOf(205, 1, 7, 8, 900 << 16))), []);
});

Deno.test("key frames: by INFO where the phone has no feedback, by PLI where it has, seldom enough", () => {
  for (const hasFeedback of [false, true]) {
    const harness = new EngineHarness();
    const browser = new FakeBrowser(harness, 1);
    const phone = new FakePhone(harness, 2, { video: true, hasFeedback });
    browser.up();
    phone.up();
    join(harness, 1, 2);
    phone.send(phone.packet({ ssrc: 8, sequence: 50, payloadType: 99 }), "video");
    harness.now += 5000;
    const asked: Datagram[] = [];
    for (let i = 0; i < 20; i++) {
      asked.push(...browser.send(browser.rtcp(rtcpOf(206, 1, 7, 8))));
      asked.push(...harness.advance(100).filter(({ port }) => port === phone.port + 11));
    }
    const plis = asked.filter(({ data }) => partsOf(data).some(({ type }) => type === 206));
    const wanted = harness.of("key-frame-wanted").length;
    if (hasFeedback) {
      assert.equal(wanted, 0);
      assert.ok(plis.length >= 3 && plis.length <= 5, `${plis.length} in two seconds`);
      assert.equal(partsOf(plis[0]!.data).at(-1)!.words[1], 8);
    } else {
      assert.deepEqual(plis, []);
      assert.ok(wanted >= 1 && wanted <= 2, `${wanted} in two seconds`);
    }
  }
});

Deno.test("key frames: by FIR, numbered, where that is what the phone agreed to", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { video: true, hasFeedback: true, wantsFir: true });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  phone.send(phone.packet({ ssrc: 8, sequence: 50, payloadType: 99 }), "video");
  const asked: number[][] = [];
  for (let i = 0; i < 3; i++) {
    harness.now += 5000;
    const sent = browser.send(browser.rtcp(rtcpOf(206, 1, 7, 8)));
    for (const { data } of sent.filter(({ port }) => port === phone.port + 11)) {
      for (const part of partsOf(data).filter(({ type }) => type === 206)) {
        assert.equal(part.count, 4, "the format is FIR");
        asked.push(part.words.slice(1));
      }
    }
  }
  // Media source zero, then whom it is about and a number that goes up (RFC 5104 4.3.1.1).
  assert.deepEqual(asked.map(([media, about]) => [media, about]), Array(3).fill([0, 8]));
  const numbers = asked.map((entry) => entry[2]! >>> 24);
  assert.deepEqual(numbers.map((number) => number - numbers[0]!), [0, 1, 2]);
  assert.equal(harness.of("key-frame-wanted").length, 0);
});

Deno.test("a phone's PLI and FIR become a PLI about the browser's stream", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { video: true, hasFeedback: true });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  browser.send(browser.rtp({ ssrc: 10, sequence: 50, payloadType: 96 }));
  for (const packet of [rtcpOf(206, 1, 8, 10), rtcpOf(206, 4, 8, 0, 10, 0x01000000)]) {
    harness.now += 5000;
    const [sent] = browser.plain(phone.sendRtcp(packet, "video"));
    assert.deepEqual(partsOf(sent!)[0]!.words[1], 10);
    assert.equal(sent![1], 206);
  }
});

Deno.test("one is heard at a time: the one joined to, else the one joined last; in whatever order", () => {
  const harness = new EngineHarness();
  const legs = [1, 2, 3].map((id) => new FakeBrowser(harness, id));
  for (const leg of legs) leg.up();
  const [a, b, c] = legs as [FakeBrowser, FakeBrowser, FakeBrowser];
  let sequence = 0;
  const heard = () => {
    sequence++;
    return [b, c].filter((leg) =>
      leg.send(leg.rtp({ ssrc: 100 + leg.id, sequence })).some((one) => one.port === a.port)
    ).map(({ id }) => id);
  };
  const connect = (endpoint: number, peer: number) =>
    harness.command({ type: "connect", endpoint, peer });
  connect(2, 1);
  assert.deepEqual(heard(), [2]);
  connect(3, 1);
  assert.deepEqual(heard(), [3], "two early answers: the last one");
  connect(1, 2);
  assert.deepEqual(heard(), [2], "the one that was chosen");
  connect(1, 3);
  assert.deepEqual(heard(), [3]);
  harness.command({ type: "close", endpoint: 3 });
  assert.deepEqual(heard(), [2], "who is left");
});

Deno.test("a phone that counts anew under the same SSRC is no leap for the browser", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const hear = (sequence: number, timestamp: number) => {
    const [packet] = browser.plain(phone.send(phone.packet({ ssrc: 5, sequence, timestamp })));
    harness.advance(20);
    return [headerOf(packet!).sequence, headerOf(packet!).timestamp];
  };
  assert.deepEqual(hear(40_000, 9_000_000), [40_000, 9_000_000]);
  assert.deepEqual(hear(3, 77), [40_001, 9_000_960]);
  assert.deepEqual(hear(4, 77 + 960), [40_002, 9_001_920]);
  assert.deepEqual(hear(7, 77 + 4 * 960), [40_005, 9_004_800], "loss stays loss");
  assert.deepEqual(hear(6, 77 + 3 * 960), [40_004, 9_003_840], "and disorder disorder");
});

Deno.test("transport-wide numbers go on over a change of the source; feedback is counted back", () => {
  const harness = new EngineHarness();
  const [a, b, c] = [1, 2, 3].map((id) => new FakeBrowser(harness, id)) as [
    FakeBrowser,
    FakeBrowser,
    FakeBrowser,
  ];
  for (const browser of [a, b, c]) {
    browser.up();
    const { id: endpoint } = browser;
    harness.command({ type: "set-remote", endpoint, payloads: PAYLOADS, transportWideId: 5 });
  }
  join(harness, 1, 2);
  const hear = (from: FakeBrowser, sequence: number, number: number) => {
    const packet = from.rtp({ ssrc: 10 * from.id, sequence, transportWide: number });
    const [got] = a.plain(from.send(packet).filter(NOT_RTCP));
    assert.equal(got![16], 0x51, "the extension is still there");
    return (got![17]! << 8) | got![18]!;
  };
  const report = (base: number, count: number) =>
    a.send(a.rtcp(rtcpOf(205, 15, 7, 20, (base << 16) | count, 0)));
  assert.equal(hear(b, 1, 60_000), 60_000);
  report(60_000, 5);
  join(harness, 1, 3);
  // 60,004 is known; up to 512 more may be under way.
  assert.equal(hear(c, 1, 7), 60_516);
  assert.equal(hear(c, 2, 9), 60_518);
  const [got] = c.plain(report(60_516, 3));
  assert.deepEqual(partsOf(got!)[0]!.words.slice(1, 3), [30, (7 << 16) | 3]);
  join(harness, 1, 2);
  assert.equal(hear(b, 2, 100), 60_519);
});

Deno.test("video for a phone that asks again: repeated by us, under its keys, once each", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const keys = {
    profile: 1,
    localKey: new Uint8Array(16).fill(1),
    localSalt: new Uint8Array(14).fill(2),
    remoteKey: new Uint8Array(16).fill(3),
    remoteSalt: new Uint8Array(14).fill(4),
  } as const;
  const phone = new FakePhone(harness, 2, { video: true, hasFeedback: true, keys });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  const sent: Datagram[] = [];
  for (let i = 0; i < 4; i++) {
    sent.push(...browser.send(browser.rtp({ ssrc: 10, sequence: 65_534 + i, payloadType: 96 })));
  }
  // The second and the fourth were lost; the one after has not been sent.
  assert.equal(phone.plain([sent[0]!, sent[2]!]).length, 2);
  const again = phone.sendRtcp(rtcpOf(205, 1, 8, 10, (65_535 << 16) | 0b110), "video");
  const repeated = again.filter((one) => one.port === phone.port + 10);
  assert.deepEqual(repeated.map(({ data }) => data), [sent[1]!.data, sent[3]!.data]);
  assert.equal(phone.plain(repeated).length, 2, "and can be opened");
  const [asked] = browser.plain(again.filter((one) => one.port === browser.port));
  assert.deepEqual(partsOf(asked!)[0]!.words.slice(1), [10, 2 << 16]);
});

Deno.test("a phone that says nothing is told silent; held, its time starts over", () => {
  const harness = new EngineHarness(5000);
  const phone = new FakePhone(harness, 2);
  phone.up();
  phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  harness.advance(4500);
  harness.command({ type: "set-flowing", endpoint: 2, flowing: false });
  harness.advance(4500);
  assert.deepEqual(harness.of("silent"), []);
  harness.advance(3000);
  assert.equal(harness.of("silent").length, 1);
  phone.sendRtcp(rtcpOf(201, 0, 5));
  harness.advance(4000);
  assert.equal(harness.of("silent").length, 1, "RTCP is a sign of life too");
});

Deno.test("a phone that rang for long has all its time from the answer on", () => {
  const harness = new EngineHarness(5000);
  const phone = new FakePhone(harness, 2);
  phone.open();
  harness.advance(4500);
  phone.describe();
  harness.advance(4500);
  assert.deepEqual(harness.of("silent"), []);
  harness.advance(1500);
  assert.equal(harness.of("silent").length, 1);
});

Deno.test("a phone beyond a bridge: a new SSRC of it is no new stream for the browser either", () => {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  browser.up();
  harness.command({ type: "open", endpoint: 2, kind: "plain", isSingle: true });
  const remote = { address: "127.0.0.1", port: 4000 };
  harness.command({ type: "set-remote", endpoint: 2, payloads: PAYLOADS, remote });
  join(harness, 1, 2);
  const socket = [...harness.openSockets].at(-1)!;
  const maker = new FakePhone(harness, 3);
  const hear = (ssrc: number, sequence: number) => {
    const packet = maker.packet({ ssrc, sequence, payloadType: 111 });
    const [got] = browser.plain(harness.receive(socket, 0x7f000001, 4000, packet));
    return [headerOf(got!).ssrc, headerOf(got!).sequence];
  };
  assert.deepEqual(hear(5, 10), [5, 10]);
  assert.deepEqual(hear(6, 999), [5, 11]);
});
