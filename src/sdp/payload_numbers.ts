/** RFC 3551 6: numbers that mean one codec and nothing else. */
const LAST_STATIC = 34;
/**
 * Where dynamic numbers are looked for: where all do, and, once those are used up, below the range
 * that RTCP multiplexed with RTP forbids (RFC 3551 3, RFC 5761 4).
 */
const DYNAMIC = [[96, 127], [35, 63]] as const;

/**
 * The payload type `wanted`, or another one that is free; undefined where there is none, or where
 * `wanted` cannot have another.
 */
export function freeNumber(
  wanted: number,
  isTaken: (type: number) => boolean,
): number | undefined {
  if (!isTaken(wanted)) return wanted;
  if (wanted <= LAST_STATIC) return undefined;
  for (const [first, last] of DYNAMIC) {
    for (let type = first; type <= last; type++) if (!isTaken(type)) return type;
  }
  return undefined;
}
