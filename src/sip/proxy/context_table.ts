import type { Instant } from "../../core/clock.ts";
import { type TimerEntry, TimerQueue } from "../../core/timer_queue.ts";
import type { SipResponse } from "../message/mod.ts";
import type { StackInput } from "../stack_io.ts";
import {
  type ClientTransactionId,
  clientTransactionId,
  type ServerTransactionId,
} from "../transaction/ids.ts";
import type { ContextEffect, ResponseContext } from "./response_context.ts";
import type { Target } from "./target.ts";

export interface ContextTableOptions {
  /** ms */
  readonly timerC: number;
  /** What contexts want of the stack. */
  readonly tell: (input: StackInput) => void;
  /** Sends the request to these targets: `addBranch` for all of them first. */
  readonly fork: (context: ResponseContext, targets: readonly Target[]) => void;
  /** The targets of a 3xx. */
  readonly redirect: (context: ResponseContext, response: SipResponse) => readonly Target[];
}

type Act = (context: ResponseContext, out: ContextEffect[]) => void;

/** The response contexts of a proxy, by both kinds of transactions, with their timers C. */
export class ContextTable {
  readonly #options: ContextTableOptions;
  readonly #contexts = new Map<ServerTransactionId, ResponseContext>();
  readonly #branches = new Map<ClientTransactionId, ResponseContext>();
  readonly #queue = new TimerQueue<ClientTransactionId>();
  readonly #timerOf = new Map<ClientTransactionId, TimerEntry<ClientTransactionId>>();
  #sequence = 0;

  constructor(options: ContextTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#contexts.size;
  }

  /** The next timer C to run out. */
  get nextTimer(): TimerEntry<ClientTransactionId> | undefined {
    return this.#queue.first;
  }

  start(context: ResponseContext, now: Instant): void {
    this.#contexts.set(context.id, context);
    this.#step(context, (c, out) => c.start(out), now);
  }

  get(id: ServerTransactionId): ResponseContext | undefined {
    return this.#contexts.get(id);
  }

  ofBranch(id: ClientTransactionId): ResponseContext | undefined {
    return this.#branches.get(id);
  }

  /** A new branch of `context`; all of them come before the first is sent. */
  addBranch(context: ResponseContext, target: Target, now: Instant): ClientTransactionId {
    const id = clientTransactionId(`p${++this.#sequence}`);
    this.#branches.set(id, context);
    this.#step(context, (c, out) => c.addBranch(id, target, out), now);
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

  /**
   * A transaction of either kind has ended; the context goes with the last of its own, and is
   * given back then.
   */
  terminated(id: ClientTransactionId | ServerTransactionId): ResponseContext | undefined {
    const branch = id as ClientTransactionId;
    const context = this.#branches.get(branch) ?? this.#contexts.get(id as ServerTransactionId);
    if (!context) return undefined;
    if (this.#branches.delete(branch)) {
      this.#clear(branch);
      context.branchTerminated(branch);
    } else {
      context.serverTerminated();
    }
    if (!context.isOver) return undefined;
    this.#contexts.delete(context.id);
    return context;
  }

  #step(context: ResponseContext, act: Act, now: Instant): void {
    const effects: ContextEffect[] = [];
    act(context, effects);
    for (const effect of effects) this.#apply(context, effect, now);
  }

  #apply(context: ResponseContext, effect: ContextEffect, now: Instant): void {
    switch (effect.type) {
      case "forward":
        return this.#options.tell({ type: "respond", id: context.id, response: effect.response });
      case "cancel": {
        const { branch: id, reason } = effect;
        return this.#options.tell({
          type: "cancel",
          id,
          ...(reason === undefined ? {} : { reason }),
        });
      }
      case "set-timer-c":
        this.#clear(effect.branch);
        this.#timerOf.set(
          effect.branch,
          this.#queue.add(now + (effect.ms ?? this.#options.timerC), effect.branch),
        );
        return;
      case "clear-timer-c":
        return this.#clear(effect.branch);
      case "abandon":
        return this.#options.tell({ type: "abandon", id: context.id });
      case "fork":
        return this.#options.fork(context, effect.targets);
      case "redirect": {
        const targets = this.#options.redirect(context, effect.response);
        return this.#step(context, (c, out) => c.redirected(targets, out), now);
      }
    }
  }

  #clear(branch: ClientTransactionId): void {
    const entry = this.#timerOf.get(branch);
    if (!entry) return;
    this.#queue.remove(entry);
    this.#timerOf.delete(branch);
  }
}
