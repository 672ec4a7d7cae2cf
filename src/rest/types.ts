import type { ControlPlane } from "../actors/control_plane.ts";
import type { Log } from "../core/log.ts";

/** What the web face needs from the rest of the house; `main.ts` hands it in. */

/** One WebSocket as the protocol behind it sees it. */
export interface ServerSocket {
  /** Queues one frame, text or binary; does nothing once the socket is closing. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Starts the closing handshake; `closed` of the handler follows. */
  close(code?: number, reason?: string): void;
  /** Bytes queued and not yet handed to the network. */
  readonly bufferedAmount: number;
  /** The client's address, without port. */
  readonly remoteAddress: string;
}

/** What the protocol behind a socket hears. `closed` comes exactly once and last. */
export interface SocketHandler {
  receive(text: string): void;
  /** A binary frame; absent: they are ignored. */
  receiveBytes?(bytes: Uint8Array): void;
  closed(): void;
}

/** The upgrade request, as far as a protocol may care. */
export interface SocketRequest {
  readonly path: string;
  /** Sub-protocol that was agreed on (RFC 6455 1.9); absent: the Web SDK, on any path. */
  readonly protocol?: string;
  /** Name by which the client called us, without port. */
  readonly host: string;
  readonly origin: string | null;
  readonly userAgent: string | null;
  readonly isSecure: boolean;
}

export type OnSocket = (socket: ServerSocket, request: SocketRequest) => SocketHandler;

/** One file as it goes to the browser. */
export interface StaticFile {
  readonly body: Uint8Array<ArrayBuffer>;
  /** With charset where it is text. */
  readonly contentType: string;
  /** Strong entity tag, with its quotes. */
  readonly etag: string;
  /** True: the name holds a hash of the content, so it may be cached for ever. */
  readonly isImmutable: boolean;
}

/** Our own pages, built at start, and the vendor's package as it is. */
export interface Pages {
  /** `/`, `/console` or `/assets/...`; undefined where there is none. */
  page(path: string): StaticFile | undefined;
  /**
   * A path inside the Web SDK's package, such as `flashphoner.js`; undefined where there is none.
   */
  sdk(path: string): Promise<StaticFile | undefined>;
}

export interface WebAppOptions {
  readonly controlPlane: ControlPlane;
  readonly pages: Pages;
  readonly onSocket: OnSocket;
  /** Sub-protocols that `onSocket` speaks besides; where a client offers one it is taken. */
  readonly subProtocols?: readonly string[];
  readonly log: Log;
  /** True where others than this machine can reach us; a token is compulsory then. */
  readonly isExposed: boolean;
  /** Operator token for REST and console; absent: none is asked for. */
  readonly token?: string;
  /** Host names and addresses that mean us, besides loopback (bound, LAN, configured). */
  readonly allowedHosts: readonly string[];
  /** Origins (`https://app.example.org`) whose pages may use us, besides same host and loopback. */
  readonly allowedOrigins: readonly string[];
  /** Shown in the OpenAPI document. */
  readonly version: string;
  readonly limits?: Partial<WebLimits>;
}

export interface WebLimits {
  /** Largest WebSocket text frame, UTF-8 bytes. */
  readonly frameBytes: number;
  /** Largest REST body, bytes. */
  readonly bodyBytes: number;
  /** Events queued for one slow reader before it is cut; more than the bus replays (1,000). */
  readonly eventBacklog: number;
  /** WebSockets open at the same time. */
  readonly sockets: number;
  /** The same, from one address (IPv6: one /64). */
  readonly socketsPerAddress: number;
  /** Whether that holds for loopback too, where a proxy of ours or a load test may sit. */
  readonly isLoopbackLimited: boolean;
  /** Event streams open at the same time. */
  readonly eventStreams: number;
  /** Comment line on a quiet event stream, ms. */
  readonly heartbeatMs: number;
}

export const DEFAULT_LIMITS: WebLimits = {
  frameBytes: 1024 * 1024,
  bodyBytes: 1024 * 1024,
  eventBacklog: 2048,
  sockets: 10_000,
  socketsPerAddress: 200,
  isLoopbackLimited: false,
  eventStreams: 100,
  heartbeatMs: 15_000,
};

/** Who asks, as `Deno.serve` tells it. */
export interface RequestInfo {
  readonly remoteAddress: string;
}

export interface WebApp {
  fetch(request: Request, info: RequestInfo): Response | Promise<Response>;
  /** Ends event streams and sockets that would keep the listeners from closing. */
  close(): void;
}
