import assert from "node:assert/strict";
import { InviteUsage, type UsageEvent } from "../../src/sip/user_agent/invite_usage.ts";
import type { IncomingRefer } from "../../src/sip/user_agent/refer.ts";
import { Pair } from "../support/sip_pair.ts";
import { seeds } from "../support/dice.ts";

/**
 * Two user agents over a wire that loses and delays, doing what comes to their minds: whatever
 * they do, each INVITE ends once, and when they let go nothing is left over.
 */

const SEEDS = 400;
const STEPS = 14;
const FINAL = new Set(["usage.answered", "usage.refused"]);

class Talk {
  readonly pair: Pair;
  readonly heard: UsageEvent[] = [];
  readonly #caller: InviteUsage;
  #callee: InviteUsage | undefined;
  readonly #refers: IncomingRefer[] = [];

  constructor(seed: number) {
    const pair = this.pair = new Pair({}, seed);
    const { entropy } = pair;
    const loss = entropy.below(3) * 0.1;
    pair.lose = () => entropy.fraction() < loss;
    pair.delay = () => 1 + entropy.below(400);
    this.#caller = pair.call({
      body: entropy.fraction() < 0.2 ? null : "offer",
      headers: entropy.fraction() < 0.3 ? { Require: "100rel" } : {},
      ...(entropy.fraction() < 0.5 ? { sessionTimer: { seconds: 90 } } : {}),
      hooks: { referProgress: () => {} },
    }, (event) => {
      this.heard.push(event);
      if (event.type === "usage.answered" && event.isOffer) this.#caller.acknowledge("late answer");
      this.#react(this.#caller, event);
    });
  }

  act(): void {
    const { pair } = this;
    const { entropy } = pair;
    this.#take();
    const side = entropy.fraction() < 0.5 ? this.#caller : this.#callee;
    const actions: (() => void)[] = [
      () => this.#callee?.ring(180, null),
      () => this.#callee?.ring(183, "early"),
      () => this.#callee?.accept("answer"),
      () => this.#callee?.accept("answer"),
      () => entropy.fraction() < 0.2 && this.#callee?.reject(486),
      () => entropy.fraction() < 0.2 && this.#caller.cancel(),
      () => side?.reoffer(`offer ${entropy.next()}`),
      () => side?.reoffer(`offer ${entropy.next()}`),
      () => entropy.fraction() < 0.2 && side?.bye(),
      () => this.#caller.refer("sip:carol@portzero.test"),
      () => this.#refers.pop()?.accept(),
      () => side?.info("text/plain", "hello"),
    ];
    actions[entropy.below(actions.length)]!();
    pair.clock.advance(entropy.below(3_000));
  }

  /** Both let go, and time runs out of reasons. */
  end(): void {
    this.#caller.abandon(480);
    // A CANCEL needs a provisional that may have got lost: then the callee alone ends it.
    this.pair.lose = () => false;
    for (let second = 0; second < 40; second++) {
      this.#take();
      this.#callee?.abandon(480);
      this.pair.clock.advance(1_000);
    }
    this.pair.clock.advance(300_000);
  }

  #take(): void {
    const invite = this.pair.bob.invites.shift();
    if (!invite) return;
    const { agent } = this.pair.bob;
    const refer = (asked: IncomingRefer) => void this.#refers.push(asked);
    const options = { agent, clock: this.pair.clock, invite, hooks: { refer } };
    // Made anew for an INVITE that was asked again (422): the earlier one has had its answer.
    this.#callee?.dispose();
    const made: InviteUsage = InviteUsage.inbound(options, (event) => this.#react(made, event));
    this.#callee = made;
  }

  #react(usage: InviteUsage, event: UsageEvent): void {
    const { clock, entropy } = this.pair;
    if (event.type === "usage.expired" || event.type === "usage.unacknowledged") usage.bye();
    if (event.type !== "usage.reoffered") return;
    const answers = entropy.fraction() < 0.8;
    clock.setTimeout(() => answers ? usage.reanswer("again") : usage.refuseReoffer(488), 300);
  }
}

Deno.test(`${SEEDS} seeds of two user agents on a bad wire: one end each, nothing left`, () => {
  let answered = 0;
  for (const seed of seeds(SEEDS)) {
    const talk = new Talk(seed);
    for (let step = 0; step < STEPS; step++) talk.act();
    talk.end();
    const finals = talk.heard.filter(({ type }) => FINAL.has(type));
    if (finals[0]?.type === "usage.answered") answered++;
    const { alice, bob, clock } = talk.pair;
    const left = [alice, bob].map(({ element, log }) => {
      const { dialogs, clients, transactions } = element.counts;
      return { dialogs, clients, transactions, log };
    });
    const nothing = { dialogs: 0, clients: 0, transactions: 0, log: [] };
    assert.deepEqual(left, [nothing, nothing], `seed ${seed}`);
    assert.equal(clock.pendingTimers, 0, `seed ${seed}: timers`);
    assert.ok(finals.length <= 1, `seed ${seed}: ${finals.length} ends`);
  }
  assert.ok(answered > SEEDS / 4, `only ${answered} calls were answered: the test is too weak`);
});
