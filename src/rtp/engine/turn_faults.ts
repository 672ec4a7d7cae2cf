/**
 * Faults of ours while many endpoints are served in turn: each costs one endpoint its turn, none
 * keeps the others from theirs. The first one is thrown when all have been served.
 */
export class TurnFaults {
  #has = false;
  #first: unknown;

  note(error: unknown): void {
    if (!this.#has) this.#first = error;
    this.#has = true;
  }

  /** @throws whatever was noted first since the last call */
  throwFirst(): void {
    if (!this.#has) return;
    const error = this.#first;
    this.#has = false;
    this.#first = undefined;
    throw error;
  }
}
