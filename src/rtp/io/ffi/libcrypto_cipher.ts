import type { SrtpCipher } from "../../srtp/cipher.ts";
import { MAX_SRTP_OVERHEAD } from "../../srtp/cipher.ts";
import type { Arena } from "./arena.ts";
import type { Libcrypto } from "./libcrypto.ts";
import { WORK_LENGTH } from "./srtp_keys.ts";

/** Longest packet that is taken from a foreign buffer. */
const MAX_PACKET = 4096;
/** Size of SHA_CTX; what follows shows a larger one before it does harm. */
const SHA1_CONTEXT = 96;
const SHA1_GUARD = 160;
/** Words of key material of one cipher: a line of the processor's cache for RTP, two for RTCP. */
export const KEY_WORDS = 48;
/** Where RTCP's begin: what RTP has at the same places, then the encryption key. */
export const RTCP_KEYS = 16;
const RTCP_CIPHER_KEY = 32;

/**
 * What all ciphers of a worker share, for only one of them works at a time: pieces of the arena,
 * and the key material of each in one array, so that a packet touches little memory.
 */
export class CipherMemory {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Offsets in the arena, and their addresses. */
  readonly iv: number;
  readonly ivAddress: bigint;
  readonly digest: number;
  readonly digestAddress: bigint;
  readonly sha1: number;
  readonly sha1Address: bigint;
  readonly writtenAddress: bigint;
  readonly work: number;
  readonly bounce: number;
  keys = new Int32Array(KEY_WORDS * 64);
  /** Contexts of `controlContext`. */
  readonly #control = new Map<bigint, bigint>();
  readonly #free: number[] = [];
  #end = 0;

  constructor(readonly library: Libcrypto, readonly arena: Arena) {
    this.bytes = arena.bytes;
    this.words = arena.int32;
    this.iv = arena.allocate(16, 64);
    this.ivAddress = arena.address(this.iv);
    this.digest = arena.allocate(32);
    this.digestAddress = arena.address(this.digest);
    this.sha1 = arena.allocate(SHA1_CONTEXT + SHA1_GUARD, 64);
    this.sha1Address = arena.address(this.sha1);
    this.writtenAddress = arena.address(arena.allocate(8));
    this.work = arena.allocate(WORK_LENGTH);
    this.bounce = arena.allocate(MAX_PACKET + MAX_SRTP_OVERHEAD);
  }

  /** Whether SHA-1 has kept to the room that its context has. */
  guardHolds(): boolean {
    const at = this.sha1 + SHA1_CONTEXT;
    return this.bytes.subarray(at, at + SHA1_GUARD).every((byte) => byte === 0);
  }

  /** A new cipher context, keyed: for RTP, which has one of its own in each direction. */
  context(cipher: bigint, key: Uint8Array): bigint {
    const { library, bytes, work } = this;
    const context = BigInt(library.EVP_CIPHER_CTX_new());
    if (context === 0n) throw new Error("libcrypto has no memory for a cipher");
    bytes.set(key, work);
    library.EVP_EncryptInit_ex(context, cipher, 0n, this.arena.address(work), 0n);
    bytes.fill(0, work, work + key.length);
    return context;
  }

  /** The context for all RTCP of one kind of cipher: it is rare, so it is keyed for each packet. */
  controlContext(cipher: bigint): bigint {
    let context = this.#control.get(cipher);
    if (context === undefined) {
      context = BigInt(this.library.EVP_CIPHER_CTX_new());
      if (context === 0n) throw new Error("libcrypto has no memory for a cipher");
      this.library.EVP_EncryptInit_ex(context, cipher, 0n, 0n, 0n);
      this.#control.set(cipher, context);
    }
    return context;
  }

  /** Puts bytes, such as a salt, into the key words at `at`. */
  store(bytes: Uint8Array, at: number): void {
    const { work } = this;
    this.bytes.fill(0, work, work + 32);
    this.bytes.set(bytes, work);
    const words = Math.ceil(bytes.length / 4);
    for (let i = 0; i < words; i++) this.keys[at + i] = this.words[(work >> 2) + i]!;
    this.bytes.fill(0, work, work + 32);
  }

  storeControlKey(key: Uint8Array, at: number): void {
    this.store(key, at + RTCP_CIPHER_KEY);
  }

  /** Puts the RTCP key of the cipher at `at` into the arena; gives its address. */
  controlKey(at: number): bigint {
    const { words, keys, work } = this;
    for (let i = 0; i < 8; i++) words[(work >> 2) + i] = keys[at + RTCP_CIPHER_KEY + i]!;
    return this.arena.address(work);
  }

  wipeControlKey(): void {
    this.bytes.fill(0, this.work, this.work + 32);
  }

  /** Where `KEY_WORDS` words of `keys` are free. */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const at = this.#end;
    this.#end += KEY_WORDS;
    if (this.#end > this.keys.length) {
      const keys = new Int32Array(this.keys.length * 2);
      keys.set(this.keys);
      this.keys.fill(0);
      this.keys = keys;
    }
    return at;
  }

  give(at: number): void {
    this.keys.fill(0, at, at + KEY_WORDS);
    this.#free.push(at);
  }
}

/**
 * Takes packets of any buffer: those that do not lie in the arena, at a multiple of 4, by way of a
 * copy. What is left to the two kinds of cipher works on offsets of the arena.
 */
export abstract class LibcryptoCipher implements SrtpCipher {
  readonly rtpTagLength: number;
  readonly rtcpTrailerLength: number;
  protected readonly memory: CipherMemory;
  /** Where in `memory.keys` this one's material lies. */
  protected readonly keysAt: number;
  #isClosed = false;

  constructor(memory: CipherMemory, rtpTagLength: number, rtcpTrailerLength: number) {
    this.memory = memory;
    this.rtpTagLength = rtpTagLength;
    this.rtcpTrailerLength = rtcpTrailerLength;
    this.keysAt = memory.take();
  }

  protected abstract seal(at: number, header: number, length: number, counter: number): number;
  protected abstract open(at: number, header: number, length: number, counter: number): number;
  protected abstract sealControl(at: number, length: number, index: number): number;
  protected abstract openControl(at: number, length: number): number;
  protected abstract free(): void;

  sealRtp(buffer: Uint8Array, offset: number, header: number, length: number, roc: number): number {
    if (this.#isHere(buffer, offset)) return this.seal(offset, header, length, roc);
    const at = this.#copyIn(buffer, offset, length);
    return this.#copyOut(buffer, offset, this.seal(at, header, length, roc));
  }

  openRtp(buffer: Uint8Array, offset: number, header: number, length: number, roc: number): number {
    if (this.#isHere(buffer, offset)) return this.open(offset, header, length, roc);
    const at = this.#copyIn(buffer, offset, length);
    return this.#copyOut(buffer, offset, this.open(at, header, length, roc));
  }

  sealRtcp(buffer: Uint8Array, offset: number, length: number, index: number): number {
    if (this.#isHere(buffer, offset)) return this.sealControl(offset, length, index);
    const at = this.#copyIn(buffer, offset, length);
    return this.#copyOut(buffer, offset, this.sealControl(at, length, index));
  }

  openRtcp(buffer: Uint8Array, offset: number, length: number): number {
    if (this.#isHere(buffer, offset)) return this.openControl(offset, length);
    const at = this.#copyIn(buffer, offset, length);
    return this.#copyOut(buffer, offset, this.openControl(at, length));
  }

  abstract rtcpIndex(buffer: Uint8Array, offset: number, length: number): number;

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.memory.give(this.keysAt);
    this.free();
  }

  #isHere(buffer: Uint8Array, offset: number): boolean {
    return buffer === this.memory.bytes && (offset & 3) === 0;
  }

  #copyIn(buffer: Uint8Array, offset: number, length: number): number {
    if (length > MAX_PACKET) throw new Error(`a packet of ${length} bytes, at most ${MAX_PACKET}`);
    const { bytes, bounce } = this.memory;
    bytes.set(buffer.subarray(offset, offset + length), bounce);
    return bounce;
  }

  #copyOut(buffer: Uint8Array, offset: number, length: number): number {
    const { bytes, bounce } = this.memory;
    if (length >= 0) buffer.set(bytes.subarray(bounce, bounce + length), offset);
    return length;
  }
}

/** The 31-bit index in the word at `at`, its flag apart. */
export function indexAt(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! & 0x7f) << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) |
    buffer[at + 3]!;
}

/** Big-endian to the machine's little-endian words, and back. */
export function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}
