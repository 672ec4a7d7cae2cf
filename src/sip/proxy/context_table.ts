import type { Instant } from "../../core/clock.ts";
import { type TimerEntry, TimerQueue } from "../../core/timer_queue.ts";
import type { StackInput } from "../stack_io.ts";
import {
  type ClientTransactionId,
  clientTransactionId,
  type ServerTransactionId,
} from "../transaction/ids.ts";
import type { ContextEffect, ResponseContext } from "./response_context.ts";

type Act = (context: ResponseContext, out: ContextEffect[]) => void;

/** The response contexts of a proxy, by both kinds of transactions, with their timers C. */
export class ContextTable {
  readonly #timerC: number;
  readonly #tell: (input: StackInput) => void;
  readonly #contexts = new Map<ServerTransactionId, ResponseContext>();
  readonly #branches = new Map<ClientTransactionId, ResponseContext>();
  readonly #queue = new TimerQueue<ClientTransactionId>();
  readonly #timerOf = new Map<ClientTransactionId, TimerEntry<ClientTransactionId>>();
  #sequence = 0;

  /**
   * @param timerC ms
   * @param tell what contexts want of the stack
   */
  constructor(timerC: number, tell: (input: StackInput) => void) {
    this.#timerC = timerC;
    this.#tell = tell;
  }

  get size(): number {
    return this.#contexts.size;
  }

  /** The next timer C to run out. */
  get nextTimer(): TimerEntry<ClientTransactionId> | undefined {
    return this.#queue.first;
  }

  add(context: ResponseContext): void {
    this.#contexts.set(context.id, context);
  }

  /** A new branch of `context`; all of them come before the first is sent. */
  addBranch(context: ResponseContext, now: Instant): ClientTransactionId {
    const id = clientTransactionId(`p${++this.#sequence}`);
    this.#branches.set(id, context);
    this.#step(context, (c, out) => c.addBranch(id, out), now);
    return id;
  }

  withServer(id: ServerTransactionId, now: Instant, act: Act): void {
    const context = this.#contexts.get(id);
    if (context) this.#step(context, act, now);
  }

  withBranch(id: ClientTransactionId, now: Instant, act: Act): void {
    const context = this.#branches.get(id);
    if (context) this.#step(context, act, now);
  }

  wake(now: Instant): void {
    for (let id = this.#queue.takeDue(now); id; id = this.#queue.takeDue(now)) {
      const branch = id;
      this.#timerOf.delete(branch);
      this.withBranch(branch, now, (context, out) => context.timerC(branch, out));
    }
  }

  /** A transaction of either kind has ended; the context goes with the last of its own. */
  terminated(id: ClientTransactionId | ServerTransactionId): void {
    const branch = id as ClientTransactionId;
    const context = this.#branches.get(branch) ?? this.#contexts.get(id as ServerTransactionId);
    if (!context) return;
    if (this.#branches.delete(branch)) {
      this.#clear(branch);
      context.branchTerminated(branch);
    } else {
      context.serverTerminated();
    }
    if (context.isOver) this.#contexts.delete(context.id);
  }

  #step(context: ResponseContext, act: Act, now: Instant): void {
    const effects: ContextEffect[] = [];
    act(context, effects);
    for (const effect of effects) this.#apply(context, effect, now);
  }

  #apply(context: ResponseContext, effect: ContextEffect, now: Instant): void {
    switch (effect.type) {
      case "forward":
        return this.#tell({ type: "respond", id: context.id, response: effect.response });
      case "cancel": {
        const { branch: id, reason } = effect;
        return this.#tell({ type: "cancel", id, ...(reason === undefined ? {} : { reason }) });
      }
      case "set-timer-c":
        this.#clear(effect.branch);
        this.#timerOf.set(effect.branch, this.#queue.add(now + this.#timerC, effect.branch));
        return;
      case "clear-timer-c":
        return this.#clear(effect.branch);
      case "abandon":
        return this.#tell({ type: "abandon", id: context.id });
    }
  }

  #clear(branch: ClientTransactionId): void {
    const entry = this.#timerOf.get(branch);
    if (!entry) return;
    this.#queue.remove(entry);
    this.#timerOf.delete(branch);
  }
}
