/**
 * What packets have taught the engine, in blocks of one typed array: over shared memory it outlives
 * the worker that wrote it, and the next one goes on with it. Everything else about an endpoint the
 * pool can say again; a rollover counter or a learned address it does not know.
 */

/** Words of a block, 256 bytes: four lines of the processor's cache. */
export const BLOCK = 64;
const BLOCK_BYTES = BLOCK * 4;

/** Words that every block begins with; what follows is its user's. */
const OWNER = 0;
const ROLE = 1;
/**
 * Not 0 while words are being changed: several of a block, or of several blocks of one owner, that
 * belong together.
 */
export const BUSY = 2;
/** First word that is the user's. */
export const FIRST_WORD = 3;

/** The first block is the memory's own: up to where blocks were ever taken. */
const END = 0;
const FREE = 0;

/** Roles of blocks; contexts of SRTP and sections have the section's number added. */
export const Role = {
  endpoint: 1,
  out: 2,
  receiveStatistics: 3,
  section: 0x100,
  receive: 0x200,
  send: 0x300,
} as const;

/** Whose blocks, and what they are for. */
export interface StatePlace {
  readonly memory: StateMemory;
  /** Number of the endpoint, more than 0. */
  readonly owner: number;
  readonly role: number;
}

export class StateMemory {
  readonly words: Int32Array;
  /** The same memory; a block begins at half its word number. */
  readonly floats: Float64Array;
  readonly #free: number[] = [];
  /** Blocks that a predecessor has left, by owner. */
  readonly #left = new Map<number, number[]>();

  /** @param buffer as `StateMemory.bytes` says; of a predecessor, or all zero */
  constructor(buffer: ArrayBufferLike) {
    this.words = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
    if (this.words[END] === 0) this.words[END] = BLOCK;
    const end = this.words[END]!;
    for (let at = BLOCK; at < end; at += BLOCK) {
      const owner = this.words[at + OWNER]!;
      if (owner === FREE) {
        this.#free.push(at);
        continue;
      }
      const left = this.#left.get(owner);
      if (left === undefined) this.#left.set(owner, [at]);
      else left.push(at);
    }
  }

  /** Size of the buffer for so many blocks. */
  static bytes(blocks: number): number {
    return (blocks + 1) * BLOCK_BYTES;
  }

  /** How much of a buffer has ever been used. */
  static usedBytes(buffer: ArrayBufferLike): number {
    return new Int32Array(buffer, 0, 1)[END]! * 4;
  }

  /** Memory of nobody else's, for a few streams. */
  static own(blocks: number): StateMemory {
    return new StateMemory(new ArrayBuffer(StateMemory.bytes(blocks)));
  }

  /**
   * A new block, all zero behind its head: where it begins, or -1 where there is no room. It is
   * `BUSY` until its user has filled it.
   */
  take(owner: number, role: number): number {
    const { words } = this;
    let at = this.#free.pop() ?? -1;
    if (at < 0) {
      at = words[END]!;
      if (at + BLOCK > words.length) return -1;
      words[END] = at + BLOCK;
    }
    words.fill(0, at, at + BLOCK);
    words[at + ROLE] = role;
    words[at + BUSY] = 1;
    // Last: a block without an owner is nobody's, whatever else has been written.
    words[at + OWNER] = owner;
    return at;
  }

  give(at: number): void {
    this.words[at + OWNER] = FREE;
    this.#free.push(at);
  }

  /** The blocks that a predecessor has left for this use. */
  claim({ owner, role }: StatePlace): number[] {
    const left = this.#left.get(owner);
    if (left === undefined) return [];
    const isWanted = (at: number) => this.words[at + ROLE] === role;
    const rest = left.filter((at) => !isWanted(at));
    if (rest.length === 0) this.#left.delete(owner);
    else this.#left.set(owner, rest);
    return left.filter(isWanted);
  }

  /** Whether the predecessor died while it was changing something of this owner's. */
  isTorn(owner: number): boolean {
    return this.#left.get(owner)?.some((at) => this.words[at + BUSY] !== 0) ?? false;
  }

  /** For tests: begins a change to something of this owner's, and leaves it unfinished. */
  tear(owner: number): void {
    for (let at = BLOCK; at < this.words[END]!; at += BLOCK) {
      if (this.words[at + OWNER] === owner) this.words[at + BUSY] = 1;
    }
  }

  /** Frees what a predecessor has left and nobody has claimed. */
  sweep(): void {
    for (const blocks of this.#left.values()) for (const at of blocks) this.give(at);
    this.#left.clear();
  }

  /** Blocks in use. */
  get size(): number {
    return this.words[END]! / BLOCK - 1 - this.#free.length;
  }
}
