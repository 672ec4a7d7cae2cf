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

Deno.test("clock: in order of time; what a timer defers comes before the next one", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  systemClock.setTimeout(() => (order.push("last"), resolve()), 40);
  systemClock.setTimeout(() => {
    order.push("first");
    systemClock.defer(() => order.push("deferred by first"));
  }, 10);
  systemClock.setTimeout(() => order.push("second"), 10);
  const cleared = systemClock.setTimeout(() => order.push("cleared by second"), 20);
  systemClock.setTimeout(() => systemClock.clearTimeout(cleared), 11);
  // All are due by the time that the event loop is free again.
  for (const end = performance.now() + 60; performance.now() < end;);
  await promise;
  assert.deepEqual(order, ["first", "deferred by first", "second", "last"]);
});

Deno.test("clock: a timer that throws is reported and stops no other", async () => {
  const reported = Promise.withResolvers<unknown>();
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    reported.resolve(event.error);
  };
  addEventListener("error", listener);
  const { promise, resolve } = Promise.withResolvers<void>();
  const fault = new Error("on purpose");
  systemClock.setTimeout(() => {
    throw fault;
  }, 1);
  systemClock.setTimeout(() => resolve(), 1);
  await promise;
  assert.equal(await reported.promise, fault);
  removeEventListener("error", listener);
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
