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
import { dial } from "./dial.ts";
import { SourceCounter } from "../../core/sources.ts";
import { StreamDoor } from "./stream_door.ts";
import { SipStream, type StreamHost } from "./stream.ts";
import { enlargeReceiveBuffer } from "./receive_buffer.ts";
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
  readonly #keyOf = new Map<SipStream, string>();
  /** Of those that came in. */
  readonly #sourceOf = new Map<SipStream, string>();
  readonly #opening = new Map<string, Promise<Result<Flow, string>>>();
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
      promisesLife: ({ id }) => options.promisesLife?.(id) ?? false,
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
    const receiveBytes = enlargeReceiveBuffer(socket);
    this.#options.log.debug("a UDP socket is open", { hostname, port, receiveBytes });
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
    const door = new StreamDoor(spec, {
      clock: this.#options.clock,
      log: this.#options.log,
      limits: this.#limits,
      sources: this.#sources,
      isWelcome: (address) => this.#options.isWelcome?.(address) ?? true,
      onConnection: (conn, { transport, address, port, source }) => {
        const stream = this.#adopt(conn, { transport, address, port, local: bound.local });
        this.#sourceOf.set(stream, source);
        void stream.run();
      },
      onLost: (why) => {
        this.#bound.delete(bound);
        onLost(why);
      },
    });
    const close = () => {
      this.#bound.delete(bound);
      door.close();
    };
    const { transport, host, port } = door;
    const local = hostPort(spec.advertisedHost ?? host, port);
    const bound: Bound = { listener: { transport, host, port, close }, local };
    void door.run();
    return bound;
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
      const conn = await dial(target, this.#options.trusted, abort.signal);
      if (this.#isClosed) {
        conn.close();
        return err("The transports are closed");
      }
      const stream = this.#adopt(conn, {
        transport: transport === "TLS" ? "TLS" : "TCP",
        address: host,
        port,
      });
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

  /** @param about without `local`: we opened it */
  #adopt(
    conn: Deno.TcpConn | Deno.TlsConn,
    about: {
      readonly transport: "TCP" | "TLS";
      readonly address: string;
      readonly port: number;
      readonly local?: string;
    },
  ): SipStream {
    const { transport, address, port } = about;
    const local = about.local ?? this.#localOf(transport);
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
    const stream = new SipStream(conn, flow, this.#streamHost, about.local === undefined);
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
