/** Milliseconds on a monotonic clock; only differences mean anything. */
export type Instant = number;

/** Handle of a pending timer, opaque to whoever holds it. */
export type Timer = unknown;

/**
 * Time as a port. The shape of `setTimeout` and `clearTimeout` is XState's `Clock`, so one clock
 * drives actors, SIP timers and the simulator.
 */
export interface Clock {
  /** Monotonic time, ms. */
  now(): Instant;
  /** Wall clock time, ms since 1970; for people only, never for deadlines. */
  epoch(): number;
  setTimeout(fn: (...args: unknown[]) => void, ms: number): Timer;
  clearTimeout(timer: Timer): void;
  /** Runs `fn` after the present event is through, before time moves on. */
  defer(fn: () => void): void;
}
