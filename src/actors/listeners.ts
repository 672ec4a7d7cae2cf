import { type Actor, createActor } from "xstate";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { listenerMachine, type ListenerPort } from "./listener.ts";

export interface ListenerGroupOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly trace?: (machine: string, state: string) => void;
}

export interface NamedListener {
  readonly name: string;
  readonly port: ListenerPort;
}

/** Listeners that are opened one after the other, all or none, and closed together. */
export class ListenerGroup {
  readonly #options: ListenerGroupOptions;
  readonly #actors: Actor<typeof listenerMachine>[] = [];

  constructor(options: ListenerGroupOptions) {
    this.#options = options;
  }

  /** State of each listener by its name. */
  get states(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#actors.map((actor) => {
      const { context, value } = actor.getSnapshot();
      return [context.name, String(value)];
    }));
  }

  /**
   * @param done with a sentence for each that could not be opened: whoever has to find other ports
   * wants to know of all; the others are closed then
   */
  open(listeners: readonly NamedListener[], done: (faults: readonly string[]) => void): void {
    this.#openAll(listeners, [], done);
  }

  close(deadlineMs: number, done: () => void): void {
    const open = this.#actors.filter((actor) => actor.getSnapshot().status === "active");
    let left = open.length;
    if (left === 0) return done();
    for (const actor of open) {
      actor.subscribe({ complete: () => --left === 0 ? done() : undefined });
    }
    for (const actor of open) actor.send({ type: "close", deadlineMs });
  }

  #openAll(
    [first, ...rest]: readonly NamedListener[],
    faults: readonly string[],
    done: (faults: readonly string[]) => void,
  ): void {
    if (!first) {
      if (faults.length === 0) return done(faults);
      return this.close(0, () => done(faults));
    }
    this.#openOne(first, (fault) => {
      this.#openAll(rest, fault === undefined ? faults : [...faults, fault], done);
    });
  }

  #openOne({ name, port }: NamedListener, done: (fault: string | undefined) => void): void {
    const { clock, log, trace } = this.#options;
    const actor = createActor(listenerMachine, {
      clock: {
        setTimeout: clock.setTimeout.bind(clock),
        clearTimeout: clock.clearTimeout.bind(clock),
      },
      input: { name, port, log, trace },
    });
    this.#actors.push(actor);
    let isSettled = false;
    const settle = (fault: string | undefined) => {
      if (isSettled) return;
      isSettled = true;
      done(fault);
    };
    actor.subscribe({
      next: ({ value, context }) => {
        if (value === "listening") settle(undefined);
        else if (value === "failed") settle(context.fault ?? `${name} could not be opened`);
      },
      error: (error) => {
        log.error("a listener's machine failed", { listener: name, error });
        settle(`${name} could not be opened`);
      },
    });
    actor.start();
  }
}
