import { writeSockaddr } from "./addresses.ts";
import type { Arena } from "./arena.ts";
import { ReceiveVector, SendQueue } from "./datagrams.ts";
import { Descriptors } from "./descriptors.ts";
import {
  AF_INET,
  AF_INET6,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  epollLayout,
  IOVEC,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  type Libc,
  MMSGHDR,
  MSG_DONTWAIT,
  MSG_LENGTH,
  SOCKADDR,
  UDP_SEGMENT,
} from "./libc.ts";
import { monotonicOffset } from "./monotonic.ts";
import { type BoundSocket, LEG_BUFFER, Sockets } from "./sockets.ts";

/**
 * The structures that system calls get, tried before anything rests on them: one that is laid out
 * differently here would corrupt memory.
 */

const SLOT = 2048;
/** To be told with a datagram how it is marked. */
const IP_RECVTOS = 13;
const IPV6_RECVTCLASS = 66;
/** Two that differ, then two alike, which go as one where the kernel can do that. */
const LENGTHS = [33, 1200, 700, 700] as const;
/** Expedited forwarding, an audio packet's. */
const DSCP = 46;
/** Places inside `struct mmsghdr`, and room for control messages. */
const IOV = 16;
const IOV_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const CONTROL_ROOM = 64;
const CONTROL_VALUE = 16;
const BILLION = 1_000_000_000n;

/** @throws Error */
export function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`${what} is not as expected`);
}

/**
 * Sends datagrams to ourselves over loopback through every structure that the shell uses; gives
 * what cannot be done here but need not be.
 * @throws Error naming what is wrong
 */
export function checkLayouts(libc: Libc, arena: Arena): string[] {
  const descriptors = new Descriptors(Descriptors.memory());
  const sockets = new Sockets(libc, arena, descriptors);
  const remarks: string[] = [];
  try {
    checkClock(libc, arena);
    const ipv4 = new Loopback(libc, arena, sockets, "127.0.0.1");
    ipv4.check();
    if (!ipv4.hasSegmented) remarks.push("the system does not segment datagrams");
    const ipv6 = openIpv6(libc, arena, sockets);
    if (ipv6 === null) remarks.push("no IPv6 here");
    else ipv6.check();
  } finally {
    descriptors.closeAll(libc);
  }
  return remarks;
}

function openIpv6(libc: Libc, arena: Arena, sockets: Sockets): Loopback | null {
  try {
    return new Loopback(libc, arena, sockets, "::1");
  } catch {
    return null;
  }
}

/** `struct timespec`: two readings with a pause between them, as the runtime's own clock has it. */
function checkClock(libc: Libc, arena: Arena): void {
  const at = arena.allocate(16);
  const before = performance.now();
  const first = monotonicOffset(libc, arena, at) + performance.now();
  libc.usleep(1000);
  const second = monotonicOffset(libc, arena, at) + performance.now();
  const passed = performance.now() - before;
  const nanoseconds = arena.view.getBigInt64(at + 8, true);
  // It was read before the runtime's clock was.
  const isClock = nanoseconds >= 0n && nanoseconds < BILLION && first > 0 &&
    second - first >= 0.5 && second - first <= passed + 1;
  expect(isClock, "the system's monotonic clock");
}

/** Two sockets of one address, the second of which is watched and asks for marks. */
class Loopback {
  readonly #libc: Libc;
  readonly #arena: Arena;
  readonly #sockets: Sockets;
  readonly #address: string;
  readonly #from: BoundSocket;
  readonly #to: BoundSocket;
  readonly #slots: number;
  readonly #queue: SendQueue;

  /** @throws Error where the system has no such address */
  constructor(libc: Libc, arena: Arena, sockets: Sockets, address: string) {
    this.#libc = libc;
    this.#arena = arena;
    this.#sockets = sockets;
    this.#address = address;
    this.#from = sockets.open(address, 0, LEG_BUFFER);
    this.#to = sockets.open(address, 0, LEG_BUFFER);
    this.#slots = arena.allocate(8 * SLOT, 64);
    this.#queue = new SendQueue(libc, arena, 4);
  }

  check(): void {
    const { descriptor } = this.#to;
    const receive = new ReceiveVector(this.#libc, this.#arena, this.#slots, 4, SLOT, 1500);
    LENGTHS.forEach((length, i) => this.#push(i, length, 0));
    this.#queue.flush();
    this.#checkEvents();
    const count = receive.receive(descriptor, 0, 4);
    expect(count === LENGTHS.length, `the number of datagrams, ${count} of ${LENGTHS.length},`);
    LENGTHS.forEach((length, i) => {
      expect(receive.take(i) === length, `the length of datagram ${i}`);
      this.#checkName(receive.name(i));
      const at = this.#slots + i * SLOT;
      const isWhole = this.#arena.bytes.subarray(at, at + length).every((byte) => byte === i + 1);
      expect(isWhole, `the content of datagram ${i}`);
    });
    for (const dscp of [DSCP, 0]) this.#checkMark(dscp);
  }

  /** Whether two datagrams have gone as one, or the system has no word for that. */
  get hasSegmented(): boolean {
    const { descriptor } = this.#sockets.open(this.#address, 0, LEG_BUFFER);
    const isKnown = this.#sockets.setOption(descriptor, IPPROTO_UDP, UDP_SEGMENT, 700);
    return isKnown && this.#queue.segmented === 2;
  }

  #push(slot: number, length: number, dscp: number): void {
    const { bytes } = this.#arena;
    const at = this.#slots + (4 + slot) * SLOT;
    bytes.fill(slot + 1, at, at + length);
    const { address, port } = this.#to.local;
    const nameLength = writeSockaddr(this.#arena, this.#queue.nextName, address, port);
    this.#queue.push(this.#from.descriptor, nameLength, at, length, dscp);
  }

  /** Family, port and address as the shell reads them. */
  #checkName(name: number): void {
    const { view, bytes } = this.#arena;
    const isIpv4 = this.#address !== "::1";
    const what = `of a sender at ${this.#address}`;
    const family = isIpv4 ? AF_INET : AF_INET6;
    expect(view.getUint16(name, true) === family, `the family ${what}`);
    expect(view.getUint16(name + 2) === this.#from.local.port, `the port ${what}`);
    const isSame = isIpv4
      ? view.getUint32(name + 4) === 0x7f000001
      : bytes.subarray(name + 8, name + 24).every((byte, i) => byte === (i === 15 ? 1 : 0));
    expect(isSame, `the address ${what}`);
  }

  /** A control message that goes out, and one that comes in. */
  #checkMark(dscp: number): void {
    const [libc, arena] = [this.#libc, this.#arena];
    const { view, bytes } = arena;
    const { descriptor } = this.#to;
    this.#sockets.setOption(descriptor, IPPROTO_IP, IP_RECVTOS, 1);
    this.#sockets.setOption(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    const [message, vector] = [arena.allocate(MMSGHDR), arena.allocate(IOVEC)];
    const control = arena.allocate(CONTROL_ROOM);
    arena.setPointer(vector, this.#slots);
    view.setBigUint64(vector + 8, BigInt(SLOT), true);
    arena.setPointer(message + IOV, vector);
    view.setBigUint64(message + IOV_COUNT, 1n, true);
    arena.setPointer(message + CONTROL, control);
    view.setBigUint64(message + CONTROL_LENGTH, BigInt(CONTROL_ROOM), true);
    this.#push(0, 100, dscp);
    this.#queue.flush();
    const count = libc.recvmmsg(descriptor, arena.address(message), 1, MSG_DONTWAIT, 0n);
    const isThere = count === 1 && view.getUint32(message + MSG_LENGTH, true) === 100 &&
      bytes[this.#slots] === 1;
    expect(isThere, `a marked datagram over ${this.#address}`);
    expect(bytes[control + CONTROL_VALUE] === dscp << 2, `mark ${dscp} over ${this.#address}`);
  }

  #checkEvents(): void {
    const [libc, arena, sockets] = [this.#libc, this.#arena, this.#sockets];
    const epoll = sockets.keep(libc.epoll_create1(EPOLL_CLOEXEC), "an epoll set");
    const event = sockets.keep(libc.eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "an eventfd");
    sockets.watch(epoll, event, 0x123456);
    sockets.watch(epoll, this.#to.descriptor, 0x654321);
    const { size, data } = epollLayout(Deno.build.arch);
    const events = arena.allocate(4 * 16);
    const count = libc.epoll_wait(epoll, arena.address(events), 4, 1000);
    const told = [0, 1].map((i) => arena.view.getUint32(events + i * size + data, true)).sort();
    expect(
      count === 2 && told[0] === 0x123456 && told[1] === 0x654321,
      "what epoll_wait tells of two descriptors",
    );
  }
}

/** Bytes of arena that the check takes. */
export const LAYOUTS_ARENA = 2 * (8 * SLOT + 16 * 1024) + SOCKADDR;
