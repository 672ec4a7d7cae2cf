/** Pairs of an even and the next port in a range, tried in turn: a port just freed comes last. */
export class PortPairs {
  readonly #first: number;
  readonly #count: number;
  #next: number;

  /** @param start where in the range to begin; @param range first and last port, both included */
  constructor(range: readonly [number, number], start: number) {
    this.#first = range[0] + (range[0] & 1);
    this.#count = Math.max(0, Math.floor((range[1] + 1 - this.#first) / 2));
    this.#next = Math.max(0, Math.floor((start - this.#first) / 2));
  }

  /** How many there are: after so many calls of `next` all have been tried. */
  get count(): number {
    return this.#count;
  }

  /** The even port of the next pair. */
  next(): number {
    const pair = this.#next % this.#count;
    this.#next = pair + 1;
    return this.#first + 2 * pair;
  }
}
