/** Sequence numbers remembered to tell a packet that comes twice from a late one; a power of 2. */
const REMEMBERED = 512;

/** Which sequence numbers have come: tells repeated, reordered and lost packets. */
export class SequenceBook {
  /** By the low bits of the sequence number: that number and one, 0 where none has come. */
  readonly #seen = new Uint32Array(REMEMBERED);
  #highest: number | undefined;
  #played: number | undefined;

  lost = 0;
  duplicate = 0;
  reordered = 0;

  /** Forgets the stream; counters stay. */
  reset(): void {
    this.#seen.fill(0);
    this.#highest = undefined;
    this.#played = undefined;
  }

  /** @returns false where it has come before */
  arrived(sequence: number): boolean {
    if (this.#isSeen(sequence)) {
      this.duplicate++;
      return false;
    }
    this.note(sequence);
    const ahead = this.#highest === undefined ? 1 : ((sequence - this.#highest) << 16) >> 16;
    if (ahead > 0) this.#highest = sequence;
    else this.reordered++;
    return true;
  }

  /** It has come, but is not played. */
  note(sequence: number): void {
    this.#seen[sequence & (REMEMBERED - 1)] = sequence + 1;
  }

  /** It is played now; numbers between it and the last one that have not come are lost. */
  played(sequence: number): void {
    const ahead = this.#played === undefined ? 0 : (sequence - this.#played) & 0xffff;
    this.#played = sequence;
    if (ahead >= REMEMBERED) return;
    for (let i = 1; i < ahead; i++) {
      if (!this.#isSeen((sequence - i) & 0xffff)) this.lost++;
    }
  }

  #isSeen(sequence: number): boolean {
    return this.#seen[sequence & (REMEMBERED - 1)] === sequence + 1;
  }
}
