import type { Flow } from "../flow.ts";

/** What one source may have of the table of transactions; INVITEs have limits of their own. */
export interface TransactionShares {
  readonly most: number;
  /** Whose share a request that comes on this flow takes up; undefined: nobody's. */
  sourceOf(flow: Flow): string | undefined;
}

/** Of nobody: not counted. */
export const NOBODY = 0;

/** How many transactions each source has under way, so that none fills the table alone. */
export class Shares {
  readonly #most: number;
  readonly #ids = new Map<string, number>();
  /** By id. */
  readonly #names: (string | undefined)[] = [undefined];
  readonly #counts: number[] = [0];
  readonly #free: number[] = [];

  /** @param most of one source */
  constructor(most: number) {
    this.#most = most;
  }

  /** Sources that have any. */
  get size(): number {
    return this.#ids.size;
  }

  /** Counts one more; gives the number to `release`, undefined where the source has too many. */
  take(source: string | undefined): number | undefined {
    if (source === undefined) return NOBODY;
    const known = this.#ids.get(source);
    if (known !== undefined) {
      if (this.#counts[known]! >= this.#most) return undefined;
      this.#counts[known]!++;
      return known;
    }
    const id = this.#free.pop() ?? this.#names.length;
    this.#ids.set(source, id);
    this.#names[id] = source;
    this.#counts[id] = 1;
    return id;
  }

  release(id: number): void {
    if (id === NOBODY || --this.#counts[id]! > 0) return;
    const name = this.#names[id];
    if (name !== undefined) this.#ids.delete(name);
    this.#names[id] = undefined;
    this.#free.push(id);
  }
}
