import { formatIpv4, parseIpv4 } from "../../engine/address_table.ts";
import { formatIpv6, parseIpv6 } from "../../engine/ipv6.ts";

/** IPv6 addresses that are known at a time. */
const CAPACITY = 4096;
const HASH_SIZE = CAPACITY * 4;
/** Doubles in front of the tables. */
const BEGUN = 0;
const COUNT = 1;
const SWEPT_AT = 2;
const HEAD = 4;
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
  /** Bytes of memory for all tables. */
  static readonly BYTES = 8 * (CAPACITY + HEAD) + 4 * (CAPACITY * 4 + HASH_SIZE);
  readonly #head: Float64Array;
  readonly #usedAt: Float64Array;
  /** Four words of address for each number. */
  readonly #words: Int32Array;
  readonly #hash: Int32Array;

  /** @param memory of a worker before this one, whose numbers are gone on with; or all zero */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(Ipv6Names.BYTES)) {
    this.#head = new Float64Array(memory, 0, HEAD);
    this.#usedAt = new Float64Array(memory, 8 * HEAD, CAPACITY);
    const words = 8 * (HEAD + CAPACITY);
    this.#words = new Int32Array(memory, words, CAPACITY * 4);
    this.#hash = new Int32Array(memory, words + CAPACITY * 16, HASH_SIZE);
    if (this.#head[BEGUN] !== 0) return;
    this.#usedAt.fill(-Infinity);
    this.#hash.fill(-1);
    this.#sweptAt = -Infinity;
    this.#head[BEGUN] = 1;
  }

  get #count(): number {
    return this.#head[COUNT]!;
  }
  set #count(value: number) {
    this.#head[COUNT] = value;
  }

  get #sweptAt(): number {
    return this.#head[SWEPT_AT]!;
  }
  set #sweptAt(value: number) {
    this.#head[SWEPT_AT] = value;
  }

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
