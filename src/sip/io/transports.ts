import type { FlowId } from "../../core/ids.ts";
import { type ListenFault, listenFault } from "../../core/listen_fault.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { type Flow, hostPort, plainAddress, type SipTransport } from "../flow.ts";
import type { Target } from "../resolve/target.ts";
import type {
  ListenSpec,
  SipListener,
  SipTransportsOptions,
  Transports,
  WireInput,
  WireSocket,
  WireSocketHandler,
} from "./contract.ts";
import { DEFAULT_TRANSPORT_LIMITS, type TransportLimits } from "./limits.ts";
import { SourceCounter, sourceOf } from "./sources.ts";
import { SipStream, type StreamHost } from "./stream.ts";
import { UdpSocket } from "./udp.ts";
import { SipWebSocket } from "./websocket.ts";

export type * from "./contract.ts";

interface Bound {
  readonly listener: SipListener;
  readonly local: string;
  readonly udp?: UdpSocket;
}

/** Every way by which SIP comes in and goes out: UDP, TCP, TLS and WebSockets. */
export class SipTransports implements Transports {
  readonly #options: SipTransportsOptions;
  readonly #limits: TransportLimits;
  readonly #streamHost: StreamHost;
  readonly #streams = new Map<FlowId, SipStream>();
  readonly #webSockets = new Map<FlowId, SipWebSocket>();
  readonly #bound = new Set<Bound>();
  readonly #sources: SourceCounter;
  /** Connections that we opened, by target, to be used again (RFC 3261 18). */
  readonly #opened = new Map<string, SipStream>();
  readonly #opening = new Map<string, Promise<Result<Flow, string>>>();
  /** Inbound TLS connections whose handshake is not through. */
  readonly #handshakes = new Set<Deno.TlsConn>();
  #serial = 0;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: SipTransportsOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_TRANSPORT_LIMITS, ...options.limits };
    this.#sources = new SourceCounter(this.#limits.connectionsPerAddress);
    this.#streamHost = {
      clock: options.clock,
      limits: this.#limits,
      onInput: (input) => this.#input(input),
      isUsed: (flow) => this.#isUsed(flow),
      onClosed: (stream, why) => this.#streamClosed(stream, why),
    };
  }

  listen(spec: ListenSpec, onLost: (why: string) => void): Result<SipListener, ListenFault> {
    try {
      const bound = spec.transport === "UDP"
        ? this.#listenUdp(spec, onLost)
        : this.#listenStream(spec, onLost);
      this.#bound.add(bound);
      return ok(bound.listener);
    } catch (error) {
      const name = `sip ${spec.transport.toLowerCase()}`;
      return err(listenFault({ name, host: spec.host, port: spec.port }, error));
    }
  }

  send(flow: Flow, bytes: Uint8Array): void {
    switch (flow.transport) {
      case "UDP":
        for (const { udp } of this.#bound) if (udp?.owns(flow.id)) return udp.send(flow, bytes);
        return;
      case "TCP":
      case "TLS":
        return this.#streams.get(flow.id)?.send(bytes);
      default:
        return this.#webSockets.get(flow.id)?.send(bytes);
    }
  }

  connect(target: Target): Promise<Result<Flow, string>> {
    if (this.#isClosed) return Promise.resolve(err("The transports are closed"));
    if (target.transport === "UDP") return Promise.resolve(this.#connectUdp(target));
    const { transport, host, port, name } = target;
    const key = `${transport} ${hostPort(host, port)} ${transport === "TLS" ? name : ""}`;
    const open = this.#opened.get(key);
    if (open?.isOpen) return Promise.resolve(ok(open.flow));
    const under = this.#opening.get(key);
    if (under) return under;
    const opening = this.#open(key, target).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  attachWebSocket(socket: WireSocket, isSecure: boolean, local?: string): WireSocketHandler {
    const address = plainAddress(socket.remoteAddress);
    const flow: Flow = {
      id: `ws/${++this.#serial}` as FlowId,
      transport: isSecure ? "WSS" : "WS",
      remote: address,
      peer: { address },
      ...(local === undefined ? {} : { local }),
    };
    const handler = new SipWebSocket(socket, flow, {
      limits: this.#limits,
      onInput: (input) => this.#input(input),
      onClosed: (id) => {
        this.#webSockets.delete(id);
        this.#input({ type: "flow-closed", flow: id });
        this.#onEmpty?.();
      },
    });
    this.#webSockets.set(flow.id, handler);
    if (this.#isClosed) handler.close(1001, "The server is stopping");
    return handler;
  }

  drop(flow: FlowId, why: string): void {
    this.#streams.get(flow)?.end(why);
    this.#webSockets.get(flow)?.close(1008, why);
    for (const { udp } of this.#bound) if (udp?.owns(flow)) udp.drop(flow);
  }

  counts(): Readonly<Record<string, number>> {
    const counts: Record<SipTransport, number> = { UDP: 0, TCP: 0, TLS: 0, WS: 0, WSS: 0 };
    for (const { udp } of this.#bound) counts.UDP += udp?.size ?? 0;
    for (const { flow } of this.#streams.values()) counts[flow.transport]++;
    for (const { flow } of this.#webSockets.values()) counts[flow.transport]++;
    return counts;
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { listener } of [...this.#bound]) listener.close();
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.setTimeout(() => resolve(), deadlineMs);
    this.#onEmpty = () => {
      if (this.#streams.size === 0 && this.#webSockets.size === 0) resolve();
    };
    for (const socket of [...this.#webSockets.values()]) {
      socket.close(1001, "The server is stopping");
    }
    for (const stream of [...this.#streams.values()]) stream.end("the server is stopping");
    for (const conn of this.#handshakes) closeQuietly(conn);
    this.#onEmpty();
    await promise;
    clock.clearTimeout(timer);
    for (const stream of [...this.#streams.values()]) stream.close("the server is stopping");
  }

  // --- listening ---

  #listenUdp(spec: ListenSpec, onLost: (why: string) => void): Bound {
    const socket = Deno.listenDatagram({
      transport: "udp",
      hostname: spec.host,
      port: spec.port,
    });
    const { hostname, port } = socket.addr as Deno.NetAddr;
    const local = hostPort(spec.advertisedHost ?? hostname, port);
    const udp = new UdpSocket(socket, `udp/${++this.#serial}`, {
      clock: this.#options.clock,
      log: this.#options.log,
      limits: this.#limits,
      local,
      onInput: (input) => this.#input(input),
      isUsed: (flow) => this.#isUsed(flow),
      onLost: (why) => {
        this.#bound.delete(bound);
        onLost(why);
      },
    });
    const close = () => {
      this.#bound.delete(bound);
      udp.close();
    };
    const bound: Bound = {
      listener: { transport: "UDP", host: hostname, port, close },
      local,
      udp,
    };
    void udp.run();
    return bound;
  }

  #listenStream(spec: ListenSpec, onLost: (why: string) => void): Bound {
    const { transport, host, port: wanted, tls } = spec;
    if (transport === "TLS" && !tls) throw new Error("TLS needs a certificate");
    const options = { hostname: host, port: wanted };
    const socket = transport === "TLS" && tls
      ? Deno.listenTls({ ...options, cert: tls.certificate, key: tls.key })
      : Deno.listen({ ...options, transport: "tcp" });
    const { hostname, port } = socket.addr as Deno.NetAddr;
    const local = hostPort(spec.advertisedHost ?? hostname, port);
    let isClosed = false;
    const close = () => {
      if (isClosed) return;
      isClosed = true;
      this.#bound.delete(bound);
      socket.close();
    };
    const bound: Bound = { listener: { transport, host: hostname, port, close }, local };
    void this.#accept(socket, transport === "TLS" ? "TLS" : "TCP", local).then((why) => {
      if (isClosed) return;
      close();
      onLost(why);
    });
    return bound;
  }

  /** Takes connections until the listener ends; gives back why it did. */
  async #accept(
    socket: Deno.Listener<Deno.TcpConn | Deno.TlsConn>,
    transport: "TCP" | "TLS",
    local: string,
  ): Promise<string> {
    for (;;) {
      try {
        const conn = await socket.accept();
        this.#accepted(conn, transport, local);
        // Those at the door cannot be sent away before they have shaken hands: no more are let near.
        const most = transport === "TLS" ? this.#limits.connections / 2 : Infinity;
        while (this.#handshakes.size >= most && !this.#isClosed) await this.#pause();
      } catch (error) {
        // The far end gave up before we took it, or descriptors are short for a moment.
        const why = error instanceof Error ? error.message : String(error);
        if (error instanceof Deno.errors.BadResource || this.#isClosed) return why;
        if (error instanceof Deno.errors.Interrupted) return why;
        this.#options.log.warn("a SIP connection could not be accepted", { transport, why });
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.clock.setTimeout(() => resolve(), ACCEPT_PAUSE_MS);
    return promise;
  }

  #accepted(conn: Deno.TcpConn | Deno.TlsConn, transport: "TCP" | "TLS", local: string): void {
    const { hostname, port } = conn.remoteAddr as Deno.NetAddr;
    const source = sourceOf(plainAddress(hostname));
    const isFull = this.#sources.total >= this.#limits.connections;
    if (this.#isClosed || isFull || !this.#sources.take(source)) {
      this.#options.log.debug("a SIP connection too many is refused", { source, transport });
      if ("handshake" in conn) void this.#shakeHands(conn, undefined, () => closeQuietly(conn));
      else conn.close();
      return;
    }
    const serve = () => {
      const stream = this.#adopt(conn, transport, plainAddress(hostname), port, local);
      this.#sourceOf.set(stream, source);
      void stream.run();
    };
    if ("handshake" in conn) void this.#shakeHands(conn, source, serve);
    else serve();
  }

  /**
   * Waits for the handshake of a connection that came in. One that is not through in time is not
   * served any more, but keeps its place among its source's connections until the far end goes:
   * closing a `Deno.TlsConn` in the middle of its handshake leaves the socket open.
   */
  async #shakeHands(
    conn: Deno.TlsConn,
    source: string | undefined,
    serve: () => void,
  ): Promise<void> {
    const { clock, log } = this.#options;
    let isLate = false;
    const timer = clock.setTimeout(() => isLate = true, this.#limits.connectMs);
    this.#handshakes.add(conn);
    try {
      await conn.handshake();
      if (!isLate && !this.#isClosed) return serve();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.debug("a TLS handshake failed", { source, why });
    } finally {
      clock.clearTimeout(timer);
      this.#handshakes.delete(conn);
    }
    if (source !== undefined) this.#sources.release(source);
    closeQuietly(conn);
  }

  // --- going out ---

  #connectUdp({ host, port }: Target): Result<Flow, string> {
    const isIpv6 = host.includes(":");
    const sockets = [...this.#bound].flatMap(({ udp }) => udp ? [udp] : []);
    const udp = sockets.find((one) => one.isIpv6 === isIpv6);
    // A socket bound to all IPv6 addresses speaks IPv4 in disguise.
    const dual = isIpv6 ? undefined : sockets.find((one) => one.isDual);
    if (udp || dual) {
      const flow = udp?.flowTo(host, port) ?? dual?.flowTo(`::ffff:${host}`, port);
      return flow ? ok(flow) : err("Too many UDP peers");
    }
    return err(`No UDP socket for ${isIpv6 ? "IPv6" : "IPv4"} is open`);
  }

  async #open(key: string, target: Target): Promise<Result<Flow, string>> {
    const { host, port, transport } = target;
    const where = `${transport} ${hostPort(host, port)}`;
    const abort = new AbortController();
    const { clock } = this.#options;
    const limit = clock.setTimeout(() => abort.abort(), this.#limits.connectMs);
    try {
      const conn = await this.#dial(target, abort.signal);
      if (this.#isClosed) {
        conn.close();
        return err("The transports are closed");
      }
      const stream = this.#adopt(conn, transport === "TLS" ? "TLS" : "TCP", host, port);
      this.#opened.set(key, stream);
      this.#keyOf.set(stream, key);
      void stream.run();
      return ok(stream.flow);
    } catch (error) {
      const why = abort.signal.aborted
        ? `no connection within ${this.#limits.connectMs} ms`
        : error instanceof Error
        ? error.message
        : String(error);
      return err(`Cannot connect to ${where}: ${why}`);
    } finally {
      clock.clearTimeout(limit);
    }
  }

  async #dial(target: Target, signal: AbortSignal): Promise<Deno.TcpConn | Deno.TlsConn> {
    const { host: hostname, port, transport, name } = target;
    const conn = await Deno.connect({ hostname, port, transport: "tcp", signal });
    if (transport !== "TLS") return conn;
    const { trusted } = this.#options;
    // Its own limit: `startTls` takes no signal, and a silent far end would hold it for ever.
    const end = () => {
      try {
        conn.close();
      } catch {
        /* Taken over by TLS, which is ended below. */
      }
    };
    signal.addEventListener("abort", end, { once: true });
    try {
      const secure = await Deno.startTls(conn, {
        hostname: name,
        ...(trusted ? { caCerts: [...trusted] } : {}),
      });
      const endSecure = () => secure.close();
      signal.addEventListener("abort", endSecure, { once: true });
      await secure.handshake();
      signal.removeEventListener("abort", endSecure);
      return secure;
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  #adopt(
    conn: Deno.TcpConn | Deno.TlsConn,
    transport: "TCP" | "TLS",
    address: string,
    port: number,
    local = this.#localOf(transport),
  ): SipStream {
    const flow: Flow = {
      id: `${transport.toLowerCase()}/${++this.#serial}` as FlowId,
      transport,
      remote: hostPort(address, port),
      peer: { address, port },
      ...(local === undefined ? {} : { local }),
    };
    if ("setNoDelay" in conn) {
      conn.setNoDelay(true);
      conn.setKeepAlive(true);
    }
    const stream = new SipStream(conn, flow, this.#streamHost);
    this.#streams.set(flow.id, stream);
    return stream;
  }

  /** By which address those whom we connected to reach us back. */
  #localOf(transport: "TCP" | "TLS"): string | undefined {
    for (const { listener, local } of this.#bound) {
      if (listener.transport === transport) return local;
    }
    return undefined;
  }

  // --- ends ---

  readonly #sourceOf = new Map<SipStream, string>();
  readonly #keyOf = new Map<SipStream, string>();

  #streamClosed(stream: SipStream, why: string): void {
    const { id, remote, transport } = stream.flow;
    this.#streams.delete(id);
    const source = this.#sourceOf.get(stream);
    if (source !== undefined) this.#sources.release(source);
    this.#sourceOf.delete(stream);
    const key = this.#keyOf.get(stream);
    if (key !== undefined && this.#opened.get(key) === stream) this.#opened.delete(key);
    this.#keyOf.delete(stream);
    this.#options.log.debug("a SIP connection ended", { transport, remote, why });
    this.#input({ type: "flow-closed", flow: id });
    this.#onEmpty?.();
  }

  #isUsed(flow: Flow): boolean {
    return this.#options.isFlowUsed?.(flow.id) ?? false;
  }

  /** A fault of whoever listens ends nobody's connection. */
  #input(input: WireInput): void {
    try {
      this.#options.onInput(input);
    } catch (error) {
      this.#options.log.error("a SIP message could not be handled", { error });
    }
  }
}

/** After a connection that could not be accepted, ms. */
const ACCEPT_PAUSE_MS = 100;

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    /* Closed by the far end in the meantime. */
  }
}
