import type { Log } from "../core/log.ts";
import { isLoopback, SourceCounter, sourceOf } from "../core/sources.ts";
import { type Problem, problem } from "./problem.ts";
import type { OnSocket, ServerSocket, SocketHandler, SocketRequest, WebLimits } from "./types.ts";

/** RFC 6455 7.4.1. */
const CLOSE = { goingAway: 1001, tooLarge: 1009, internalError: 1011 } as const;

/** A peer that answers no ping for this long is gone, seconds. */
const IDLE_SECONDS = 60;

export function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** WebSocket upgrades on any path, and the sockets that are open. */
export class Sockets {
  readonly #onSocket: OnSocket;
  readonly #limits: WebLimits;
  readonly #log: Log;
  readonly #open = new Set<WebSocket>();
  readonly #sources: SourceCounter;
  readonly #subProtocols: readonly string[];

  constructor(
    onSocket: OnSocket,
    limits: WebLimits,
    log: Log,
    subProtocols: readonly string[] = [],
  ) {
    this.#onSocket = onSocket;
    this.#limits = limits;
    this.#sources = new SourceCounter(limits.socketsPerAddress);
    this.#log = log;
    this.#subProtocols = subProtocols;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Answers an upgrade request that has passed the Host and Origin checks. */
  upgrade(request: Request, about: SocketRequest, remoteAddress: string): Response | Problem {
    if (this.#open.size >= this.#limits.sockets) {
      return problem("too-many", `${this.#open.size} WebSockets are open, expected fewer`);
    }
    const protocol = offered(request).find((one) => this.#subProtocols.includes(one));
    const agreed = protocol === undefined ? {} : { protocol };
    const source = this.#limitedSource(remoteAddress);
    if (source !== undefined && !this.#sources.take(source)) {
      const most = this.#limits.socketsPerAddress;
      return problem("too-many", `${most} WebSockets of ${source} are open, expected fewer`);
    }
    let upgraded: Deno.WebSocketUpgrade;
    try {
      upgraded = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_SECONDS, ...agreed });
    } catch (error) {
      if (source !== undefined) this.#sources.release(source);
      const why = error instanceof Error ? error.message : String(error);
      return problem("upgrade-required", `The WebSocket upgrade is not valid: ${why}`);
    }
    this.#attach(upgraded.socket, { ...about, ...agreed }, remoteAddress);
    return upgraded.response;
  }

  /** Says "going away" to all. */
  close(): void {
    for (const socket of [...this.#open]) socket.close(CLOSE.goingAway, "The server is stopping");
  }

  /** Undefined: any number. */
  #limitedSource(remoteAddress: string): string | undefined {
    const isFree = isLoopback(remoteAddress) && !this.#limits.isLoopbackLimited;
    return isFree ? undefined : sourceOf(remoteAddress);
  }

  #attach(socket: WebSocket, about: SocketRequest, remoteAddress: string): void {
    this.#open.add(socket);
    const port: ServerSocket = {
      remoteAddress,
      send: (data) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(data);
      },
      close: (code, reason) => shut(socket, code, reason),
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
    };
    let handler: SocketHandler | undefined;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#guard(socket, () => handler = this.#onSocket(port, about));
    socket.onmessage = ({ data }) => {
      // Frames that were on their way when we closed are nobody's any more.
      if (socket.readyState !== WebSocket.OPEN) return;
      if (typeof data !== "string") {
        this.#guard(socket, () => handler?.receiveBytes?.(new Uint8Array(data as ArrayBuffer)));
        return;
      }
      if (byteLength(data, this.#limits.frameBytes) > this.#limits.frameBytes) {
        return shut(
          socket,
          CLOSE.tooLarge,
          `Frames are limited to ${this.#limits.frameBytes} bytes`,
        );
      }
      this.#guard(socket, () => handler?.receive(data));
    };
    socket.onclose = () => {
      if (!this.#open.delete(socket)) return;
      const source = this.#limitedSource(remoteAddress);
      if (source !== undefined) this.#sources.release(source);
      this.#guard(socket, () => handler?.closed());
    };
    // `close` follows and does the work.
    socket.onerror = (event) => {
      const why = event instanceof ErrorEvent ? event.message : "unknown";
      this.#log.debug("WebSocket failed", { remoteAddress, why });
    };
  }

  /** A fault of the code behind one socket ends that socket only. */
  #guard(socket: WebSocket, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log.error("Handler of a WebSocket threw", { error });
      shut(socket, CLOSE.internalError, "The server failed");
    }
  }
}

/** Sub-protocols that the client offers, in its order (RFC 6455 11.3.4). */
function offered(request: Request): string[] {
  const list = request.headers.get("sec-websocket-protocol") ?? "";
  return list.split(",").map((one) => one.trim()).filter((one) => one !== "");
}

function shut(socket: WebSocket, code?: number, reason?: string): void {
  const isOver = socket.readyState === WebSocket.CLOSING || socket.readyState === WebSocket.CLOSED;
  if (!isOver) socket.close(code, reason);
}

/** UTF-8 length of `text`; exact only where it is near `limit`. */
function byteLength(text: string, limit: number): number {
  if (text.length > limit || text.length * 3 <= limit) return text.length;
  return new TextEncoder().encode(text).length;
}
