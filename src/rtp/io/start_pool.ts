import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { MediaPort, WorkerView } from "../media_port.ts";

export type MediaLog = (
  level: "debug" | "info" | "warn" | "error",
  text: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Something that happened to a worker, for the event bus. */
export interface PoolWorkerEvent {
  readonly type: "worker.started" | "worker.died" | "worker.stopped";
  readonly worker: number;
  readonly text: string;
}

export interface MediaPoolOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Number of media workers, at least one. */
  readonly workers: number;
  /** `auto`: 127.0.0.1 and the machine's own IPv4 addresses; or a list of IPv4 addresses. */
  readonly addresses: "auto" | readonly string[];
  /** Announced beside the others with the same port: the address of the NAT in front of us. */
  readonly publicAddress?: string;
  /** First and last UDP port, both included. */
  readonly portRange: readonly [number, number];
  readonly log: MediaLog;
  readonly onWorkerEvent: (event: PoolWorkerEvent) => void;
  /** `silent` is reported after this long without a packet; default 30,000 ms. */
  readonly silentAfterMs?: number;
  /** Lets `crashWorker` work; tests only. */
  readonly allowCrash?: boolean;
}

export interface RunningMediaPool extends MediaPort {
  workers(): readonly WorkerView[];
  /** Kills a media worker by an uncaught exception, where `allowCrash` is set. */
  crashWorker(worker: number): void;
  /** Ends all workers; endpoints get no event. */
  close(): Promise<void>;
}

/**
 * Starts the workers; resolves when all are up.
 * @throws Error in words for a person when an address is not ours or the port range is used up
 */
export declare function createMediaPool(options: MediaPoolOptions): Promise<RunningMediaPool>;
