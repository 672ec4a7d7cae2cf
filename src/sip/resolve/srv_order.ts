import type { Entropy } from "../../core/entropy.ts";
import type { SrvRecord } from "./records.ts";

/**
 * The records in the order in which they are to be tried (RFC 2782): by priority, within one by
 * chance in proportion to their weights.
 */
export function orderSrv(records: readonly SrvRecord[], entropy: Entropy): SrvRecord[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) =>
    drawByWeight(records.filter((record) => record.priority === priority), entropy)
  );
}

function drawByWeight(records: readonly SrvRecord[], entropy: Entropy): SrvRecord[] {
  // Those of weight 0 first: chosen where the draw is 0, and last else.
  const left = records.toSorted((a, b) => a.weight - b.weight);
  const drawn: SrvRecord[] = [];
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    let mark = below(sum + 1, entropy);
    let at = 0;
    while (mark > left[at]!.weight) mark -= left[at++]!.weight;
    drawn.push(...left.splice(at, 1));
  }
  return drawn;
}

/** A whole number in [0, limit); `limit` is far below 2^32. */
function below(limit: number, entropy: Entropy): number {
  const bytes = entropy.bytes(4);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  return Math.floor(value / 2 ** 32 * limit);
}
