import { EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG } from "./libcrypto.ts";
import {
  type CipherMemory,
  indexAt,
  LibcryptoCipher,
  RTCP_KEYS,
  swap32,
} from "./libcrypto_cipher.ts";
import type { SessionKeys } from "./srtp_keys.ts";

const TAG = 16;
const RTCP_HEADER = 8;
const INDEX = 4;
/** Key words of one protocol: the salt, as bytes of the IV and as they lie in memory. */
const SALT = 0;
/** What libcrypto takes for the two directions of a cipher. */
const ENCRYPT = 1;
const DECRYPT = 0;

/** AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714 8, 9) by libcrypto: five calls a packet. */
export class GcmCipher extends LibcryptoCipher {
  readonly #rtp: bigint;
  readonly #control: bigint;

  constructor(memory: CipherMemory, rtp: SessionKeys, rtcp: SessionKeys) {
    super(memory, TAG, TAG + INDEX);
    const { library } = memory;
    const isLong = rtp.encryption.length === 32;
    const cipher = BigInt(isLong ? library.EVP_aes_256_gcm() : library.EVP_aes_128_gcm());
    this.#rtp = memory.context(cipher, rtp.encryption);
    this.#control = memory.controlContext(cipher);
    memory.store(rtp.salt, this.keysAt + SALT);
    memory.store(rtcp.salt, this.keysAt + RTCP_KEYS + SALT);
    memory.storeControlKey(rtcp.encryption, this.keysAt);
  }

  protected seal(offset: number, header: number, length: number, counter: number): number {
    this.#setIv(this.keysAt, offset + 8, counter, this.#sequence(offset));
    this.#encrypt(this.#rtp, 0n, offset, header, offset + header, length - header, -1);
    this.#copyTag(this.memory.digest, offset + length);
    return length + TAG;
  }

  protected open(offset: number, header: number, length: number, counter: number): number {
    const plain = length - TAG;
    this.#setIv(this.keysAt, offset + 8, counter, this.#sequence(offset));
    this.#copyTag(offset + plain, this.memory.digest);
    const isRight = this.#decrypt(
      this.#rtp,
      0n,
      offset,
      header,
      offset + header,
      plain - header,
      -1,
    );
    return isRight ? plain : -1;
  }

  /** The index word, authenticated but not encrypted, comes last (RFC 7714 9.2). */
  protected sealControl(offset: number, length: number, index: number): number {
    const { bytes } = this.memory;
    const at = offset + length + TAG;
    bytes[at] = (index >>> 24) | 0x80;
    bytes[at + 1] = index >>> 16;
    bytes[at + 2] = index >>> 8;
    bytes[at + 3] = index;
    this.#setIv(this.keysAt + RTCP_KEYS, offset + 4, index >>> 16, index & 0xffff);
    const body = offset + RTCP_HEADER;
    const key = this.memory.controlKey(this.keysAt);
    this.#encrypt(this.#control, key, offset, RTCP_HEADER, body, length - RTCP_HEADER, at);
    this.memory.wipeControlKey();
    this.#copyTag(this.memory.digest, offset + length);
    return length + TAG + INDEX;
  }

  protected openControl(offset: number, length: number): number {
    const { bytes, digest } = this.memory;
    const plain = length - TAG - INDEX;
    const at = offset + length - INDEX;
    const index = indexAt(bytes, at);
    this.#setIv(this.keysAt + RTCP_KEYS, offset + 4, index >>> 16, index & 0xffff);
    this.#copyTag(offset + plain, digest);
    const isEncrypted = (bytes[at]! & 0x80) !== 0;
    const header = isEncrypted ? RTCP_HEADER : plain;
    const body = offset + header;
    const key = this.memory.controlKey(this.keysAt);
    const isRight = this.#decrypt(this.#control, key, offset, header, body, plain - header, at);
    this.memory.wipeControlKey();
    return isRight ? plain : -1;
  }

  rtcpIndex(buffer: Uint8Array, offset: number, length: number): number {
    return indexAt(buffer, offset + length - INDEX);
  }

  protected free(): void {
    this.memory.library.EVP_CIPHER_CTX_free(this.#rtp);
  }

  #sequence(offset: number): number {
    const { bytes } = this.memory;
    return (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
  }

  /**
   * RFC 7714 8.1 and 9.1: two zero bytes, SSRC, and 48 bits of index, XOR salt. The SSRC lies
   * across the words of the IV.
   * @param ssrcAt where it lies in the packet
   * @param high the index's upper 32 bits, `low` its lower 16
   */
  #setIv(keysAt: number, ssrcAt: number, high: number, low: number): void {
    const { words, keys, iv } = this.memory;
    const ssrc = words[ssrcAt >> 2]!;
    const swapped = swap32(high);
    const at = iv >> 2;
    words[at] = keys[keysAt]! ^ (ssrc << 16);
    words[at + 1] = keys[keysAt + 1]! ^ (ssrc >>> 16) ^ (swapped << 16);
    words[at + 2] = keys[keysAt + 2]! ^ (swapped >>> 16) ^ swap32(low);
  }

  #encrypt(
    context: bigint,
    key: bigint,
    aad: number,
    aadLength: number,
    at: number,
    length: number,
    index: number,
  ): void {
    const { library, writtenAddress, digestAddress } = this.memory;
    this.#update(ENCRYPT, context, key, aad, aadLength, at, length, index);
    library.EVP_EncryptFinal_ex(context, digestAddress, writtenAddress);
    library.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, digestAddress);
  }

  #decrypt(
    context: bigint,
    key: bigint,
    aad: number,
    aadLength: number,
    at: number,
    length: number,
    index: number,
  ): boolean {
    const { library, writtenAddress, digestAddress } = this.memory;
    this.#update(DECRYPT, context, key, aad, aadLength, at, length, index);
    library.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, digestAddress);
    // Nothing is left to be written; a wrong tag gives 0 or less.
    return library.EVP_DecryptFinal_ex(context, digestAddress, writtenAddress) > 0;
  }

  /**
   * All but the tag, either way.
   * @param key 0: the context has it
   * @param index where the RTCP index word lies, associated data behind the header; -1: none
   */
  #update(
    direction: typeof ENCRYPT | typeof DECRYPT,
    context: bigint,
    key: bigint,
    aad: number,
    aadLength: number,
    at: number,
    length: number,
    index: number,
  ): void {
    const { library, arena, ivAddress, writtenAddress } = this.memory;
    library.EVP_CipherInit_ex(context, 0n, 0n, key, ivAddress, direction);
    library.EVP_CipherUpdate(context, 0n, writtenAddress, arena.address(aad), aadLength);
    if (index >= 0) {
      library.EVP_CipherUpdate(context, 0n, writtenAddress, arena.address(index), INDEX);
    }
    if (length > 0) {
      const body = arena.address(at);
      library.EVP_CipherUpdate(context, body, writtenAddress, body, length);
    }
  }

  #copyTag(from: number, to: number): void {
    const { bytes } = this.memory;
    for (let i = 0; i < TAG; i++) bytes[to + i] = bytes[from + i]!;
  }
}
