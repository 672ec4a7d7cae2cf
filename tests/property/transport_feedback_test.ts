import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { RtcpHeader, StatusVectorChunk, TransportWideCC } from "werift";
import {
  FEEDBACK_INTERVAL,
  MAX_FEEDBACK,
  TransportFeedback,
} from "../../src/rtp/engine/transport_feedback.ts";

/** Reports on transport-wide numbers, read by another implementation. */

const ID = 3;
const SENDER = 0x01020304;
const MEDIA = 0x0a0b0c0d;

/** An RTP packet with its number in a header extension of the one-byte form. */
function packet(number: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x90);
  view.setUint32(8, MEDIA);
  view.setUint32(12, 0xbede0001);
  view.setUint8(16, (ID << 4) | 1);
  view.setUint16(17, number);
  return bytes;
}

/** Number and arrival, ms, of each packet that a report says has come. */
function read(bytes: Uint8Array): { readonly said: [number, number][]; readonly next: number } {
  const buffer = Buffer.from(bytes);
  const header = RtcpHeader.deSerialize(buffer);
  assert.equal(4 * (header.length + 1), bytes.length);
  assert.deepEqual([header.type, header.count], [205, 15]);
  const report = TransportWideCC.deSerialize(buffer.subarray(4), header);
  assert.deepEqual([report.senderSsrc, report.mediaSourceSsrc], [SENDER, MEDIA]);
  const statuses = report.packetChunks.flatMap((chunk) => {
    assert(chunk instanceof StatusVectorChunk);
    return chunk.symbolList;
  }).slice(0, report.packetStatusCount);
  const said: [number, number][] = [];
  let at = report.referenceTime * 64;
  let delta = 0;
  for (const [i, status] of statuses.entries()) {
    if (status === 0) continue;
    at += report.recvDeltas[delta++]!.delta / 1000;
    said.push([(report.baseSequenceNumber + i) & 0xffff, at]);
  }
  return { said, next: (report.baseSequenceNumber + report.packetStatusCount) & 0xffff };
}

Deno.test("transport-wide reports: each packet once, when it came, whatever is lost", () => {
  const steps = fc.array(
    fc.record({
      pause: fc.oneof(
        { weight: 20, arbitrary: fc.double({ min: 0, max: 40, noNaN: true }) },
        { weight: 1, arbitrary: fc.double({ min: 0, max: 20_000, noNaN: true }) },
      ),
      isLost: fc.boolean(),
      isSwapped: fc.boolean(),
    }),
    { minLength: 1, maxLength: 300 },
  );
  fc.assert(fc.property(fc.nat(0xffff), steps, (first, sent) => {
    const feedback = new TransportFeedback();
    const buffer = new Uint8Array(MAX_FEEDBACK);
    const came = new Map<number, number>();
    const said = new Map<number, number>();
    let now = 5_000;
    let reportedUntil = first;
    const order = sent.map(({ isLost }, i) => ({ number: (first + i) & 0xffff, isLost }));
    sent.forEach(({ isSwapped }, i) => {
      const [a, b] = [order[i], order[i + 1]];
      if (isSwapped && a && b) [order[i], order[i + 1]] = [b, a];
    });
    for (const [i, { number, isLost }] of order.entries()) {
      now += sent[i]!.pause;
      if (isLost) continue;
      if (came.size === 0) reportedUntil = number;
      const isLate = ((number - reportedUntil) & 0xffff) >= 0x8000;
      if (!isLate) came.set(number, now);
      while (feedback.packet(packet(number), 0, ID, MEDIA, now)) {
        const length = feedback.write(buffer, 0, SENDER, now);
        assert.ok(length <= MAX_FEEDBACK && length % 4 === 0);
        const report = read(buffer.subarray(0, length));
        for (const [one, at] of report.said) {
          assert.ok(!said.has(one), `${one} was reported twice`);
          said.set(one, at);
        }
        reportedUntil = report.next;
        break;
      }
    }
    for (const [number, at] of said) {
      const truth = came.get(number);
      assert.ok(truth !== undefined && Math.abs(truth - at) < 0.26, `${number}: ${at}, ${truth}`);
    }
    // What is not reported yet waits for the next one.
    for (const number of came.keys()) {
      const isWaiting = ((number - reportedUntil) & 0xffff) < 0x8000;
      assert.equal(said.has(number), !isWaiting, String(number));
    }
  }));
});

Deno.test("transport-wide reports: seldom enough, and a leap of the numbers starts anew", () => {
  const feedback = new TransportFeedback();
  const buffer = new Uint8Array(MAX_FEEDBACK);
  assert.equal(feedback.packet(packet(1), 0, ID, MEDIA, 1000), true);
  feedback.write(buffer, 0, SENDER, 1000);
  assert.equal(feedback.packet(packet(2), 0, ID, MEDIA, 1000 + FEEDBACK_INTERVAL - 1), false);
  assert.equal(feedback.packet(packet(3000), 0, ID, MEDIA, 1000 + FEEDBACK_INTERVAL), true);
  const length = feedback.write(buffer, 0, SENDER, 1000 + FEEDBACK_INTERVAL);
  assert.deepEqual(read(buffer.subarray(0, length)).said.map(([number]) => number), [3000]);
  assert.equal(feedback.packet(new Uint8Array(24), 0, ID, MEDIA, 5000), false, "no extension");
});
