import type { Clock, Instant, Timer } from "../core/clock.ts";
import type { WorkerFactory, WorkerPort } from "./contract.ts";

/** Delay before the first restart, doubled with each death in the period, ms. */
const FIRST_BACKOFF = 100;
const MAX_BACKOFF = 5000;
/** More deaths than this within the period, and the worker is given up. */
const INTENSITY = 5;
const PERIOD = 60_000;
/** A worker that has not said `ready` by then is taken for dead, ms. */
const START_TIMEOUT = 10_000;

export type WorkerState = "starting" | "running" | "restarting" | "stopped";

export interface SupervisedWorkerOptions<Command, Event, Ready> {
  readonly name: string;
  readonly clock: Clock;
  readonly factory: WorkerFactory<Command, Event>;
  /** The command that a new worker gets first. */
  readonly startCommand: () => Command;
  /** Reads `ready` and `start-failed` out of the events; null for all others. */
  readonly startAnswer: (event: Event) => { ready: Ready } | { failed: string } | null;
  readonly onReady: (ready: Ready) => void;
  readonly onEvent: (event: Event) => void;
  /** It died, or never came up; `final`: and will not be started again. */
  readonly onDown: (text: string, final: boolean) => void;
}

/**
 * One worker that is started again when it dies (permanent, in OTP's words), with growing pauses, until
 * it dies too often.
 */
export class SupervisedWorker<Command, Event, Ready> {
  readonly #options: SupervisedWorkerOptions<Command, Event, Ready>;
  #port: WorkerPort<Command> | null = null;
  #timer: Timer | undefined;
  #deaths: Instant[] = [];
  /** Messages of a worker that was given up must not be taken for its successor's. */
  #generation = 0;
  state: WorkerState = "starting";
  restarts = 0;

  constructor(options: SupervisedWorkerOptions<Command, Event, Ready>) {
    this.#options = options;
  }

  start(): void {
    const { clock, factory, name, startCommand } = this.#options;
    const generation = ++this.#generation;
    const isPresent = () => generation === this.#generation;
    this.#arm(clock, START_TIMEOUT, () => this.#down("it did not come up in time"));
    this.#port = factory(name, {
      onEvent: (event) => {
        if (isPresent()) this.#take(event);
      },
      onDeath: (text) => {
        if (isPresent()) this.#down(text);
      },
    });
    this.#port.send(startCommand());
  }

  /** Dropped while the worker is not running. */
  send(command: Command): void {
    if (this.state === "running") this.#port?.send(command);
  }

  /** Asks it to end; `terminate` makes sure. */
  shutdown(command: Command): void {
    this.send(command);
    this.state = "stopped";
    this.#disarm();
  }

  terminate(): void {
    this.state = "stopped";
    this.#generation++;
    this.#disarm();
    this.#port?.terminate();
    this.#port = null;
  }

  #take(event: Event): void {
    const answer = this.#options.startAnswer(event);
    if (answer === null) {
      if (this.state === "running") this.#options.onEvent(event);
    } else if ("failed" in answer) this.#down(answer.failed);
    else if (this.state !== "stopped") {
      this.#disarm();
      this.state = "running";
      this.#options.onReady(answer.ready);
    }
  }

  #down(text: string): void {
    if (this.state === "stopped") return;
    const { clock } = this.#options;
    this.#generation++;
    this.#disarm();
    this.#port?.terminate();
    this.#port = null;
    const now = clock.now();
    this.#deaths = this.#deaths.filter((at) => now - at < PERIOD);
    this.#deaths.push(now);
    const deaths = this.#deaths.length;
    const isFinal = deaths > INTENSITY;
    this.state = isFinal ? "stopped" : "restarting";
    if (!isFinal) {
      this.#arm(clock, Math.min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** (deaths - 1)), () => {
        this.restarts++;
        this.start();
      });
    }
    this.#options.onDown(text, isFinal);
  }

  #arm(clock: Clock, ms: number, fn: () => void): void {
    this.#disarm();
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      fn();
    }, ms);
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
