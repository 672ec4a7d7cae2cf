import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { Overload } from "../../../src/sip/protect/overload.ts";
import { TokenBucket } from "../../../src/sip/protect/token_bucket.ts";

const STEP_MS = 250;

/** Feeds samples, one a step; gives back whether it was overloaded after each. */
function feed(overload: Overload, lags: readonly number[], from = 0, transactions = 0): boolean[] {
  return lags.map((lagMs, at) => {
    overload.sample({ lagMs, transactions }, from + at * STEP_MS);
    return overload.isActive;
  });
}

Deno.test("overload: one long turn is none, being late all the time is", () => {
  const overload = new Overload({ lagMs: 100, transactions: 1_000 });
  assert.deepEqual(feed(overload, [500, 500, 0, 500]), [false, false, false, false]);
  assert.deepEqual(feed(overload, [150, 150], 1_000), [false, true]);
  assert.match(overload.reasons.join(), /event loop is 150 ms late, 100 ms are too much/);
});

Deno.test("overload: ends only after all has been well for a while", () => {
  const overload = new Overload({ lagMs: 100, transactions: 1_000 });
  feed(overload, [200, 200, 200]);
  const still = feed(overload, Array<number>(10).fill(80), 1_000);
  assert(still.every((active) => active), "under the limit is not yet well");
  const well = feed(overload, Array<number>(30).fill(10), 10_000);
  assert.equal(well.indexOf(false), 20, "5 s of being well");
  assert.deepEqual(overload.reasons, []);
});

Deno.test("overload: transactions count at once, and must fall well below their limit", () => {
  const overload = new Overload({ lagMs: 100, transactions: 1_000 });
  overload.sample({ lagMs: 0, transactions: 1_000 }, 0);
  assert.match(overload.reasons.join(), /1000 SIP transactions are alive/);
  feed(overload, Array<number>(100).fill(0), 1_000, 900);
  assert(overload.isActive);
  feed(overload, Array<number>(22).fill(0), 100_000, 700);
  assert(!overload.isActive);
});

Deno.test("token bucket: never lets through more than burst and rate allow", () => {
  const steps = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 20 })),
  );
  fc.assert(fc.property(steps, fc.integer({ min: 1, max: 50 }), (waits, burst) => {
    const perSecond = 7;
    const bucket = new TokenBucket({ burst, perSecond }, 0);
    let now = 0;
    let taken = 0;
    for (const [wait, wanted] of waits) {
      now += wait;
      for (let at = 0; at < wanted; at++) if (bucket.take(1, now)) taken++;
      assert(taken <= burst + now / 1000 * perSecond + 1e-6);
    }
  }));
});
