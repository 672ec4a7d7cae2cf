import assert from "node:assert/strict";
import type { Instant } from "../../../src/core/clock.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import { type Deadline, Driver, type SansIo } from "../../../src/core/sans_io.ts";

/** Says back what it hears, and `wake:` words at the time they name. */
class Echo implements SansIo<string, string> {
  readonly calls: string[] = [];
  readonly #outputs: string[] = [];
  #at = Infinity;

  handle(input: string, now: Instant): void {
    this.calls.push(`handle ${input} ${now}`);
    if (input === "break") throw new Error("a bug");
    const [, ms] = /^in (\d+)$/.exec(input) ?? [];
    if (ms !== undefined) this.#at = now + Number(ms);
    else if (input === "never") this.#at = Infinity;
    else this.#outputs.push(`${input}1`, `${input}2`);
  }

  wake(now: Instant): void {
    this.calls.push(`wake ${now}`);
    this.#at = Infinity;
    this.#outputs.push("woken");
  }

  poll(): string | undefined {
    return this.#outputs.shift();
  }

  deadline(): Deadline | undefined {
    return this.#at === Infinity ? undefined : { at: this.#at, reason: "test" };
  }
}

function newDriver(onOutput: (output: string) => void = () => {}) {
  const clock = new ManualClock();
  const core = new Echo();
  const outputs: string[] = [];
  const driver: Driver<string, string> = new Driver(core, clock, (output) => {
    outputs.push(output);
    onOutput(output);
  });
  return { clock, core, driver, outputs };
}

Deno.test("driver: each input is drained before the next, also what outputs feed", () => {
  const { driver, core } = newDriver((output) => {
    core.calls.push(output);
    if (output === "a1") driver.feed("b");
  });
  driver.feed("a");
  assert.deepEqual(core.calls, ["handle a 0", "a1", "a2", "handle b 0", "b1", "b2"]);
});

Deno.test("driver: wakes at the deadline, and not at one that was moved or withdrawn", () => {
  const { clock, driver, core } = newDriver();
  driver.feed("in 50");
  driver.feed("in 20");
  clock.advance(100);
  assert.deepEqual(core.calls.slice(2), ["wake 20"]);
  driver.feed("in 10");
  driver.feed("never");
  assert.equal(clock.pendingTimers, 0);
  clock.advance(100);
  assert.equal(core.calls.filter((call) => call.startsWith("wake")).length, 1);
});

Deno.test("driver: one timer, however many inputs", () => {
  const { clock, driver } = newDriver();
  for (let i = 0; i < 10; i++) {
    driver.feed("in 50");
    driver.feed("x");
    clock.advance(1);
  }
  assert.equal(clock.pendingTimers, 1);
});

Deno.test("driver: inputs that come while the core is woken wait their turn", () => {
  const { clock, driver, outputs } = newDriver((output) => {
    if (output === "woken") driver.feed("late");
  });
  driver.feed("in 5");
  clock.advance(5);
  assert.deepEqual(outputs, ["woken", "late1", "late2"]);
});

Deno.test("driver: closed is closed; a throw in the core does not lock it", () => {
  const { clock, driver, outputs } = newDriver();
  assert.throws(() => driver.feed("break"), /a bug/);
  driver.feed("a");
  assert.deepEqual(outputs, ["a1", "a2"]);
  driver.feed("in 5");
  driver.close();
  driver.feed("b");
  clock.advance(10);
  assert.deepEqual([outputs, clock.pendingTimers], [["a1", "a2"], 0]);
});
