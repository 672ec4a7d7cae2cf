import assert from "node:assert/strict";
import { SimWorld } from "./world.ts";

const CALLS = 10_000;
const USERS = 20;

Deno.test("10,000 calls leave no actor, timer, binding, endpoint or transaction behind", () => {
  const world = new SimWorld({ seed: 7 });
  const { clock, chance } = world;
  const clients = Array.from({ length: USERS }, (_, i) => world.client(`user${i}`));
  for (const client of clients) {
    client.onIncoming = (call) => {
      const dice = chance.fraction();
      clock.setTimeout(
        () => dice < 0.8 ? client.answer(call) : client.hangup(call),
        chance.below(300),
      );
    };
    client.connect();
  }
  for (let i = 0; i < CALLS; i++) {
    const caller = clients[chance.below(USERS)]!;
    const call = caller.call(`user${chance.below(USERS)}`);
    clock.setTimeout(() => caller.hangup(call), 500 + chance.below(1_000));
    clock.advance(150);
    // What is over is of no use to a page either.
    if (i % 500 === 0) { for (const client of clients) forgetFinished(client.calls); }
  }
  clock.advance(60_000);
  const { sessions, calls, bindings, agents, ...rest } = world.plane.counts();
  assert.deepEqual({ sessions, calls, bindings, agents }, {
    sessions: USERS,
    calls: 0,
    bindings: USERS,
    agents: USERS,
  });
  for (const [what, count] of Object.entries(rest)) assert.equal(count, 0, `${what} are left`);
  assert.equal(world.media.openEndpoints, 0, "endpoints are left");
  assert((world.seen.get("talking") ?? 0) > CALLS, "most calls should have been answered");
  assert.deepEqual([...world.finish(), ...world.errors], []);
});

function forgetFinished(calls: Map<unknown, { status: string }>): void {
  for (const [id, call] of calls) if (call.status === "finished") calls.delete(id);
}
