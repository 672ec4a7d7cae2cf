import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { AddressNames } from "../../src/rtp/engine/address_names.ts";
import { PacketCache } from "../../src/rtp/engine/packet_cache.ts";
import { LATCH_WINDOW } from "../../src/rtp/engine/rtp_section.ts";
import { PortPairs } from "../../src/rtp/engine/port_pairs.ts";
import { RateLimit } from "../../src/rtp/engine/rate_limit.ts";
import { FakePhone, headerOf, isRtcp, join, partsOf } from "../support/fake_phone.ts";
import { type Datagram, EngineHarness, FakeBrowser } from "../support/media_engine.ts";

const RUNS = { numRuns: 60 };
const SAFE = new Set([200, 201, 202, 203, 205, 206]);

function rig() {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const phones = [2, 3, 4].map((id) =>
    new FakePhone(harness, id, { video: true, hasFeedback: id === 3 })
  );
  browser.up();
  for (const phone of phones) phone.up();
  join(harness, 1, 2);
  return { harness, browser, phones };
}

Deno.test("whatever comes to a SIP leg's ports: nothing throws, and calls go on", () => {
  const datagram = fc.record({
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // RTP and RTCP to the eye, rubbish behind it.
      fc.tuple(
        fc.constantFrom(0x80, 0x90, 0x8f, 0xb3, 0x9f),
        fc.constantFrom(96, 97, 99, 101, 8, 200, 201, 202, 203, 204, 205, 206, 207),
        fc.uint8Array({ maxLength: 120 }),
      ).map(([first, second, rest]) => Uint8Array.of(first, second, ...rest)),
      // Whole parts of RTCP with lengths that fit.
      fc.array(
        fc.tuple(
          fc.nat(31),
          fc.constantFrom(200, 201, 202, 203, 204, 205, 206, 207),
          fc.array(fc.constantFrom(0, 5, 9, 0xffffffff, 0x52454d42), { maxLength: 20 }),
        ),
        { minLength: 1, maxLength: 4 },
      ).map((parts) =>
        Uint8Array.from(parts.flatMap(([count, type, words]) => [
          0x80 | count,
          type,
          0,
          words.length,
          ...words.flatMap((
            word,
          ) => [word >>> 24, word >>> 16 & 255, word >>> 8 & 255, word & 255]),
        ]))
      ),
    ),
    socket: fc.nat(3),
    isKnown: fc.boolean(),
    wait: fc.nat(700),
  });
  fc.assert(
    fc.property(fc.array(datagram, { maxLength: 40 }), fc.boolean(), (steps, isSpeaking) => {
      const { harness, browser, phones } = rig();
      const phone = phones[0]!;
      const video = { ssrc: 8, sequence: 1, payloadType: 99 };
      phone.send(phone.packet({ ssrc: 5, sequence: 100 }));
      phone.send(phone.packet(video), "video");
      browser.send(browser.rtp({ ssrc: 9, sequence: 1 }));
      const toBrowser: Datagram[] = [];
      let sequence = 100;
      for (const { bytes, socket, isKnown, wait } of steps) {
        const ports = [phone.port, phone.port + 1, phone.port + 10, phone.port + 11];
        const port = isKnown ? ports[socket]! : 1234;
        const address = isKnown ? phone.address : 0x0e000001;
        const sent = harness.receive(phone.sockets[socket]!, address, port, bytes);
        toBrowser.push(...sent, ...harness.advance(isSpeaking ? wait % 400 : wait));
        if (isSpeaking) phone.send(phone.packet({ ssrc: 5, sequence: ++sequence }));
      }
      const plain = browser.plain(toBrowser.filter((one) => one.port === browser.port));
      for (const packet of plain) {
        if (packet[1]! < 192 || packet[1]! >= 224) continue;
        for (const { type } of partsOf(packet)) assert.ok(SAFE.has(type), `RTCP type ${type}`);
      }
      // Nobody else's packets moved the leg while its phone spoke; what moved it in a silence loses
      // it to the phone's next packet, as long as the description's window is open.
      const isOpen = steps.reduce((sum, { wait }) => sum + wait, 0) < LATCH_WINDOW;
      if (!isSpeaking && !isOpen) return;
      if (!isSpeaking) phone.send(phone.packet({ ssrc: 5, sequence: ++sequence }));
      harness.advance(1000);
      const after = browser.send(browser.rtp({ ssrc: 9, sequence: 2 })).filter((one) =>
        !isRtcp(one)
      );
      assert.deepEqual(after.map(({ address }) => address), [phone.address]);
    }),
    RUNS,
  );
});

Deno.test("whoever speaks: the browser hears one stream without a hole, in time", () => {
  const step = fc.record({
    to: fc.nat(2),
    packets: fc.integer({ min: 1, max: 5 }),
    /** The phone begins a new stream here, of a new SSRC: its first numbers. */
    begin: fc.option(fc.record({ sequence: fc.nat(65_535), time: fc.nat() })),
    pause: fc.nat(3000),
    hold: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const { harness, browser, phones } = rig();
      const streams = phones.map(({ id }) => ({
        ssrc: 100 + id,
        sequence: 65_530,
        time: id * 1e6,
      }));
      let nextSsrc = 1000;
      const heard: { at: number; header: ReturnType<typeof headerOf> }[] = [];
      for (const { to, packets, begin, pause, hold } of steps) {
        const phone = phones[to]!;
        if (begin !== null) streams[to] = { ...begin, ssrc: nextSsrc++ };
        const stream = streams[to]!;
        join(harness, 1, phone.id);
        const setFlowing = (flowing: boolean) =>
          harness.command({ type: "set-flowing", endpoint: phone.id, flowing });
        if (hold) setFlowing(false);
        harness.advance(pause);
        if (hold) setFlowing(true);
        for (let i = 0; i < packets; i++) {
          const timestamp = (stream.time + harness.now * 48) % 2 ** 32;
          const sequence = stream.sequence++ & 0xffff;
          const sent = phone.send(phone.packet({ ssrc: stream.ssrc, sequence, timestamp }));
          const [packet] = browser.plain(sent.filter((one) => !isRtcp(one)));
          assert.ok(packet, "each packet is heard");
          heard.push({ at: harness.now, header: headerOf(packet) });
          harness.advance(20);
        }
      }
      const [first] = heard;
      heard.forEach(({ at, header }, i) => {
        assert.equal(header.ssrc, first!.header.ssrc);
        assert.equal(header.sequence, (first!.header.sequence + i) & 0xffff);
        const drift = (header.timestamp - first!.header.timestamp - (at - first!.at) * 48) | 0;
        assert.ok(Math.abs(drift) <= steps.length, `time is off by ${drift} after ${i} packets`);
      });
    }),
    RUNS,
  );
});

Deno.test("names of addresses: IPv4 is itself, IPv6 comes back while it is in use", () => {
  const names = new AddressNames(12345);
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      const first = Number(text.split(".")[0]);
      if (first === 0 || first >= 224) {
        assert.equal(names.numberOf(text), -1, "not the address of one host");
        return;
      }
      assert.equal(names.textOf(names.numberOf(text)), text);
      assert.equal(names.textOf(names.numberOf(text) | 0), text);
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.ipV6().filter((text) => !text.includes(".")), (text) => {
      const number = names.numberOf(text);
      assert.ok(number >= 0xf0000000);
      assert.equal(names.numberOf(text), number);
      assert.equal(names.textOf(number), text.toLowerCase());
    }),
    RUNS,
  );
  for (const text of ["", "example.org", "1.2.3", "1.2.3.4.5", "256.1.1.1"]) {
    assert.equal(names.numberOf(text), -1, text);
  }
});

Deno.test("port pairs: each even port of the range once a round, from anywhere on", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60_000 }),
      fc.integer({ min: 3, max: 200 }),
      fc.nat(300),
      (first, size, start) => {
        const pairs = new PortPairs([first, first + size], first + start);
        const round = Array.from({ length: pairs.count }, () => pairs.next());
        assert.equal(new Set(round).size, pairs.count);
        for (const port of round) {
          assert.equal(port % 2, 0);
          assert.ok(
            port >= first && port + 1 <= first + size,
            `${port} of ${first}..${first + size}`,
          );
        }
        assert.ok(pairs.count >= Math.floor((size - 1) / 2));
      },
    ),
    RUNS,
  );
});

Deno.test("the packet cache gives what was put last under a number, or nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 1, max: 1600 }))), (puts) => {
      const cache = new PacketCache();
      const buffer = new Uint8Array(4000);
      const kept = new Map<number, number>();
      for (const [sequence, length] of puts) {
        buffer.fill(sequence & 255, 0, length);
        cache.put(sequence, buffer, 0, length);
        for (const other of kept.keys()) if ((other - sequence) % 256 === 0) kept.delete(other);
        if (length <= 1500) kept.set(sequence, length);
      }
      for (let sequence = 0; sequence <= 2000; sequence += 7) {
        const length = cache.repeat(sequence, buffer, 2000, 0, 1000 * sequence);
        assert.equal(length, kept.get(sequence) ?? -1);
        if (length > 0) assert.equal(buffer[2000 + length - 1], sequence & 255);
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("the rate limit lets through what it promises, and no more than a window's worth beyond", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 200 }), (gaps) => {
      const limit = new RateLimit(500, 1_000_000);
      let [now, passed] = [0, 0];
      for (const gap of gaps) {
        now += gap;
        if (limit.take(100, now)) passed++;
      }
      assert.ok(passed <= 500 * now / 1000 + 100, `${passed} in ${now} ms`);
      assert.ok(passed >= Math.min(gaps.length, 50));
    }),
    RUNS,
  );
});
