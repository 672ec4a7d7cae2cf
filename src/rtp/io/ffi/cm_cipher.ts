import { sizeOf } from "./arena.ts";
import {
  type CipherMemory,
  indexAt,
  LibcryptoCipher,
  RTCP_KEYS,
  swap32,
} from "./libcrypto_cipher.ts";
import type { ProfileFacts, SessionKeys } from "./srtp_keys.ts";

const RTCP_HEADER = 8;
const INDEX = 4;
const BLOCK = 64;
const DIGEST_LENGTH = sizeOf(20);
/** Words of SHA_CTX after a whole block that differ from key to key: the five of the state. */
const STATE = 5;
/** Then the message length in bits, low and high word; behind the empty block, its fill. */
const LENGTH_AT = 5;
const FILL_AT = 23;
/**
 * Key words of one protocol: SHA-1's state after both padded keys, and the salt as it lies in
 * memory.
 */
const INNER = 0;
const OUTER = 5;
const SALT = 10;

/** AES_CM_128_HMAC_SHA1_80 and _32 (RFC 3711 4.1.1, 4.2.1) by libcrypto: six calls a packet. */
export class CmCipher extends LibcryptoCipher {
  readonly #rtp: bigint;
  readonly #control: bigint;

  constructor(memory: CipherMemory, facts: ProfileFacts, rtp: SessionKeys, rtcp: SessionKeys) {
    super(memory, facts.rtpTag, INDEX + facts.rtcpTag);
    const cipher = BigInt(memory.library.EVP_aes_128_ctr());
    this.#rtp = memory.context(cipher, rtp.encryption);
    this.#control = memory.controlContext(cipher);
    memory.storeControlKey(rtcp.encryption, this.keysAt);
    this.#prepare(rtp, this.keysAt);
    this.#prepare(rtcp, this.keysAt + RTCP_KEYS);
  }

  /** Fills the key words at `at`. */
  #prepare(keys: SessionKeys, at: number): void {
    const { memory } = this;
    const { library, bytes, words, work, sha1Address } = memory;
    const workAddress = memory.arena.address(work);
    for (const [state, pad] of [[INNER, 0x36], [OUTER, 0x5c]] as const) {
      for (let i = 0; i < BLOCK; i++) bytes[work + i] = (keys.authentication[i] ?? 0) ^ pad;
      library.SHA1_Init(sha1Address);
      library.SHA1_Update(sha1Address, workAddress, sizeOf(BLOCK));
      for (let i = 0; i < STATE; i++) memory.keys[at + state + i] = words[(memory.sha1 >> 2) + i]!;
    }
    bytes.fill(0, work, work + BLOCK);
    memory.store(keys.salt, at + SALT);
  }

  protected seal(offset: number, header: number, length: number, counter: number): number {
    this.#cryptRtp(offset, header, length, counter);
    this.#authenticateRtp(offset, length, counter);
    return this.#putTag(offset, length, this.rtpTagLength);
  }

  protected open(offset: number, header: number, length: number, counter: number): number {
    const plain = length - this.rtpTagLength;
    this.#authenticateRtp(offset, plain, counter);
    if (!this.#tagFits(offset + plain, this.rtpTagLength)) return -1;
    this.#cryptRtp(offset, header, plain, counter);
    return plain;
  }

  protected sealControl(offset: number, length: number, index: number): number {
    const { bytes } = this.memory;
    this.#cryptRtcp(offset, length, index);
    const at = offset + length;
    bytes[at] = (index >>> 24) | 0x80;
    bytes[at + 1] = index >>> 16;
    bytes[at + 2] = index >>> 8;
    bytes[at + 3] = index;
    this.#authenticate(this.keysAt + RTCP_KEYS, offset, length + INDEX);
    return this.#putTag(offset, length + INDEX, this.rtcpTrailerLength - INDEX);
  }

  protected openControl(offset: number, length: number): number {
    const { bytes } = this.memory;
    const plain = length - this.rtcpTrailerLength;
    this.#authenticate(this.keysAt + RTCP_KEYS, offset, plain + INDEX);
    const at = offset + plain;
    if (!this.#tagFits(at + INDEX, this.rtcpTrailerLength - INDEX)) return -1;
    if ((bytes[at]! & 0x80) !== 0) this.#cryptRtcp(offset, plain, indexAt(bytes, at));
    return plain;
  }

  rtcpIndex(buffer: Uint8Array, offset: number, length: number): number {
    return indexAt(buffer, offset + length - this.rtcpTrailerLength);
  }

  protected free(): void {
    this.memory.library.EVP_CIPHER_CTX_free(this.#rtp);
  }

  /** IV: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16). */
  #cryptRtp(offset: number, header: number, length: number, counter: number): void {
    const { bytes, words, keys, iv } = this.memory;
    const salt = this.keysAt + SALT;
    const at = iv >> 2;
    words[at] = keys[salt]!;
    words[at + 1] = keys[salt + 1]! ^ words[(offset + 8) >> 2]!;
    words[at + 2] = keys[salt + 2]! ^ swap32(counter);
    words[at + 3] = keys[salt + 3]! ^ (bytes[offset + 2]! | (bytes[offset + 3]! << 8));
    this.#crypt(this.#rtp, 0n, offset + header, length - header);
  }

  #cryptRtcp(offset: number, length: number, index: number): void {
    const { words, keys, iv } = this.memory;
    const salt = this.keysAt + RTCP_KEYS + SALT;
    const at = iv >> 2;
    words[at] = keys[salt]!;
    words[at + 1] = keys[salt + 1]! ^ words[(offset + 4) >> 2]!;
    words[at + 2] = keys[salt + 2]! ^ swap32(index >>> 16);
    words[at + 3] = keys[salt + 3]! ^ swap32(index << 16);
    const key = this.memory.controlKey(this.keysAt);
    this.#crypt(this.#control, key, offset + RTCP_HEADER, length - RTCP_HEADER);
    this.memory.wipeControlKey();
  }

  /** @param key 0: the context has it */
  #crypt(context: bigint, key: bigint, offset: number, length: number): void {
    if (length <= 0) return;
    const { library, arena, ivAddress, writtenAddress } = this.memory;
    const at = arena.address(offset);
    library.EVP_EncryptInit_ex(context, 0n, 0n, key, ivAddress);
    library.EVP_EncryptUpdate(context, at, writtenAddress, at, length);
  }

  /**
   * The rollover counter stands behind the packet for the time of the hash, where the tag will be.
   */
  #authenticateRtp(offset: number, length: number, counter: number): void {
    const { bytes } = this.memory;
    const at = offset + length;
    const a = bytes[at]!;
    const b = bytes[at + 1]!;
    const c = bytes[at + 2]!;
    const d = bytes[at + 3]!;
    bytes[at] = counter >>> 24;
    bytes[at + 1] = counter >>> 16;
    bytes[at + 2] = counter >>> 8;
    bytes[at + 3] = counter;
    this.#authenticate(this.keysAt, offset, length + 4);
    bytes[at] = a;
    bytes[at + 1] = b;
    bytes[at + 2] = c;
    bytes[at + 3] = d;
  }

  /** HMAC-SHA1 into `memory.digest`, by the key words at `at`. */
  #authenticate(at: number, offset: number, length: number): void {
    const { library, arena, sha1Address, digestAddress } = this.memory;
    this.#restore(at + INNER);
    library.SHA1_Update(sha1Address, arena.address(offset), sizeOf(length));
    library.SHA1_Final(digestAddress, sha1Address);
    this.#restore(at + OUTER);
    library.SHA1_Update(sha1Address, digestAddress, DIGEST_LENGTH);
    library.SHA1_Final(digestAddress, sha1Address);
  }

  #restore(state: number): void {
    const { words, keys, sha1 } = this.memory;
    const at = sha1 >> 2;
    for (let i = 0; i < STATE; i++) words[at + i] = keys[state + i]!;
    words[at + LENGTH_AT] = BLOCK * 8;
    words[at + LENGTH_AT + 1] = 0;
    words[at + FILL_AT] = 0;
  }

  #putTag(offset: number, length: number, tag: number): number {
    const { bytes, digest } = this.memory;
    for (let i = 0; i < tag; i++) bytes[offset + length + i] = bytes[digest + i]!;
    return length + tag;
  }

  /** Takes the same time whatever differs. */
  #tagFits(at: number, tag: number): boolean {
    const { bytes, digest } = this.memory;
    let difference = 0;
    for (let i = 0; i < tag; i++) difference |= bytes[at + i]! ^ bytes[digest + i]!;
    return difference === 0;
  }
}
