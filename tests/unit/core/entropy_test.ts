import assert from "node:assert/strict";
import { type Entropy, randomHex, SeededEntropy, toHex, uuid } from "../../../src/core/entropy.ts";

function fixed(byte: number): Entropy {
  return { bytes: (length) => new Uint8Array(length).fill(byte) };
}

Deno.test("entropy: hex of bytes, and of as many bits as were asked for", () => {
  assert.equal(toHex(new Uint8Array([0, 1, 15, 16, 255])), "00010f10ff");
  assert.equal(randomHex(fixed(0xab), 128), "ab".repeat(16));
});

Deno.test("entropy: a UUID has the version and variant of RFC 9562 whatever the bytes are", () => {
  assert.equal(uuid(fixed(0x00)), "00000000-0000-4000-8000-000000000000");
  assert.equal(uuid(fixed(0xff)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
});

Deno.test("entropy: a seed replays, another seed differs", () => {
  const draw = (seed: number) => toHex(new SeededEntropy(seed).bytes(32));
  assert.equal(draw(1), draw(1));
  assert.equal(new Set([0, 1, 2, 3, -1].map(draw)).size, 5);
});

Deno.test("entropy: fractions and integers keep their bounds and fill them", () => {
  const chance = new SeededEntropy(9);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const fraction = chance.fraction();
    assert(fraction >= 0 && fraction < 1);
    counts[chance.below(10)]!++;
  }
  assert(counts.every((count) => count > 800 && count < 1_200), String(counts));
});
