import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { plainAddress } from "../flow.ts";
import type { ListenSpec } from "./contract.ts";
import { closeQuietly } from "./dial.ts";
import type { TransportLimits } from "./limits.ts";
import { type SourceCounter, sourceOf } from "../../core/sources.ts";

/** Who came in. */
export interface Visitor {
  readonly transport: "TCP" | "TLS";
  readonly address: string;
  readonly port: number;
  /** Its place is taken under this name; whoever gets the connection gives it back. */
  readonly source: string;
}

export interface DoorHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: TransportLimits;
  /** Connections of all doors. */
  readonly sources: SourceCounter;
  isWelcome(address: string): boolean;
  onConnection(conn: Deno.TcpConn | Deno.TlsConn, visitor: Visitor): void;
  /** The socket failed by itself. */
  onLost(why: string): void;
}

/** After a connection that could not be accepted, and while too many stand at the door, ms. */
const PAUSE_MS = 100;

/** A listening TCP or TLS socket: who comes in, and who does not. */
export class StreamDoor {
  readonly transport: "TCP" | "TLS";
  readonly host: string;
  readonly port: number;
  readonly #host: DoorHost;
  readonly #socket: Deno.Listener<Deno.TcpConn | Deno.TlsConn>;
  /** TLS connections whose handshake is not through. */
  readonly #handshakes = new Set<Deno.TlsConn>();
  #isClosed = false;

  /** Throws where the system refuses. */
  constructor({ transport, host, port, tls }: ListenSpec, doorHost: DoorHost) {
    this.#host = doorHost;
    const options = { hostname: host, port };
    if (transport === "TLS") {
      if (!tls) throw new Error("TLS needs a certificate");
      this.transport = "TLS";
      this.#socket = Deno.listenTls({ ...options, cert: tls.certificate, key: tls.key });
    } else {
      this.transport = "TCP";
      this.#socket = Deno.listen({ ...options, transport: "tcp" });
    }
    const address = this.#socket.addr as Deno.NetAddr;
    this.host = address.hostname;
    this.port = address.port;
  }

  /** Takes connections until closed; never rejects. */
  async run(): Promise<void> {
    const { log, limits } = this.#host;
    const mostHandshakes = this.transport === "TLS" ? limits.connections / 2 : Infinity;
    while (!this.#isClosed) {
      try {
        this.#take(await this.#socket.accept());
        // Those at the door can't be sent away before they have shaken hands: no more come near.
        while (this.#handshakes.size >= mostHandshakes && !this.#isClosed) await this.#pause();
      } catch (error) {
        if (this.#isClosed) return;
        const why = error instanceof Error ? error.message : String(error);
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          this.close();
          return this.#host.onLost(why);
        }
        // The far end gave up before we took it, or descriptors are short for a moment.
        log.warn("a SIP connection could not be accepted", { transport: this.transport, why });
        await this.#pause();
      }
    }
  }

  /** Connections that came in stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    for (const conn of this.#handshakes) closeQuietly(conn);
  }

  #take(conn: Deno.TcpConn | Deno.TlsConn): void {
    const { sources, limits, log, onConnection } = this.#host;
    const { transport } = this;
    const { hostname, port } = conn.remoteAddr as Deno.NetAddr;
    const address = plainAddress(hostname);
    const source = sourceOf(address);
    const isFull = sources.total >= limits.connections;
    const isWelcome = !this.#isClosed && !isFull && this.#host.isWelcome(address) &&
      sources.take(source);
    if (!isWelcome) log.debug("a SIP connection is refused", { source, transport });
    const serve = () => onConnection(conn, { transport, address, port, source });
    if ("handshake" in conn) void this.#shakeHands(conn, isWelcome ? source : undefined, serve);
    else if (isWelcome) serve();
    else conn.close();
  }

  /**
   * Waits for a handshake. Who is not through in time is not served any more, but keeps his place
   * until he goes: closing a `Deno.TlsConn` in the middle of its handshake leaves the socket open.
   * @param source undefined: refused
   */
  async #shakeHands(
    conn: Deno.TlsConn,
    source: string | undefined,
    serve: () => void,
  ): Promise<void> {
    const { clock, log, limits, sources } = this.#host;
    let isLate = false;
    const timer = clock.setTimeout(() => isLate = true, limits.connectMs);
    this.#handshakes.add(conn);
    try {
      await conn.handshake();
      if (source !== undefined && !isLate && !this.#isClosed) return serve();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.debug("a TLS handshake failed", { source, why });
    } finally {
      clock.clearTimeout(timer);
      this.#handshakes.delete(conn);
    }
    if (source !== undefined) sources.release(source);
    closeQuietly(conn);
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#host.clock.setTimeout(() => resolve(), PAUSE_MS);
    return promise;
  }
}
