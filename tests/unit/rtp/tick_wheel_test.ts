import assert from "node:assert/strict";
import fc from "fast-check";
import { TickWheel } from "../../../src/rtp/engine/tick_wheel.ts";

const PERIOD = 1000;

/** Takes all turns until a time; gives when each member had its turn. */
function run<T>(wheel: TickWheel<T>, until: number): Map<T, number[]> {
  const turns = new Map<T, number[]>();
  while (wheel.next <= until) {
    const now = wheel.next;
    for (const member of wheel.take(now)!) turns.set(member, [...turns.get(member) ?? [], now]);
  }
  return turns;
}

Deno.test("tick wheel: a few share one turn a period, and nobody has none", () => {
  const wheel = new TickWheel<string>(PERIOD);
  assert.equal(wheel.next, Infinity);
  assert.equal(wheel.take(5000), null);
  wheel.add("a", 100);
  wheel.add("b", 300);
  assert.equal(wheel.next, 1100, "one turn for both, a period after the first came");
  assert.equal(wheel.take(1099), null);
  assert.deepEqual([...wheel.take(1100)!], ["a", "b"]);
  assert.equal(wheel.next, 2100);
  wheel.delete("a");
  assert.deepEqual([...wheel.take(2100)!], ["b"]);
  wheel.delete("b");
  wheel.delete("b");
  assert.equal(wheel.next, Infinity);
});

Deno.test("tick wheel: a late turn is not made up for", () => {
  const wheel = new TickWheel<string>(PERIOD);
  wheel.add("a", 0);
  assert.deepEqual([...wheel.take(1040)!], ["a"], "a little late");
  assert.equal(wheel.next, 2000, "keeps its place");
  assert.deepEqual([...wheel.take(9500)!], ["a"], "very late");
  assert.equal(wheel.next, 10_500);
});

Deno.test("tick wheel: many have their turn once a period, at most a twentieth of them at once", () => {
  const wheel = new TickWheel<number>(PERIOD);
  for (let i = 0; i < 2000; i++) wheel.add(i, i / 10);
  run(wheel, 1500);
  const turns = run(wheel, 11_500);
  assert.equal(turns.size, 2000);
  for (const [member, times] of turns) assert.equal(times.length, 10, `member ${member}`);
  const atOnce = new Map<number, number>();
  for (const [first] of turns.values()) atOnce.set(first!, (atOnce.get(first!) ?? 0) + 1);
  assert.deepEqual([...new Set(atOnce.values())], [100]);
});

Deno.test("tick wheel: whoever comes and goes, every member has one turn in each period", () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 400 }),
    add: fc.integer({ min: 0, max: 150 }),
    remove: fc.integer({ min: 0, max: 150 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const wheel = new TickWheel<number>(PERIOD);
    const members = new Set<number>();
    let now = 0;
    let count = 0;
    for (const { wait, add, remove } of steps) {
      run(wheel, now += wait);
      for (let i = 0; i < add; i++) {
        members.add(count);
        wheel.add(count++, now);
      }
      for (const member of [...members].slice(0, remove)) {
        members.delete(member);
        wheel.delete(member);
      }
      assert.equal(wheel.next === Infinity, members.size === 0);
      assert.ok(wheel.next > now);
    }
    run(wheel, now + PERIOD);
    const turns = run(wheel, now + 2 * PERIOD);
    assert.equal(turns.size, members.size);
    for (const times of turns.values()) assert.equal(times.length, 1);
  }));
});
