/** Offsets whose addresses are kept: of each fourth byte. Headers and slots are multiples of 4. */
const ALIGNMENT = 4;
/** Largest length that is kept as a BigInt; longer than any datagram we take. */
const MAX_LENGTH = 4096;

/**
 * Memory that system calls and libcrypto work in. A native address is a BigInt that is made once:
 * for a `u64` parameter that stays on the fast call path (about 15 ns), a number does not (45 ns
 * and more). The backing store of an ArrayBuffer is never moved.
 */
export class Arena {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly int32: Int32Array;
  readonly uint16: Uint16Array;
  readonly view: DataView;
  readonly #base: bigint;
  readonly #addresses: (bigint | undefined)[];
  #top = 0;

  constructor(size: number) {
    const buffer = new ArrayBuffer(Math.ceil(size / 8) * 8);
    this.bytes = new Uint8Array(buffer);
    this.int32 = new Int32Array(buffer);
    this.uint16 = new Uint16Array(buffer);
    this.view = new DataView(buffer);
    this.#base = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.bytes)));
    this.#addresses = new Array(Math.ceil(size / ALIGNMENT)).fill(undefined);
  }

  /** Room for `size` bytes; gives its offset. Nothing is ever given back. */
  allocate(size: number, alignment = 8): number {
    const offset = Math.ceil(this.#top / alignment) * alignment;
    this.#top = offset + size;
    if (this.#top > this.bytes.length) throw new Error(`arena of ${this.bytes.length} is full`);
    return offset;
  }

  address(offset: number): bigint {
    if ((offset & (ALIGNMENT - 1)) !== 0) return this.#base + BigInt(offset);
    return this.#addresses[offset >> 2] ??= this.#base + BigInt(offset);
  }

  /** Writes a native pointer to what lies at `target`. */
  setPointer(at: number, target: number): void {
    this.view.setBigUint64(at, this.address(target), true);
  }
}

const LENGTHS: readonly bigint[] = Array.from({ length: MAX_LENGTH + 1 }, (_, i) => BigInt(i));

/** A length for a `size_t` parameter. */
export function sizeOf(length: number): bigint {
  return LENGTHS[length] ?? BigInt(length);
}
