import assert from "node:assert/strict";
import type { DomainEvent } from "../../../src/actors/control_plane.ts";
import { EVENT_BUS_CAPACITY, EventBus } from "../../../src/actors/event_bus.ts";
import { silentLog } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";

function newBus() {
  const clock = new ManualClock(Date.UTC(2026, 0, 2, 3, 4, 5));
  const warnings: string[] = [];
  const bus = new EventBus(clock, { ...silentLog, warn: (text) => void warnings.push(text) });
  return { clock, bus, warnings };
}

function numbers(bus: EventBus, after: number | undefined): number[] {
  const heard: number[] = [];
  bus.subscribe(after, (event) => void heard.push(event.sequence))();
  return heard;
}

Deno.test("event bus: facts are numbered without gaps and carry their time", () => {
  const { clock, bus } = newBus();
  const heard: DomainEvent[] = [];
  bus.subscribe(undefined, (event) => void heard.push(event));
  bus.publish("call.started", { id: "a" });
  clock.advance(1_500);
  bus.publish("call.ended", { id: "a" });
  assert.deepEqual(heard, [
    { sequence: 1, at: "2026-01-02T03:04:05.000Z", type: "call.started", data: { id: "a" } },
    { sequence: 2, at: "2026-01-02T03:04:06.500Z", type: "call.ended", data: { id: "a" } },
  ]);
});

Deno.test("event bus: who comes late hears what is kept, then the new, nothing twice", () => {
  const { bus } = newBus();
  for (let i = 0; i < 5; i++) bus.publish("call.started", {});
  const heard: number[] = [];
  const leave = bus.subscribe(3, (event) => void heard.push(event.sequence));
  bus.publish("call.started", {});
  leave();
  bus.publish("call.started", {});
  assert.deepEqual(heard, [4, 5, 6]);
  assert.deepEqual(numbers(bus, undefined), []);
});

Deno.test("event bus: it keeps the last of them and no more", () => {
  const { bus } = newBus();
  const extra = 5;
  for (let i = 0; i < EVENT_BUS_CAPACITY + extra; i++) bus.publish("call.started", {});
  const kept = numbers(bus, 0);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [
    EVENT_BUS_CAPACITY,
    extra + 1,
    EVENT_BUS_CAPACITY + extra,
  ]);
});

Deno.test("event bus: a listener that throws is dropped and hurts nobody", () => {
  const { bus, warnings } = newBus();
  let tries = 0;
  const bad = () => {
    tries++;
    throw new Error("no");
  };
  const heard: number[] = [];
  bus.subscribe(undefined, bad);
  bus.subscribe(undefined, (event) => void heard.push(event.sequence));
  bus.publish("call.started", {});
  bus.publish("call.ended", {});
  assert.deepEqual([tries, heard, warnings.length], [1, [1, 2], 1]);
  // In the replay of what is kept: not another event for it, neither kept nor new.
  bus.subscribe(0, bad);
  bus.publish("call.ended", {});
  assert.equal(tries, 2);
});

Deno.test("event bus: listeners may come and go while a fact is told", () => {
  const { bus } = newBus();
  const heard: string[] = [];
  const leave = bus.subscribe(undefined, () => {
    heard.push("first");
    leave();
    bus.subscribe(undefined, () => void heard.push("newcomer"));
  });
  bus.subscribe(undefined, () => void heard.push("second"));
  bus.publish("call.started", {});
  assert.deepEqual(heard, ["first", "second"]);
  bus.publish("call.ended", {});
  assert.deepEqual(heard.slice(2), ["second", "newcomer"]);
});
