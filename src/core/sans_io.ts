import type { Clock, Instant, Timer } from "./clock.ts";

/** When a sans-IO core wants to be called again, and why (so that a busy loop can be diagnosed). */
export interface Deadline {
  readonly at: Instant;
  readonly reason: string;
}

/**
 * A core without I/O. Feed exactly one input, then drain `poll` until undefined, then look at
 * `deadline` and come back with `wake` when it has passed.
 */
export interface SansIo<Input, Output> {
  handle(input: Input, now: Instant): void;
  /** Called when the deadline has passed. */
  wake(now: Instant): void;
  poll(): Output | undefined;
  deadline(): Deadline | undefined;
}

/**
 * Runs a sans-IO core on a clock: keeps the drain rule and the one timer, so that no caller can
 * forget either. Inputs that arrive while outputs are being handled wait their turn.
 */
export class Driver<Input, Output> {
  readonly #core: SansIo<Input, Output>;
  readonly #clock: Clock;
  readonly #onOutput: (output: Output) => void;
  readonly #waiting: Input[] = [];
  #busy = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #closed = false;

  constructor(core: SansIo<Input, Output>, clock: Clock, onOutput: (output: Output) => void) {
    this.#core = core;
    this.#clock = clock;
    this.#onOutput = onOutput;
  }

  feed(input: Input): void {
    if (this.#closed) return;
    this.#waiting.push(input);
    this.#run();
  }

  /** Stops the timer; later inputs are dropped. */
  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #run(): void {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let input = this.#waiting.shift(); input !== undefined; input = this.#waiting.shift()) {
        this.#core.handle(input, this.#clock.now());
        this.#drain();
      }
    } finally {
      this.#busy = false;
      this.#arm();
    }
  }

  #drain(): void {
    for (let out = this.#core.poll(); out !== undefined; out = this.#core.poll()) {
      this.#onOutput(out);
    }
  }

  #arm(): void {
    if (this.#closed) return;
    const at = this.#core.deadline()?.at ?? Infinity;
    // A timer that is early wakes for nothing once, which is cheaper than to set it anew each time
    // that what comes first is done with; one that is late breaks the core's promise.
    if (at >= this.#timerAt && at !== Infinity) return;
    this.#disarm();
    if (at === Infinity) return;
    this.#timerAt = at;
    this.#timer = this.#clock.setTimeout(() => this.#wake(), Math.max(0, at - this.#clock.now()));
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #wake(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    if (this.#closed || this.#busy) return;
    this.#busy = true;
    try {
      const now = this.#clock.now();
      if ((this.#core.deadline()?.at ?? Infinity) <= now) {
        this.#core.wake(now);
        this.#drain();
      }
    } finally {
      this.#busy = false;
    }
    this.#run();
  }
}
