/** The life of one worker as a port: whoever keeps workers alive decides when they start again. */

export type WorkerState = "starting" | "running" | "restarting" | "stopped";

export interface WorkerLifeHooks {
  readonly name: string;
  /** Starts a new one; `up` or `died` of the life follows. */
  launch(): void;
  /** It died or never came up; `isFinal`: and will not be started again. */
  onDown(text: string, isFinal: boolean): void;
}

export interface WorkerLife {
  readonly state: WorkerState;
  /** Starts after the first one. */
  readonly restarts: number;
  start(): void;
  /** The worker has said that it is ready. */
  up(): void;
  died(text: string): void;
  /** It was ended on purpose while it ran; `onDown` and a start follow at once. */
  replaced(text: string): void;
  /** No start follows any more. */
  stop(): void;
}

export type KeepWorker = (hooks: WorkerLifeHooks) => WorkerLife;
