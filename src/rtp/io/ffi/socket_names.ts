import type { Arena } from "./arena.ts";
import { Ipv6Names } from "./ipv6_names.ts";
import { AF_INET, AF_INET6, SOCKADDR, SOCKADDR_IN } from "./libc.ts";

/** `sockaddr` of datagrams as the engine's numbers, and back; both without allocation. */
export class SocketNames {
  readonly #arena: Arena;
  readonly #names: Ipv6Names;

  constructor(arena: Arena, names: Ipv6Names) {
    this.#arena = arena;
    this.#names = names;
  }

  /** 0: there is no number left. @param at offset of a `sockaddr` */
  addressAt(at: number, now: number): number {
    const { int32, uint16 } = this.#arena;
    return uint16[at >> 1] === AF_INET
      ? swap32(int32[(at + 4) >> 2]!)
      : this.#names.nameOf(int32, (at + 8) >> 2, now);
  }

  portAt(at: number): number {
    return swap16(this.#arena.uint16[(at + 2) >> 1]!);
  }

  /** Gives the length. */
  write(at: number, address: number, port: number, now: number): number {
    const { int32, uint16 } = this.#arena;
    uint16[(at + 2) >> 1] = swap16(port);
    if (Ipv6Names.isName(address)) {
      uint16[at >> 1] = AF_INET6;
      int32[(at + 4) >> 2] = 0;
      this.#names.write(address, int32, (at + 8) >> 2, now);
      int32[(at + 24) >> 2] = 0;
      return SOCKADDR;
    }
    uint16[at >> 1] = AF_INET;
    int32[(at + 4) >> 2] = swap32(address);
    return SOCKADDR_IN;
  }
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}
