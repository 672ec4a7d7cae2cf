import type { CallSummary, CallView } from "./control_plane.ts";
import type { EventBus } from "./event_bus.ts";
import type { Ladder } from "./ladder.ts";

/** Ended calls that stay readable. */
export const ENDED_CALLS = 1_000;

/** A call that is over; `order` counts up as calls end. */
export interface EndedCall {
  readonly order: number;
  readonly view: CallView;
}

/**
 * The latest calls that are over, with their messages as long as with their views. Calls between
 * two wire sides, which have no actor here, come from their beginning on.
 */
export class EndedCalls {
  readonly #bus: EventBus;
  readonly #ladder: Ladder | undefined;
  readonly #views = new Map<string, EndedCall>();
  /** Ids of calls between two wire sides that are answered. */
  readonly #transits = new Set<string>();
  #order = 0;

  constructor(bus: EventBus, ladder: Ladder | undefined) {
    this.#bus = bus;
    this.#ladder = ladder;
  }

  /** Oldest first. */
  all(): Iterable<EndedCall> {
    return this.#views.values();
  }

  get(id: string): CallView | undefined {
    return this.#views.get(id)?.view;
  }

  add(view: CallView): void {
    // An id may be used again once its call is over; then it names the later one.
    this.#forget(view.id);
    this.#views.set(view.id, { order: ++this.#order, view });
    const oldest = this.#views.keys().next();
    if (this.#views.size > ENDED_CALLS && !oldest.done) this.#forget(oldest.value);
  }

  /** A call between two wire sides begins, which is no call of ours but is listed. */
  noteTransit(view: CallSummary): void {
    this.#transits.add(view.id);
    this.#ladder?.claim(view.sipCallId);
    this.#bus.publish("call.connected", transitData(view));
  }

  /** It is over: kept like others. */
  addTransit(view: CallView): void {
    if (!this.#transits.delete(view.id)) this.#ladder?.claim(view.sipCallId);
    this.add(view);
    this.#bus.publish("call.ended", { ...transitData(view), ...view.termination });
  }

  /** The view of an ended call goes, and with it its messages. */
  #forget(id: string): void {
    const ended = this.#views.get(id);
    if (!ended) return;
    this.#views.delete(id);
    for (const sipCallId of ended.view.sipCallIds) this.#ladder?.release(sipCallId);
  }
}

function transitData(view: CallSummary): Readonly<Record<string, unknown>> {
  const { id, sessionId, direction, caller, callee, sipCallId } = view;
  return { id, sessionId, direction, caller, callee, sipCallId };
}
