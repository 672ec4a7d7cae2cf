import type { Instant, Timer } from "../core/clock.ts";
import type { EndpointId, EndpointToken, WorkerId } from "../core/ids.ts";
import type {
  HandshakeCommand,
  HandshakeEvent,
  MediaCommand,
  MediaEvent,
  PayloadKind,
  SocketAddress,
  SrtpKeys,
  SrtpProfile,
} from "./contract.ts";
import type { DtlsState, EndpointEvent, RemoteTransport } from "./media_port.ts";
import { payloadsOfRtp, type PoolRtp } from "./pool_rtp.ts";
import type { RtpEndpointEvent } from "./rtp_media_port.ts";
import type { SupervisedWorker } from "./supervised_worker.ts";

export type MediaReady = Extract<MediaEvent, { type: "ready" }>;
export type HandshakeReady = Extract<HandshakeEvent, { type: "ready" }>;

/** A media worker as the pool keeps it. */
export interface MediaWorker {
  readonly id: WorkerId;
  readonly process: SupervisedWorker<MediaCommand, MediaEvent, MediaReady>;
  addresses: readonly SocketAddress[];
  shell: string;
  /** What dies of it another one can go on with. */
  adopts: boolean;
  /** When it was lost, until another has taken its place. */
  downAt: Instant | null;
  adoptions: number;
  lastGapMs: number | null;
  profiles: readonly SrtpProfile[];
  readonly endpoints: Set<PoolEndpoint>;
  /** Forwarded by this worker and those before it. */
  packets: number;
  packetsBefore: number;
}

export type HandshakeProcess = SupervisedWorker<HandshakeCommand, HandshakeEvent, HandshakeReady>;

export type PoolEvent = EndpointEvent | RtpEndpointEvent;

/** What stands for a transcoder beside an endpoint: a plain hop to a codec worker. */
export interface PoolPlain {
  /** Where the hop's packets are taken, once the worker has opened it. */
  readonly onOpened: (local: SocketAddress) => void;
  readonly onGone: (text: string) => void;
  /** It stands for a SIP leg. */
  readonly isSingle: boolean;
  payloads: readonly PayloadKind[];
  remote: SocketAddress | null;
}

/** A transcoder between an endpoint and whatever it is joined with. */
export interface PoolTranscoding {
  /** Beside the endpoint itself, and beside whatever it is joined with. */
  readonly near: PoolEndpoint;
  readonly far: PoolEndpoint;
}

/**
 * An endpoint as the pool keeps it: what was asked for, so that it can be told to a worker later.
 */
export interface PoolEndpoint {
  readonly id: EndpointId;
  readonly token: EndpointToken;
  readonly label: string;
  /** Of a WebRTC leg the events of `MediaPort`, of a SIP leg those of `RtpMediaPort`. */
  readonly listener: (event: PoolEvent) => void;
  /** Of a SIP leg. */
  readonly rtp: PoolRtp | null;
  /** Of a hop. With neither it is a WebRTC leg. */
  readonly plain: PoolPlain | null;
  iceUfrag: string;
  icePwd: string;
  /** Credentials before the last restart, which serve until the browser has followed it. */
  formerIce?: { readonly iceUfrag: string; readonly icePwd: string };
  readonly near: EndpointToken | undefined;
  /** `waiting`: for a worker; `opening`: for its answer. */
  state: "waiting" | "opening" | "open" | "closed";
  worker: MediaWorker | null;
  timer: Timer | undefined;
  remote: RemoteTransport | null;
  peer: EndpointToken | null;
  /** Grows with each joining in the pool: who was joined later goes before. */
  linkedAt: number;
  flowing: boolean;
  /** Of the handshake, so that another worker can be given them. */
  keys: SrtpKeys | null;
  transcoding: PoolTranscoding | null;
  dtls: DtlsState;
}

/** How an endpoint that stands for this one, here or in another worker, is to be opened. */
export function openPlain(id: number, { rtp, plain }: PoolEndpoint): MediaCommand {
  const isSingle = rtp !== null || (plain?.isSingle ?? false);
  return { type: "open", endpoint: id, kind: "plain", isSingle, isHop: plain !== null };
}

/** A WebRTC leg: it has a handshake. */
export function isWebrtc(endpoint: PoolEndpoint): boolean {
  return endpoint.rtp === null && endpoint.plain === null;
}

/** What an endpoint that joins this one hears in truth. */
export function faceOf(endpoint: PoolEndpoint): PoolEndpoint {
  return endpoint.transcoding?.far ?? endpoint;
}

export function payloadsOf(endpoint: PoolEndpoint): readonly PayloadKind[] {
  if (endpoint.plain !== null) return endpoint.plain.payloads;
  if (endpoint.rtp !== null) return payloadsOfRtp(endpoint.rtp);
  return endpoint.remote?.payloads ?? [];
}
