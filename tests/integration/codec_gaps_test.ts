import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import type { Codec, Decoder } from "../../src/rtp/codec/codec.ts";
import { PCMA } from "../../src/rtp/codec/g711.ts";
import { writeRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../src/rtp/codec/self_test.ts";
import { Transcoder } from "../../src/rtp/codec/transcoder.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { drive, PAYLOAD_TYPES, side, type TimedPacket } from "../support/transcoder_bench.ts";

/** What a sender may do with durations and holes, against the room that decoders are given. */

/** A moment for codecs whose states are made by promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function everyCodec(): Promise<readonly (readonly [string, Codec])[]> {
  const native = [...(await openCatalogue()).codecs.values()];
  const wasm = (await openCatalogue({ ffi: false })).codecs.get("OPUS")!;
  return [
    ...native.map((codec) => [codec.name, codec] as const),
    ["OPUS by WebAssembly", wasm] as const,
  ];
}

/** The codec, and a check of whatever its decoder is asked for. */
function watched(codec: Codec): Codec {
  const check = (samples: number, pcm: Int16Array) =>
    assert.ok(samples > 0 && samples <= pcm.length, `${samples} samples into ${pcm.length}`);
  return {
    ...codec,
    decoder: (options): Decoder => {
      const decoder = codec.decoder(options);
      return {
        decode: (payload, pcm) => {
          const count = decoder.decode(payload, pcm);
          assert.ok(count <= pcm.length);
          return count;
        },
        conceal: (samples, pcm) => {
          check(samples, pcm);
          decoder.conceal(samples, pcm);
        },
        ...(decoder.recover && {
          recover: (next: Uint8Array, samples: number, pcm: Int16Array) => {
            check(samples, pcm);
            return decoder.recover!(next, samples, pcm);
          },
        }),
        close: () => decoder.close(),
      };
    },
  };
}

/** Real payloads of one packet each, by their duration, up to the longest of 120 ms. */
async function realPayloads(codec: Codec): Promise<ReadonlyMap<number, Uint8Array>> {
  const rate = codec.sampleRates[0]!;
  const made = new Map<number, Uint8Array>();
  const encode = async (packetMs: number, sampleRate = rate) => {
    const encoder = codec.encoder({ sampleRate, packetMs, dtx: false, fec: true });
    await settle();
    const size = packetMs * sampleRate / 1000;
    const pcm = vowel(sampleRate, packetMs * 4);
    const payload = new Uint8Array(1500);
    let length = 0;
    // Not the first, which codecs make of their beginning.
    for (let i = 0; i < 4; i++) {
      length = encoder.encode(pcm.subarray(i * size, (i + 1) * size), payload);
    }
    encoder.close();
    return payload.slice(0, length);
  };
  for (const ms of codec.packetMs) made.set(ms, await encode(ms));
  made.set(120, codec.name === "OPUS" ? doubled(await encode(60, 16_000)) : await encode(120));
  for (const [ms, payload] of made) {
    assert.equal(codec.duration(payload) * 1000, ms * codec.clockRate, `${codec.name}, ${ms} ms`);
  }
  return made;
}

/** Two frames alike in one packet (RFC 6716 3.2.3). */
function doubled(payload: Uint8Array): Uint8Array {
  const frame = payload.subarray(1);
  assert.ok((payload[0]! & 3) === 0 && frame.length < 252, "one short frame");
  return Uint8Array.of(payload[0]! | 1, ...frame, ...frame);
}

function transcoder(codec: Codec): Transcoder {
  return new Transcoder({
    from: side(codec.name),
    to: side("PCMA"),
    fromCodec: watched(codec),
    toCodec: PCMA,
    minDelayMs: 20,
    maxDelayMs: 300,
  });
}

function packet(codec: Codec, sequence: number, ms: number, payload: Uint8Array): Uint8Array {
  return writeRtp({
    payloadType: PAYLOAD_TYPES[codec.name],
    marker: false,
    sequence: sequence & 0xffff,
    timestamp: (0xffff_f000 + Math.round(ms * codec.clockRate / 1000)) >>> 0,
    ssrc: 7,
    payload,
  });
}

Deno.test("two packets of 120 ms with a hole of 150 ms between them: made up within the room", async () => {
  for (const [name, codec] of await everyCodec()) {
    const payload = (await realPayloads(codec)).get(120)!;
    for (const apart of [130, 180, 240, 270, 300]) {
      const made = transcoder(codec);
      await settle();
      const out = drive(made, [
        { at: 0, bytes: packet(codec, 1, 0, payload) },
        { at: 0, bytes: packet(codec, 2, apart, payload) },
      ]);
      const { concealedMs, recovered } = made.statistics();
      const hole = apart - 120;
      assert.ok(out.length >= (apart + 120) / 20 - 1, `${name}: ${out.length} packets`);
      assert.ok(concealedMs + recovered * 120 >= hole, `${name}: ${concealedMs} ms of ${hole}`);
      made.close();
    }
  }
});

Deno.test("a decoder that is asked for more than there is room for refuses, whoever asks", async () => {
  for (const [name, codec] of await everyCodec()) {
    const sampleRate = codec.sampleRates.at(-1)!;
    const payloads = await realPayloads(codec);
    const decoder = codec.decoder({ sampleRate });
    const encoder = codec.encoder({ sampleRate, packetMs: 20, dtx: false });
    await settle();
    const size = sampleRate / 50;
    // The rest of the buffer is somebody else's.
    const all = new Int16Array(16 * size).fill(77);
    const room = all.subarray(0, size);
    assert.throws(() => decoder.conceal(2 * size, room), RangeError, name);
    assert.throws(() => decoder.conceal(-1, room), RangeError, name);
    assert.equal(decoder.decode(payloads.get(120)!, room), -1, name);
    assert.equal(decoder.recover?.(payloads.get(20)!, 2 * size, room) ?? -1, -1, name);
    const bytes = new Uint8Array(1500).fill(77);
    try {
      encoder.encode(room, bytes.subarray(0, 1));
    } catch (error) {
      assert.ok(error instanceof RangeError, `${name}: ${error}`);
    }
    assert.ok(bytes.subarray(1).every((byte) => byte === 77), `${name} wrote past its room`);
    if (codec.ownComfortNoise) {
      assert.throws(() => encoder.encode(all.subarray(0, 2 * size), bytes), RangeError, name);
    }
    assert.ok(all.subarray(size).every((sample) => sample === 77), `${name} wrote past its room`);
    encoder.close();
    decoder.close();
    if (codec.ownComfortNoise && !name.endsWith("WebAssembly")) {
      assert.throws(() => decoder.conceal(size, room), /no state/, name);
      assert.throws(() => encoder.encode(room, new Uint8Array(1500)), /no state/, name);
    }
  }
});

const moves = fc.array(
  fc.record({
    /** Which of the real payloads; beyond them, garbage. */
    which: fc.nat({ max: 8 }),
    /** From the end of the packet before to this one, ms. */
    hole: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.nat({ max: 30 }).map((tens) => 10 * tens) },
      { weight: 2, arbitrary: fc.double({ min: -150, max: 450, noNaN: true }) },
    ),
    /** By which it comes later than it should, ms. */
    late: fc.oneof(fc.constant(0), fc.nat({ max: 400 })),
    skipped: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 0, max: 3 })),
  }),
  { minLength: 2, maxLength: 60 },
);

Deno.test("any durations, holes, orders and garbage: every codec, within the room, nothing throws", async (t) => {
  for (const [name, codec] of await everyCodec()) {
    await t.step(name, async () => {
      const payloads = [...(await realPayloads(codec)).values()];
      await fc.assert(
        fc.asyncProperty(moves, fc.nat(), async (moves, seed) => {
          const chance = new SeededEntropy(seed + 1);
          const packets: TimedPacket[] = [];
          let [sequence, ms] = [0, 0];
          for (const { which, hole, late, skipped } of moves) {
            const payload = payloads[which] ?? chance.bytes(chance.below(200));
            sequence += skipped;
            ms += hole;
            packets.push({
              at: Math.max(0, ms + late),
              bytes: packet(codec, sequence, ms, payload),
            });
            ms += codec.duration(payload) * 1000 / codec.clockRate;
          }
          packets.sort((a, b) => a.at - b.at);
          const made = transcoder(codec);
          await settle();
          const out = drive(made, packets);
          out.forEach((sent, i) => assert.equal(sent.sequence, (65_500 + i) & 0xffff));
          assert.equal(made.deadline(), undefined, "at rest");
          made.close();
        }),
        { numRuns: 60 },
      );
    });
  }
});
