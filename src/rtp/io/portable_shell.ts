import { mediaRangeFault } from "../../core/listen_fault.ts";
import type { MediaCommand, MediaEvent, MediaWorkerStart, SocketAddress } from "../contract.ts";
import { AddressNames } from "../engine/address_names.ts";
import { MediaEngine, SLOT_MARGIN } from "../engine/engine.ts";
import { PortPairs } from "../engine/port_pairs.ts";
import { type MediaShell, SCRATCH_LENGTH } from "../engine/shell.ts";
import type { StatisticsRows } from "../engine/statistics_rows.ts";
import type { SrtpEngine } from "../srtp/cipher.ts";
import { FaultLimit } from "./fault_limit.ts";

const SLOT = 2048;
/** A SIP leg with sound and picture has four. */
const MAX_SOCKETS = 4096;
/** Sends under way; more are dropped, as the kernel would do with a full buffer. */
const MAX_SENDS = 1024;
/** Addresses kept as objects for the runtime's send call. */
const MAX_KNOWN_ADDRESSES = 8192;

interface Socket {
  readonly connection: Deno.DatagramConn;
  readonly local: SocketAddress;
  readonly slot: number;
}

/**
 * A send has a buffer of its own until it is through: it is asynchronous, and receiving goes on.
 */
class SendBuffer {
  readonly bytes = new Uint8Array(SLOT);
  readonly release: () => void;

  constructor(free: SendBuffer[]) {
    this.release = () => {
      free.push(this);
    };
  }
}

/**
 * Sockets of the runtime around the media engine: runs wherever Deno does. Sends are not awaited;
 * nothing in the packet path waits for anything but the next datagram.
 */
export class PortableShell implements MediaShell {
  readonly #engine: MediaEngine;
  readonly #arena = new Uint8Array(SCRATCH_LENGTH + MAX_SOCKETS * SLOT);
  readonly #sockets: (Socket | null)[] = [];
  readonly #names = new AddressNames(crypto.getRandomValues(new Int32Array(1))[0]!);
  readonly #pairs: PortPairs;
  readonly #freeSends: SendBuffer[] = [];
  #sendBuffers = 0;
  #known = new Map<number, Deno.NetAddr>();
  readonly #emit: (event: MediaEvent) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #closed = false;
  readonly #faults = new FaultLimit((text) => this.emit({ type: "fault", text }));

  /**
   * Binds one port on all addresses.
   * @throws Error in words where no port of the range is free or an address is not ours
   */
  constructor(start: MediaWorkerStart, srtp: SrtpEngine, emit: (event: MediaEvent) => void) {
    this.#emit = emit;
    this.#engine = new MediaEngine({
      shell: this,
      srtp,
      arena: this.#arena,
      scratch: 0,
      silentAfterMs: start.silentAfterMs,
      epochOffset: performance.timeOrigin,
    });
    this.#pairs = new PortPairs(start.portRange, start.firstPair);
    const connections = bind(start.addresses, start.portRange);
    const addresses = connections.map((connection) => this.#add(connection)!.local);
    emit({ type: "ready", addresses, shell: `portable, ${srtp.name}`, profiles: srtp.profiles });
  }

  command(command: MediaCommand): void {
    if (command.type === "start" || command.type === "crash" || command.type === "shutdown") return;
    this.#contain(() => this.#engine.command(command, performance.now()));
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const socket of this.#sockets) socket?.connection.close();
    this.#sockets.length = 0;
  }

  emitStatistics(rows: StatisticsRows): void {
    this.#emit(rows.event());
  }

  emit(event: MediaEvent): void {
    this.#emit(event);
  }

  send(socket: number, address: number, port: number, offset: number, length: number): void {
    const connection = this.#sockets[socket]?.connection;
    if (connection === undefined) return;
    let buffer = this.#freeSends.pop();
    if (buffer === undefined) {
      if (this.#sendBuffers >= MAX_SENDS) return;
      this.#sendBuffers++;
      buffer = new SendBuffer(this.#freeSends);
    }
    buffer.bytes.set(this.#arena.subarray(offset, offset + length));
    const to = this.#address(address, port);
    // What cannot be sent is lost, like any datagram.
    connection.send(buffer.bytes.subarray(0, length), to).then(buffer.release, buffer.release);
  }

  openPlainSocket(): { socket: number; local: SocketAddress } | { error: string } {
    try {
      const connection = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const added = this.#add(connection);
      if (added !== null) return { socket: this.#sockets.indexOf(added), local: added.local };
      connection.close();
      return { error: `${MAX_SOCKETS} sockets are open, which is the most of one worker` };
    } catch (error) {
      return { error: `a loopback socket could not be opened: ${String(error)}` };
    }
  }

  /** The runtime has no way to mark packets: `dscp` is left unused here. */
  openPortPair(
    address: string,
    _dscp: number,
  ): { rtp: number; rtcp: number; local: SocketAddress } | { error: string } {
    const pair = bindPair(address, this.#pairs);
    if ("error" in pair) return pair;
    const [rtp, rtcp] = [this.#add(pair.rtp), this.#add(pair.rtcp)];
    if (rtp !== null && rtcp !== null) {
      const [first, second] = [this.#sockets.indexOf(rtp), this.#sockets.indexOf(rtcp)];
      return { rtp: first, rtcp: second, local: rtp.local };
    }
    if (rtp !== null) this.closeSocket(this.#sockets.indexOf(rtp));
    else pair.rtp.close();
    if (rtcp === null) pair.rtcp.close();
    return { error: `${MAX_SOCKETS} sockets are open, which is the most of one worker` };
  }

  numberOf(address: string): number {
    return this.#names.numberOf(address);
  }

  textOf(address: number): string {
    return this.#names.textOf(address);
  }

  closeSocket(socket: number): void {
    this.#sockets[socket]?.connection.close();
    this.#sockets[socket] = null;
  }

  #add(connection: Deno.DatagramConn): Socket | null {
    let index = this.#sockets.indexOf(null);
    if (index < 0) index = this.#sockets.length;
    if (index >= MAX_SOCKETS) return null;
    const { hostname, port } = connection.addr as Deno.NetAddr;
    const slot = SCRATCH_LENGTH + index * SLOT;
    const socket = { connection, local: { address: hostname, port }, slot };
    this.#sockets[index] = socket;
    this.#pump(socket, index);
    return socket;
  }

  async #pump(socket: Socket, index: number): Promise<void> {
    const slot = this.#arena.subarray(socket.slot, socket.slot + SLOT - SLOT_MARGIN);
    for (let errors = 0; !this.#closed && this.#sockets[index] === socket;) {
      try {
        const [data, from] = await socket.connection.receive(slot);
        // A closed socket's slot may be another's by now.
        if (this.#sockets[index] !== socket) return;
        errors = 0;
        this.#datagram(index, from as Deno.NetAddr, socket.slot, data.length);
      } catch (error) {
        if (this.#closed || this.#sockets[index] !== socket) return;
        this.#faults.take(error, performance.now());
        // A socket that only fails must not keep the thread busy.
        if (++errors > 10) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  #datagram(socket: number, from: Deno.NetAddr, offset: number, length: number): void {
    const address = this.#names.numberOf(from.hostname);
    if (address < 0) return;
    this.#engine.datagram(socket, address, from.port, offset, length, performance.now());
    if (this.#engine.nextWake < this.#timerAt) this.#arm();
  }

  #address(address: number, port: number): Deno.NetAddr {
    const key = (address >>> 0) * 0x10000 + port;
    let to = this.#known.get(key);
    if (to === undefined) {
      if (this.#known.size >= MAX_KNOWN_ADDRESSES) this.#known = new Map();
      to = { transport: "udp", hostname: this.#names.textOf(address), port };
      this.#known.set(key, to);
    }
    return to;
  }

  #arm(): void {
    const at = this.#engine.nextWake;
    if (at === this.#timerAt || this.#closed) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#contain(() => this.#engine.wake(performance.now()));
      this.#arm();
    }, Math.max(0, at - performance.now()));
  }

  /** A fault of ours costs the packet or command, not the calls of this worker. */
  #contain(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#faults.take(error, performance.now());
    }
  }
}

/** The first port of the range that is free on all addresses. */
function bind(
  addresses: readonly string[],
  [first, last]: readonly [number, number],
): Deno.DatagramConn[] {
  for (let port = first; port <= last; port++) {
    const open: Deno.DatagramConn[] = [];
    try {
      for (const hostname of addresses) {
        open.push(Deno.listenDatagram({ transport: "udp", hostname, port }));
      }
      return open;
    } catch (error) {
      for (const connection of open) connection.close();
      if (error instanceof Deno.errors.AddrInUse) continue;
      throw new Error(
        `UDP port ${port} on ${addresses[open.length]} could not be opened: ${messageOf(error)}`,
      );
    }
  }
  throw new Error(mediaRangeFault(addresses, [first, last]));
}

/** The next pair of the range whose ports are both free. */
function bindPair(
  hostname: string,
  pairs: PortPairs,
): { rtp: Deno.DatagramConn; rtcp: Deno.DatagramConn } | { error: string } {
  for (let i = 0; i < pairs.count; i++) {
    const port = pairs.next();
    let rtp: Deno.DatagramConn | null = null;
    try {
      rtp = Deno.listenDatagram({ transport: "udp", hostname, port });
      return { rtp, rtcp: Deno.listenDatagram({ transport: "udp", hostname, port: port + 1 }) };
    } catch (error) {
      rtp?.close();
      if (error instanceof Deno.errors.AddrInUse) continue;
      return { error: `UDP port ${port} on ${hostname} could not be opened: ${messageOf(error)}` };
    }
  }
  return { error: `no pair of UDP ports of the media range is free on ${hostname}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
