import assert from "node:assert/strict";
import type { ListenerEvent, ListenerPort } from "../../../src/actors/listener.ts";
import { ListenerGroup } from "../../../src/actors/listeners.ts";
import type { Log } from "../../../src/core/log.ts";
import { silentLog } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";

/** A listener that does what the test says, and remembers what was asked of it. */
class Scripted implements ListenerPort {
  readonly asked: string[] = [];
  /** What the next openings bring; none left: opened. */
  readonly faults: string[] = [];
  tell: (event: ListenerEvent) => void = () => {};
  closes = true;

  open(tell: (event: ListenerEvent) => void): void {
    this.asked.push("open");
    this.tell = tell;
    const why = this.faults.shift();
    tell(why === undefined ? { type: "opened" } : { type: "open.failed", why });
  }

  close(deadlineMs: number, done: () => void): void {
    this.asked.push(`close ${deadlineMs}`);
    if (this.closes) done();
  }
}

function open(ports: Record<string, Scripted>, log: Log = silentLog) {
  const clock = new ManualClock();
  const group = new ListenerGroup({ clock, log });
  const faults: (readonly string[])[] = [];
  group.open(Object.entries(ports).map(([name, port]) => ({ name, port })), (told) => {
    faults.push(told);
  });
  return { clock, group, faults };
}

Deno.test("listener: all are opened in order and closed together, with the deadline", () => {
  const ports = { a: new Scripted(), b: new Scripted() };
  const { group, faults, clock } = open(ports);
  assert.deepEqual(faults, [[]]);
  assert.deepEqual(group.states, { a: "listening", b: "listening" });
  let closed = 0;
  group.close(700, () => closed++);
  assert.equal(closed, 1);
  assert.deepEqual(ports.a.asked, ["open", "close 700"]);
  assert.deepEqual(group.states, { a: "closed", b: "closed" });
  assert.equal(clock.pendingTimers, 0);
});

Deno.test("listener: all that fail at the start are told, and the others are closed", () => {
  const ports = { a: new Scripted(), b: new Scripted(), c: new Scripted(), d: new Scripted() };
  ports.b.faults.push("Port 1 (b) is in use");
  ports.d.faults.push("Port 2 (d) is in use");
  const { group, faults, clock } = open(ports);
  assert.deepEqual(faults, [["Port 1 (b) is in use", "Port 2 (d) is in use"]]);
  assert.deepEqual(group.states, { a: "closed", b: "failed", c: "closed", d: "failed" });
  assert.deepEqual(ports.c.asked, ["open", "close 0"]);
  clock.advance(600_000);
  assert.deepEqual(ports.b.asked, ["open"], "what never was is not tried again");
});

Deno.test("listener: what is lost is opened again, more and more patiently, until it is back", () => {
  const port = new Scripted();
  const said: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (text, fields) => void said.push(`${text}: ${fields?.["why"]}`),
    info: (text) => void said.push(text),
  };
  const { group, clock } = open({ a: port }, log);
  port.faults.push("in use", "in use", "in use");
  port.tell({ type: "lost", why: "gone" });
  assert.deepEqual(group.states, { a: "lost" });
  const at: number[] = [];
  for (let ms = 0; group.states["a"] !== "listening"; ms += 50) {
    assert.ok(ms < 60_000, "never came back");
    const before = port.asked.length;
    clock.advance(50);
    if (port.asked.length > before) at.push(clock.now());
  }
  assert.deepEqual(at, [250, 750, 1_750, 3_750]);
  assert.deepEqual(said, ["a listener was lost and is opened again: gone", "a listener is back"]);
  // The next loss begins patiently again.
  port.tell({ type: "lost", why: "again" });
  clock.advance(250);
  assert.deepEqual(group.states, { a: "listening" });
});

Deno.test("listener: closing wins over opening again, and over a port that does not answer", () => {
  const lost = new Scripted();
  const stuck = new Scripted();
  stuck.closes = false;
  const { group, clock } = open({ lost, stuck });
  lost.tell({ type: "lost", why: "gone" });
  let isClosed = false;
  group.close(1_000, () => isClosed = true);
  assert.deepEqual(group.states, { lost: "closed", stuck: "closing" });
  assert.equal(isClosed, false);
  clock.advance(2_000);
  assert.equal(isClosed, true);
  // A port that tells something afterwards is not heard.
  lost.tell({ type: "opened" });
  clock.advance(600_000);
  assert.deepEqual(lost.asked, ["open", "close 1000"]);
  assert.equal(clock.pendingTimers, 0);
});
