import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { WorkerId } from "../core/ids.ts";
import type { CodecPool } from "./codec/pool.ts";
import type {
  HandshakeCommand,
  HandshakeEvent,
  MediaCommand,
  MediaEvent,
  WorkerFactory,
} from "./contract.ts";
import type { KeepWorker } from "./worker_life.ts";

export type MediaLog = (
  level: "debug" | "info" | "warn" | "error",
  text: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Something that happened to a worker, for the event bus. */
export interface PoolWorkerEvent {
  /** `replaced`: an operator wanted it. */
  readonly type:
    | "worker.started"
    | "worker.adopted"
    | "worker.replaced"
    | "worker.died"
    | "worker.stopped";
  readonly worker: WorkerId;
  readonly text: string;
}

export interface PoolOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Number of media workers, at least one. */
  readonly workers: number;
  /** Keeps each worker alive. */
  readonly keepWorker: KeepWorker;
  readonly mediaFactory: WorkerFactory<MediaCommand, MediaEvent>;
  readonly handshakeFactory: WorkerFactory<HandshakeCommand, HandshakeEvent>;
  /** IPv4 addresses to bind and announce. */
  readonly addresses: readonly string[];
  /** Addresses for the ports of SIP legs, IPv4 or IPv6; absent: the same. */
  readonly rtpAddresses?: readonly string[];
  readonly publicAddress?: string;
  readonly portRange: readonly [number, number];
  readonly silentAfterMs: number;
  /** Whether packets are marked, where the shell can (RFC 8837); default true. */
  readonly dscp?: boolean;
  /** SRTP without libcrypto even where it would serve; for tests and comparisons. */
  readonly typescriptSrtp?: boolean;
  readonly allowCrash: boolean;
  readonly log: MediaLog;
  readonly onWorkerEvent: (event: PoolWorkerEvent) => void;
  /** Where transcoders run; absent: there are none. */
  readonly codecs?: Pick<CodecPool, "open">;
}
