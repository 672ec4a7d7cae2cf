import type { Instant } from "../../core/clock.ts";
import { type Entropy, randomHex } from "../../core/entropy.ts";
import { digest } from "./digest.ts";
import { sameText } from "./same_text.ts";

/** How long a nonce is good, ms; afterwards right credentials get a fresh one with `stale`. */
export const NONCE_LIFETIME_MS = 5 * 60_000;
/** Most nonces in use at once; beyond, the oldest become stale. */
export const MAX_USED_NONCES = 40_000;
/** Requests may overtake each other by this many nonce counts. */
export const NONCE_COUNT_WINDOW = 32;

const SECRET_BITS = 256;
const MAC_DIGITS = 32;

export interface NonceOptions {
  readonly lifetimeMs?: number;
  readonly maxUsed?: number;
}

interface Use {
  readonly issuedAt: Instant;
  highest: number;
  /** Bit i: the count `highest - i` was seen. */
  seen: number;
}

/**
 * Nonces that carry their time under a keyed hash, so that challenging costs no memory however
 * many ask; counts are kept only for nonces that were answered with the right password.
 */
export class NonceStore {
  readonly #entropy: Entropy;
  readonly #secret: string;
  readonly #lifetime: number;
  readonly #maxUsed: number;
  /** By their hash, in the order of first use. */
  readonly #uses = new Map<string, Use>();
  /** Nonces issued at or before this are stale, because what was known of them is dropped. */
  #forgottenUntil = -Infinity;

  constructor(entropy: Entropy, options: NonceOptions = {}) {
    this.#entropy = entropy;
    this.#secret = randomHex(entropy, SECRET_BITS);
    this.#lifetime = options.lifetimeMs ?? NONCE_LIFETIME_MS;
    this.#maxUsed = options.maxUsed ?? MAX_USED_NONCES;
  }

  /** Nonces with a count. */
  get size(): number {
    return this.#uses.size;
  }

  issue(now: Instant): string {
    const text = `${Math.floor(now).toString(16)}-${randomHex(this.#entropy, 64)}`;
    return `${text}-${this.#mac(text)}`;
  }

  /**
   * Uses a nonce once, for credentials that are known to be right.
   * @param count of this use, from 1; undefined where the client has none (no qop), which makes
   * the nonce good for one request
   */
  use(nonce: string, count: number | undefined, now: Instant): "good" | "stale" | "replayed" {
    const ours = this.#read(nonce);
    if (ours === undefined || ours.issuedAt <= this.#forgottenUntil) return "stale";
    const { issuedAt, mac } = ours;
    if (now - issuedAt > this.#lifetime) return "stale";
    const known = this.#uses.get(mac);
    if (known !== undefined) return count !== undefined && mark(known, count) ? "good" : "replayed";
    if (this.#uses.size >= this.#maxUsed) this.#makeRoom(now);
    if (issuedAt <= this.#forgottenUntil) return "stale";
    // Without a count every later count is behind the window.
    this.#uses.set(mac, { issuedAt, highest: count ?? Infinity, seen: 1 });
    return "good";
  }

  /**
   * When a nonce of ours was issued, and its hash, which unlike a piece of a message keeps no
   * message alive; undefined for one that is not ours.
   */
  #read(nonce: string): { readonly issuedAt: Instant; readonly mac: string } | undefined {
    const at = nonce.length - MAC_DIGITS - 1;
    if (at <= 0 || nonce[at] !== "-") return undefined;
    const text = nonce.slice(0, at);
    const mac = this.#mac(text);
    return sameText(nonce.slice(at + 1), mac) ? { issuedAt: parseInt(text, 16), mac } : undefined;
  }

  #mac(text: string): string {
    // An HMAC costs several times as much. The secret stands in front, and half of the digest is
    // cut off, so that nothing can be appended.
    return digest("SHA-256", this.#secret + text).slice(0, MAC_DIGITS);
  }

  #makeRoom(now: Instant): void {
    for (const [nonce, use] of this.#uses) {
      if (now - use.issuedAt > this.#lifetime) this.#uses.delete(nonce);
    }
    let excess = this.#uses.size - Math.floor(this.#maxUsed * 3 / 4);
    if (this.#uses.size < this.#maxUsed) return;
    for (const [nonce, use] of this.#uses) {
      if (excess-- <= 0) return;
      this.#uses.delete(nonce);
      this.#forgottenUntil = Math.max(this.#forgottenUntil, use.issuedAt);
    }
  }
}

/** Marks a count as seen; false where it was already, or is too far behind to know. */
function mark(use: Use, count: number): boolean {
  const ahead = count - use.highest;
  if (ahead > 0) {
    use.seen = ahead >= NONCE_COUNT_WINDOW ? 1 : (use.seen << ahead) | 1;
    use.highest = count;
    return true;
  }
  if (-ahead >= NONCE_COUNT_WINDOW) return false;
  const bit = 1 << -ahead;
  if ((use.seen & bit) !== 0) return false;
  use.seen |= bit;
  return true;
}
