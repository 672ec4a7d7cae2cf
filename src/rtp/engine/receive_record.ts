import type { ReceiveStatistics } from "./receive_statistics.ts";
import { BUSY, FIRST_WORD, Role, type StateMemory } from "./state_memory.ts";

/** Words of the block: how many rows there are, and the rows. */
const COUNT = FIRST_WORD;
const ROWS = 4;
const ROW = 6;
const MAX_ROWS = 10;
/** A stream unheard for longer than the liveliest one by this is reported on no more, ms. */
const STALE = 10_000;

/** What a stream's reports count from, so that those of another worker go on. */
export interface ReceiveRow {
  readonly ssrc: number;
  /** With the rollovers above it. */
  readonly extendedHighest: number;
  readonly base: number;
  readonly received: number;
  readonly expectedBefore: number;
  readonly receivedBefore: number;
}

/**
 * What reports of ours say of the streams of one far end, in memory that outlives the worker.
 * Written once a second.
 */
export class ReceiveRecord {
  readonly #memory: StateMemory;
  readonly #owner: number;
  /** -1: none yet, or there is no room. */
  #at: number;

  constructor(memory: StateMemory, owner: number) {
    this.#memory = memory;
    this.#owner = owner;
    this.#at = memory.claim({ memory, owner, role: Role.receiveStatistics })[0] ?? -1;
  }

  /** It leaves no garbage. */
  save(receive: ReceiveStatistics): void {
    const { streams, left } = receive;
    if (streams.length === 0) return;
    if (this.#at < 0) this.#at = this.#memory.take(this.#owner, Role.receiveStatistics);
    if (this.#at < 0) return;
    const { words } = this.#memory;
    let newest = 0;
    for (let i = 0; i < streams.length; i++) newest = Math.max(newest, streams[i]!.at);
    words[this.#at + BUSY] = 1;
    let count = 0;
    for (let i = 0; i < streams.length && count < MAX_ROWS; i++) {
      if (streams[i]!.at >= newest - STALE) this.#write(count++, streams[i]!);
    }
    for (let i = 0; i < left.length && count < MAX_ROWS; i++) this.#write(count++, left[i]!);
    words[this.#at + COUNT] = count;
    words[this.#at + BUSY] = 0;
  }

  #write(row: number, of: ReceiveRow): void {
    const { words } = this.#memory;
    const at = this.#at + ROWS + ROW * row;
    words[at] = of.ssrc;
    words[at + 1] = of.extendedHighest;
    words[at + 2] = of.base;
    words[at + 3] = of.received;
    words[at + 4] = of.expectedBefore;
    words[at + 5] = of.receivedBefore;
  }

  /** What another worker has left. */
  rows(): ReceiveRow[] {
    if (this.#at < 0) return [];
    const { words } = this.#memory;
    return Array.from({ length: words[this.#at + COUNT]! }, (_, row) => {
      const at = this.#at + ROWS + ROW * row;
      return {
        ssrc: words[at]!,
        extendedHighest: words[at + 1]! >>> 0,
        base: words[at + 2]!,
        received: words[at + 3]!,
        expectedBefore: words[at + 4]!,
        receivedBefore: words[at + 5]!,
      };
    });
  }

  /** Gives the memory back; nothing is called after it. */
  close(): void {
    if (this.#at >= 0) this.#memory.give(this.#at);
  }
}
