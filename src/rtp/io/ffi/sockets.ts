import { mediaRangeFault } from "../../../core/listen_fault.ts";
import type { SocketAddress } from "../../contract.ts";
import { formatIpv4 } from "../../engine/address_table.ts";
import type { PortPairs } from "../../engine/port_pairs.ts";
import { formatIpv6 } from "../../engine/ipv6.ts";
import { writeSockaddr } from "./addresses.ts";
import type { Arena } from "./arena.ts";
import { type Descriptors, MAX_DESCRIPTOR } from "./descriptors.ts";
import {
  AF_INET,
  AF_INET6,
  EADDRINUSE,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLIN,
  epollLayout,
  errno,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_TCLASS,
  IPV6_V6ONLY,
  type Libc,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCKADDR,
  SOL_SOCKET,
} from "./libc.ts";

/**
 * Kernel buffers: 30 ms of 100,000 packets a second in the shared socket, a burst in the others.
 */
export const SHARED_BUFFER = 4 << 20;
export const LEG_BUFFER = 256 << 10;

/** The port is taken; another may do. */
export class PortInUse extends Error {}

export interface BoundSocket {
  readonly descriptor: number;
  readonly local: SocketAddress;
}

/** Opens UDP sockets and puts them into an epoll set. */
export class Sockets {
  readonly #libc: Libc;
  readonly #arena: Arena;
  readonly #descriptors: Descriptors;
  readonly #scratch: number;

  constructor(libc: Libc, arena: Arena, descriptors: Descriptors) {
    this.#libc = libc;
    this.#arena = arena;
    this.#descriptors = descriptors;
    this.#scratch = arena.allocate(64);
  }

  /**
   * A bound socket that does not block.
   * @param port 0: any
   * @throws PortInUse, or Error in words
   */
  open(address: string, port: number, buffer: number): BoundSocket {
    const { arena, libc, scratch } = this.#parts;
    const length = writeSockaddr(arena, scratch, address, port);
    if (length < 0) throw new Error(`${address} is no IP address`);
    const family = arena.view.getUint16(scratch, true);
    const descriptor = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw new Error(`no more sockets can be opened (error ${errno(libc)})`);
    if (descriptor > MAX_DESCRIPTOR) {
      libc.close(descriptor);
      throw new Error(`descriptor ${descriptor} is above ${MAX_DESCRIPTOR}`);
    }
    this.#descriptors.add(descriptor);
    if (family === AF_INET6) this.setOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    writeSockaddr(arena, scratch, address, port);
    if (libc.bind(descriptor, arena.address(scratch), length) !== 0) {
      const error = errno(libc);
      this.close(descriptor);
      const text = `UDP port ${port} on ${address} could not be opened: error ${error}`;
      throw error === EADDRINUSE ? new PortInUse(text) : new Error(text);
    }
    for (
      const [force, ask] of [[SO_RCVBUFFORCE, SO_RCVBUF], [SO_SNDBUFFORCE, SO_SNDBUF]] as const
    ) {
      // The first is for the privileged; the second gives no more than the system's limit.
      const isDone = this.setOption(descriptor, SOL_SOCKET, force, buffer);
      if (!isDone) this.setOption(descriptor, SOL_SOCKET, ask, buffer);
    }
    return { descriptor, local: this.#localAddress(descriptor) };
  }

  setOption(descriptor: number, level: number, option: number, value: number): boolean {
    const { arena, libc, scratch } = this.#parts;
    arena.view.setInt32(scratch + 32, value, true);
    return libc.setsockopt(descriptor, level, option, arena.address(scratch + 32), 4) === 0;
  }

  /** Room for what has come in, bytes as they are asked for; -1: not known. */
  receiveBuffer(descriptor: number): number {
    const { arena, libc, scratch } = this.#parts;
    const [value, length] = [scratch + 32, scratch + 36];
    arena.view.setInt32(length, 4, true);
    const at = arena.address(value);
    const told = libc.getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, at, arena.address(length));
    // The system doubles what is asked for, for its own needs.
    return told === 0 ? arena.view.getInt32(value, true) / 2 : -1;
  }

  /** DSCP of what is sent (RFC 8837); a network that does not want it is no fault. */
  mark(descriptor: number, dscp: number): void {
    if (dscp === 0) return;
    // One of the two is not this socket's.
    this.setOption(descriptor, IPPROTO_IP, IP_TOS, dscp << 2);
    this.setOption(descriptor, IPPROTO_IPV6, IPV6_TCLASS, dscp << 2);
  }

  /** @param data what `epoll_wait` tells of it; non-negative */
  watch(epoll: number, descriptor: number, data: number): void {
    const { arena, libc, scratch } = this.#parts;
    const layout = epollLayout(Deno.build.arch);
    arena.bytes.fill(0, scratch, scratch + 16);
    arena.view.setUint32(scratch, EPOLLIN, true);
    arena.view.setUint32(scratch + layout.data, data, true);
    if (libc.epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, arena.address(scratch)) !== 0) {
      throw new Error(`a descriptor could not be watched (error ${errno(libc)})`);
    }
  }

  /** The descriptor stays open. */
  unwatch(epoll: number, descriptor: number): void {
    this.#libc.epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, this.#arena.address(this.#scratch));
  }

  /** A descriptor from elsewhere, closed with the others; throws where the call gave none. */
  keep(descriptor: number, what: string): number {
    if (descriptor < 0) throw new Error(`${what} could not be made (error ${errno(this.#libc)})`);
    this.#descriptors.add(descriptor);
    return descriptor;
  }

  /** Closing takes it out of every epoll set. */
  close(descriptor: number): void {
    this.#descriptors.close(this.#libc, descriptor);
  }

  get #parts() {
    return { libc: this.#libc, arena: this.#arena, scratch: this.#scratch };
  }

  #localAddress(descriptor: number): SocketAddress {
    const { arena, libc, scratch } = this.#parts;
    arena.view.setUint32(scratch + 32, SOCKADDR, true);
    libc.getsockname(descriptor, arena.address(scratch), arena.address(scratch + 32));
    const port = arena.view.getUint16(scratch + 2);
    const address = arena.view.getUint16(scratch, true) === AF_INET
      ? formatIpv4(arena.view.getUint32(scratch + 4))
      : formatIpv6(arena.bytes.subarray(scratch + 8, scratch + 24));
    return { address, port };
  }
}

/** What is to be said of the sockets of many calls where they have less room than they should. */
export function smallBuffers(sockets: Sockets, descriptors: readonly number[]): string | null {
  const bytes = Math.min(...descriptors.map((descriptor) => sockets.receiveBuffer(descriptor)));
  if (bytes < 0 || bytes >= SHARED_BUFFER) return null;
  return `receive buffers of ${Math.floor(bytes / 1024)} KB instead of ${SHARED_BUFFER / 1024}: ` +
    `packets may be lost under load; set the sysctl net.core.rmem_max to ${SHARED_BUFFER}`;
}

/**
 * The first port of the range that is free on all addresses.
 * @param dscp of all packets that have no mark of their own
 */
export function bindShared(
  sockets: Sockets,
  addresses: readonly string[],
  [first, last]: readonly [number, number],
  dscp: number,
): BoundSocket[] {
  for (let port = first; port <= last; port++) {
    const open: BoundSocket[] = [];
    try {
      for (const address of addresses) open.push(sockets.open(address, port, SHARED_BUFFER));
      for (const { descriptor } of open) sockets.mark(descriptor, dscp);
      return open;
    } catch (error) {
      for (const { descriptor } of open) sockets.close(descriptor);
      if (!(error instanceof PortInUse)) throw error;
    }
  }
  throw new Error(mediaRangeFault(addresses, [first, last]));
}

/**
 * An even port and the next, both free on the address.
 * @throws Error in words
 */
export function openPair(
  sockets: Sockets,
  pairs: PortPairs,
  address: string,
  dscp: number,
): { rtp: number; rtcp: number; local: SocketAddress } {
  for (let tries = pairs.count; tries > 0; tries--) {
    const port = pairs.next();
    let rtp = -1;
    try {
      const even = sockets.open(address, port, LEG_BUFFER);
      rtp = even.descriptor;
      const rtcp = sockets.open(address, port + 1, LEG_BUFFER).descriptor;
      for (const descriptor of [rtp, rtcp]) sockets.mark(descriptor, dscp);
      return { rtp, rtcp, local: even.local };
    } catch (error) {
      if (rtp >= 0) sockets.close(rtp);
      if (!(error instanceof PortInUse)) throw error;
    }
  }
  throw new Error(`no pair of UDP ports is free on ${address}; widen the range of media ports`);
}
