import type { SipRequest, SipResponse } from "../../sip/message/mod.ts";
import { MAX_HELD } from "./contract.ts";
import type { Passing } from "./crossing.ts";

/** The messages of one anchor in their order; it stands still while an endpoint opens. */
export class WaitingLine {
  readonly #items: Passing[] = [];
  readonly #take: (item: Passing) => void;
  #isHeld = false;
  #isMoving = false;

  constructor(take: (item: Passing) => void) {
    this.#take = take;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Taken at once where nothing is before it. What waits already, or is too much, is dropped. */
  push(item: Passing): void {
    if (this.#isHeld && this.#items.some((waiting) => isSame(waiting, item))) return;
    if (this.#items.length >= MAX_HELD) return;
    this.#items.push(item);
    this.#move();
  }

  /** To the front again: it was taken too early. */
  putBack(item: Passing): void {
    this.#items.unshift(item);
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#move();
  }

  /** All that wait, which are taken no more; the line moves again. */
  empty(): Passing[] {
    this.#isHeld = false;
    return this.#items.splice(0);
  }

  #move(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    try {
      while (!this.#isHeld) {
        const item = this.#items.shift();
        if (!item) return;
        this.#take(item);
      }
    } finally {
      this.#isMoving = false;
    }
  }
}

/** The same message again: a transaction repeats it while the first still waits. */
function isSame(a: Passing, b: Passing): boolean {
  const [x, y] = [a.message, b.message];
  if (a.side !== b.side || x.kind !== y.kind || x.topVia.branch !== y.topVia.branch) return false;
  if (x.cseq.sequence !== y.cseq.sequence || x.cseq.method !== y.cseq.method) return false;
  return x.kind === "request"
    ? x.method === (y as SipRequest).method
    : x.status === (y as SipResponse).status && x.to.tag === y.to.tag;
}
