import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { type AnyActorLogic, assign, createActor, setup } from "xstate";
import { anchorLogic, anchorMachine } from "../../src/actors/edge/anchor.ts";
import { flatLogic } from "../../src/actors/flat_machine.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";

/** What flat machines do by their table is what XState's own interpreter does with them. */

const EVENTS = [
  "open",
  "media.opened",
  "media.failed",
  "provisional",
  "cancelled",
  "accepted",
  "acknowledged",
  "refused",
  "rejected",
  "bye",
  "ended",
  "resumed",
  "terminate",
  "never heard of",
] as const;

type Act =
  | { readonly send: string }
  | { readonly wait: number }
  | { readonly stop: true }
  /** The next thing that the holder is asked throws. */
  | { readonly fault: true };

/** One actor with all that can be seen of it. */
class Stage {
  readonly clock = new ManualClock();
  readonly seen: string[] = [];
  readonly actor;
  #isFaulty = false;

  constructor(logic: AnyActorLogic) {
    const holder = {
      release: () => this.#hear("release"),
      refuse: () => this.#hear("refuse"),
      trace: (state: string) => this.#hear(`entered ${state}`),
    };
    this.actor = createActor(logic, { input: { holder }, clock: this.clock });
    this.actor.subscribe({
      complete: () => this.seen.push("complete"),
      error: (error: unknown) => this.seen.push(`error ${error}`),
    });
    this.actor.start();
  }

  #hear(what: string): void {
    this.seen.push(what);
    if (!this.#isFaulty) return;
    this.#isFaulty = false;
    throw new Error("on purpose");
  }

  do(act: Act): void {
    if ("send" in act) this.actor.send({ type: act.send });
    else if ("wait" in act) this.clock.advance(act.wait);
    else if ("stop" in act) this.actor.stop();
    else this.#isFaulty = true;
  }

  state() {
    const { value, status, context } = this.actor.getSnapshot();
    const { patienceMs } = context;
    const { seen, clock: { pendingTimers } } = this;
    return { value, status, patienceMs, seen, pendingTimers };
  }
}

Deno.test("flat machines: the anchor by its table is the anchor of XState", () => {
  const act: fc.Arbitrary<Act> = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...EVENTS).map((send) => ({ send })) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(1, 4_999, 35_000, 40_000, 240_000).map((wait) => ({ wait })),
    },
    { weight: 1, arbitrary: fc.constant({ fault: true } as const) },
    { weight: 1, arbitrary: fc.constant({ stop: true } as const) },
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 25 }), (acts) => {
      const [ours, theirs] = [new Stage(anchorLogic), new Stage(anchorMachine)];
      assert.deepEqual(ours.state(), theirs.state());
      for (const each of acts) {
        ours.do(each);
        theirs.do(each);
        // Of a state that an actor died in only the actor's end counts.
        const [a, b] = [ours.state(), theirs.state()];
        if (a.status === "error") assert.deepEqual([a.status, a.seen], [b.status, b.seen]);
        else assert.deepEqual(a, b);
      }
      for (const stage of [ours, theirs]) stage.do({ wait: 1_000_000 });
      assert.deepEqual(ours.seen, theirs.seen);
      ours.actor.stop();
      assert.equal(ours.clock.pendingTimers, 0, "no timer is left");
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("flat machines: a step without a target keeps state, timer and entry; assigners compute", () => {
  const machine = setup({
    types: { context: {} as { count: number }, events: {} as { type: "count" | "again" | "same" } },
    actions: {
      count: assign({ count: ({ context }) => context.count + 1 }),
      set: assign((_, params: { count: number }) => ({ count: params.count })),
    },
    delays: { wait: ({ context }) => 100 * context.count },
  }).createMachine({
    context: { count: 1 },
    initial: "a",
    states: {
      a: {
        on: {
          count: { actions: "count" },
          again: { target: "a", reenter: true },
          same: { target: "a", actions: ["count", { type: "set", params: { count: 7 } }] },
        },
        after: { wait: "b" },
      },
      b: { type: "final" },
    },
  });
  const events = ["count", "again", "same"] as const;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events, 50, 130, 400), { maxLength: 12 }), (acts) => {
      const states = [flatLogic(machine), machine].map((logic) => {
        const clock = new ManualClock();
        const actor = createActor(logic as AnyActorLogic, { clock }).start();
        return acts.map((act) => {
          if (typeof act === "number") clock.advance(act);
          else actor.send({ type: act });
          const { value, context, status } = actor.getSnapshot();
          return [value, context.count, status, clock.pendingTimers];
        });
      });
      assert.deepEqual(states[0], states[1]);
    }),
  );
});

Deno.test("flat machines: what the table can't hold is refused when it is made", () => {
  const nested = setup({}).createMachine({
    initial: "a",
    states: { a: { initial: "b", states: { b: {} } } },
  });
  assert.throws(() => flatLogic(nested), /no initial/);
  const guarded = setup({ guards: { no: () => false } }).createMachine({
    initial: "a",
    states: { a: { on: { go: { target: "a", guard: "no" } } } },
  });
  assert.throws(() => flatLogic(guarded), /no guard/);
  const lost = setup({}).createMachine({
    initial: "a",
    states: { a: { on: { go: { actions: "nobody" as never } } } },
  });
  assert.throws(() => flatLogic(lost), /no action nobody/);
});
