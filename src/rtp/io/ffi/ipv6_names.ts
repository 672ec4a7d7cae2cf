import { formatIpv4, parseIpv4 } from "../../engine/address_table.ts";
import { formatIpv6, parseIpv6 } from "../../engine/ipv6.ts";

/** IPv6 addresses that are known at a time. */
const CAPACITY = 16_384;
const HASH_SIZE = CAPACITY * 4;
/**
 * How many of them may be strangers': addresses that datagrams came from and that nobody has asked
 * for or sent to. At 20,000 forged ones a second each stays for 50 ms.
 */
const STRANGERS = 1024;
/** Doubles in front of the tables. */
const BEGUN = 0;
const HEAD = 2;
/** IPv6 addresses have numbers in 240.0.0.0/4, where no datagram ever comes from. */
const CLASS_E = 0xf0000000;
/** In place of a time: what the number is. */
const FREE = -Infinity;
const STRANGER = -1;
/**
 * An address in use keeps its number so long after it was last sent to or heard of, ms, and longer
 * while there is room.
 */
const KEPT = 60_000;
/** Numbers out of use are looked for so often, ms. */
const SWEEP_INTERVAL = 1000;

/**
 * Numbers for IPv6 addresses, so that the engine has 32 bits for every address. Looking one up
 * allocates nothing. Strangers have a share of their own, in which the newest pushes out the
 * oldest: anybody can forge a source, and costs nobody a number that is in use or asked for.
 */
export class Ipv6Names {
  /** Bytes of memory for what another worker can go on with. */
  static readonly BYTES = 8 * (CAPACITY + HEAD) + 4 * CAPACITY * 4;
  /** When each number was last in use, ms; `FREE`, `STRANGER`. */
  readonly #usedAt: Float64Array;
  /** Four words of address for each number. */
  readonly #words: Int32Array;
  readonly #hash = new Int32Array(HASH_SIZE).fill(-1);
  /** So that nobody can choose addresses that fall on each other. */
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  readonly #free = new Int32Array(CAPACITY);
  #freeCount = 0;
  /** Strangers in the order of their coming, from `#oldest` on; -1: in use since then. */
  readonly #strangers = new Int32Array(STRANGERS).fill(-1);
  #oldest = 0;
  #sweptAt = -Infinity;
  /** Addresses that got no number, since all were in use. */
  refused = 0;

  /** @param memory of a worker before this one, whose numbers are gone on with; or all zero */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(Ipv6Names.BYTES)) {
    const head = new Float64Array(memory, 0, HEAD);
    this.#usedAt = new Float64Array(memory, 8 * HEAD, CAPACITY);
    this.#words = new Int32Array(memory, 8 * (HEAD + CAPACITY), CAPACITY * 4);
    if (head[BEGUN] === 0) this.#usedAt.fill(FREE);
    head[BEGUN] = 1;
    for (let index = CAPACITY - 1; index >= 0; index--) {
      if (this.#usedAt[index]! >= 0) this.#enter(index);
      else this.#release(index);
    }
  }

  /**
   * The number of who sent a datagram.
   * @param at index of the first of the address's four words; gives a number, 0: there is no room
   */
  nameOf(words: Int32Array, at: number, now: number): number {
    let index = this.#find(words, at);
    if (index < 0) {
      index = this.#takeAsStranger(now);
      if (index < 0) {
        this.refused++;
        return 0;
      }
      this.#store(index, words, at);
      this.#usedAt[index] = STRANGER;
    } else if (this.#usedAt[index] !== STRANGER) this.#usedAt[index] = now;
    return (CLASS_E | index) | 0;
  }

  /** Whether the number is one of ours. */
  static isName(address: number): boolean {
    return (address >>> 0) >= CLASS_E;
  }

  /** Writes the address to send to; its number is kept for it. */
  write(address: number, words: Int32Array, at: number, now: number): void {
    const index = address & (CAPACITY - 1);
    this.#use(index, now);
    for (let k = 0; k < 4; k++) words[at + k] = this.#words[index * 4 + k]!;
  }

  /** Unsigned; -1 where the text is no address, or there is no room. */
  numberOf(text: string, now: number): number {
    const ipv4 = parseIpv4(text);
    if (ipv4 >= 0) return ipv4;
    const bytes = parseIpv6(text);
    if (bytes === null) return -1;
    const words = new Int32Array(bytes.slice().buffer);
    let index = this.#find(words, 0);
    if (index < 0) {
      index = this.#take(now);
      if (index < 0) {
        this.refused++;
        return -1;
      }
      this.#store(index, words, 0);
    }
    this.#use(index, now);
    return (CLASS_E | index) >>> 0;
  }

  /** The number is kept for its address: what is told of it goes on. */
  textOf(address: number, now: number): string {
    if (!Ipv6Names.isName(address)) return formatIpv4(address >>> 0);
    const index = address & (CAPACITY - 1);
    this.#use(index, now);
    return formatIpv6(new Uint8Array(this.#words.slice(index * 4, index * 4 + 4).buffer));
  }

  /** A stranger is one no longer. */
  #use(index: number, now: number): void {
    const before = this.#usedAt[index]!;
    if (before === STRANGER) this.#strangers[this.#strangers.indexOf(index)] = -1;
    if (before !== FREE) this.#usedAt[index] = now;
  }

  #store(index: number, words: Int32Array, at: number): void {
    for (let k = 0; k < 4; k++) this.#words[index * 4 + k] = words[at + k]!;
    this.#enter(index);
    this.#usedAt[index] = 0;
  }

  /** Free, else the oldest stranger's, else -1. */
  #take(now: number): number {
    if (this.#freeCount === 0) this.#sweep(now);
    if (this.#freeCount > 0) return this.#free[--this.#freeCount]!;
    for (let i = 0; i < STRANGERS; i++) {
      const index = this.#dropOldest();
      if (index >= 0) return index;
    }
    return -1;
  }

  /** One more of the strangers' share, else -1. */
  #takeAsStranger(now: number): number {
    const place = this.#oldest;
    let index = this.#dropOldest();
    // That place is empty, or was left by one who is in use now.
    if (index < 0) index = this.#take(now);
    if (index >= 0) this.#strangers[place] = index;
    this.#oldest = (place + 1) % STRANGERS;
    return index;
  }

  /** Gives its number, out of use; -1: that place has none. */
  #dropOldest(): number {
    const index = this.#strangers[this.#oldest]!;
    this.#strangers[this.#oldest] = -1;
    this.#oldest = (this.#oldest + 1) % STRANGERS;
    if (index >= 0) {
      this.#leave(index);
      this.#usedAt[index] = FREE;
    }
    return index;
  }

  #release(index: number): void {
    this.#usedAt[index] = FREE;
    this.#free[this.#freeCount++] = index;
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < SWEEP_INTERVAL) return;
    this.#sweptAt = now;
    for (let index = 0; index < CAPACITY; index++) {
      const usedAt = this.#usedAt[index]!;
      if (usedAt < 0 || now - usedAt < KEPT) continue;
      this.#leave(index);
      this.#release(index);
    }
  }

  #find(words: Int32Array, at: number): number {
    for (let i = this.#bucket(words, at); this.#hash[i]! >= 0; i = (i + 1) & (HASH_SIZE - 1)) {
      if (this.#isSame(this.#hash[i]!, words, at)) return this.#hash[i]!;
    }
    return -1;
  }

  #bucket(words: Int32Array, at: number): number {
    let hash = this.#seed;
    for (let k = 0; k < 4; k++) hash = Math.imul(hash ^ words[at + k]!, 0x9e3779b1) ^ (hash >>> 15);
    return (hash ^ (hash >>> 16)) & (HASH_SIZE - 1);
  }

  #isSame(index: number, words: Int32Array, at: number): boolean {
    for (let k = 0; k < 4; k++) if (this.#words[index * 4 + k] !== words[at + k]) return false;
    return true;
  }

  /** Into the hash table. */
  #enter(index: number): void {
    let i = this.#bucket(this.#words, index * 4);
    while (this.#hash[i]! >= 0) i = (i + 1) & (HASH_SIZE - 1);
    this.#hash[i] = index;
  }

  /** Out of the hash table; those behind it move up where they would not be found any more. */
  #leave(index: number): void {
    let hole = this.#bucket(this.#words, index * 4);
    while (this.#hash[hole] !== index) {
      if (this.#hash[hole]! < 0) return;
      hole = (hole + 1) & (HASH_SIZE - 1);
    }
    for (let i = (hole + 1) & (HASH_SIZE - 1); this.#hash[i]! >= 0; i = (i + 1) & (HASH_SIZE - 1)) {
      const home = this.#bucket(this.#words, this.#hash[i]! * 4);
      // Between its home and where it stands there must be no hole.
      if (((i - home) & (HASH_SIZE - 1)) < ((i - hole) & (HASH_SIZE - 1))) continue;
      this.#hash[hole] = this.#hash[i]!;
      hole = i;
    }
    this.#hash[hole] = -1;
  }
}
