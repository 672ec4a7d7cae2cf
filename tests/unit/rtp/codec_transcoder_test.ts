import assert from "node:assert/strict";
import type { Codec } from "../../../src/rtp/codec/codec.ts";
import type { TranscoderSide } from "../../../src/rtp/codec/contract.ts";
import { rms } from "../../../src/rtp/codec/comfort_noise.ts";
import { PCMA, PCMU } from "../../../src/rtp/codec/g711.ts";
import { G722 } from "../../../src/rtp/codec/g722.ts";
import { hasOpusFec, opusDuration } from "../../../src/rtp/codec/opus_packet.ts";
import { parseRtp, writeRtp } from "../../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../../src/rtp/codec/self_test.ts";
import { speexFrames } from "../../../src/rtp/codec/speex_packet.ts";
import { Transcoder } from "../../../src/rtp/codec/transcoder.ts";
import { compare } from "../../support/audio_quality.ts";
import {
  decodeStream,
  drive,
  encodeStream,
  side,
  type TimedPacket,
  type TimedRtp,
} from "../../support/transcoder_bench.ts";

function transcoder(
  fromCodec: Codec,
  toCodec: Codec,
  from: Partial<TranscoderSide> = {},
  to: Partial<TranscoderSide> = {},
): Transcoder {
  return new Transcoder({
    from: side(fromCodec.name, from),
    to: side(toCodec.name, to),
    fromCodec,
    toCodec,
    minDelayMs: 20,
    maxDelayMs: 400,
  });
}

/** Sequence numbers run on by one, timestamps by what the packet lasts, from what was drawn. */
function assertContinuous(out: readonly TimedRtp[], units: number): void {
  const first = out[0]!;
  assert.equal(first.sequence, 65_500);
  out.forEach((packet, i) => {
    assert.equal(packet.ssrc, 0x1234_5678);
    assert.equal(packet.sequence, (first.sequence + i) & 0xffff, `sequence of packet ${i}`);
    assert.equal(packet.timestamp, (first.timestamp + i * units) >>> 0, `timestamp ${i}`);
  });
}

for (const fromMs of [10, 20, 30, 60]) {
  for (const toMs of [10, 20, 30, 40, 50, 60]) {
    Deno.test(`ptime ${fromMs} to ${toMs} ms: the same voice in other packets`, () => {
      const pcm = vowel(8000, 1200);
      const sent = encodeStream(PCMU, pcm, 8000, { packetMs: fromMs });
      const made = transcoder(PCMU, PCMA, {}, { packetMs: toMs });
      const out = drive(made, sent, 1200);
      assertContinuous(out, toMs * 8);
      assert.ok(
        out.every(({ payload, payloadType }) => payload.length === toMs * 8 && payloadType === 8),
      );
      assert.deepEqual(out.map(({ marker }) => marker), out.map((_, i) => i === 0));
      const { levelDb, segmentalSnrDb } = compare(pcm, decodeStream(PCMA, out, 8000), 8000, 60);
      assert.ok(segmentalSnrDb > 30 && Math.abs(levelDb) < 0.5, `${segmentalSnrDb} dB`);
      const statistics = made.statistics();
      assert.equal(statistics.concealedMs, 0);
      assert.equal(statistics.lost, 0);
    });
  }
}

Deno.test("G.722 to PCMU: 16 to 8 kHz, timestamps of both count 8 kHz", () => {
  const pcm = vowel(16000, 1000);
  const out = drive(transcoder(G722, PCMU), encodeStream(G722, pcm, 16000), 1000);
  assertContinuous(out, 160);
  const wanted = vowel(8000, 1000);
  const { likeness } = compare(wanted, decodeStream(PCMU, out, 8000), 8000, 20);
  assert.ok(likeness > 0.97, `likeness ${likeness}`);
});

Deno.test("delay: the first packet leaves as soon as the jitter buffer allows", () => {
  const sent = encodeStream(PCMU, vowel(8000, 1000), 8000);
  const made = transcoder(PCMU, PCMA);
  const out = drive(made, sent, 1000);
  assert.ok(out[0]!.at - sent[0]!.at <= 30, `${out[0]!.at - sent[0]!.at} ms`);
  assert.ok(Math.abs(made.statistics().delayMs - made.statistics().targetDelayMs) < 1);
});

Deno.test("a new SSRC begins a new stream; ours goes on", () => {
  const pcm = vowel(8000, 400);
  const first = encodeStream(PCMU, pcm, 8000, { ssrc: 1, timestamp: 5 });
  const second = encodeStream(PCMU, pcm, 8000, { ssrc: 2, timestamp: 0x8000_0000 })
    .map(({ at, bytes }) => ({ at: at + 400, bytes }));
  const made = transcoder(PCMU, PCMA);
  const out = drive(made, [...first, ...second], 800);
  out.slice(1).forEach((packet, i) => {
    assert.equal(packet.sequence, (out[i]!.sequence + 1) & 0xffff);
    const ahead = (packet.timestamp - out[i]!.timestamp) | 0;
    const ms = packet.at - out[i]!.at;
    assert.equal(ahead, ms * 8, "timestamps follow the clock");
  });
  assert.ok(out.length > 34, `${out.length} packets`);
  assert.equal(made.statistics().late, 0);
});

Deno.test("a pause is in the timestamps, and the marker says that voice begins", () => {
  const pcm = vowel(8000, 200);
  const first = encodeStream(PCMU, pcm, 8000, { timestamp: 0 });
  const second = encodeStream(PCMU, pcm, 8000, { timestamp: 8000 * 10 })
    .map(({ at, bytes }, i) => ({
      at: at + 10_000,
      bytes: writeRtp({ ...parseRtp(bytes)!, sequence: 4 + i }),
    }));
  const made = transcoder(PCMU, PCMA);
  const out = drive(made, [...first, ...second], 10_200);
  const restart = out.findIndex(({ marker }, i) => i > 0 && marker);
  assert.ok(restart > 0, "a marker in the middle");
  const [before, after] = [out[restart - 1]!, out[restart]!];
  assert.equal(after.sequence, (before.sequence + 1) & 0xffff);
  assert.equal((after.timestamp - before.timestamp) | 0, (after.at - before.at) * 8);
  assert.ok(after.at > 10_000 && before.at < 1500);
});

Deno.test("no deadline while nobody sends, and none after close", () => {
  const made = transcoder(PCMU, PCMA);
  assert.equal(made.deadline(), undefined);
  drive(made, encodeStream(PCMU, vowel(8000, 100), 8000));
  assert.equal(made.deadline(), undefined, "it rests when the sender has stopped");
  made.handle(encodeStream(PCMU, vowel(8000, 100), 8000)[0]!.bytes, 9000);
  assert.notEqual(made.deadline(), undefined);
  made.close();
  assert.equal(made.deadline(), undefined);
});

Deno.test("what was not negotiated is refused: payload types, RTCP, stumps", () => {
  const made = transcoder(PCMU, PCMA);
  const rtp = (payloadType: number, payload: Uint8Array) =>
    writeRtp({ payloadType, marker: false, sequence: 1, timestamp: 1, ssrc: 1, payload });
  made.handle(rtp(18, new Uint8Array(20)), 0);
  made.handle(rtp(101, Uint8Array.of(1, 0, 0, 160)), 0);
  made.handle(rtp(13, Uint8Array.of(40)), 0);
  made.handle(rtp(0, new Uint8Array(0)), 0);
  made.handle(Uint8Array.of(0x80, 200, 0, 6, ...new Uint8Array(24)), 0);
  made.handle(Uint8Array.of(0x80, 0, 1), 0);
  assert.equal(made.statistics().refused, 6);
  assert.equal(made.deadline(), undefined);
});

Deno.test("RTP: contributors, extension and padding are not payload", () => {
  const bytes = Uint8Array.of(
    ...[0xb1, 0x80 | 8, 0x12, 0x34, 0, 0, 1, 0, 0, 0, 0, 9],
    ...[1, 2, 3, 4],
    ...[0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0],
    ...[0xaa, 0xbb, 0, 0, 3],
  );
  const packet = parseRtp(bytes)!;
  assert.deepEqual([...packet.payload], [0xaa, 0xbb]);
  assert.deepEqual(
    [packet.marker, packet.payloadType, packet.sequence, packet.timestamp, packet.ssrc],
    [true, 8, 0x1234, 256, 9],
  );
  bytes[bytes.length - 1] = 200;
  assert.equal(parseRtp(bytes), undefined, "padding longer than the packet");
});

/**
 * Voice, then a digit of `ms` as RFC 4733 packets each 20 ms with the end three times, then voice.
 */
function digit(ms: number, clock: number, base: readonly TimedPacket[]): TimedPacket[] {
  const packets: TimedPacket[] = [];
  const begin = 500;
  const before = base.filter(({ at }) => at <= begin);
  const after = base.filter(({ at }) => at > begin + ms);
  const last = parseRtp(before.at(-1)!.bytes)!;
  let sequence = last.sequence;
  const timestamp = (last.timestamp + 160) >>> 0;
  const push = (at: number, duration: number, end: boolean, marker: boolean) => {
    sequence = (sequence + 1) & 0xffff;
    const payload = Uint8Array.of(5, (end ? 0x80 : 0) | 10, duration >> 8, duration & 0xff);
    const bytes = writeRtp({ payloadType: 101, marker, sequence, timestamp, ssrc: 7, payload });
    packets.push({ at, bytes });
  };
  for (let at = 20; at <= ms; at += 20) {
    push(begin + at, at * clock / 1000, at === ms, at === 20);
  }
  push(begin + ms, ms * clock / 1000, true, false);
  push(begin + ms, ms * clock / 1000, true, false);
  for (const { at, bytes } of after) {
    sequence = (sequence + 1) & 0xffff;
    packets.push({ at, bytes: writeRtp({ ...parseRtp(bytes)!, sequence }) });
  }
  return [...before, ...packets];
}

Deno.test("telephone-event: one timestamp, durations in our clock, nothing lost or heard", () => {
  const events = (payloadType: number, clockRate: number) => ({
    telephoneEvent: { payloadType, clockRate },
  });
  const made = transcoder(PCMU, PCMA, events(101, 8000), events(110, 48000));
  const base = encodeStream(PCMU, vowel(8000, 1500), 8000);
  const out = drive(made, digit(160, 8000, base), 1500);
  const found = out.filter(({ payloadType }) => payloadType === 110);
  assert.equal(found.length, 10);
  assert.equal(new Set(found.map(({ timestamp }) => timestamp)).size, 1, "one timestamp");
  assert.deepEqual(found.map(({ marker }) => marker), found.map((_, i) => i === 0));
  const durations = found.map(({ payload }) => payload[2]! << 8 | payload[3]!);
  assert.deepEqual(durations.slice(0, 3), [960, 1920, 2880]);
  assert.equal(durations.at(-1), 7680);
  assert.equal(found.filter(({ payload }) => payload[1]! & 0x80).length, 3, "three ends");
  assert.ok(found.every(({ payload }) => payload[0] === 5 && (payload[1]! & 0x3f) === 10));
  out.forEach((packet, i) => {
    assert.equal(packet.sequence, (65_500 + i) & 0xffff, "one sequence of voice and events");
    if (i > 0) assert.ok(((packet.timestamp - out[i - 1]!.timestamp) | 0) >= 0, "never back");
  });
  const during = out.filter(({ at, payloadType }) => at > 520 && at < 660 && payloadType === 8);
  assert.equal(during.length, 0, "no voice while the event lasts");
  assert.ok(out.some(({ at, payloadType }) => at > 750 && payloadType === 8), "voice after it");
  const { lost, late, concealedMs } = made.statistics();
  assert.deepEqual([lost, late], [0, 0]);
  assert.ok(concealedMs <= 60, `${concealedMs} ms made up`);
});

Deno.test("telephone-event: a long one is cut where our clock has no room for its duration", () => {
  const events = (payloadType: number, clockRate: number) => ({
    telephoneEvent: { payloadType, clockRate },
  });
  const made = transcoder(PCMU, PCMA, events(101, 8000), events(110, 48000));
  const out = drive(made, digit(2000, 8000, encodeStream(PCMU, vowel(8000, 3000), 8000)), 3000)
    .filter(({ payloadType }) => payloadType === 110);
  const starts = [...new Set(out.map(({ timestamp }) => timestamp))];
  assert.equal(starts.length, 2);
  assert.equal((starts[1]! - starts[0]!) | 0, 0xffff);
  const { payload } = out.at(-1)!;
  assert.equal((payload[2]! << 8 | payload[3]!) + 0xffff, 96_000);
});

Deno.test("comfort noise of the sender is heard, and loss is not mistaken for it (RFC 3389)", () => {
  const made = transcoder(PCMU, PCMA, { comfortNoise: 13 });
  const voice = encodeStream(PCMU, vowel(8000, 400), 8000, { timestamp: 0 });
  const noise = writeRtp({
    payloadType: 13,
    marker: false,
    sequence: (65_530 + 20) & 0xffff,
    timestamp: 3200,
    ssrc: 7,
    payload: Uint8Array.of(50),
  });
  const out = drive(made, [...voice, { at: 420, bytes: noise }], 1400);
  const heard = decodeStream(PCMA, out, 8000);
  const level = 20 * Math.log10(rms(heard.subarray(5600), 2000) / 32767);
  assert.ok(Math.abs(level + 50) < 3, `noise of ${level.toFixed(1)} dB, expected -50`);
  assert.ok(made.statistics().concealedMs <= 20);
});

Deno.test("silence becomes comfort noise where the far side takes it, and a marker ends it", () => {
  const made = transcoder(PCMU, PCMA, {}, { comfortNoise: 13, dtx: true });
  const pcm = new Int16Array(8000 * 4);
  pcm.set(vowel(8000, 1000));
  pcm.set(vowel(8000, 1000), 24_000);
  for (let i = 8000; i < 24_000; i++) pcm[i] = (i * 7919 % 61) - 30;
  const out = drive(made, encodeStream(PCMU, pcm, 8000), 4000);
  const noise = out.filter(({ payloadType }) => payloadType === 13);
  assert.ok(noise.length >= 4 && noise.length <= 8, `${noise.length} descriptions in 2 s`);
  const level = noise.at(-1)!.payload[0]!;
  const rmsDb = -20 * Math.log10(17.6 / 32767);
  assert.ok(Math.abs(level - 2 - rmsDb) < 3, `level ${level}, noise at ${rmsDb.toFixed(1)}`);
  const voice = out.filter(({ payloadType }) => payloadType === 8);
  assert.ok(voice.length < 125, `${voice.length} packets of voice in 2 s of voice`);
  assert.equal(voice.filter(({ marker }) => marker).length, 2);
  const restart = voice.find(({ marker, at }) => marker && at > 500)!;
  assert.ok(Math.abs(restart.at - 3045) < 60, `voice begins again at ${restart.at}`);
});

Deno.test("Opus packets: durations and the flag of forward error correction (RFC 6716)", () => {
  assert.equal(opusDuration(Uint8Array.of(0x00, 1)), 480, "SILK 10 ms");
  assert.equal(opusDuration(Uint8Array.of(0x18, 1)), 2880, "SILK 60 ms");
  assert.equal(opusDuration(Uint8Array.of(0x79, 1)), 1920, "hybrid 2 x 20 ms");
  assert.equal(opusDuration(Uint8Array.of(0xfb, 3)), 2880, "CELT 3 x 20 ms");
  assert.equal(opusDuration(Uint8Array.of(0xfb, 7)), 0, "140 ms is too long");
  assert.equal(opusDuration(new Uint8Array(0)), 0);
  assert.equal(hasOpusFec(Uint8Array.of(0x08, 0b0100_0000, 1)), true);
  assert.equal(hasOpusFec(Uint8Array.of(0x08, 0b1000_0000, 1)), false);
  assert.equal(hasOpusFec(Uint8Array.of(0xf8, 0b0100_0000, 1)), false, "CELT has none");
});

Deno.test("Speex packets: frames are counted by their sub-modes", () => {
  const nothing = Uint8Array.of(0b0000_0011);
  assert.equal(speexFrames(nothing), 1, "a frame of 5 bits and padding");
  assert.equal(speexFrames(Uint8Array.of(0b0001_0000, ...new Uint8Array(5))), 0, "mode 2 cut off");
  assert.equal(speexFrames(Uint8Array.of(0b0000_1000, ...new Uint8Array(5))), 2, "43 and 5 bits");
  assert.equal(speexFrames(Uint8Array.of(0xff)), 0);
});
