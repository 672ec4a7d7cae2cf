import type { Arena } from "./arena.ts";
import { EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG, type Libcrypto } from "./libcrypto.ts";
import type { ArenaCipher, CipherMemory } from "./libcrypto_srtp.ts";
import type { ProfileFacts, SessionKeys } from "./srtp_keys.ts";

const TAG = 16;
const RTCP_HEADER = 8;
const INDEX = 4;

/** One protocol in one direction. */
class Half {
  readonly context: bigint;
  readonly salt: Uint8Array;

  constructor(library: Libcrypto, arena: Arena, memory: CipherMemory, keys: SessionKeys) {
    this.salt = keys.salt;
    this.context = BigInt(library.EVP_CIPHER_CTX_new());
    if (this.context === 0n) throw new Error("libcrypto has no memory for a cipher");
    const { length } = keys.encryption;
    arena.bytes.set(keys.encryption, memory.work);
    const cipher = BigInt(length === 16 ? library.EVP_aes_128_gcm() : library.EVP_aes_256_gcm());
    library.EVP_EncryptInit_ex(this.context, cipher, 0n, arena.address(memory.work), 0n);
    arena.bytes.fill(0, memory.work, memory.work + length);
  }
}

/** AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714 8, 9) by libcrypto: five calls a packet. */
export class GcmCipher implements ArenaCipher {
  readonly rtpTagLength = TAG;
  readonly rtcpTrailerLength = TAG + INDEX;
  readonly #library: Libcrypto;
  readonly #arena: Arena;
  readonly #bytes: Uint8Array;
  readonly #rtp: Half;
  readonly #rtcp: Half;
  readonly #iv: number;
  readonly #ivAddress: bigint;
  readonly #tag: number;
  readonly #tagAddress: bigint;
  readonly #written: bigint;

  constructor(
    library: Libcrypto,
    arena: Arena,
    memory: CipherMemory,
    _facts: ProfileFacts,
    rtp: SessionKeys,
    rtcp: SessionKeys,
  ) {
    this.#library = library;
    this.#arena = arena;
    this.#bytes = arena.bytes;
    this.#iv = memory.iv;
    this.#ivAddress = arena.address(memory.iv);
    this.#tag = memory.digest;
    this.#tagAddress = arena.address(memory.digest);
    this.#written = arena.address(memory.written);
    this.#rtp = new Half(library, arena, memory, rtp);
    this.#rtcp = new Half(library, arena, memory, rtcp);
  }

  sealRtp(offset: number, header: number, length: number, rolloverCounter: number): number {
    this.#setRtpIv(offset, rolloverCounter);
    this.#seal(this.#rtp, offset, header, offset + header, length - header, -1);
    this.#copyTag(this.#tag, offset + length);
    return length + TAG;
  }

  openRtp(offset: number, header: number, length: number, rolloverCounter: number): number {
    const plain = length - TAG;
    this.#setRtpIv(offset, rolloverCounter);
    this.#copyTag(offset + plain, this.#tag);
    const isRight = this.#open(this.#rtp, offset, header, offset + header, plain - header, -1);
    return isRight ? plain : -1;
  }

  /** The index word, authenticated but not encrypted, comes last (RFC 7714 9.2). */
  sealRtcp(offset: number, length: number, index: number): number {
    const bytes = this.#bytes;
    const at = offset + length + TAG;
    bytes[at] = (index >>> 24) | 0x80;
    bytes[at + 1] = index >>> 16;
    bytes[at + 2] = index >>> 8;
    bytes[at + 3] = index;
    this.#setRtcpIv(offset, at);
    const body = offset + RTCP_HEADER;
    this.#seal(this.#rtcp, offset, RTCP_HEADER, body, length - RTCP_HEADER, at);
    this.#copyTag(this.#tag, offset + length);
    return length + TAG + INDEX;
  }

  openRtcp(offset: number, length: number): number {
    const plain = length - TAG - INDEX;
    const at = offset + length - INDEX;
    this.#setRtcpIv(offset, at);
    this.#copyTag(offset + plain, this.#tag);
    const isEncrypted = (this.#bytes[at]! & 0x80) !== 0;
    const header = isEncrypted ? RTCP_HEADER : plain;
    const isRight = this.#open(this.#rtcp, offset, header, offset + header, plain - header, at);
    return isRight ? plain : -1;
  }

  close(): void {
    this.#library.EVP_CIPHER_CTX_free(this.#rtp.context);
    this.#library.EVP_CIPHER_CTX_free(this.#rtcp.context);
  }

  /** RFC 7714 8.1: two zero bytes, SSRC, rollover counter, sequence number; XOR salt. */
  #setRtpIv(offset: number, roc: number): void {
    const [bytes, iv, salt] = [this.#bytes, this.#iv, this.#rtp.salt];
    bytes[iv] = salt[0]!;
    bytes[iv + 1] = salt[1]!;
    for (let i = 0; i < 4; i++) bytes[iv + 2 + i] = salt[2 + i]! ^ bytes[offset + 8 + i]!;
    bytes[iv + 6] = salt[6]! ^ (roc >>> 24);
    bytes[iv + 7] = salt[7]! ^ (roc >>> 16);
    bytes[iv + 8] = salt[8]! ^ (roc >>> 8);
    bytes[iv + 9] = salt[9]! ^ roc;
    bytes[iv + 10] = salt[10]! ^ bytes[offset + 2]!;
    bytes[iv + 11] = salt[11]! ^ bytes[offset + 3]!;
  }

  /** RFC 7714 9.1: two zero bytes, SSRC, two zero bytes, the index without its flag; XOR salt. */
  #setRtcpIv(offset: number, index: number): void {
    const [bytes, iv, salt] = [this.#bytes, this.#iv, this.#rtcp.salt];
    bytes[iv] = salt[0]!;
    bytes[iv + 1] = salt[1]!;
    for (let i = 0; i < 4; i++) bytes[iv + 2 + i] = salt[2 + i]! ^ bytes[offset + 4 + i]!;
    bytes[iv + 6] = salt[6]!;
    bytes[iv + 7] = salt[7]!;
    bytes[iv + 8] = salt[8]! ^ (bytes[index]! & 0x7f);
    bytes[iv + 9] = salt[9]! ^ bytes[index + 1]!;
    bytes[iv + 10] = salt[10]! ^ bytes[index + 2]!;
    bytes[iv + 11] = salt[11]! ^ bytes[index + 3]!;
  }

  /** @param index where the RTCP index word lies, associated data behind the header; -1: none */
  #seal(half: Half, aad: number, aadLength: number, at: number, length: number, index: number) {
    const [library, context, written] = [this.#library, half.context, this.#written];
    library.EVP_EncryptInit_ex(context, 0n, 0n, 0n, this.#ivAddress);
    library.EVP_EncryptUpdate(context, 0n, written, this.#arena.address(aad), aadLength);
    if (index >= 0) {
      library.EVP_EncryptUpdate(context, 0n, written, this.#arena.address(index), INDEX);
    }
    if (length > 0) {
      const body = this.#arena.address(at);
      library.EVP_EncryptUpdate(context, body, written, body, length);
    }
    library.EVP_EncryptFinal_ex(context, this.#tagAddress, written);
    library.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, this.#tagAddress);
  }

  #open(
    half: Half,
    aad: number,
    aadLength: number,
    at: number,
    length: number,
    index: number,
  ): boolean {
    const [library, context, written] = [this.#library, half.context, this.#written];
    library.EVP_DecryptInit_ex(context, 0n, 0n, 0n, this.#ivAddress);
    library.EVP_DecryptUpdate(context, 0n, written, this.#arena.address(aad), aadLength);
    if (index >= 0) {
      library.EVP_DecryptUpdate(context, 0n, written, this.#arena.address(index), INDEX);
    }
    if (length > 0) {
      const body = this.#arena.address(at);
      library.EVP_DecryptUpdate(context, body, written, body, length);
    }
    library.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, this.#tagAddress);
    // Nothing is left to be written; a wrong tag gives 0 or less.
    return library.EVP_DecryptFinal_ex(context, this.#tagAddress, written) > 0;
  }

  #copyTag(from: number, to: number): void {
    const bytes = this.#bytes;
    for (let i = 0; i < TAG; i++) bytes[to + i] = bytes[from + i]!;
  }
}
