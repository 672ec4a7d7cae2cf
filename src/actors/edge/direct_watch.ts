import type { Clock, Timer } from "../../core/clock.ts";
import type { WireDialog } from "./wire_dialog.ts";

export interface DirectWatchPorts {
  readonly clock: Clock;
  /** Between two questions to one phone, ms; 0: none is asked. */
  readonly intervalMs: number;
  /** All dialogs, in an order that stays. */
  dialogs(): Iterable<WireDialog>;
  /** Asks whoever is at the far end whether he is there; `done` hears once. */
  ask(dialog: WireDialog, done: (isThere: boolean) => void): void;
  onGone(dialog: WireDialog): void;
}

/** Phones are asked in turns, so that not all are asked at once. */
const TURNS = 10;

/**
 * Looks after calls whose media passes by us: nobody else would notice that a phone has vanished,
 * and the other side would be in its call for ever.
 */
export class DirectWatch {
  readonly #ports: DirectWatchPorts;
  #timer: Timer | undefined;
  #turn = 0;

  constructor(ports: DirectWatchPorts) {
    this.#ports = ports;
  }

  /** There may be something to look after. */
  start(): void {
    const { clock, intervalMs } = this.#ports;
    if (this.#timer !== undefined || intervalMs === 0) return;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#askSome()) this.start();
    }, intervalMs / TURNS);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#ports.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Whether anything is left to look after. */
  #askSome(): boolean {
    this.#turn = (this.#turn + 1) % TURNS;
    let isAny = false;
    for (const dialog of [...this.#ports.dialogs()]) {
      if (!dialog.isAnswered || dialog.media?.kind !== "direct") continue;
      isAny = true;
      if (dialog.order % TURNS !== this.#turn) continue;
      this.#ports.ask(dialog, (isThere) => {
        if (!isThere) this.#ports.onGone(dialog);
      });
    }
    return isAny;
  }
}
