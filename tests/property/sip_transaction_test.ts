import assert from "node:assert/strict";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { type Behaviour, type LinkFaults, type Phone, World } from "../support/sip_world.ts";
import { seeds } from "../support/dice.ts";

/**
 * Registrar, proxy and phones over UDP-like flows that lose, repeat and overtake, from seeds. A
 * failure names its seed; `runSeed(seed, ...)` alone replays it.
 */

const SEEDS = 400;
const CALLS = 6;
const ANSWERS = [200, 200, 200, 486, 603, 480];

function faultsOf(chance: SeededEntropy): LinkFaults {
  return {
    loss: chance.below(4) * 0.1,
    duplication: chance.below(3) * 0.15,
    delay: [1, 50, 400][chance.below(3)]!,
  };
}

function behaviourOf(chance: SeededEntropy): Partial<Behaviour> {
  return {
    ringAfter: chance.below(4) === 0 ? undefined : chance.below(1_000),
    answerAfter: chance.below(5) === 0 ? undefined : chance.below(8_000),
    answer: ANSWERS[chance.below(ANSWERS.length)]!,
    hangupAfter: chance.below(20_000),
  };
}

/** One world: some phones, some of them windows of one name, calls among them at any time. */
function runSeed(seed: number, seen: Map<string, number>): void {
  const chance = new SeededEntropy(seed ^ 0x5eed);
  const world = new World({ seed, transport: "UDP", faults: faultsOf(chance) });
  const phones: Phone[] = [];
  for (const name of ["alice", "bob", "bob", "carol", "carol", "carol"]) {
    phones.push(world.phone(name, behaviourOf(chance)));
  }
  for (const phone of phones) phone.register();
  world.clock.advance(40_000);
  const placed: { caller: Phone; callId: string }[] = [];
  for (let i = 0; i < CALLS; i++) {
    const caller = phones[chance.below(phones.length)]!;
    const callee = ["alice", "bob", "carol", "nobody"][chance.below(4)]!;
    world.clock.advance(chance.below(2_000));
    const callId = caller.invite(callee);
    placed.push({ caller, callId });
    if (chance.below(3) === 0) {
      world.clock.setTimeout(() => caller.cancel(callId), chance.below(9_000));
    }
    if (chance.below(12) === 0) {
      const lost = phones[chance.below(phones.length)]!;
      world.clock.setTimeout(() => lost.disconnect(), chance.below(10_000));
    }
  }
  world.settle();
  for (const { caller, callId } of placed) checkOutcome(caller, callId, seen);
  // A flow that broke in a call leaves the other side to its session timer or media timeout.
  if (phones.every((phone) => phone.connected)) phones.forEach(checkDialogs);
  checkNothingLeft(world, phones);
}

/** Exactly one final response or failure; beyond that only further 2xx of a fork. */
function checkOutcome(caller: Phone, callId: string, seen: Map<string, number>): void {
  const outcomes = caller.outcomes.get(callId) ?? [];
  assert.ok(outcomes.length >= 1, `call ${callId} has no outcome`);
  const what = outcomes.map((o) => o.kind === "final" ? o.status : o.kind).join("+");
  seen.set(what, (seen.get(what) ?? 0) + 1);
  const accepted = outcomes.filter((o) => o.kind === "final" && o.status < 300).length;
  const others = outcomes.length - accepted;
  assert.ok(others + Math.min(accepted, 1) === 1, `call ${callId}: ${JSON.stringify(outcomes)}`);
}

function checkDialogs(phone: Phone): void {
  for (const dialog of phone.dialogs.values()) {
    assert.equal(dialog.state, "terminated", `${phone.flow.id}: dialog ${dialog.key} lives on`);
  }
}

function checkNothingLeft(world: World, phones: readonly Phone[]): void {
  assert.deepEqual(
    {
      transactions: world.proxy.transactionCount,
      contexts: world.proxy.contextCount,
      bindings: world.proxy.bindingCount,
      phones: phones.reduce((sum, phone) => sum + phone.stack.transactionCount, 0),
      timers: world.clock.pendingTimers,
    },
    { transactions: 0, contexts: 0, bindings: 0, phones: 0, timers: 0 },
  );
  for (const phone of phones) phone.disconnect();
  assert.equal(world.proxy.contactCount, 0);
}

Deno.test(`calls over lossy flows: ${SEEDS} seeds`, () => {
  const seen = new Map<string, number>();
  for (const seed of seeds(SEEDS)) {
    try {
      runSeed(seed, seen);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  // Worlds in which nothing happens would prove nothing.
  for (const what of ["200", "200+200", "404", "408", "480", "486", "487", "603", "failed"]) {
    assert.ok(seen.has(what), `no call ended as ${what}: ${JSON.stringify([...seen])}`);
  }
});
