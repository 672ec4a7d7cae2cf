import type { Arena } from "./arena.ts";
import { CLOCK_MONOTONIC, type Libc } from "./libc.ts";

/**
 * What makes `performance.now()` of this thread the system's monotonic time, ms: then another
 * thread can go on with what was written down by it.
 * @param at 16 bytes of room
 */
export function monotonicOffset(libc: Libc, arena: Arena, at: number): number {
  libc.clock_gettime(CLOCK_MONOTONIC, arena.address(at));
  const { view } = arena;
  const seconds = Number(view.getBigInt64(at, true));
  return seconds * 1000 + Number(view.getBigInt64(at + 8, true)) / 1e6 - performance.now();
}
