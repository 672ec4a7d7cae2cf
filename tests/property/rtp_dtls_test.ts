import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { ClientMessages } from "../../src/rtp/dtls/client_messages.ts";
import { handshakeRecord, readRecords } from "../../src/rtp/dtls/records.ts";
import { isStrayOnceUp } from "../../src/rtp/dtls/stray_filter.ts";

/** A handshake message's fragment (RFC 6347 4.2.2). */
function fragment(type: number, body: Uint8Array, sequence: number, offset: number, size: number) {
  const out = new Uint8Array(12 + size);
  const put = (at: number, value: number) => out.set([value >>> 16, value >>> 8, value], at);
  out[0] = type;
  put(1, body.length);
  out.set([sequence >>> 8, sequence], 4);
  put(6, offset);
  put(9, size);
  out.set(body.subarray(offset, offset + size), 12);
  return out;
}

const TYPES = [1, 1, 11, 16, 15];

Deno.test("fragments in any order, any cut, some twice: each message once, whole and in order", () => {
  const bodies = fc.tuple(...TYPES.map(() => fc.uint8Array({ minLength: 0, maxLength: 60 })));
  fc.assert(
    fc.property(
      bodies,
      fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(1_000_000), { minLength: 60, maxLength: 60 }),
      (messages, cuts, order) => {
        const pieces: Uint8Array[] = [];
        messages.forEach((body, sequence) => {
          let offset = 0;
          for (let i = 0; offset < body.length || i === 0; i++) {
            const size = Math.min(cuts[i % cuts.length]!, body.length - offset);
            const piece = fragment(TYPES[sequence]!, body, sequence, offset, size);
            pieces.push(piece);
            if (order[pieces.length % 60]! % 3 === 0) pieces.push(piece);
            offset += size;
          }
        });
        const mixed = pieces.map((piece, i) => ({ piece, by: order[i % 60]! * 1000 + i }))
          .sort((x, y) => x.by - y.by);
        const inbox = new ClientMessages();
        const got = mixed.flatMap(({ piece }) => inbox.take(piece)).filter((m) => !m.repeated);
        assert.deepEqual(got.map(({ type }) => type), TYPES);
        got.forEach(({ bytes, type }, sequence) => {
          const body = messages[sequence]!;
          assert.deepEqual(bytes, fragment(type, body, sequence, 0, body.length));
        });
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("noise and cut fragments never throw and give nothing that was not sent", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }), (noise) => {
      const inbox = new ClientMessages();
      for (const bytes of noise) {
        for (const { bytes: message } of inbox.take(bytes)) assert.ok(message.length >= 12);
        for (const record of readRecords(bytes)) assert.ok(record.bytes.length <= bytes.length);
        isStrayOnceUp(bytes, 0, bytes.length);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a ClientHello that comes again is repeated only while it is the newest", () => {
  const inbox = new ClientMessages();
  const hello = fragment(1, Uint8Array.of(1, 2, 3), 0, 0, 3);
  assert.deepEqual(inbox.take(hello).map(({ repeated }) => repeated), [false]);
  assert.deepEqual(inbox.take(hello).map(({ repeated }) => repeated), [true]);
  const second = fragment(1, Uint8Array.of(4, 5), 1, 0, 2);
  assert.equal(inbox.take(second).length, 1);
  assert.deepEqual(inbox.take(hello), [], "late, and would start the handshake anew");
  assert.deepEqual(inbox.take(fragment(16, Uint8Array.of(9), 2, 0, 1)), [], "out of its order");
  const key = fragment(11, Uint8Array.of(9), 2, 0, 1);
  assert.equal(inbox.take(key).length, 1);
  assert.deepEqual([...inbox.take(second), ...inbox.take(key)], []);
});

Deno.test("strays once up: every record of a datagram is looked at", () => {
  const finished = Uint8Array.of(22, 254, 253, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 7);
  const alert = Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 0);
  const hello = handshakeRecord(fragment(1, Uint8Array.of(1), 0, 0, 1));
  const stray = (...parts: Uint8Array[]) => {
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
    return isStrayOnceUp(bytes, 0, bytes.length);
  };
  assert.equal(stray(finished), false);
  assert.equal(stray(finished, alert), true);
  assert.equal(stray(finished, hello), true);
  assert.equal(stray(finished, finished.subarray(0, 13)), true);
});
