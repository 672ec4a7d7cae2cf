import assert from "node:assert/strict";
import {
  type Child,
  type ChildSpec,
  type Exit,
  Supervisor,
  type SupervisorOptions,
} from "../../../src/actors/supervisor.ts";
import { silentLog } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";

const FAULT: Exit = { kind: "fault", error: new Error("it broke") };

/** Children that note what becomes of them, and end when the test says so. */
class House {
  readonly clock = new ManualClock();
  readonly happened: string[] = [];
  readonly warnings: string[] = [];
  readonly supervisor: Supervisor;
  readonly #exits = new Map<string, (exit: Exit) => void>();

  constructor(options: Partial<SupervisorOptions> = {}) {
    this.supervisor = new Supervisor({
      name: "house",
      strategy: "one_for_one",
      intensity: { restarts: 3, periodMs: 1_000 },
      clock: this.clock,
      log: { ...silentLog, warn: (text) => void this.warnings.push(text) },
      onGiveUp: (id) => void this.happened.push(`gave up on ${id}`),
      ...options,
    });
  }

  /** @param stop what a child does when it is stopped: ends at once, or never */
  child(
    id: string,
    restart: ChildSpec["restart"] = "permanent",
    stop: "ends" | "hangs" = "ends",
  ): void {
    this.supervisor.start({
      id,
      restart,
      shutdownMs: 500,
      start: (onExit): Child => {
        this.happened.push(`start ${id}`);
        this.#exits.set(id, onExit);
        return {
          stop: () => {
            this.happened.push(`stop ${id}`);
            if (stop === "ends") onExit({ kind: "normal" });
          },
        };
      },
    });
  }

  exit(id: string, exit: Exit): void {
    this.#exits.get(id)!(exit);
  }

  /** How the present life of a child says its end, also when that life is over. */
  lastWords(id: string): (exit: Exit) => void {
    return this.#exits.get(id)!;
  }

  /** What has happened since the last time. */
  heard(): string[] {
    return this.happened.splice(0);
  }

  stop(): void {
    this.supervisor.stop(() => void this.happened.push("done"));
  }
}

Deno.test("supervisor: restart by specification", () => {
  const house = new House();
  house.child("always", "permanent");
  house.child("after faults", "transient");
  house.child("never", "temporary");
  assert.deepEqual(house.heard(), ["start always", "start after faults", "start never"]);

  house.exit("always", { kind: "normal" });
  house.exit("after faults", FAULT);
  assert.deepEqual(house.heard(), ["start always", "start after faults"]);

  house.exit("after faults", { kind: "normal" });
  house.exit("never", FAULT);
  assert.deepEqual(house.heard(), []);
  assert.deepEqual(house.supervisor.running, ["always"]);
});

Deno.test("supervisor: rest_for_one stops what came later in reverse and starts it in order", () => {
  const house = new House({ strategy: "rest_for_one" });
  for (const id of ["a", "b", "c", "d"]) house.child(id);
  house.heard();
  house.exit("b", FAULT);
  assert.deepEqual(house.heard(), ["stop d", "stop c", "start b", "start c", "start d"]);
  assert.deepEqual(house.supervisor.running, ["a", "b", "c", "d"]);
});

Deno.test("supervisor: one_for_one leaves the others alone", () => {
  const house = new House();
  for (const id of ["a", "b", "c"]) house.child(id);
  house.heard();
  house.exit("b", FAULT);
  assert.deepEqual(house.heard(), ["start b"]);
});

Deno.test("supervisor: a temporary child is not started again for a sibling's sake", () => {
  const house = new House({ strategy: "rest_for_one" });
  house.child("a");
  house.child("b", "temporary");
  house.child("c");
  house.heard();
  house.exit("a", FAULT);
  assert.deepEqual(house.heard(), ["stop c", "stop b", "start a", "start c"]);
  assert.deepEqual(house.supervisor.running, ["a", "c"]);
});

Deno.test("supervisor: more restarts than allowed within the period end in giving up", () => {
  const house = new House({ intensity: { restarts: 2, periodMs: 1_000 } });
  house.child("a");
  house.heard();
  house.exit("a", FAULT);
  house.clock.advance(999);
  house.exit("a", FAULT);
  assert.deepEqual(house.heard(), ["start a", "start a"]);
  house.clock.advance(1);
  house.exit("a", FAULT);
  assert.deepEqual(house.heard(), ["start a"], "the first restart is out of the period");
  house.exit("a", FAULT);
  assert.deepEqual(house.heard(), ["gave up on a"]);
});

Deno.test("supervisor: a child that throws while it starts counts as one that failed", () => {
  const house = new House({ intensity: { restarts: 2, periodMs: 1_000 } });
  let tries = 0;
  const start = (): Child => {
    tries++;
    throw new Error("no port");
  };
  house.supervisor.start({ id: "a", restart: "permanent", shutdownMs: 1, start });
  assert.equal(tries, 3);
  assert.deepEqual(house.heard(), ["gave up on a"]);
});

Deno.test("supervisor: stops in reverse order, each within its deadline, also what hangs", () => {
  const house = new House();
  house.child("a");
  house.child("b", "permanent", "hangs");
  house.child("c");
  house.heard();
  house.stop();
  assert.deepEqual(house.heard(), ["stop c", "stop b"]);
  house.clock.advance(499);
  assert.deepEqual(house.heard(), []);
  house.clock.advance(1);
  assert.deepEqual(house.heard(), ["stop a", "done"]);
  assert.deepEqual(house.warnings, ["house: b did not stop in 500 ms"]);
  house.exit("b", FAULT);
  assert.deepEqual(house.heard(), [], "who was given up is not started again");
  assert.equal(house.clock.pendingTimers, 0);
});

Deno.test("supervisor: the end of the house in the middle of a restart is the end", () => {
  const house = new House({ strategy: "rest_for_one" });
  house.child("a");
  house.child("b", "permanent", "hangs");
  house.heard();
  house.exit("a", FAULT);
  assert.deepEqual(house.heard(), ["stop b"]);
  house.stop();
  house.exit("b", { kind: "normal" });
  assert.deepEqual(house.heard(), ["done"], "b is stopped once, nothing starts again");
  house.clock.advance(10_000);
  assert.deepEqual([house.warnings, house.clock.pendingTimers], [[], 0]);
});

Deno.test("supervisor: the end of an earlier life counts for nothing", () => {
  const house = new House();
  house.child("a");
  const firstLife = house.lastWords("a");
  firstLife(FAULT);
  house.heard();
  firstLife(FAULT);
  assert.deepEqual([house.heard(), house.supervisor.running], [[], ["a"]]);
});

Deno.test("supervisor: two children of one id are a bug", () => {
  const house = new House();
  house.child("a");
  assert.throws(() => house.child("a"), /start a: a child of that id is there already/);
});
