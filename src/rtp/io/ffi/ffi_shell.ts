import type {
  HandedSocket,
  MediaCommand,
  MediaEvent,
  MediaWorkerStart,
  SocketAddress,
} from "../../contract.ts";
import { dscpOf } from "../../engine/dscp.ts";
import { type EngineCommand, MediaEngine, SLOT_MARGIN } from "../../engine/engine.ts";
import { PortPairs } from "../../engine/port_pairs.ts";
import { type MediaShell, SCRATCH_LENGTH } from "../../engine/shell.ts";
import type { StateMemory } from "../../engine/state_memory.ts";
import type { StatisticsRows } from "../../engine/statistics_rows.ts";
import type { SrtpEngine } from "../../srtp/cipher.ts";
import { FaultLimit } from "../fault_limit.ts";
import type { Arena } from "./arena.ts";
import { sizeOf } from "./arena.ts";
import { ReceiveVector, SendQueue } from "./datagrams.ts";
import type { Descriptors } from "./descriptors.ts";
import { Ipv6Names } from "./ipv6_names.ts";
import {
  EPOLL_CLOEXEC,
  epollLayout,
  type Libc,
  MSG_DONTWAIT,
  PR_SET_TIMERSLACK,
  SOCKADDR,
} from "./libc.ts";
import { monotonicOffset } from "./monotonic.ts";
import type { Ring } from "./ring.ts";
import { SocketNames } from "./socket_names.ts";
import { SocketTable } from "./socket_table.ts";
import { bindShared, type BoundSocket, smallBuffers, Sockets } from "./sockets.ts";
import type { Wire } from "./wire.ts";

const SLOTS = 256;
const SLOT = 2048;
/** Datagrams taken in one call: from a socket of many calls, and from that of one leg. */
const SHARED_BATCH = 64;
const LEG_BATCH = 1;
const MAX_EVENTS = 256;
/** So many are sent before more is taken: a longer wait saves next to nothing. */
const FULL_QUEUE = 32;
/** The loop looks at its orders at least this often, ms. */
const MAX_WAIT = 200;
/** With more packets than this (20 calls, packets a ms) waking up is shared by gathering. */
const BUSY_RATE = 2;
/**
 * How long packets are gathered, us, above so many packets a ms. From 200 calls on it may be
 * longer: most come late in that time. From 750 on a short time brings enough of them.
 */
const GATHERS = [[75, 200], [20, 550], [0, 400]] as const;
/** How late the system may wake us, ns; 50 us by default. */
const TIMER_SLACK = 1000n;
/** How often the packet rate is looked at, ms. */
const RATE_PERIOD = 50;
/** How often it is told that IPv6 addresses got no number, ms. */
const REFUSED_PERIOD = 10_000;
/** Rounds of draining before orders and deadlines get their turn. */
const MAX_ROUNDS = 64;
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
  /** What a worker before this one has left, or nothing yet; absent: nobody goes on with it. */
  readonly state?: StateMemory;
  readonly names?: Ipv6Names;
}

/** Bytes of arena that the shell takes for itself; ciphers need some more. */
export const SHELL_ARENA = SCRATCH_LENGTH + SLOTS * (SLOT + 256) + 64 * 1024;

/**
 * System calls around the media engine: the thread is blocked in `epoll_wait`, or looks by the
 * clock while it is busy, takes and sends datagrams in batches where they lie, and allocates
 * nothing for a packet. Linux only.
 */
export class FfiShell implements MediaShell {
  readonly #parts: FfiShellParts;
  readonly #engine: MediaEngine;
  readonly #sockets: Sockets;
  readonly #receive: ReceiveVector;
  readonly #queue: SendQueue;
  readonly #table: SocketTable;
  readonly #sharedCount: number;
  readonly #epoll: number;
  readonly #events: number;
  readonly #eventLayout = epollLayout(Deno.build.arch);
  readonly #sockaddr: number;
  readonly #slots: number;
  readonly #names: Ipv6Names;
  readonly #socketNames: SocketNames;
  /** The system's monotonic clock less this worker's, ms: the same for all workers. */
  readonly #clockOffset: number;
  /** Monotonic time of the present round, ms. */
  #now = 0;
  #nextSlot = 0;
  /** A batch came back full: more is waiting, and gathering would only lose it. */
  #isBehind = false;
  #isBusy = false;
  #gather: number = GATHERS[0][1];
  #packets = 0;
  #rateAt = 0;
  #refusedTold = 0;
  #refusedAt = -Infinity;
  #stopped = false;
  readonly #allowCrash: boolean;
  /** For tests: how long it is to hang in the next packet that it sends on, ms. */
  #hangMs = 0;
  readonly #backlog: Uint8Array[] = [];
  readonly #faults = new FaultLimit((text) => this.emit({ type: "fault", text }));

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
    this.#names = parts.names ?? new Ipv6Names();
    this.#socketNames = new SocketNames(arena, this.#names);
    this.#clockOffset = monotonicOffset(libc, arena, this.#sockaddr);
    this.#receive = new ReceiveVector(libc, arena, this.#slots, SLOTS, SLOT, SLOT - SLOT_MARGIN);
    this.#queue = new SendQueue(libc, arena, SLOTS);
    this.#engine = new MediaEngine({
      shell: this,
      srtp,
      arena: arena.bytes,
      scratch,
      silentAfterMs: start.silentAfterMs,
      dscp: start.dscp ?? true,
      epochOffset: performance.timeOrigin - this.#clockOffset,
      ...(parts.state === undefined ? {} : { state: parts.state }),
    });
    this.#sockets = new Sockets(libc, arena, descriptors);
    this.#epoll = this.#sockets.keep(libc.epoll_create1(EPOLL_CLOEXEC), "an epoll set");
    this.#sockets.watch(this.#epoll, parts.eventDescriptor, ORDERS);
    const pairs = new PortPairs(start.portRange, start.firstPair);
    this.#table = new SocketTable(this.#sockets, this.#epoll, pairs, (descriptor) => {
      this.emit({ type: "released", descriptor });
    });
    const shared = start.sockets ?? parts.bind?.(this.#sockets) ??
      bindShared(
        this.#sockets,
        start.addresses,
        start.portRange,
        dscpOf(start.dscp ?? true).audio,
      );
    for (const { descriptor } of shared) {
      this.#table.add(descriptor, start.sockets !== undefined);
    }
    this.#sharedCount = shared.length;
    const small = smallBuffers(this.#sockets, shared.map(({ descriptor }) => descriptor));
    this.emit({
      type: "ready",
      addresses: shared.map(({ local }) => local),
      shell: `ffi, ${srtp.name}`,
      why: small === null ? why : `${why}; ${small}`,
      adopts: parts.state !== undefined && start.sockets !== undefined,
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
    // Read once a round, for all that is done in it: each reading is an object, and deadlines are
    // whole milliseconds.
    let now = this.now();
    while (!this.#stopped && !descriptors.isStopping) {
      descriptors.beat();
      // A busy worker looks by the clock: to be woken by a packet first would cost as much again.
      const isGathering = this.#isBusy && !this.#isBehind;
      if (isGathering) libc.usleep(this.#gather);
      const timeout = isGathering ? 0 : this.#timeout(now);
      let count = libc.epoll_wait(this.#epoll, at, MAX_EVENTS, timeout);
      now = this.now();
      for (let round = 0; count > 0 && round < MAX_ROUNDS; round++) {
        if (descriptors.isFenced) return;
        descriptors.beat();
        if (round > 0) now = this.now();
        this.#drain(count, now);
        if (!this.#isBusy && !this.#isBehind) break;
        count = libc.epoll_wait(this.#epoll, at, MAX_EVENTS, 0);
      }
      if (!descriptors.isFenced) this.#housekeep(now);
    }
  }

  /** Time as the engine has it, ms: of the system, so that another worker can go on with it. */
  protected now(): number {
    return performance.now() + this.#clockOffset;
  }

  #timeout(now: number): number {
    const left = this.#engine.nextWake - now;
    const most = this.#backlog.length > 0 ? 5 : MAX_WAIT;
    return left >= most ? most : left <= 0 ? 0 : Math.ceil(left);
  }

  #drain(count: number, now: number): void {
    this.#now = now;
    const { int32 } = this.#parts.arena;
    const { size, data } = this.#eventLayout;
    this.#isBehind = false;
    for (let i = 0; i < count && !this.#parts.descriptors.isFenced; i++) {
      const socket = int32[(this.#events + i * size + data) >> 2]!;
      if (socket === ORDERS) this.#takeOrders();
      else this.#receiveFrom(socket, now);
    }
    this.#flush();
    this.#nextSlot = 0;
  }

  /** A worker that was given up while it hung, and comes to again, sends nothing more. */
  #flush(): void {
    if (this.#parts.descriptors.isFenced) this.#queue.clear();
    else this.#queue.flush();
  }

  #receiveFrom(socket: number, now: number): void {
    const descriptor = this.#table.descriptorOf(socket);
    if (descriptor < 0) return;
    const most = socket < this.#sharedCount ? SHARED_BATCH : LEG_BATCH;
    if (this.#nextSlot + most > SLOTS) {
      this.#flush();
      this.#nextSlot = 0;
    }
    const first = this.#nextSlot;
    const count = this.#receive.receive(descriptor, first, most);
    if (count <= 0) return;
    if (count === most && socket < this.#sharedCount) this.#isBehind = true;
    this.#nextSlot = first + count;
    this.#packets += count;
    const { descriptors } = this.#parts;
    // Looked at for each packet: its successor may be at work on the same state.
    for (let slot = first; slot < first + count && !descriptors.isFenced; slot++) {
      const length = this.#receive.take(slot);
      const name = this.#receive.name(slot);
      if (length < 0) continue;
      const address = this.#socketNames.addressAt(name, now);
      if (address === 0) continue;
      this.#datagram(
        socket,
        address,
        this.#socketNames.portAt(name),
        this.#slots + slot * SLOT,
        length,
        now,
      );
    }
    if (this.#queue.length >= FULL_QUEUE) this.#flush();
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
      this.#faults.take(error, this.now());
    }
  }

  #housekeep(now: number): void {
    if (now >= this.#engine.nextWake) {
      try {
        this.#engine.wake(now);
      } catch (error) {
        this.#faults.take(error, this.now());
      }
      this.#flush();
    }
    if (now - this.#rateAt >= RATE_PERIOD) {
      const rate = this.#packets / (now - this.#rateAt);
      this.#isBusy = rate > BUSY_RATE;
      this.#gather = gatherAt(rate);
      this.#packets = 0;
      this.#rateAt = now;
      this.#tellRefused(now);
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
      if (this.#allowCrash) this.#crash(command);
    } else this.#command(command);
  }

  #command(command: EngineCommand): void {
    try {
      this.#engine.command(command, this.now());
    } catch (error) {
      this.#faults.take(error, this.now());
    }
  }

  emit(event: MediaEvent): void {
    this.#write(this.#parts.wire.encode(event));
  }

  emitStatistics(rows: StatisticsRows): void {
    this.#write(this.#parts.wire.encodeStatistics(rows));
  }

  #write(bytes: Uint8Array): void {
    const { events } = this.#parts;
    if (this.#backlog.length === 0 && events.write(bytes)) return;
    if (bytes.length <= events.maxLength) this.#backlog.push(bytes.slice());
  }

  send(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
    dscp = 0,
  ): void {
    const descriptor = socket < 0 ? -1 : this.#table.descriptorOf(socket);
    if (descriptor < 0) return;
    if (offset >= this.#slots && offset < this.#slots + SLOTS * SLOT) {
      if (this.#hangMs > 0) this.#hang(this.#hangMs);
      const nameLength = this.#socketNames.write(this.#queue.nextName, address, port, this.#now);
      this.#queue.push(descriptor, nameLength, offset, length, dscp);
      return;
    }
    // What the engine wrote itself is gone when this returns.
    const { libc, arena, descriptors } = this.#parts;
    if (descriptors.isFenced) return;
    const nameLength = this.#socketNames.write(this.#sockaddr, address, port, this.#now);
    const to = arena.address(this.#sockaddr);
    const from = arena.address(offset);
    libc.sendto(descriptor, from, sizeOf(length), MSG_DONTWAIT, to, nameLength);
  }

  numberOf(address: string): number {
    const refused = this.#names.refused;
    const number = this.#names.numberOf(address, this.now());
    if (this.#names.refused !== refused) {
      this.#tell(`all numbers for IPv6 addresses are in use: nothing can be sent to ${address}`);
      this.#refusedTold = this.#names.refused;
    }
    return number;
  }

  textOf(address: number): string {
    return this.#names.textOf(address, this.now());
  }

  #tell(text: string): void {
    this.#faults.take(text, this.now());
  }

  #tellRefused(now: number): void {
    const count = this.#names.refused - this.#refusedTold;
    if (count === 0 || now - this.#refusedAt < REFUSED_PERIOD) return;
    this.#refusedAt = now;
    this.#refusedTold = this.#names.refused;
    this.#tell(`all numbers for IPv6 addresses are in use: ${count} datagrams of others were left`);
  }

  openPortPair(address: string, dscp: number, handed: readonly HandedSocket[]) {
    return this.#table.openPair(address, dscp, handed);
  }

  openPlainSocket(handed: readonly HandedSocket[]) {
    return this.#table.open("127.0.0.1", 0, handed[0]);
  }

  /** A socket of one leg. */
  protected openLegSocket(
    address: string,
    port: number,
  ): { socket: number; local: SocketAddress } | { error: string } {
    return this.#table.open(address, port);
  }

  closeSocket(socket: number): void {
    const descriptor = this.#table.descriptorOf(socket);
    if (descriptor === undefined || descriptor < 0) return;
    this.#flush();
    this.#queue.forget(descriptor);
    this.#table.close(socket);
  }

  /** For tests: the ways in which a worker may end. */
  #crash({ tear, hangMs, inPacket }: Extract<MediaCommand, { type: "crash" }>): void {
    if (hangMs === undefined) {
      if (tear !== undefined) this.#parts.state?.tear(tear);
      throw new Error("crash command");
    }
    if (inPacket === true) this.#hangMs = hangMs;
    else this.#hang(hangMs);
  }

  #hang(ms: number): void {
    this.#hangMs = 0;
    for (const until = this.now() + ms; this.now() < until;);
  }
}

/** @param rate packets a ms */
function gatherAt(rate: number): number {
  return GATHERS.find(([above]) => rate > above)?.[1] ?? 0;
}
