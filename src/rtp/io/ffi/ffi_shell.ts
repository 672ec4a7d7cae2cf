import type { MediaCommand, MediaEvent, MediaWorkerStart, SocketAddress } from "../../contract.ts";
import { type EngineCommand, MediaEngine, SLOT_MARGIN } from "../../engine/engine.ts";
import { PortPairs } from "../../engine/port_pairs.ts";
import { type MediaShell, SCRATCH_LENGTH } from "../../engine/shell.ts";
import type { SrtpEngine } from "../../srtp/cipher.ts";
import type { Arena } from "./arena.ts";
import { sizeOf } from "./arena.ts";
import { ReceiveVector, SendQueue } from "./datagrams.ts";
import type { Descriptors } from "./descriptors.ts";
import { Ipv6Names } from "./ipv6_names.ts";
import {
  AF_INET,
  AF_INET6,
  EPOLL_CLOEXEC,
  epollLayout,
  type Libc,
  MSG_DONTWAIT,
  PR_SET_TIMERSLACK,
  SOCKADDR,
  SOCKADDR_IN,
} from "./libc.ts";
import type { Ring } from "./ring.ts";
import { bindShared, type BoundSocket, LEG_BUFFER, openPair, Sockets } from "./sockets.ts";
import type { Wire } from "./wire.ts";

const SLOTS = 256;
const SLOT = 2048;
/** Datagrams taken in one call: from a socket of many calls, and from that of one leg. */
const SHARED_BATCH = 64;
const LEG_BATCH = 4;
const MAX_SOCKETS = 8192;
const MAX_EVENTS = 256;
/** The loop looks at its orders at least this often, ms. */
const MAX_WAIT = 200;
/** With more packets than this (20 calls, packets a ms) waking up is shared by gathering. */
const BUSY_RATE = 2;
/** How long packets are gathered after the first one, us. */
const GATHER = 450;
/** How late the system may wake us, ns; 50 us by default. */
const TIMER_SLACK = 1000n;
/** How often the packet rate is looked at, ms. */
const RATE_PERIOD = 50;
/** Rounds of draining before orders and deadlines get their turn. */
const MAX_ROUNDS = 64;
const MAX_FAULTS_PER_SECOND = 5;
/** What `epoll_wait` tells of the eventfd. */
const ORDERS = 0x7fffffff;

export interface FfiShellParts {
  readonly libc: Libc;
  readonly arena: Arena;
  readonly srtp: SrtpEngine;
  readonly descriptors: Descriptors;
  readonly commands: Ring;
  readonly events: Ring;
  readonly wire: Wire;
  /** Readable when there are commands. */
  readonly eventDescriptor: number;
  /** Opens the sockets of many calls; absent: one port of the range on each address. */
  readonly bind?: (sockets: Sockets) => readonly BoundSocket[];
}

/** Bytes of arena that the shell takes for itself; ciphers need some more. */
export const SHELL_ARENA = SCRATCH_LENGTH + SLOTS * (SLOT + 256) + 64 * 1024;

/**
 * System calls around the media engine: the thread is blocked in `epoll_wait`, takes and sends
 * datagrams in batches where they lie, and allocates nothing for a packet. Linux only.
 */
export class FfiShell implements MediaShell {
  readonly #parts: FfiShellParts;
  readonly #engine: MediaEngine;
  readonly #sockets: Sockets;
  readonly #receive: ReceiveVector;
  readonly #queue: SendQueue;
  readonly #descriptors = new Int32Array(MAX_SOCKETS).fill(-1);
  readonly #freeSockets: number[] = [];
  #socketCount = 0;
  #sharedCount = 0;
  readonly #epoll: number;
  readonly #events: number;
  readonly #eventLayout = epollLayout(Deno.build.arch);
  readonly #sockaddr: number;
  readonly #slots: number;
  readonly #names = new Ipv6Names();
  readonly #pairs: PortPairs;
  /** Monotonic time of the present round, ms. */
  #now = 0;
  #nextSlot = 0;
  /** A batch came back full: more is waiting, and gathering would only lose it. */
  #isBehind = false;
  #isBusy = false;
  #packets = 0;
  #rateAt = 0;
  #stopped = false;
  readonly #allowCrash: boolean;
  readonly #backlog: Uint8Array[] = [];
  #faultsUntil = 0;
  #faults = 0;

  /**
   * Binds one port on all addresses.
   * @throws Error in words where no port of the range is free or an address is not ours
   */
  constructor(start: MediaWorkerStart, parts: FfiShellParts, why: string) {
    const { libc, arena, srtp, descriptors } = parts;
    this.#parts = parts;
    this.#allowCrash = start.allowCrash;
    const scratch = arena.allocate(SCRATCH_LENGTH);
    this.#sockaddr = arena.allocate(SOCKADDR);
    this.#slots = arena.allocate(SLOTS * SLOT, 64);
    this.#events = arena.allocate(MAX_EVENTS * this.#eventLayout.size);
    this.#receive = new ReceiveVector(libc, arena, this.#slots, SLOTS, SLOT, SLOT - SLOT_MARGIN);
    this.#queue = new SendQueue(libc, arena, SLOTS);
    this.#engine = new MediaEngine({
      shell: this,
      srtp,
      arena: arena.bytes,
      scratch,
      silentAfterMs: start.silentAfterMs,
      epochOffset: performance.timeOrigin,
    });
    this.#sockets = new Sockets(libc, arena, descriptors);
    this.#epoll = this.#sockets.keep(libc.epoll_create1(EPOLL_CLOEXEC), "an epoll set");
    this.#sockets.watch(this.#epoll, parts.eventDescriptor, ORDERS);
    const shared = parts.bind?.(this.#sockets) ??
      bindShared(this.#sockets, start.addresses, start.portRange);
    for (const { descriptor } of shared) this.#add(descriptor);
    this.#sharedCount = shared.length;
    this.#pairs = new PortPairs(start.portRange, start.firstPair);
    this.emit({
      type: "ready",
      addresses: shared.map(({ local }) => local),
      shell: `ffi, ${srtp.name}`,
      why,
      profiles: srtp.profiles,
    });
  }

  protected get engine(): MediaEngine {
    return this.#engine;
  }

  protected get arena(): Arena {
    return this.#parts.arena;
  }

  /** Serves until it is told to end, or a fault that is not a packet's or a command's. */
  run(): void {
    const { libc, descriptors, arena } = this.#parts;
    const at = arena.address(this.#events);
    libc.prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0n, 0n, 0n);
    while (!this.#stopped && !descriptors.isStopping) {
      let count = libc.epoll_wait(this.#epoll, at, MAX_EVENTS, this.#timeout());
      if (count > 0 && this.#isBusy && !this.#isBehind) {
        libc.usleep(GATHER);
        count = libc.epoll_wait(this.#epoll, at, MAX_EVENTS, 0);
      }
      for (let round = 0; count > 0 && round < MAX_ROUNDS; round++) {
        if (descriptors.isStopping) return;
        this.#drain(count, performance.now());
        if (!this.#isBusy && !this.#isBehind) break;
        count = libc.epoll_wait(this.#epoll, at, MAX_EVENTS, 0);
      }
      this.#housekeep(performance.now());
    }
  }

  #timeout(): number {
    const left = this.#engine.nextWake - performance.now();
    const most = this.#backlog.length > 0 ? 5 : MAX_WAIT;
    return left >= most ? most : left <= 0 ? 0 : Math.ceil(left);
  }

  #drain(count: number, now: number): void {
    this.#now = now;
    const { int32 } = this.#parts.arena;
    const { size, data } = this.#eventLayout;
    this.#isBehind = false;
    for (let i = 0; i < count; i++) {
      const socket = int32[(this.#events + i * size + data) >> 2]!;
      if (socket === ORDERS) this.#takeOrders();
      else this.#receiveFrom(socket, now);
    }
    this.#queue.flush();
    this.#nextSlot = 0;
  }

  #receiveFrom(socket: number, now: number): void {
    const descriptor = this.#descriptors[socket]!;
    if (descriptor < 0) return;
    const most = socket < this.#sharedCount ? SHARED_BATCH : LEG_BATCH;
    if (this.#nextSlot + most > SLOTS) {
      this.#queue.flush();
      this.#nextSlot = 0;
    }
    const first = this.#nextSlot;
    const count = this.#receive.receive(descriptor, first, most);
    if (count <= 0) return;
    if (count === most && socket < this.#sharedCount) this.#isBehind = true;
    this.#nextSlot = first + count;
    this.#packets += count;
    const { int32, uint16 } = this.#parts.arena;
    for (let slot = first; slot < first + count; slot++) {
      const length = this.#receive.take(slot);
      const name = this.#receive.name(slot);
      if (length < 0) continue;
      const address = uint16[name >> 1] === AF_INET
        ? swap32(int32[(name + 4) >> 2]!)
        : this.#names.nameOf(int32, (name + 8) >> 2, now);
      const port = swap16(uint16[(name + 2) >> 1]!);
      if (address === 0) continue;
      this.#datagram(socket, address, port, this.#slots + slot * SLOT, length, now);
    }
  }

  #datagram(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
    now: number,
  ): void {
    try {
      this.#engine.datagram(socket, address, port, offset, length, now);
    } catch (error) {
      this.#fault(error);
    }
  }

  #housekeep(now: number): void {
    if (now >= this.#engine.nextWake) {
      try {
        this.#engine.wake(now);
      } catch (error) {
        this.#fault(error);
      }
      this.#queue.flush();
    }
    if (now - this.#rateAt >= RATE_PERIOD) {
      this.#isBusy = this.#packets > BUSY_RATE * (now - this.#rateAt);
      this.#packets = 0;
      this.#rateAt = now;
    }
    while (this.#backlog.length > 0 && this.#parts.events.write(this.#backlog[0]!)) {
      this.#backlog.shift();
    }
  }

  #takeOrders(): void {
    const { libc, arena, commands, wire, eventDescriptor } = this.#parts;
    libc.read(eventDescriptor, arena.address(this.#sockaddr), sizeOf(8));
    for (let bytes = commands.read(); bytes !== null; bytes = commands.read()) {
      const command = wire.decode(bytes) as MediaCommand;
      bytes.fill(0);
      this.#order(command);
    }
  }

  #order(command: MediaCommand): void {
    if (command.type === "start") return;
    if (command.type === "shutdown") this.#stopped = true;
    else if (command.type === "crash") {
      if (this.#allowCrash) throw new Error("crash command");
    } else this.#command(command);
  }

  #command(command: EngineCommand): void {
    try {
      this.#engine.command(command, performance.now());
    } catch (error) {
      this.#fault(error);
    }
  }

  emit(event: MediaEvent): void {
    const { wire, events } = this.#parts;
    const bytes = wire.encode(event);
    if (this.#backlog.length === 0 && events.write(bytes)) return;
    if (bytes.length <= events.maxLength) this.#backlog.push(bytes.slice());
  }

  send(socket: number, address: number, port: number, offset: number, length: number): void {
    const descriptor = socket < 0 ? -1 : this.#descriptors[socket]!;
    if (descriptor < 0) return;
    if (offset >= this.#slots && offset < this.#slots + SLOTS * SLOT) {
      const nameLength = this.#writeName(this.#queue.nextName, address, port);
      this.#queue.push(descriptor, nameLength, offset, length);
      return;
    }
    // What the engine wrote itself is gone when this returns.
    const { libc, arena } = this.#parts;
    const nameLength = this.#writeName(this.#sockaddr, address, port);
    const to = arena.address(this.#sockaddr);
    const from = arena.address(offset);
    libc.sendto(descriptor, from, sizeOf(length), MSG_DONTWAIT, to, nameLength);
  }

  #writeName(at: number, address: number, port: number): number {
    const { int32, uint16 } = this.#parts.arena;
    uint16[(at + 2) >> 1] = swap16(port);
    if (Ipv6Names.isName(address)) {
      uint16[at >> 1] = AF_INET6;
      int32[(at + 4) >> 2] = 0;
      this.#names.write(address, int32, (at + 8) >> 2, this.#now);
      int32[(at + 24) >> 2] = 0;
      return SOCKADDR;
    }
    uint16[at >> 1] = AF_INET;
    int32[(at + 4) >> 2] = swap32(address);
    return SOCKADDR_IN;
  }

  numberOf(address: string): number {
    return this.#names.numberOf(address, performance.now());
  }

  textOf(address: number): string {
    return this.#names.textOf(address);
  }

  openPortPair(
    address: string,
    dscp: number,
  ): { rtp: number; rtcp: number; local: SocketAddress } | { error: string } {
    try {
      const pair = openPair(this.#sockets, this.#pairs, address, dscp);
      const [rtp, rtcp] = [this.#add(pair.rtp), this.#add(pair.rtcp)];
      if (rtp >= 0 && rtcp >= 0) return { rtp, rtcp, local: pair.local };
      if (rtp >= 0) this.closeSocket(rtp);
      else this.#sockets.close(pair.rtp);
      this.#sockets.close(pair.rtcp);
      return { error: `${MAX_SOCKETS} sockets are open, which is the most of one worker` };
    } catch (error) {
      return { error: textOf(error) };
    }
  }

  openPlainSocket(): { socket: number; local: SocketAddress } | { error: string } {
    return this.openLegSocket("127.0.0.1", 0);
  }

  /** A socket of one leg. */
  protected openLegSocket(
    address: string,
    port: number,
  ): { socket: number; local: SocketAddress } | { error: string } {
    try {
      const { descriptor, local } = this.#sockets.open(address, port, LEG_BUFFER);
      const socket = this.#add(descriptor);
      if (socket >= 0) return { socket, local };
      this.#sockets.close(descriptor);
      return { error: `${MAX_SOCKETS} sockets are open, which is the most of one worker` };
    } catch (error) {
      return { error: `a socket on ${address} could not be opened: ${textOf(error)}` };
    }
  }

  closeSocket(socket: number): void {
    const descriptor = this.#descriptors[socket];
    if (descriptor === undefined || descriptor < 0) return;
    this.#queue.flush();
    this.#queue.forget(descriptor);
    this.#descriptors[socket] = -1;
    this.#freeSockets.push(socket);
    this.#sockets.close(descriptor);
  }

  #add(descriptor: number): number {
    const socket = this.#freeSockets.pop() ??
      (this.#socketCount < MAX_SOCKETS ? this.#socketCount++ : -1);
    if (socket < 0) return -1;
    this.#descriptors[socket] = descriptor;
    this.#sockets.watch(this.#epoll, descriptor, socket);
    return socket;
  }

  /** A fault of ours costs the packet or command, not the calls of this worker. */
  #fault(error: unknown): void {
    const now = performance.now();
    if (now > this.#faultsUntil) {
      this.#faultsUntil = now + 1000;
      this.#faults = 0;
    }
    if (++this.#faults > MAX_FAULTS_PER_SECOND) return;
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    this.emit({ type: "fault", text });
  }
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
