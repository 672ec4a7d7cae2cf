import { HANDSHAKE_HEADER, MESSAGE, uint16, uint24 } from "./records.ts";

/** No message of a browser comes near this; a certificate of 4,096 bits takes 2 KB. */
const MAX_MESSAGE = 16_384;
/**
 * What a client sends in the clear, by message sequence: a second ClientHello with the cookie is
 * always asked for, and so is a certificate. Anything else is not from a client of ours.
 */
export const ORDER_WITH_COOKIE: readonly number[] = [
  MESSAGE.clientHello,
  MESSAGE.clientHello,
  MESSAGE.certificate,
  MESSAGE.clientKeyExchange,
  MESSAGE.certificateVerify,
];

/** The same where no cookie is asked for. */
export const ORDER_WITHOUT_COOKIE: readonly number[] = ORDER_WITH_COOKIE.slice(1);

/** A message that is coming in. */
interface Partial {
  readonly type: number;
  /** Header (as though never fragmented) and body. */
  readonly bytes: Uint8Array;
  /** Which bytes of the body are there. */
  readonly has: Uint8Array;
  missing: number;
}

export interface ClientMessage {
  readonly type: number;
  /** Header (fragment offset 0, fragment length all) and body. */
  readonly bytes: Uint8Array;
  /** It was given out before: the client has not got our answer. */
  readonly repeated: boolean;
}

/**
 * Puts a client's handshake messages together from fragments that come in any order, twice or in
 * pieces (RFC 6347 4.2.3), and gives each out once, in order. The DTLS library that gets them takes
 * a repetition for news: a second ClientKeyExchange makes it derive other keys.
 */
export class ClientMessages {
  readonly #order: readonly number[];
  #next = 0;
  readonly #partial = new Map<number, Partial>();
  /** The last ClientHello, given out again when it comes again. */
  #hello: { readonly sequence: number; readonly bytes: Uint8Array } | null = null;

  constructor(order: readonly number[] = ORDER_WITH_COOKIE) {
    this.#order = order;
  }

  /** Takes the fragment of a plaintext handshake record; gives what can now be passed on. */
  take(fragment: Uint8Array): ClientMessage[] {
    const ready: ClientMessage[] = [];
    for (let at = 0; at + HANDSHAKE_HEADER <= fragment.length;) {
      const length = uint24(fragment, at + 1);
      const sequence = uint16(fragment, at + 4);
      const offset = uint24(fragment, at + 6);
      const size = uint24(fragment, at + 9);
      const body = at + HANDSHAKE_HEADER;
      const isSound = length <= MAX_MESSAGE && offset + size <= length &&
        body + size <= fragment.length && fragment[at] === this.#order[sequence];
      if (!isSound) break;
      if (sequence < this.#next) this.#again(sequence, offset + size === length, ready);
      else this.#add(fragment[at]!, sequence, length, offset, fragment.subarray(body, body + size));
      at = body + size;
    }
    this.#release(ready);
    return ready;
  }

  #again(sequence: number, isEnd: boolean, ready: ClientMessage[]): void {
    const hello = this.#hello;
    // Once something newer is there, the repetition is only late.
    if (!isEnd || hello === null || hello.sequence !== sequence || sequence !== this.#next - 1) {
      return;
    }
    ready.push({ type: MESSAGE.clientHello, bytes: hello.bytes, repeated: true });
  }

  #add(type: number, sequence: number, length: number, offset: number, body: Uint8Array): void {
    let partial = this.#partial.get(sequence);
    if (partial === undefined) {
      const bytes = new Uint8Array(HANDSHAKE_HEADER + length);
      const size = [length >>> 16, length >>> 8, length];
      bytes.set([type, ...size, sequence >>> 8, sequence, 0, 0, 0, ...size]);
      partial = { type, bytes, has: new Uint8Array(length), missing: length };
      this.#partial.set(sequence, partial);
    } else if (partial.type !== type || partial.has.length !== length) return;
    for (let i = 0; i < body.length; i++) {
      if (partial.has[offset + i] === 1) continue;
      partial.has[offset + i] = 1;
      partial.bytes[HANDSHAKE_HEADER + offset + i] = body[i]!;
      partial.missing--;
    }
  }

  #release(ready: ClientMessage[]): void {
    for (;;) {
      const partial = this.#partial.get(this.#next);
      if (partial === undefined || partial.missing > 0) return;
      this.#partial.delete(this.#next);
      if (partial.type === MESSAGE.clientHello) {
        this.#hello = { sequence: this.#next, bytes: partial.bytes };
      }
      this.#next++;
      ready.push({ type: partial.type, bytes: partial.bytes, repeated: false });
    }
  }
}
