import assert from "node:assert/strict";
import type { ClientCallRecord, SimClient } from "./client.ts";
import type { SimMediaFaults } from "./media.ts";
import { type HopFaults, SimWorld } from "./world.ts";
import { isReplay, seeds } from "../support/dice.ts";

const SEEDS = seeds(60);

const USERS = ["alice", "bob", "carol", "dave", "erin"];
const ACTIONS = 40;

/**
 * People who call, answer, hold, hang up, lose their connection and come back, as the seed has it.
 */
function play(world: SimWorld): void {
  const { chance, clock } = world;
  const windows = USERS.flatMap((login) =>
    Array.from({ length: 1 + chance.below(2) }, () => world.client(login))
  );
  for (const window of windows) {
    window.onIncoming = (call) => decide(window, call);
    window.connect();
  }
  for (let step = 0; step < ACTIONS; step++) {
    act(windows[chance.below(windows.length)]!);
    clock.advance(chance.below(8_000));
  }

  function decide(window: SimClient, call: ClientCallRecord): void {
    const dice = chance.fraction();
    // One in ten rings until somebody gives up.
    if (dice < 0.1) return;
    clock.setTimeout(() => {
      if (call.status !== "ringing") return;
      if (dice < 0.8) window.answer(call);
      else window.hangup(call);
    }, chance.below(6_000));
  }

  function act(window: SimClient): void {
    if (!window.handle) {
      const token = tokens.get(window);
      if (token === undefined || !window.resume(token)) window.connect();
      return;
    }
    const live = window.live;
    const call = live[chance.below(Math.max(1, live.length))];
    const dice = chance.fraction();
    if (!call || dice < 0.35) {
      const callee = chance.fraction() < 0.1 ? "nobody" : USERS[chance.below(USERS.length)]!;
      window.call(callee, { video: chance.fraction() < 0.3 });
    } else if (dice < 0.55) window.hangup(call);
    else if (dice < 0.75) window.hold(call, true);
    else if (dice < 0.9) window.hold(call, false);
    else {
      tokens.set(window, window.handle.authToken);
      window.drop();
      // A page that is gone knows nothing of its calls any more.
      window.calls.clear();
    }
  }
}

const tokens = new Map<SimClient, string>();

/** @param mustSee what has to have happened somewhere, or the run has proved nothing */
function run(
  mustSee: readonly string[],
  hop: HopFaults | undefined,
  media?: SimMediaFaults,
): void {
  const seen = new Map<string, number>();
  for (const seed of SEEDS) {
    const world = new SimWorld({ seed, ...(hop ? { hop } : {}), ...(media ? { media } : {}) });
    play(world);
    const violations = [...world.finish(), ...world.errors];
    assert.deepEqual(violations, [], `replay with TESTS_SEED=${seed}`);
    for (const [what, times] of world.seen) seen.set(what, (seen.get(what) ?? 0) + times);
  }
  if (isReplay) return;
  for (const what of mustSee) {
    assert(seen.has(what), `nothing was ever ${what}: ${JSON.stringify([...seen])}`);
  }
}

const USUAL = [
  "ringing",
  "talking",
  "held",
  "hangup",
  "remote_hangup",
  "cancelled",
  "rejected",
  "not_found",
  "ring_timeout",
  "answered_elsewhere",
];

Deno.test("simulated calls over the in-memory hop keep every promise", () => run(USUAL, undefined));

Deno.test("simulated calls over a hop that loses, doubles and reorders keep every promise", () =>
  run(USUAL, { loss: 0.1, duplication: 0.1, delayMs: 300 }));

Deno.test("simulated calls whose media fails keep every promise", () =>
  run([...USUAL, "media_timeout", "worker_lost"], undefined, {
    failOpen: 0.1,
    neverConnect: 0.15,
    lose: 0.1,
  }));

Deno.test("simulated calls with bad network and bad media keep every promise", () =>
  run([...USUAL, "media_timeout", "worker_lost"], { loss: 0.25, duplication: 0.2, delayMs: 800 }, {
    failOpen: 0.05,
    neverConnect: 0.1,
    lose: 0.1,
  }));
