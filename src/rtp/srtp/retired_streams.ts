import { BUSY, FIRST_WORD } from "../engine/state_memory.ts";
import { type ContextPlace, KEYS, ORDER } from "./streams.ts";

/** Words of a table: how many entries it has, and where they begin. */
const USED = FIRST_WORD;
const ENTRIES = 16;
/** SSRC, rollover counter, sequence number, SRTCP index: as they stand in a stream's block. */
const ENTRY = 4;
const PER_BLOCK = 12;
/** Most tables of one context. */
export const RETIRED_BLOCKS = 80;

/**
 * Streams of a context that have given up their block to others: phones that draw a new SSRC with
 * each song on hold have more than fit. The newest index of each is kept, so that none of its
 * packets is taken twice and none of ours is made under an index that was used.
 *
 * Nothing is ever forgotten: where all tables are full, no new SSRC is taken until the far end is
 * given new keys. Only who has those can get there, and a stream of more than a thousand sources is
 * no call; to forget one would let anybody who has recorded it say it again.
 */
export class RetiredStreams {
  readonly #place: ContextPlace;
  readonly #words: Int32Array;
  readonly #tables: number[];

  /** @param tables that another worker has begun */
  constructor(place: ContextPlace, tables: readonly number[]) {
    this.#place = place;
    const words = this.#words = place.memory.words;
    this.#tables = tables.toSorted((a, b) => words[b + ORDER]! - words[a + ORDER]!);
  }

  /** Where the entry of an SSRC is, or -1. */
  find(ssrc: number): number {
    const words = this.#words;
    for (const table of this.#tables) {
      const end = table + ENTRIES + ENTRY * words[table + USED]!;
      for (let at = table + ENTRIES; at < end; at += ENTRY) if (words[at] === ssrc) return at;
    }
    return -1;
  }

  /** Whether there is room for one more; makes it where there is none yet. */
  get hasRoom(): boolean {
    const last = this.#tables.at(-1);
    if (last !== undefined && this.#words[last + USED]! < PER_BLOCK) return true;
    if (this.#tables.length >= RETIRED_BLOCKS) return false;
    const { memory, owner, role, keys } = this.#place;
    const at = memory.take(owner, role);
    if (at < 0) return false;
    this.#words[at + KEYS] = keys;
    this.#words[at + ORDER] = -1 - this.#tables.push(at);
    this.#words[at + BUSY] = 0;
    return true;
  }

  /** Copies an entry to these words of a block. */
  read(entry: number, to: number): void {
    this.#words.copyWithin(to, entry, entry + ENTRY);
  }

  /**
   * Takes down what stands in these words, which the caller has marked as busy.
   * @param entry whose place it takes; -1: a new one, for which there is room
   */
  write(entry: number, from: number): void {
    let at = entry;
    if (at < 0) {
      const last = this.#tables.at(-1)!;
      at = last + ENTRIES + ENTRY * this.#words[last + USED]!++;
    }
    this.#words.copyWithin(at, from, from + ENTRY);
  }

  /** Gives the memory back; nothing is called after it. */
  free(): void {
    for (const at of this.#tables.splice(0)) this.#place.memory.give(at);
  }
}
