import assert from "node:assert/strict";
import { ReceiveStatistics, ReceiveStream } from "../../../src/rtp/engine/receive_statistics.ts";
import { RoundTrip } from "../../../src/rtp/engine/round_trip.ts";

const OPUS = { payloadType: 111, kind: "audio", codec: "opus", clockRate: 48000 } as const;

/** Packets of 20 ms that arrive so many ms late each. */
function streamOf(late: readonly number[], first = 65530): ReceiveStream {
  const stream = new ReceiveStream(1);
  stream.payload = OPUS;
  late.forEach((ms, i) => {
    stream.packet((first + i) & 0xffff, (0xffffff00 + i * 960) | 0, 48000, 1000 + i * 20 + ms);
  });
  return stream;
}

Deno.test("jitter: none for an even stream, also over the ends of sequence and time stamp", () => {
  const stream = streamOf(new Array(200).fill(7));
  assert.ok(stream.jitterMs < 0.001, `${stream.jitterMs} ms`);
  assert.equal(stream.lost, 0);
});

Deno.test("jitter: follows RFC 3550 A.8 step by step", () => {
  const late = Array.from({ length: 300 }, (_, i) => (i * 7919) % 23);
  let expected = 0;
  for (let i = 1; i < late.length; i++) {
    expected += (Math.abs(late[i]! - late[i - 1]!) - expected) / 16;
  }
  // From a time stamp that does not wrap on the way, where A.8 is plain.
  const stream = new ReceiveStream(1);
  stream.payload = OPUS;
  late.forEach((ms, i) => stream.packet(i, i * 960, 48000, 1000 + i * 20 + ms));
  // In whole numbers it is exact to a unit of the clock.
  const error = Math.abs(stream.jitterMs - expected);
  assert.ok(error < 1 / 48, `${stream.jitterMs}, not ${expected} ms`);
});

Deno.test("loss: gaps count, late packets fill them, a new start is no gap", () => {
  const stream = new ReceiveStream(1);
  for (const sequence of [65534, 65535, 2, 3]) stream.packet(sequence, 0, 0, 0);
  assert.equal(stream.lost, 2);
  stream.packet(0, 0, 0, 0);
  assert.equal(stream.lost, 1);
  for (const sequence of [30_000, 30_001, 30_003]) stream.packet(sequence, 0, 0, 0);
  assert.equal(stream.lost, 2);
});

Deno.test("no more streams than a call can have are kept", () => {
  const statistics = new ReceiveStatistics();
  for (let ssrc = 0; ssrc < 200; ssrc++) statistics.stream(ssrc, 0);
  assert.equal(statistics.streams.length, 64);
  assert.equal(statistics.stream(500, 0).ssrc, 500);
  assert.equal(statistics.streams.length, 64);
});

Deno.test("round trip: only what was sent is measured, less the delay at the far end", () => {
  const trip = new RoundTrip();
  trip.echoed(1, 77, 0, 5);
  assert.equal(trip.ms, null);
  trip.sent(1, 77, 100);
  trip.echoed(2, 77, 0, 200);
  trip.echoed(1, 0, 0, 200);
  assert.equal(trip.ms, null, "another source, or no report heard yet");
  trip.echoed(1, 77, Math.round(30 * 65.536), 190);
  assert.ok(Math.abs(trip.ms! - 60) < 0.1);
  trip.echoed(1, 77, 65_536 * 10, 200);
  assert.ok(Math.abs(trip.ms! - 60) < 0.1, "a delay longer than the whole way is nonsense");
});

Deno.test("the stream unheard for longest gives way; its loss stays counted", () => {
  const statistics = new ReceiveStatistics();
  for (let ssrc = 0; ssrc < 64; ssrc++) {
    const stream = statistics.stream(ssrc, 0);
    stream.packet(10, 0, 8000, 1000 + ssrc);
    stream.packet(12, 0, 8000, ssrc === 0 ? 9000 : 1000 + ssrc);
  }
  assert.equal(statistics.lost, 64);
  assert.equal(statistics.stream(500, 0).ssrc, 500);
  assert.equal(statistics.find(1), null);
  assert.equal(statistics.find(0)!.ssrc, 0);
  assert.equal(statistics.lost, 64);
});
