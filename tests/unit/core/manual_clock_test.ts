import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";

Deno.test("manual clock: timers fire in order of time, then of creation, at their time", () => {
  const clock = new ManualClock(1_000_000);
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name} ${clock.now()}`);
  clock.setTimeout(note("b"), 20);
  clock.setTimeout(note("a"), 10);
  clock.setTimeout(note("c"), 20);
  clock.setTimeout(note("late"), 31);
  clock.advance(30);
  assert.deepEqual(fired, ["a 10", "b 20", "c 20"]);
  assert.deepEqual([clock.now(), clock.epoch(), clock.pendingTimers], [30, 1_000_030, 1]);
});

Deno.test("manual clock: what is deferred runs before time moves, also what it defers itself", () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  clock.setTimeout(() => {
    seen.push("timer");
    clock.defer(() => {
      seen.push(`deferred ${clock.now()}`);
      clock.defer(() => void seen.push(`again ${clock.now()}`));
    });
  }, 5);
  clock.setTimeout(() => void seen.push("next timer"), 5);
  clock.defer(() => void seen.push("first"));
  clock.advance(5);
  assert.deepEqual(seen, ["first", "timer", "deferred 5", "again 5", "next timer"]);
});

Deno.test("manual clock: timers set while one fires fall due on the way", () => {
  const clock = new ManualClock();
  const at: number[] = [];
  const tick = () => {
    at.push(clock.now());
    clock.setTimeout(tick, 10);
  };
  clock.setTimeout(tick, 0);
  clock.advance(25);
  assert.deepEqual(at, [0, 10, 20]);
});

Deno.test("manual clock: a cleared timer never fires, clearing again hurts no other", () => {
  const clock = new ManualClock();
  const fired: number[] = [];
  const timers = [1, 2, 3].map((id) => clock.setTimeout(() => void fired.push(id), id));
  clock.clearTimeout(timers[1]);
  clock.clearTimeout(timers[1]);
  clock.clearTimeout(undefined);
  clock.advance(2);
  clock.clearTimeout(timers[0]);
  clock.advance(10);
  assert.deepEqual([fired, clock.pendingTimers], [[1, 3], 0]);
});

Deno.test("manual clock: steps go from timer to timer and say when there is none", () => {
  const clock = new ManualClock();
  clock.setTimeout(() => {}, 7);
  assert.deepEqual([clock.step(), clock.now(), clock.step(), clock.now()], [true, 7, false, 7]);
});

Deno.test("manual clock: any timers, some cleared, fire sorted and exactly once", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ ms: fc.nat(50), clear: fc.boolean() }), { maxLength: 60 }),
    (timers) => {
      const clock = new ManualClock();
      const fired: number[] = [];
      const handles = timers.map(({ ms }, id) => clock.setTimeout(() => void fired.push(id), ms));
      timers.forEach(({ clear }, id) => clear && clock.clearTimeout(handles[id]));
      clock.advance(50);
      const wanted = timers.map(({ ms, clear }, id) => ({ ms, clear, id }))
        .filter(({ clear }) => !clear)
        .sort((a, b) => a.ms - b.ms || a.id - b.id)
        .map(({ id }) => id);
      assert.deepEqual(fired, wanted);
      assert.equal(clock.pendingTimers, 0);
    },
  ));
});
