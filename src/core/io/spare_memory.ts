/**
 * The C library keeps freed memory for later, and after a rush of small buffers (datagrams, kept
 * answers) most of it for good: tens of megabytes that nobody uses count as ours.
 */

/** How often what is free is given back, ms. */
const EVERY_MS = 30_000;

export type Trim = () => Promise<boolean>;

/**
 * Asks the C library to give free memory back to the system, without holding anybody up; true where
 * there was any. Null where the library has no such call (glibc has it).
 */
export function openTrim(): Trim | null {
  if (Deno.build.os !== "linux") return null;
  try {
    const { symbols } = Deno.dlopen("libc.so.6", {
      malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true },
    });
    return async () => await symbols.malloc_trim(0n) === 1;
  } catch {
    return null;
  }
}

/** Gives back every now and then; keeps no process alive. */
export function giveBackSpareMemory(everyMs: number = EVERY_MS, trim = openTrim()): () => void {
  if (!trim) return () => {};
  const timer = setInterval(() => void trim(), everyMs);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
