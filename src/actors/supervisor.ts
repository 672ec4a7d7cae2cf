import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";

/** When a child that ended is started again (OTP's words). */
export type Restart =
  /** Always. */
  | "permanent"
  /** After a fault only. */
  | "transient"
  /** Never. */
  | "temporary";

/** What else is restarted with it. */
export type Strategy =
  | "one_for_one"
  /** The child and all that were started after it. */
  | "rest_for_one";

export type Exit = { readonly kind: "normal" } | {
  readonly kind: "fault";
  readonly error: unknown;
};

/** A running child. */
export interface Child {
  /** Ends it; `onExit` follows. */
  stop(): void;
}

export interface ChildSpec {
  readonly id: string;
  readonly restart: Restart;
  /** How long `stop` may take, ms; then the next one is stopped. */
  readonly shutdownMs: number;
  start(onExit: (exit: Exit) => void): Child;
}

export interface SupervisorOptions {
  readonly name: string;
  readonly strategy: Strategy;
  /** More restarts than this within the period: the supervisor gives up. */
  readonly intensity: { readonly restarts: number; readonly periodMs: number };
  readonly clock: Clock;
  readonly log: Log;
  readonly onGiveUp: (id: string, error: unknown) => void;
}

interface Slot {
  readonly spec: ChildSpec;
  child: Child | undefined;
  /** Distinguishes the exits of this life from those of an earlier one. */
  life: number;
  onStopped: (() => void) | undefined;
}

/**
 * Starts children in order, restarts them by their specification, stops them in reverse order with
 * a deadline each. A child that fails while it is started counts as one that ended by a fault.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: Slot[] = [];
  #restarts: number[] = [];
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Ids of the children that run, in the order of their start. */
  get running(): readonly string[] {
    return this.#slots.filter((slot) => slot.child).map((slot) => slot.spec.id);
  }

  start(spec: ChildSpec): void {
    if (this.#slots.some((slot) => slot.spec.id === spec.id)) {
      throw new Error(`start ${spec.id}: a child of that id is there already`);
    }
    const slot: Slot = { spec, child: undefined, life: 0, onStopped: undefined };
    this.#slots.push(slot);
    this.#startSlot(slot);
  }

  /** Stops all children in reverse order, then calls `done`. */
  stop(done: () => void): void {
    this.#stopping = true;
    this.#stopSlots([...this.#slots].reverse(), () => {
      this.#slots.length = 0;
      done();
    });
  }

  #startSlot(slot: Slot): void {
    const life = ++slot.life;
    try {
      slot.child = slot.spec.start((exit) => {
        if (slot.life === life) this.#onExit(slot, exit);
      });
    } catch (error) {
      this.#onExit(slot, { kind: "fault", error });
    }
  }

  #onExit(slot: Slot, exit: Exit): void {
    slot.child = undefined;
    slot.life++;
    if (slot.onStopped) return slot.onStopped();
    const { log, name } = this.#options;
    const { id, restart } = slot.spec;
    if (exit.kind === "fault") log.error(`${name}: ${id} failed`, { error: exit.error });
    const isWanted = restart === "permanent" || (restart === "transient" && exit.kind === "fault");
    if (this.#stopping) return;
    if (!isWanted) return void this.#slots.splice(this.#slots.indexOf(slot), 1);
    if (this.#isTooOften()) {
      this.#stopping = true;
      const error = exit.kind === "fault" ? exit.error : undefined;
      log.error(`${name} gives up: ${id} ended too often`);
      return this.#options.onGiveUp(id, error);
    }
    this.#restart(slot);
  }

  #restart(slot: Slot): void {
    if (this.#options.strategy === "one_for_one") return this.#startSlot(slot);
    const rest = this.#slots.slice(this.#slots.indexOf(slot) + 1);
    this.#stopSlots([...rest].reverse(), () => {
      for (const each of [slot, ...rest]) {
        if (this.#stopping) return;
        // A temporary child is not started again for a sibling's sake either.
        if (each.spec.restart === "temporary") this.#slots.splice(this.#slots.indexOf(each), 1);
        else this.#startSlot(each);
      }
    });
  }

  #isTooOften(): boolean {
    const { clock, intensity } = this.#options;
    const now = clock.now();
    this.#restarts = this.#restarts.filter((at) => now - at < intensity.periodMs);
    this.#restarts.push(now);
    return this.#restarts.length > intensity.restarts;
  }

  #stopSlots(slots: Slot[], done: () => void): void {
    const [slot, ...rest] = slots;
    if (!slot) return done();
    if (!slot.child) return this.#stopSlots(rest, done);
    const { clock, log, name } = this.#options;
    const timer = clock.setTimeout(() => {
      log.warn(`${name}: ${slot.spec.id} did not stop in ${slot.spec.shutdownMs} ms`);
      slot.child = undefined;
      slot.life++;
      slot.onStopped?.();
    }, slot.spec.shutdownMs);
    // Already being stopped for a sibling's restart: that one hears of it too.
    const earlier = slot.onStopped;
    slot.onStopped = () => {
      clock.clearTimeout(timer);
      slot.onStopped = undefined;
      earlier?.();
      this.#stopSlots(rest, done);
    };
    if (!earlier) slot.child.stop();
  }
}
