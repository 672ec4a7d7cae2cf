import type { WorkerFactory, WorkerPort } from "./contract.ts";
import type { KeepWorker, WorkerLife, WorkerState } from "./worker_life.ts";

export type { WorkerState } from "./worker_life.ts";

export interface SupervisedWorkerOptions<Command, Event, Ready> {
  readonly name: string;
  /** Decides when it is started, and started again. */
  readonly keep: KeepWorker;
  readonly factory: WorkerFactory<Command, Event>;
  /** The command that a new worker gets first. */
  readonly startCommand: () => Command;
  /** Reads `ready` and `start-failed` out of the events; null for all others. */
  readonly startAnswer: (event: Event) => { ready: Ready } | { failed: string } | null;
  readonly onReady: (ready: Ready) => void;
  readonly onEvent: (event: Event) => void;
  /**
   * It died, or never came up; `final`: and will not be started again; `isReplaced`: it was ended by
   * `replace`.
   */
  readonly onDown: (text: string, final: boolean, isReplaced: boolean) => void;
}

/** One worker and its successors: who is the present one, and what may be said to it. */
export class SupervisedWorker<Command, Event, Ready> {
  readonly #options: SupervisedWorkerOptions<Command, Event, Ready>;
  readonly #life: WorkerLife;
  #port: WorkerPort<Command> | null = null;
  /** Messages of a worker that was given up must not be taken for its successor's. */
  #generation = 0;
  #isReplaced = false;

  constructor(options: SupervisedWorkerOptions<Command, Event, Ready>) {
    this.#options = options;
    this.#life = options.keep({
      name: options.name,
      launch: () => this.#launch(),
      onDown: (text, isFinal) => {
        this.#release(!isFinal);
        options.onDown(text, isFinal, this.#isReplaced);
      },
    });
  }

  get state(): WorkerState {
    return this.#life.state;
  }

  get restarts(): number {
    return this.#life.restarts;
  }

  start(): void {
    this.#life.start();
  }

  /** Dropped while the worker is not running. */
  send(command: Command): void {
    if (this.state === "running") this.#port?.send(command);
  }

  /** Ends the present one at once; another takes its place. False where none is running. */
  replace(reason: string): boolean {
    if (this.state !== "running") return false;
    this.#isReplaced = true;
    this.#life.replaced(reason);
    this.#isReplaced = false;
    return true;
  }

  /** Asks it to end; `terminate` makes sure. */
  shutdown(command: Command): void {
    this.send(command);
    this.#life.stop();
  }

  terminate(): void {
    this.#life.stop();
    this.#release(false);
  }

  #launch(): void {
    const { factory, name, startCommand } = this.#options;
    const generation = ++this.#generation;
    const isPresent = () => generation === this.#generation;
    this.#port = factory(name, {
      onEvent: (event) => {
        if (isPresent()) this.#take(event);
      },
      onDeath: (text) => {
        if (isPresent()) this.#life.died(text);
      },
    });
    this.#port.send(startCommand());
  }

  #take(event: Event): void {
    const answer = this.#options.startAnswer(event);
    if (answer === null) {
      if (this.state === "running") this.#options.onEvent(event);
    } else if ("failed" in answer) this.#life.died(answer.failed);
    else if (this.state === "starting") {
      this.#life.up();
      this.#options.onReady(answer.ready);
    }
  }

  /** @param isReplaced another one follows; else nothing of this one is left */
  #release(isReplaced: boolean): void {
    this.#generation++;
    this.#port?.terminate(isReplaced);
    if (!isReplaced) this.#port = null;
  }
}
