import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { KeptAnswers } from "../../../src/sip/transaction/kept_answers.ts";
import { NOBODY, Shares } from "../../../src/sip/transaction/shares.ts";

/** What the stack keeps of transactions that are over, and whose they were. */

const LIFE = 32_000;
const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

Deno.test("kept answers: found by key until they are over, each owner told once", () => {
  const kept = new KeptAnswers(7);
  kept.put("a\n1", bytes("200 a"), 3, LIFE);
  kept.put("b", bytes("404 b"), NOBODY, LIFE + 10);
  assert.equal(text(kept.find("a\n1")), "200 a");
  assert.equal(kept.find("a\n2"), undefined);
  assert.equal(kept.nextExpiry, LIFE);
  const gone: number[] = [];
  const tell = (owner: number) => void gone.push(owner);
  kept.expire(LIFE - 1, tell);
  assert.equal(gone.length, 0);
  kept.expire(LIFE, tell);
  assert.equal(kept.find("a\n1"), undefined);
  assert.equal(text(kept.find("b")), "404 b");
  kept.expire(LIFE + 10, tell);
  assert.deepEqual(gone, [3, NOBODY]);
  assert.equal(kept.size, 0);
  assert.equal(kept.nextExpiry, undefined);
});

Deno.test("kept answers behave as a map would, whatever the keys and however many", () => {
  const key = fc.oneof(
    fc.integer({ max: 5_000, min: 0 }).map((n) => `z9hG4bK${n}`),
    fc.string({ unit: "binary", maxLength: 12 }),
    // The escapes of our own key bytes, as characters.
    fc.constantFrom("", "\u00ff\u0000a", "\udcff", "\u00ff", "a\u0101", "\u0101a"),
  );
  const step = fc.record({ key, wait: fc.nat(40), size: fc.nat(300) });
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 4_000, size: "max" }), (seed, steps) => {
      const kept = new KeptAnswers(seed);
      const model = new Map<string, { answer: string; until: number }>();
      let now = 0;
      let owners = 0;
      for (const [i, { key, wait, size }] of steps.entries()) {
        now += wait;
        kept.expire(now, () => owners--);
        for (const [known, { until }] of model) if (until <= now) model.delete(known);
        assert.equal(text(kept.find(key)), model.get(key)?.answer, JSON.stringify(key));
        if (model.has(key)) continue;
        const answer = `${i} `.padEnd(size, "x");
        kept.put(key, bytes(answer), i, now + 1_000);
        owners++;
        model.set(key, { answer, until: now + 1_000 });
        assert.equal(kept.size, model.size);
        assert.equal(owners, model.size);
      }
      for (const [known, { answer }] of model) assert.equal(text(kept.find(known)), answer);
      kept.expire(Infinity, () => owners--);
      assert.equal(owners, 0);
    }),
    { numRuns: 60 },
  );
});

Deno.test("kept answers longer than a block, and more than the first table holds", () => {
  const kept = new KeptAnswers(1);
  const long = "x".repeat(300_000);
  kept.put("long", bytes(long), 1, 5);
  for (let i = 0; i < 20_000; i++) kept.put(`key ${i}`, bytes(`answer ${i}`), 1, 10 + i);
  assert.equal(text(kept.find("long")), long);
  assert.equal(text(kept.find("key 0")), "answer 0");
  kept.expire(10 + 9_999, () => {});
  assert.equal(kept.find("key 9999"), undefined);
  for (let i = 10_000; i < 20_000; i++) assert.equal(text(kept.find(`key ${i}`)), `answer ${i}`);
});

Deno.test("shares: so many a source, others untouched, forgotten with the last", () => {
  const shares = new Shares(2);
  const a = shares.take("a");
  assert.equal(shares.take("a"), a);
  assert.equal(shares.take("a"), undefined);
  const b = shares.take("b");
  assert.notEqual(b, a);
  for (let i = 0; i < 5; i++) assert.equal(shares.take(undefined), NOBODY);
  shares.release(NOBODY);
  shares.release(a!);
  assert.equal(shares.take("a"), a);
  shares.release(a!);
  shares.release(a!);
  assert.equal(shares.size, 1);
  assert.equal(shares.take("c"), a, "numbers are used again");
  assert.equal(shares.take("b"), b);
});
