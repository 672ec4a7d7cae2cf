import assert from "node:assert/strict";
import { int16 } from "../../../src/rtp/engine/bytes.ts";
import { ReceiveRecord } from "../../../src/rtp/engine/receive_record.ts";
import { ReceiveStatistics } from "../../../src/rtp/engine/receive_statistics.ts";
import { StateMemory } from "../../../src/rtp/engine/state_memory.ts";
import { FakePhone, isRtcp, join, partsOf } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser, PAYLOADS } from "../../support/media_engine.ts";

/** What we report ourselves, where the peer of a far end does not. */

function talking() {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2)];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  return { harness, browser, phone };
}

/** Loss, extended highest sequence number and fraction of the last block about this stream. */
function blockOf(packets: readonly Uint8Array[], ssrc: number) {
  for (const { type, words } of packets.flatMap(partsOf).toReversed()) {
    const at = type === 200 ? 6 : 1;
    if ((type !== 200 && type !== 201) || words[at] !== ssrc) continue;
    const lost = words[at + 1]! & 0xffffff;
    return { lost, highest: words[at + 2]!, fraction: words[at + 1]! >>> 24 };
  }
  return null;
}

Deno.test("over an adoption loss and sequence numbers of reports go on, for browser and phone", () => {
  let { harness, browser, phone } = talking();
  const reports = { browser: [] as Uint8Array[], phone: [] as Uint8Array[] };
  const seen = { browser: { lost: 0, highest: 0 }, phone: { lost: 0, highest: 0 } };
  for (let i = 0; i < 2500; i++) {
    if (i % 450 === 449) {
      harness = harness.successor();
      browser.harness = phone.harness = harness;
      // Another one at once: what nobody has sent anything of meanwhile stays known.
      harness = harness.successor();
      browser.harness = phone.harness = harness;
    }
    const sequence = 64_000 + i & 0xffff;
    if (i % 10 !== 0) {
      browser.send(browser.rtp({ ssrc: 9, sequence }));
      phone.send(phone.packet({ ssrc: 5, sequence }));
    }
    if (i % 50 === 0) browser.check();
    const sent = harness.advance(20).filter(isRtcp);
    reports.browser.push(...browser.plain(sent.filter(({ port }) => port === browser.port)));
    reports.phone.push(...phone.plain(sent));
    for (const [who, ssrc] of [["browser", 9], ["phone", 5]] as const) {
      const block = blockOf(reports[who].splice(0), ssrc);
      if (block === null) continue;
      const before = seen[who];
      const text = `${who} at packet ${i}: ${JSON.stringify([before, block])}`;
      assert.ok(block.lost >= before.lost && block.highest >= before.highest, text);
      assert.equal(block.highest, 64_000 + i - (i % 10 === 0 ? 1 : 0), text);
      const truth = Math.floor(i / 10) + 1;
      // What came while nobody counted is taken for received: at most a second's, each time.
      assert.ok(block.lost <= truth && block.lost >= truth - 6 * (1 + i / 450), text);
      assert.ok(block.fraction <= 32, text);
      seen[who] = block;
    }
  }
  assert.ok(seen.browser.highest > 66_000 && seen.phone.highest > 66_000);
  harness.advance(1000);
  const rows = harness.of("statistics").flatMap(({ endpoints }) => endpoints);
  for (const id of [1, 2]) {
    const { receiveLost } = rows.findLast(({ endpoint }) => endpoint === id)!.statistics;
    assert.ok(receiveLost <= 250 && receiveLost > 210, `endpoint ${id} lost ${receiveLost}`);
  }
  for (const endpoint of [1, 2]) harness.command({ type: "close", endpoint });
  assert.equal(harness.state.size, 0);
});

Deno.test("reports of ours too need consent", () => {
  const { harness, browser, phone } = talking();
  harness.command({ type: "set-remote", endpoint: 1, payloads: PAYLOADS, transportWideId: 5 });
  const told: number[] = [];
  for (let second = 0; second < 60; second++) {
    const heard = browser.send(
      browser.rtp({ ssrc: 9, sequence: second, transportWide: second }),
    );
    phone.send(phone.packet({ ssrc: 5, sequence: second }));
    const sent = [...heard, ...harness.advance(1000)].filter(isRtcp);
    if (sent.some(({ port }) => port === browser.port)) told.push(second);
  }
  assert.equal(harness.of("ice").at(-1)!.state, "disconnected");
  assert.ok(told.includes(25), "while there is consent");
  assert.ok(told.at(-1)! <= 31, `last told in second ${told.at(-1)}`);
});

Deno.test("a browser hears from us which packets came, where a phone cannot tell it", () => {
  const { harness, browser, phone } = talking();
  harness.command({ type: "set-remote", endpoint: 1, payloads: PAYLOADS, transportWideId: 5 });
  const numbers: number[] = [];
  for (let i = 0; i < 40; i++) {
    // Number 65,540 (4) is lost.
    const number = 65_530 + i & 0xffff;
    const sent = i === 10 ? [] : browser.send(
      browser.rtp({ ssrc: 9, sequence: i, transportWide: number }),
    );
    for (const packet of browser.plain(sent.filter(({ port }) => port === browser.port))) {
      assert.deepEqual([packet[0]! & 31, packet[1]], [15, 205]);
      const [base, count] = [int16(packet, 12), int16(packet, 14)];
      for (let k = 0; k < count; k++) {
        const chunk = int16(packet, 20 + 2 * Math.floor(k / 7));
        if ((chunk >>> (12 - 2 * (k % 7)) & 3) !== 0) numbers.push(base + k & 0xffff);
      }
    }
    harness.now += 20;
  }
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => (a - 60_000 & 0xffff) - (b - 60_000 & 0xffff)),
  );
  assert.ok(numbers.length > 30 && !numbers.includes(4), numbers.join(" "));
  assert.ok(numbers.includes(65_530) && numbers.includes(20));
  // Between browsers the far end says so itself.
  const other = new FakeBrowser(harness, 3);
  other.up();
  join(harness, 1, 3);
  const sent = Array.from({ length: 20 }, (_, i) => {
    harness.now += 20;
    return browser.send(browser.rtp({ ssrc: 9, sequence: 100 + i, transportWide: i }));
  });
  assert.ok(sent.flat().every(({ port }) => port === other.port));
  assert.equal(phone.plain(sent.flat()).length, 0);
});

Deno.test("a stream that is silent through one worker's time is known to the one after", () => {
  const buffer = new SharedArrayBuffer(StateMemory.bytes(4));
  const open = (lost: number) => {
    const record = new ReceiveRecord(new StateMemory(buffer), 1);
    const receive = new ReceiveStatistics();
    receive.goOn(lost, record.rows());
    return { record, receive };
  };
  const hear = ({ record, receive }: ReturnType<typeof open>, ssrc: number, sequence: number) => {
    receive.stream(ssrc, sequence).packet(sequence, 0, 8000, 0);
    record.save(receive);
  };
  const first = open(0);
  for (const [ssrc, sequence] of [[1, 10], [1, 12], [2, 65_535], [2, 3]] as const) {
    hear(first, ssrc, sequence);
  }
  const second = open(first.receive.lost);
  hear(second, 1, 13);
  assert.equal(second.receive.lost, 4);
  const third = open(second.receive.lost);
  hear(third, 2, 5);
  const { lost, extendedHighest } = third.receive.find(2)!;
  assert.deepEqual([lost, extendedHighest], [3, 65_536 + 5]);
  assert.equal(third.receive.lost, 4);
});
