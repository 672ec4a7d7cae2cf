import { int16, putInt16 } from "./bytes.ts";
import type { StreamSource } from "./out_streams.ts";

/** One-byte and two-byte forms of header extensions (RFC 8285 4.2, 4.3). */
const ONE_BYTE = 0xbede;
const TWO_BYTE = 0x1000;
/**
 * Packets that may be under way unreported when the source changes. Numbers left out are taken for
 * lost packets of a sender that knows nothing of them.
 */
const MARGIN = 512;

/**
 * Where the data of an extension element begins, or -1. The header has been checked.
 * @param offset start of the RTP packet
 */
export function findExtension(buffer: Uint8Array, offset: number, id: number): number {
  const first = buffer[offset]!;
  if ((first & 0x10) === 0) return -1;
  let at = offset + 12 + 4 * (first & 15);
  const form = int16(buffer, at);
  const end = at + 4 + 4 * int16(buffer, at + 2);
  at += 4;
  const isOneByte = form === ONE_BYTE;
  if (!isOneByte && (form & 0xfff0) !== TWO_BYTE) return -1;
  while (at < end) {
    const head = buffer[at]!;
    if (head === 0) {
      at++;
      continue;
    }
    const element = isOneByte ? head >>> 4 : head;
    if (isOneByte && element === 15) return -1;
    const length = isOneByte ? (head & 15) + 1 : buffer[at + 1]!;
    at += isOneByte ? 1 : 2;
    if (at + length > end) return -1;
    if (element === id) return length >= 2 ? at : -1;
    at += length;
  }
  return -1;
}

export interface WidePlace {
  readonly words: Int32Array;
  readonly at: number;
  /** The word that says that others are being changed. */
  readonly busy: number;
}

/** Words of the state that another worker goes on with. */
const SOURCE = 0;
const OFFSET = 1;

/**
 * Transport-wide sequence numbers towards one far end: when the source changes they go on where the
 * old one's were, and feedback is counted back
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01).
 */
export class TransportWide {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #busy: number;
  #highest = -1;

  /** @param place two words: the source, and what is added to its numbers */
  constructor(place: WidePlace = { words: new Int32Array(3), at: 0, busy: 2 }) {
    this.#words = place.words;
    this.#at = place.at;
    this.#busy = place.busy;
  }

  /** @param reported newest number that the far end has reported on, or -1 */
  rtp(
    buffer: Uint8Array,
    offset: number,
    id: number,
    source: StreamSource,
    reported: number,
  ): void {
    const at = findExtension(buffer, offset, id);
    if (at < 0) return;
    const number = int16(buffer, at);
    const words = this.#words;
    if (source.id !== words[this.#at + SOURCE]) {
      const start = this.#highest >= 0
        ? this.#highest + 1
        : reported >= 0
        ? reported + MARGIN
        : number;
      words[this.#busy] = 1;
      words[this.#at + OFFSET] = (start - number) & 0xffff;
      words[this.#at + SOURCE] = source.id;
      words[this.#busy] = 0;
    }
    const out = (number + words[this.#at + OFFSET]!) & 0xffff;
    putInt16(buffer, at, out);
    if (this.#highest < 0 || ((out - this.#highest) & 0xffff) < 0x8000) this.#highest = out;
  }

  /** What the source called this number, or null where it is not the source. */
  original(number: number, source: StreamSource): number | null {
    const words = this.#words;
    if (source.id !== words[this.#at + SOURCE]) return null;
    return (number - words[this.#at + OFFSET]!) & 0xffff;
  }
}
