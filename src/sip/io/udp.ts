import type { Clock, Instant, Timer } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import type { Log } from "../../core/log.ts";
import { type Flow, hostPort, plainAddress } from "../flow.ts";
import type { WireInput } from "./contract.ts";
import type { TransportLimits } from "./limits.ts";

export interface UdpHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: TransportLimits;
  /** `host:port` that stands in our Vias. */
  readonly local: string;
  onInput(input: WireInput): void;
  isUsed(flow: Flow): boolean;
  /** The socket failed by itself. */
  onLost(why: string): void;
}

interface Peer {
  readonly flow: Flow;
  readonly to: Deno.NetAddr;
  seenAt: Instant;
  /** `seenAt` when it took its place in the line. */
  lookedAt: Instant;
}

/** Largest datagram there is, bytes. */
const DATAGRAM_BYTES = 65_535;
/** A datagram this short and without a letter is a keep-alive, not a message. */
const KEEP_ALIVE_BYTES = 4;
/** Errors in a row after which the socket counts as lost. */
const MOST_ERRORS = 20;

/**
 * A UDP socket that carries SIP: one flow a far address, remembered in a bounded table. Whoever
 * only spoke is forgotten soon and first; who is behind a binding or a contact stays.
 */
export class UdpSocket {
  readonly #socket: Deno.DatagramConn;
  readonly #host: UdpHost;
  readonly #name: string;
  /** In order of when they were last looked at, so the quiet ones are near the front. */
  readonly #passing = new Map<FlowId, Peer>();
  /** Quiet, but needed when they were last looked at. */
  readonly #used = new Map<FlowId, Peer>();
  #timer: Timer | undefined;
  #isClosed = false;

  /** @param name unique among sockets; part of the flows' ids */
  constructor(socket: Deno.DatagramConn, name: string, host: UdpHost) {
    this.#socket = socket;
    this.#name = name;
    this.#host = host;
  }

  get size(): number {
    return this.#passing.size + this.#used.size;
  }

  owns(id: FlowId): boolean {
    return this.#passing.has(id) || this.#used.has(id);
  }

  get isIpv6(): boolean {
    return (this.#socket.addr as Deno.NetAddr).hostname.includes(":");
  }

  get isDual(): boolean {
    return (this.#socket.addr as Deno.NetAddr).hostname === "::";
  }

  /** Reads until closed; never rejects. */
  async run(): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_BYTES);
    for (let errors = 0; !this.#isClosed;) {
      try {
        const [bytes, from] = await this.#socket.receive(buffer);
        errors = 0;
        if (this.#isClosed) return;
        if (from.transport === "udp") this.#take(bytes, from);
      } catch (error) {
        if (this.#isClosed) return;
        const why = error instanceof Error ? error.message : String(error);
        // An ICMP error of an earlier send comes out here on some systems and means nothing.
        if (++errors < MOST_ERRORS && !(error instanceof Deno.errors.BadResource)) continue;
        this.close();
        this.#host.onLost(why);
      }
    }
  }

  /** The flow to an address, made where there is none; undefined where the table is full. */
  flowTo(address: string, port: number): Flow | undefined {
    const to: Deno.NetAddr = { transport: "udp", hostname: address, port };
    return this.#peer(this.#idOf(to), to)?.flow;
  }

  send(flow: Flow, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const peer = this.#passing.get(flow.id) ?? this.#used.get(flow.id);
    if (!peer) return;
    this.#socket.send(bytes, peer.to).catch((error: unknown) => {
      if (this.#isClosed) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#host.log.debug("a datagram could not be sent", { to: flow.remote, why });
      // What waits for an answer need not wait in vain (RFC 3261 18.4); a binding may recover.
      if (!this.#host.isUsed(flow)) this.drop(flow.id);
    });
  }

  drop(id: FlowId): boolean {
    const peer = this.#passing.get(id) ?? this.#used.get(id);
    if (!peer) return false;
    this.#forget(peer);
    return true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.clock.clearTimeout(this.#timer);
    this.#socket.close();
    for (const peer of [...this.#passing.values(), ...this.#used.values()]) this.#forget(peer);
  }

  #take(bytes: Uint8Array, from: Deno.NetAddr): void {
    const id = this.#idOf(from);
    if (bytes.length <= KEEP_ALIVE_BYTES && bytes.every((byte) => byte <= 0x20)) {
      const known = this.#passing.get(id) ?? this.#used.get(id);
      if (known) this.#touch(known);
      return;
    }
    const peer = this.#peer(id, from);
    if (!peer) return;
    // A copy: the buffer is used again, and whoever gets the bytes may keep them.
    this.#host.onInput({ type: "receive", flow: peer.flow, bytes: bytes.slice() });
  }

  /** Undefined where the table is full of peers that are needed. */
  #peer(id: FlowId, to: Deno.NetAddr): Peer | undefined {
    const known = this.#passing.get(id) ?? this.#used.get(id);
    if (known) {
      this.#touch(known);
      return known;
    }
    if (this.size >= this.#host.limits.udpFlows && !this.#forgetOldest()) return undefined;
    const now = this.#host.clock.now();
    const peer: Peer = { flow: this.#flow(to), to, seenAt: now, lookedAt: now };
    this.#passing.set(id, peer);
    if (this.#timer === undefined) this.#watch();
    return peer;
  }

  #flow(to: Deno.NetAddr): Flow {
    const address = plainAddress(to.hostname);
    return {
      id: this.#idOf(to),
      transport: "UDP",
      remote: hostPort(address, to.port),
      peer: { address, port: to.port },
      local: this.#host.local,
    };
  }

  #idOf(to: Deno.NetAddr): FlowId {
    return `${this.#name}/${hostPort(to.hostname, to.port)}` as FlowId;
  }

  /** It goes to the end of its line when that is next looked at: datagrams are many. */
  #touch(peer: Peer): void {
    peer.seenAt = this.#host.clock.now();
  }

  /**
   * One of the passing that has been quiet for long; those found in use change lines, and those
   * heard since they were last looked at get another turn.
   */
  #forgetOldest(): boolean {
    let turns = this.#passing.size;
    for (const [id, peer] of this.#passing) {
      const isUsed = this.#host.isUsed(peer.flow);
      if (!isUsed && (peer.lookedAt >= peer.seenAt || turns-- <= 0)) {
        this.#forget(peer);
        return true;
      }
      this.#passing.delete(id);
      if (isUsed) this.#used.set(id, peer);
      else this.#lookAt(peer);
    }
    return false;
  }

  /** To the end of the line. */
  #lookAt(peer: Peer): void {
    peer.lookedAt = peer.seenAt;
    this.#passing.set(peer.flow.id, peer);
  }

  #forget(peer: Peer): void {
    const { id } = peer.flow;
    this.#passing.delete(id);
    this.#used.delete(id);
    this.#host.onInput({ type: "flow-closed", flow: id });
  }

  /** Lets go who has been quiet too long; looks again when the next one may have been. */
  #watch(): void {
    const { clock, limits } = this.#host;
    const now = clock.now();
    for (const [id, peer] of this.#used) {
      if (peer.seenAt + limits.usedIdleMs <= now) this.#forget(peer);
      else if (!this.#host.isUsed(peer.flow)) {
        if (peer.seenAt + limits.idleMs <= now) this.#forget(peer);
        else {
          this.#used.delete(id);
          this.#lookAt(peer);
        }
      }
    }
    for (const [id, peer] of this.#passing) {
      if (peer.seenAt + limits.idleMs > now) continue;
      if (this.#host.isUsed(peer.flow)) {
        this.#passing.delete(id);
        this.#used.set(id, peer);
      } else this.#forget(peer);
    }
    this.#timer = this.size === 0 ? undefined : clock.setTimeout(
      () => this.#watch(),
      Math.max(1, limits.idleMs / 4),
    );
  }
}
