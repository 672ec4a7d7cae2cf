import type { Timer } from "../core/clock.ts";
import type { EndpointId, EndpointToken, WorkerId } from "../core/ids.ts";
import type {
  HandshakeCommand,
  HandshakeEvent,
  MediaCommand,
  MediaEvent,
  PayloadKind,
  SocketAddress,
  SrtpProfile,
} from "./contract.ts";
import type { DtlsState, EndpointEvent, RemoteTransport } from "./media_port.ts";
import type { SupervisedWorker } from "./supervised_worker.ts";

export type MediaReady = Extract<MediaEvent, { type: "ready" }>;
export type HandshakeReady = Extract<HandshakeEvent, { type: "ready" }>;

/** A media worker as the pool keeps it. */
export interface MediaWorker {
  readonly id: WorkerId;
  readonly process: SupervisedWorker<MediaCommand, MediaEvent, MediaReady>;
  addresses: readonly SocketAddress[];
  shell: string;
  profiles: readonly SrtpProfile[];
  readonly endpoints: Set<PoolEndpoint>;
  /** Forwarded by this worker and those before it. */
  packets: number;
  packetsBefore: number;
}

export type HandshakeProcess = SupervisedWorker<HandshakeCommand, HandshakeEvent, HandshakeReady>;

/** An endpoint as the pool keeps it: what was asked for, so that it can be told to a worker later. */
export interface PoolEndpoint {
  readonly id: EndpointId;
  readonly token: EndpointToken;
  readonly label: string;
  readonly listener: (event: EndpointEvent) => void;
  readonly iceUfrag: string;
  readonly icePwd: string;
  readonly near: EndpointToken | undefined;
  /** `waiting`: for a worker; `opening`: for its answer. */
  state: "waiting" | "opening" | "open" | "closed";
  worker: MediaWorker | null;
  timer: Timer | undefined;
  remote: RemoteTransport | null;
  peer: EndpointToken | null;
  flowing: boolean;
  dtls: DtlsState;
}

export function payloadsOf(endpoint: PoolEndpoint): readonly PayloadKind[] {
  return endpoint.remote?.payloads ?? [];
}
