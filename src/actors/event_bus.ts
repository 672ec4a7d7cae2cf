import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { DomainEvent } from "./control_plane.ts";

/** Facts kept for those who come late. */
export const EVENT_BUS_CAPACITY = 1_000;

type Listener = (event: DomainEvent) => void;

/**
 * Facts for the outside: bounded and numbered without gaps. Actors never steer each other by it,
 * and a listener that throws is dropped.
 */
export class EventBus {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ring: DomainEvent[] = [];
  readonly #listeners = new Set<Listener>();
  #sequence = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  publish(type: DomainEvent["type"], data: DomainEvent["data"]): void {
    const at = new Date(this.#clock.epoch()).toISOString();
    const event: DomainEvent = { sequence: ++this.#sequence, at, type, data };
    this.#ring.push(event);
    if (this.#ring.length > EVENT_BUS_CAPACITY) this.#ring.shift();
    for (const listener of [...this.#listeners]) this.#deliver(listener, event);
  }

  /** Hears what was published after number `after` (as far as it is kept), then everything new. */
  subscribe(after: number | undefined, listener: Listener): () => void {
    if (after !== undefined) {
      for (const event of this.#ring) {
        if (event.sequence > after && !this.#deliver(listener, event)) return () => {};
      }
    }
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #deliver(listener: Listener, event: DomainEvent): boolean {
    try {
      listener(event);
      return true;
    } catch (error) {
      this.#listeners.delete(listener);
      this.#log.warn("dropped an event listener that failed", { error, event: event.type });
      return false;
    }
  }
}
