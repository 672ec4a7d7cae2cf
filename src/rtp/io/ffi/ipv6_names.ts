import { formatIpv4, parseIpv4 } from "../../engine/address_table.ts";
import { formatIpv6, parseIpv6 } from "../../engine/ipv6.ts";

/** IPv6 addresses that are known at a time. */
const CAPACITY = 4096;
const HASH_SIZE = CAPACITY * 4;
/** IPv6 addresses have numbers in 240.0.0.0/4, where no datagram ever comes from. */
const CLASS_E = 0xf0000000;
/**
 * An address that we have sent to keeps its number so long, ms; any other only while there is room.
 */
const KEPT = 60_000;

/**
 * Numbers for IPv6 addresses, so that the engine has 32 bits for every address. Looking one up
 * allocates nothing. Strangers can fill the table but push out nobody whom we send to.
 */
export class Ipv6Names {
  /** Four words of address for each number. */
  readonly #words = new Int32Array(CAPACITY * 4);
  readonly #usedAt = new Float64Array(CAPACITY).fill(-Infinity);
  readonly #hash = new Int32Array(HASH_SIZE).fill(-1);
  #count = 0;
  #sweptAt = -Infinity;

  /**
   * @param at index of the first of the address's four words; gives a number, 0: there is no room
   */
  nameOf(words: Int32Array, at: number, now: number): number {
    let i = this.#bucket(words, at);
    for (; this.#hash[i]! >= 0; i = (i + 1) & (HASH_SIZE - 1)) {
      if (this.#isSame(this.#hash[i]!, words, at)) return (CLASS_E | this.#hash[i]!) | 0;
    }
    if (this.#count === CAPACITY) {
      // Under a flood of forged addresses only so often, and others get in then.
      if (now - this.#sweptAt < 1000) return 0;
      this.#sweptAt = now;
      this.#sweep(now);
      if (this.#count === CAPACITY) return 0;
      return this.nameOf(words, at, now);
    }
    const index = this.#free();
    this.#hash[i] = index;
    for (let k = 0; k < 4; k++) this.#words[index * 4 + k] = words[at + k]!;
    this.#usedAt[index] = now - KEPT + 1;
    this.#count++;
    return (CLASS_E | index) | 0;
  }

  /** Whether the number is one of ours. */
  static isName(address: number): boolean {
    return (address >>> 0) >= CLASS_E;
  }

  /** Writes the address to send to; its number is kept for it. */
  write(address: number, words: Int32Array, at: number, now: number): void {
    const index = address & (CAPACITY - 1);
    this.#usedAt[index] = now;
    for (let k = 0; k < 4; k++) words[at + k] = this.#words[index * 4 + k]!;
  }

  /** Unsigned; -1 where the text is no address, or there is no room. */
  numberOf(text: string, now: number): number {
    const ipv4 = parseIpv4(text);
    if (ipv4 >= 0) return ipv4;
    const bytes = parseIpv6(text);
    if (bytes === null) return -1;
    const number = this.nameOf(new Int32Array(bytes.slice().buffer), 0, now) >>> 0;
    if (number === 0) return -1;
    this.#usedAt[number & (CAPACITY - 1)] = now;
    return number;
  }

  textOf(address: number): string {
    if (!Ipv6Names.isName(address)) return formatIpv4(address >>> 0);
    const index = (address & (CAPACITY - 1)) * 4;
    return formatIpv6(new Uint8Array(this.#words.slice(index, index + 4).buffer));
  }

  #bucket(words: Int32Array, at: number): number {
    let hash = 0;
    for (let k = 0; k < 4; k++) hash = Math.imul(hash ^ words[at + k]!, 0x9e3779b1) ^ (hash >>> 15);
    return (hash ^ (hash >>> 16)) & (HASH_SIZE - 1);
  }

  #isSame(index: number, words: Int32Array, at: number): boolean {
    for (let k = 0; k < 4; k++) if (this.#words[index * 4 + k] !== words[at + k]) return false;
    return true;
  }

  #free(): number {
    if (this.#sweptAt === -Infinity) return this.#count;
    return this.#usedAt.indexOf(-Infinity);
  }

  #sweep(now: number): void {
    this.#hash.fill(-1);
    this.#count = 0;
    for (let index = 0; index < CAPACITY; index++) {
      if (now - this.#usedAt[index]! >= KEPT - 1) {
        this.#usedAt[index] = -Infinity;
        continue;
      }
      this.#count++;
      let i = this.#bucket(this.#words, index * 4);
      while (this.#hash[i]! >= 0) i = (i + 1) & (HASH_SIZE - 1);
      this.#hash[i] = index;
    }
  }
}
