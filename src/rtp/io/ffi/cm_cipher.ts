import type { Arena } from "./arena.ts";
import { sizeOf } from "./arena.ts";
import type { Libcrypto } from "./libcrypto.ts";
import type { ArenaCipher, CipherMemory } from "./libcrypto_srtp.ts";
import type { ProfileFacts, SessionKeys } from "./srtp_keys.ts";

const RTCP_HEADER = 8;
const INDEX = 4;
const BLOCK = 64;
const DIGEST = 20;
/** Words of SHA_CTX after a whole block that differ from key to key: the five of the state. */
const STATE = 5;
/** Then the message length in bits, low and high word; behind the empty block, its fill. */
const LENGTH_AT = 5;
const FILL_AT = 23;

/** One protocol in one direction: a keyed cipher, the salt, and SHA-1 after both padded keys. */
class Half {
  readonly context: bigint;
  readonly salt: Uint8Array;
  readonly inner = new Int32Array(STATE);
  readonly outer = new Int32Array(STATE);

  constructor(library: Libcrypto, arena: Arena, memory: CipherMemory, keys: SessionKeys) {
    this.salt = keys.salt;
    this.context = BigInt(library.EVP_CIPHER_CTX_new());
    if (this.context === 0n) throw new Error("libcrypto has no memory for a cipher");
    arena.bytes.set(keys.encryption, memory.work);
    const cipher = BigInt(library.EVP_aes_128_ctr());
    library.EVP_EncryptInit_ex(this.context, cipher, 0n, arena.address(memory.work), 0n);
    const sha1 = arena.address(memory.sha1);
    for (const [state, pad] of [[this.inner, 0x36], [this.outer, 0x5c]] as const) {
      for (let i = 0; i < BLOCK; i++) {
        arena.bytes[memory.work + i] = (keys.authentication[i] ?? 0) ^ pad;
      }
      library.SHA1_Init(sha1);
      library.SHA1_Update(sha1, arena.address(memory.work), sizeOf(BLOCK));
      const at = memory.sha1 >> 2;
      for (let i = 0; i < STATE; i++) state[i] = arena.int32[at + i]!;
    }
    arena.bytes.fill(0, memory.work, memory.work + BLOCK);
  }
}

/** AES_CM_128_HMAC_SHA1_80 and _32 (RFC 3711 4.1.1, 4.2.1) by libcrypto: six calls a packet. */
export class CmCipher implements ArenaCipher {
  readonly rtpTagLength: number;
  readonly rtcpTrailerLength: number;
  readonly #library: Libcrypto;
  readonly #arena: Arena;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #rtp: Half;
  readonly #rtcp: Half;
  readonly #iv: number;
  readonly #ivAddress: bigint;
  readonly #digest: number;
  readonly #digestAddress: bigint;
  readonly #digestLength = sizeOf(DIGEST);
  /** Index of SHA_CTX among the words. */
  readonly #sha1: number;
  readonly #sha1Address: bigint;
  readonly #written: bigint;

  constructor(
    library: Libcrypto,
    arena: Arena,
    memory: CipherMemory,
    facts: ProfileFacts,
    rtp: SessionKeys,
    rtcp: SessionKeys,
  ) {
    this.rtpTagLength = facts.rtpTag;
    this.rtcpTrailerLength = INDEX + facts.rtcpTag;
    this.#library = library;
    this.#arena = arena;
    this.#bytes = arena.bytes;
    this.#words = arena.int32;
    this.#iv = memory.iv;
    this.#ivAddress = arena.address(memory.iv);
    this.#digest = memory.digest;
    this.#digestAddress = arena.address(memory.digest);
    this.#sha1 = memory.sha1 >> 2;
    this.#sha1Address = arena.address(memory.sha1);
    this.#written = arena.address(memory.written);
    this.#rtp = new Half(library, arena, memory, rtp);
    this.#rtcp = new Half(library, arena, memory, rtcp);
  }

  sealRtp(offset: number, header: number, length: number, rolloverCounter: number): number {
    this.#cryptRtp(offset, header, length, rolloverCounter);
    this.#authenticateRtp(offset, length, rolloverCounter);
    return this.#putTag(offset, length, this.rtpTagLength);
  }

  openRtp(offset: number, header: number, length: number, rolloverCounter: number): number {
    const plain = length - this.rtpTagLength;
    this.#authenticateRtp(offset, plain, rolloverCounter);
    if (!this.#tagFits(offset + plain, this.rtpTagLength)) return -1;
    this.#cryptRtp(offset, header, plain, rolloverCounter);
    return plain;
  }

  sealRtcp(offset: number, length: number, index: number): number {
    const bytes = this.#bytes;
    this.#cryptRtcp(offset, length, index);
    const at = offset + length;
    bytes[at] = (index >>> 24) | 0x80;
    bytes[at + 1] = index >>> 16;
    bytes[at + 2] = index >>> 8;
    bytes[at + 3] = index;
    this.#authenticate(this.#rtcp, offset, length + INDEX);
    return this.#putTag(offset, length + INDEX, this.rtcpTrailerLength - INDEX);
  }

  openRtcp(offset: number, length: number): number {
    const bytes = this.#bytes;
    const plain = length - this.rtcpTrailerLength;
    const tag = this.rtcpTrailerLength - INDEX;
    this.#authenticate(this.#rtcp, offset, plain + INDEX);
    const at = offset + plain;
    if (!this.#tagFits(at + INDEX, tag)) return -1;
    if ((bytes[at]! & 0x80) !== 0) {
      const index = ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) |
        bytes[at + 3]!;
      this.#cryptRtcp(offset, plain, index);
    }
    return plain;
  }

  close(): void {
    this.#library.EVP_CIPHER_CTX_free(this.#rtp.context);
    this.#library.EVP_CIPHER_CTX_free(this.#rtcp.context);
  }

  /** IV: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16). */
  #cryptRtp(offset: number, header: number, length: number, roc: number): void {
    const [bytes, iv, salt] = [this.#bytes, this.#iv, this.#rtp.salt];
    for (let i = 0; i < 4; i++) {
      bytes[iv + i] = salt[i]!;
      bytes[iv + 4 + i] = salt[4 + i]! ^ bytes[offset + 8 + i]!;
    }
    bytes[iv + 8] = salt[8]! ^ (roc >>> 24);
    bytes[iv + 9] = salt[9]! ^ (roc >>> 16);
    bytes[iv + 10] = salt[10]! ^ (roc >>> 8);
    bytes[iv + 11] = salt[11]! ^ roc;
    bytes[iv + 12] = salt[12]! ^ bytes[offset + 2]!;
    bytes[iv + 13] = salt[13]! ^ bytes[offset + 3]!;
    this.#crypt(this.#rtp, offset + header, length - header);
  }

  #cryptRtcp(offset: number, length: number, index: number): void {
    const [bytes, iv, salt] = [this.#bytes, this.#iv, this.#rtcp.salt];
    for (let i = 0; i < 4; i++) {
      bytes[iv + i] = salt[i]!;
      bytes[iv + 4 + i] = salt[4 + i]! ^ bytes[offset + 4 + i]!;
    }
    bytes[iv + 8] = salt[8]!;
    bytes[iv + 9] = salt[9]!;
    bytes[iv + 10] = salt[10]! ^ (index >>> 24);
    bytes[iv + 11] = salt[11]! ^ (index >>> 16);
    bytes[iv + 12] = salt[12]! ^ (index >>> 8);
    bytes[iv + 13] = salt[13]! ^ index;
    this.#crypt(this.#rtcp, offset + RTCP_HEADER, length - RTCP_HEADER);
  }

  #crypt(half: Half, offset: number, length: number): void {
    if (length <= 0) return;
    const library = this.#library;
    this.#bytes[this.#iv + 14] = 0;
    this.#bytes[this.#iv + 15] = 0;
    const at = this.#arena.address(offset);
    library.EVP_EncryptInit_ex(half.context, 0n, 0n, 0n, this.#ivAddress);
    library.EVP_EncryptUpdate(half.context, at, this.#written, at, length);
  }

  /** The rollover counter stands behind the packet for the time of the hash, where the tag will be. */
  #authenticateRtp(offset: number, length: number, roc: number): void {
    const bytes = this.#bytes;
    const at = offset + length;
    const [a, b, c, d] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
    bytes[at] = roc >>> 24;
    bytes[at + 1] = roc >>> 16;
    bytes[at + 2] = roc >>> 8;
    bytes[at + 3] = roc;
    this.#authenticate(this.#rtp, offset, length + 4);
    bytes[at] = a;
    bytes[at + 1] = b;
    bytes[at + 2] = c;
    bytes[at + 3] = d;
  }

  /** HMAC-SHA1 into `#digest`. */
  #authenticate(half: Half, offset: number, length: number): void {
    const library = this.#library;
    const sha1 = this.#sha1Address;
    this.#restore(half.inner);
    library.SHA1_Update(sha1, this.#arena.address(offset), sizeOf(length));
    library.SHA1_Final(this.#digestAddress, sha1);
    this.#restore(half.outer);
    library.SHA1_Update(sha1, this.#digestAddress, this.#digestLength);
    library.SHA1_Final(this.#digestAddress, sha1);
  }

  #restore(state: Int32Array): void {
    const [words, at] = [this.#words, this.#sha1];
    for (let i = 0; i < STATE; i++) words[at + i] = state[i]!;
    words[at + LENGTH_AT] = BLOCK * 8;
    words[at + LENGTH_AT + 1] = 0;
    words[at + FILL_AT] = 0;
  }

  #putTag(offset: number, length: number, tag: number): number {
    const bytes = this.#bytes;
    for (let i = 0; i < tag; i++) bytes[offset + length + i] = bytes[this.#digest + i]!;
    return length + tag;
  }

  /** Takes the same time whatever differs. */
  #tagFits(at: number, tag: number): boolean {
    const bytes = this.#bytes;
    let difference = 0;
    for (let i = 0; i < tag; i++) difference |= bytes[at + i]! ^ bytes[this.#digest + i]!;
    return difference === 0;
  }
}
