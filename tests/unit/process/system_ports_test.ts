import assert from "node:assert/strict";
import { systemClock } from "../../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../../src/core/io/system_entropy.ts";

Deno.test("clock: deferred work runs before timers, cleared timers never", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  systemClock.setTimeout(() => (order.push("timer"), resolve()), 1);
  systemClock.clearTimeout(systemClock.setTimeout(() => order.push("cleared"), 0));
  systemClock.defer(() => order.push("deferred"));
  order.push("now");
  await promise;
  assert.deepEqual(order, ["now", "deferred", "timer"]);
  systemClock.clearTimeout(undefined);
});

Deno.test("clock: a wait longer than the platform's timers is no short one", async () => {
  let fired = false;
  const timer = systemClock.setTimeout(() => fired = true, 60 * 86_400_000);
  // An overflowing wait would fire after a millisecond.
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(fired, false);
  // The test runner fails a timer that is left over, so this shows that clearing works too.
  systemClock.clearTimeout(timer);
});

Deno.test("clock: now moves on, epoch is the date", () => {
  const before = systemClock.now();
  assert.ok(systemClock.now() >= before);
  assert.ok(Math.abs(systemClock.epoch() - Date.now()) < 1000);
});

Deno.test("entropy: as many bytes as asked for, and not the same ones", () => {
  assert.equal(systemEntropy.bytes(0).length, 0);
  const large = systemEntropy.bytes(200_000);
  assert.equal(large.length, 200_000);
  // Every part is filled: 32 zero bytes in a row come once in 2^256.
  for (let at = 0; at < large.length; at += 50_000) {
    assert.ok(large.subarray(at, at + 32).some((byte) => byte !== 0));
  }
  assert.notDeepEqual(systemEntropy.bytes(16), systemEntropy.bytes(16));
});
