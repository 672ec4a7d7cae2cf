import type { Clock, Timer } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import type { WireDialog } from "./wire_dialog.ts";

export interface LostFlowsPorts {
  readonly clock: Clock;
  /** Whoever was at the far end has not come back. */
  onGone(dialog: WireDialog): void;
}

/** Within this time phones and pages have connected anew, or are gone, ms. */
export const RETURN_MS = 30_000;

/**
 * Calls whose far end has lost its connection: their media goes on, and whoever comes back on
 * another connection finds his call. Who does not is not left in it for ever.
 */
export class LostFlows {
  readonly #ports: LostFlowsPorts;
  readonly #timers = new Map<WireDialog, Timer>();

  constructor(ports: LostFlowsPorts) {
    this.#ports = ports;
  }

  /** The connection of a call that talks is gone. */
  lose(dialog: WireDialog, flow: FlowId): void {
    if (this.#timers.has(dialog)) return;
    dialog.isAdrift = true;
    const timer = this.#ports.clock.setTimeout(() => {
      this.#timers.delete(dialog);
      if (dialog.flow.id === flow) this.#ports.onGone(dialog);
    }, RETURN_MS);
    this.#timers.set(dialog, timer);
  }

  forget(dialog: WireDialog): void {
    const timer = this.#timers.get(dialog);
    if (timer === undefined) return;
    this.#timers.delete(dialog);
    this.#ports.clock.clearTimeout(timer);
  }
}
