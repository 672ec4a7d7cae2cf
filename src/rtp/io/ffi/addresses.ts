import { parseIpv4 } from "../../engine/address_table.ts";
import { parseIpv6 } from "../../engine/ipv6.ts";
import type { Arena } from "./arena.ts";
import { AF_INET, AF_INET6, SOCKADDR, SOCKADDR_IN } from "./libc.ts";

/** Writes a `sockaddr` for binding; gives its length, or -1 where the text is no address. */
export function writeSockaddr(arena: Arena, at: number, text: string, port: number): number {
  arena.bytes.fill(0, at, at + SOCKADDR);
  const ipv4 = parseIpv4(text);
  if (ipv4 >= 0) {
    arena.view.setUint16(at, AF_INET, true);
    arena.view.setUint16(at + 2, port);
    arena.view.setUint32(at + 4, ipv4);
    return SOCKADDR_IN;
  }
  const ipv6 = parseIpv6(text);
  if (ipv6 === null) return -1;
  arena.view.setUint16(at, AF_INET6, true);
  arena.view.setUint16(at + 2, port);
  arena.bytes.set(ipv6, at + 8);
  return SOCKADDR;
}
