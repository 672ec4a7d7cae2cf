import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { PCMA, PCMU } from "../../../src/rtp/codec/g711.ts";
import { writeRtp } from "../../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../../src/rtp/codec/self_test.ts";
import { Transcoder } from "../../../src/rtp/codec/transcoder.ts";
import { drive, encodeStream, side, type TimedPacket } from "../../support/transcoder_bench.ts";

/** Digits through a transcoder when the network changes their packets' order. */

const EVENT = 101;
const SPACING_MS = 200;
/** An event's packets: each 20 ms, and its end three times. */
const DURATIONS = [160, 320, 480, 640, 640, 640];
const FIRST_END = 3;

interface Sent extends TimedPacket {
  readonly digit: number;
}

/** Packets of these digits as phones send them, from `base` on. */
function dial(digits: readonly number[], base: number, ssrc = 7): Sent[] {
  let sequence = 500;
  return digits.flatMap((digit, nth) =>
    DURATIONS.map((duration, i) => ({
      at: 1000 + nth * SPACING_MS + i * 20,
      digit,
      bytes: writeRtp({
        payloadType: EVENT,
        marker: i === 0,
        sequence: sequence++ & 0xffff,
        timestamp: (base + nth * SPACING_MS * 8) >>> 0,
        ssrc,
        payload: Uint8Array.of(
          digit,
          (i >= FIRST_END ? 0x80 : 0) | 10,
          duration >> 8,
          duration & 255,
        ),
      }),
    }))
  );
}

/** Two phones that share no codec, and both say digits as events. */
function betweenPhones(): Transcoder {
  const telephoneEvent = { payloadType: EVENT, clockRate: 8000 };
  return new Transcoder({
    from: side("PCMU", { telephoneEvent }),
    to: side("PCMA", { telephoneEvent }),
    fromCodec: PCMU,
    toCodec: PCMA,
    minDelayMs: 20,
    maxDelayMs: 300,
  });
}

/** What a receiver takes for digits: each timestamp that it had not heard before is one. */
function heard(packets: readonly TimedPacket[]): number[] {
  const made = betweenPhones();
  const digits = new Map<number, number>();
  const ended = new Set<number>();
  for (const { payloadType, timestamp, payload } of drive(made, packets)) {
    if (payloadType !== EVENT) continue;
    digits.set(timestamp, payload[0]!);
    if (payload[1]! & 0x80) ended.add(timestamp);
    else assert.ok(!ended.has(timestamp), "an event does not go on after its end");
  }
  return [...digits.values()];
}

function at(packet: Sent, at: number): Sent {
  return { ...packet, at };
}

Deno.test("telephone-event: a late end packet belongs to the digit that is over", () => {
  for (const base of [1000, 0xffff_fff0]) {
    const sent = dial([1, 2], base);
    const [late, rest] = [sent[5]!, sent.filter((_, i) => i !== 5)];
    // 1 ... 1E, 2, 1E (late), 2, 2E: within the second digit, and after it.
    for (const when of [1000 + SPACING_MS + 30, 1000 + SPACING_MS + 170]) {
      const packets = [...rest, at(late, when)].sort((a, b) => a.at - b.at);
      assert.deepEqual(heard(packets), [1, 2], `late at ${when}`);
    }
  }
});

Deno.test("telephone-event: what says after the end that the digit goes on is not relayed", () => {
  const sent = dial([4], 1000);
  const packets = [...sent.slice(0, 2), ...sent.slice(3), at(sent[2]!, 1130)];
  assert.deepEqual(heard(packets), [4]);
});

Deno.test("telephone-event: any order within a digit's pause, losses: no digit comes twice", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 1, maxLength: 8 }),
      fc.nat({ max: 0xffff_ffff }),
      fc.array(fc.record({ late: fc.nat({ max: 1500 }), isLost: fc.boolean() }), { maxLength: 60 }),
      (digits, base, fate) => {
        const packets = dial(digits, base)
          // The first packet of each comes in time, or it is no digit between its neighbours.
          .filter((_, i) => i % 6 === 0 || !fate[i]?.isLost)
          .map((packet) => {
            const i = (packet.at - 1000) % SPACING_MS / 20;
            const nth = Math.floor((packet.at - 1000) / SPACING_MS);
            const late = i === 0 ? 0 : fate[nth * 6 + i]?.late ?? 0;
            return at(packet, packet.at + late);
          })
          .sort((a, b) => a.at - b.at);
        assert.deepEqual(heard(packets), digits);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("telephone-event: a call that begins with a digit comes to rest, whatever it counts", () => {
  const made = betweenPhones();
  const out = drive(made, dial([3], 0xf000_0000), 60_000);
  const digits = out.filter(({ payloadType }) => payloadType === EVENT);
  assert.equal(new Set(digits.map(({ timestamp }) => timestamp)).size, 1);
  assert.equal(made.deadline(), undefined, "at rest");
});

Deno.test("telephone-event: another sender, or one that counts anew, dials on whatever it counts", () => {
  const voice = encodeStream(PCMU, vowel(8000, 600), 8000);
  const later = (packets: Sent[], ms: number) => packets.map((one) => at(one, one.at + ms));
  const another = later(dial([7], 1000, 8), 300);
  assert.deepEqual(heard([...voice, ...dial([6], 0x7000_0000), ...another]), [6, 7]);
  const anew = later(dial([7], 1000), 6000);
  assert.deepEqual(heard([...voice, ...dial([6], 0x7000_0000), ...anew]), [6, 7]);
});
