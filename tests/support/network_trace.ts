import { SeededEntropy } from "../../src/core/entropy.ts";

/** A seeded network between a sender with its own clock and us. */
export interface NetworkOptions {
  readonly seed: number;
  /** Share of packets lost, 0 to 1, and mean length of a burst of losses, packets. */
  readonly loss?: number;
  readonly burst?: number;
  /** Added delay: uniform from 0 to this, ms. More than the spacing of packets reorders them. */
  readonly jitterMs?: number;
  /** Some packets, a share of all, come so many packets later than they should: others overtake. */
  readonly overtaken?: { readonly share: number; readonly by: number };
  /** Share of packets that come twice. */
  readonly duplicates?: number;
  /** The sender's clock runs fast by so many parts in a million. */
  readonly driftPpm?: number;
  /** From this packet on the network is slower by so much, ms. */
  readonly step?: { readonly at: number; readonly ms: number };
  /** Packets from this one on that would arrive within `ms` all come at its end. */
  readonly freeze?: { readonly at: number; readonly ms: number };
}

export interface Arrival {
  /** ms, our clock. */
  readonly at: number;
  /** Number of the packet at the sender. */
  readonly index: number;
}

const FIXED_DELAY_MS = 30;

/** When each of `count` packets, sent every `packetMs` of the sender's clock, arrives; by time. */
export function arrivals(count: number, packetMs: number, options: NetworkOptions): Arrival[] {
  const { seed, loss = 0, burst = 1, jitterMs = 0, duplicates = 0, driftPpm = 0, step, freeze } =
    options;
  const { overtaken } = options;
  const chance = new SeededEntropy(seed);
  // Of its own, so that traces without it stay as they were.
  const overtaking = new SeededEntropy(seed ^ 0x5bd1e995);
  const spacing = packetMs / (1 + driftPpm * 1e-6);
  // Gilbert's model: a bad state that loses all, of mean length `burst`.
  const leaveBad = 1 / burst;
  const enterBad = loss >= 1 ? 1 : Math.min(1, loss * leaveBad / (1 - loss));
  const found: Arrival[] = [];
  let isBad = false;
  for (let index = 0; index < count; index++) {
    isBad = isBad ? chance.fraction() >= leaveBad : chance.fraction() < enterBad;
    const slower = step !== undefined && index >= step.at ? step.ms : 0;
    const sentAt = index * spacing;
    const thawed = freeze !== undefined && index >= freeze.at ? freeze.at * spacing + freeze.ms : 0;
    const at = Math.max(thawed, sentAt + slower) + FIXED_DELAY_MS + chance.fraction() * jitterMs;
    const isTwice = chance.fraction() < duplicates;
    if (isBad) continue;
    if (overtaken !== undefined && overtaking.fraction() < overtaken.share) {
      found.push({ at: at + (overtaken.by + 0.5) * packetMs, index });
      continue;
    }
    found.push({ at, index });
    if (isTwice) found.push({ at: at + chance.fraction() * jitterMs, index });
  }
  return found.sort((a, b) => a.at - b.at);
}
