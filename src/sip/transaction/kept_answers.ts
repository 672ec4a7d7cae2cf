import type { Instant } from "../../core/clock.ts";

/** Answers are written one after the other into blocks of this size, bytes. */
const BLOCK_BYTES = 256 * 1024;
const LEAST_SLOTS = 1_024;
/** Marks a character that does not fit into seven bits: two bytes of its code follow. */
const WIDE = 0xff;

interface Block {
  readonly bytes: Uint8Array;
  used: number;
}

/**
 * The final answers of non-INVITE server transactions that are over but for their repetitions
 * (`Completed`, RFC 3261 17.2.2): by far the most of all transactions that are alive. Each is a row
 * of numbers and two runs of bytes, key and answer, so that hundreds of thousands of them are
 * nothing to the garbage collector. All live equally long: what came first goes first.
 */
export class KeptAnswers {
  /** A ring of rows: `#head` is the oldest, `#size` of them are in use. */
  #until = new Float64Array(LEAST_SLOTS);
  #hash = new Uint32Array(LEAST_SLOTS);
  #owner = new Uint32Array(LEAST_SLOTS);
  #block = new Uint32Array(LEAST_SLOTS);
  #offset = new Uint32Array(LEAST_SLOTS);
  #keyLength = new Uint32Array(LEAST_SLOTS);
  #length = new Uint32Array(LEAST_SLOTS);
  #head = 0;
  #size = 0;
  /** By hash: row + 1, 0 where there is none; open addressing, twice as many as rows. */
  #index = new Uint32Array(2 * LEAST_SLOTS);
  /** Blocks in use; the first has the serial number `#firstBlock`. */
  #blocks: Block[] = [];
  #firstBlock = 0;
  readonly #seed: number;

  /** @param seed of the hash, 32 bits by chance: keys come from strangers */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#size;
  }

  /** When the oldest is over. */
  get nextExpiry(): Instant | undefined {
    return this.#size === 0 ? undefined : this.#until[this.#head];
  }

  /**
   * @param owner handed to `expire`'s callback: whose answer it was
   * @param until no earlier than that of any put before
   */
  put(key: string, answer: Uint8Array, owner: number, until: Instant): void {
    if (this.#size === this.#until.length) this.#grow();
    const row = (this.#head + this.#size) & (this.#until.length - 1);
    const block = this.#room(3 * key.length + answer.length);
    const offset = block.used;
    const keyEnd = writeKey(key, block.bytes, offset);
    block.bytes.set(answer, keyEnd);
    block.used = keyEnd + answer.length;
    this.#until[row] = until;
    this.#hash[row] = hashOf(key, this.#seed);
    this.#owner[row] = owner;
    this.#block[row] = this.#firstBlock + this.#blocks.length - 1;
    this.#offset[row] = offset;
    this.#keyLength[row] = keyEnd - offset;
    this.#length[row] = answer.length;
    this.#size++;
    this.#enter(row);
  }

  /** A copy of the answer that was put with this key. */
  find(key: string): Uint8Array | undefined {
    if (this.#size === 0) return undefined;
    const hash = hashOf(key, this.#seed);
    const mask = this.#index.length - 1;
    for (let at = hash & mask; this.#index[at] !== 0; at = (at + 1) & mask) {
      const row = this.#index[at]! - 1;
      if (this.#hash[row] !== hash || !this.#isKey(row, key)) continue;
      const from = this.#offset[row]! + this.#keyLength[row]!;
      return this.#bytesOf(row).slice(from, from + this.#length[row]!);
    }
    return undefined;
  }

  /** Forgets what is over by `now`; `gone` hears the owner of each. */
  expire(now: Instant, gone: (owner: number) => void): void {
    while (this.#size > 0 && this.#until[this.#head]! <= now) {
      const row = this.#head;
      this.#leave(row);
      this.#head = (row + 1) & (this.#until.length - 1);
      this.#size--;
      gone(this.#owner[row]!);
      const first = this.#size === 0 ? Infinity : this.#block[this.#head]!;
      while (this.#firstBlock < first && this.#blocks.length > 0) {
        this.#blocks.shift();
        this.#firstBlock++;
      }
    }
  }

  #bytesOf(row: number): Uint8Array {
    return this.#blocks[this.#block[row]! - this.#firstBlock]!.bytes;
  }

  #isKey(row: number, key: string): boolean {
    const bytes = this.#bytesOf(row);
    let at = this.#offset[row]!;
    const end = at + this.#keyLength[row]!;
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      if (code < 0x80) {
        if (bytes[at++] !== code) return false;
      } else {
        const isSame = bytes[at] === WIDE && bytes[at + 1] === code >> 8 &&
          bytes[at + 2] === (code & 0xff);
        if (!isSame) return false;
        at += 3;
      }
      if (at > end) return false;
    }
    return at === end;
  }

  /** The last block, with room for so many bytes. */
  #room(bytes: number): Block {
    const last = this.#blocks.at(-1);
    if (last && last.used + bytes <= last.bytes.length) return last;
    const block = { bytes: new Uint8Array(Math.max(BLOCK_BYTES, bytes)), used: 0 };
    this.#blocks.push(block);
    return block;
  }

  // --- the index: linear probing; what is taken out leaves no gap behind ---

  #enter(row: number): void {
    const mask = this.#index.length - 1;
    let at = this.#hash[row]! & mask;
    while (this.#index[at] !== 0) at = (at + 1) & mask;
    this.#index[at] = row + 1;
  }

  #leave(row: number): void {
    const mask = this.#index.length - 1;
    let gap = this.#hash[row]! & mask;
    while (this.#index[gap] !== row + 1) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; this.#index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hash[this.#index[at]! - 1]! & mask;
      // Whether its home is not between the gap and where it is: then it may fill the gap.
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      this.#index[gap] = this.#index[at]!;
      gap = at;
    }
    this.#index[gap] = 0;
  }

  #grow(): void {
    const slots = 2 * this.#until.length;
    this.#until = this.#unrolled(this.#until, new Float64Array(slots));
    this.#hash = this.#unrolled(this.#hash, new Uint32Array(slots));
    this.#owner = this.#unrolled(this.#owner, new Uint32Array(slots));
    this.#block = this.#unrolled(this.#block, new Uint32Array(slots));
    this.#offset = this.#unrolled(this.#offset, new Uint32Array(slots));
    this.#keyLength = this.#unrolled(this.#keyLength, new Uint32Array(slots));
    this.#length = this.#unrolled(this.#length, new Uint32Array(slots));
    this.#head = 0;
    this.#index = new Uint32Array(2 * slots);
    for (let row = 0; row < this.#size; row++) this.#enter(row);
  }

  #unrolled<T extends Float64Array | Uint32Array>(from: T, to: T): T {
    to.set(from.subarray(this.#head));
    to.set(from.subarray(0, this.#head), from.length - this.#head);
    return to;
  }
}

/** Index after the key in `bytes`. */
function writeKey(key: string, bytes: Uint8Array, at: number): number {
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code < 0x80) bytes[at++] = code;
    else {
      bytes[at++] = WIDE;
      bytes[at++] = code >> 8;
      bytes[at++] = code & 0xff;
    }
  }
  return at;
}

function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  // The low bits choose the place.
  hash ^= hash >>> 15;
  return hash >>> 0;
}
