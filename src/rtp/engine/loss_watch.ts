import type { Instant } from "../../core/clock.ts";

/** A packet that is missing for less than this may just be out of order, ms. */
export const REORDERING = 20;
/** A packet that was asked for is asked for again after this long, ms, and so many times. */
export const RETRY = 100;
const MAX_TRIES = 3;
/** Reports of losses go out this far apart at least, ms. */
const PAUSE = 20;
/** Packets missed at a time; with more than these nothing but a key frame helps. */
const MAX_MISSING = 64;
/** Numbers that are still the same stream, RFC 3550 A.1. */
const MAX_DROPOUT = 3000;

interface Missing {
  readonly sequence: number;
  readonly since: Instant;
  tries: number;
  askedAt: Instant;
}

/** What to do about packets that are missing. */
export interface LossAdvice {
  /** Numbers to ask the sender for, in its own counting. */
  readonly ask: readonly number[];
  /** The rest is beyond repair: the picture needs a new beginning. */
  readonly isBroken: boolean;
}

const NOTHING: LossAdvice = { ask: [], isBroken: false };

/**
 * Losses of one video stream, seen as its packets come: which to ask for (RFC 4585 6.2.1), and when
 * asking is of no use.
 */
export class LossWatch {
  #ssrc = 0;
  #highest = -1;
  #missing: Missing[] = [];
  #lookedAt: Instant = -Infinity;

  /**
   * A packet came, in whatever order; gives what there is to do now.
   * @param canRepeat the sender keeps packets for a while and understands who asks for them
   */
  packet(ssrc: number, sequence: number, canRepeat: boolean, now: Instant): LossAdvice {
    const ahead = (sequence - this.#highest) & 0xffff;
    if (ssrc !== this.#ssrc || this.#highest < 0 || (ahead >= MAX_DROPOUT && ahead < 0x8000)) {
      this.#ssrc = ssrc;
      this.#highest = sequence;
      this.#missing.length = 0;
      return NOTHING;
    }
    if (ahead >= 0x8000 || ahead === 0) {
      const at = this.#missing.findIndex((one) => one.sequence === sequence);
      if (at >= 0) this.#missing.splice(at, 1);
    } else {
      const isTooMuch = this.#missing.length + ahead - 1 > MAX_MISSING;
      if (isTooMuch) this.#missing.length = 0;
      for (let i = 1; i < ahead && !isTooMuch; i++) {
        const one = (this.#highest + i) & 0xffff;
        this.#missing.push({ sequence: one, since: now, tries: 0, askedAt: -Infinity });
      }
      this.#highest = sequence;
      if (isTooMuch) return { ask: [], isBroken: true };
    }
    if (this.#missing.length === 0 || now - this.#lookedAt < PAUSE) return NOTHING;
    this.#lookedAt = now;
    return this.#look(canRepeat, now);
  }

  /** Whether we have asked for it ourselves, so that nobody else has to. */
  isAsked(sequence: number): boolean {
    return this.#missing.some((one) => one.sequence === sequence && one.tries > 0);
  }

  #look(canRepeat: boolean, now: Instant): LossAdvice {
    const ask: number[] = [];
    const before = this.#missing.length;
    this.#missing = this.#missing.filter((one) => {
      if (!canRepeat) return now - one.since < RETRY;
      if (now - one.since < REORDERING || now - one.askedAt < RETRY) return true;
      if (one.tries >= MAX_TRIES) return false;
      one.tries++;
      one.askedAt = now;
      ask.push(one.sequence);
      return true;
    });
    return { ask, isBroken: this.#missing.length < before };
  }
}

/** Numbers in ascending order as items of a NACK: one, and which of the 16 after it. */
export function nackItems(sequences: readonly number[]): [number, number][] {
  const items: [number, number][] = [];
  for (const sequence of sequences) {
    const last = items.at(-1);
    const distance = last ? (sequence - last[0]) & 0xffff : 0;
    if (last && distance >= 1 && distance <= 16) last[1] |= 1 << (distance - 1);
    else items.push([sequence, 0]);
  }
  return items;
}
