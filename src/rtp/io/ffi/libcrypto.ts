/**
 * The system's OpenSSL, 3 or 1.1: EVP ciphers whose key is set once and only the IV for each
 * packet, and SHA-1 whose states after the padded keys are kept. Pointers are `u64`, see `Arena`.
 */
const P = "u64" as const;
const I = "i32" as const;

const SYMBOLS = {
  OPENSSL_init_crypto: { parameters: [P, P], result: I },
  EVP_CIPHER_CTX_new: { parameters: [], result: P },
  EVP_CIPHER_CTX_free: { parameters: [P], result: "void" },
  EVP_CIPHER_CTX_ctrl: { parameters: [P, I, I, P], result: I },
  EVP_aes_128_ctr: { parameters: [], result: P },
  EVP_aes_256_ctr: { parameters: [], result: P },
  EVP_aes_128_gcm: { parameters: [], result: P },
  EVP_aes_256_gcm: { parameters: [], result: P },
  EVP_EncryptInit_ex: { parameters: [P, P, P, P, P], result: I },
  EVP_EncryptUpdate: { parameters: [P, P, P, P, I], result: I },
  EVP_EncryptFinal_ex: { parameters: [P, P, P], result: I },
  EVP_CipherInit_ex: { parameters: [P, P, P, P, P, I], result: I },
  EVP_CipherUpdate: { parameters: [P, P, P, P, I], result: I },
  EVP_DecryptFinal_ex: { parameters: [P, P, P], result: I },
  SHA1_Init: { parameters: [P], result: I },
  SHA1_Update: { parameters: [P, P, P], result: I },
  SHA1_Final: { parameters: [P, P], result: I },
} as const;

export const EVP_CTRL_AEAD_GET_TAG = 0x10;
export const EVP_CTRL_AEAD_SET_TAG = 0x11;

export type Libcrypto = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const NAMES = ["libcrypto.so.3", "libcrypto.so.1.1"] as const;

const OPENSSL_INIT_NO_ATEXIT = 0x00080000n;

let opened: Libcrypto | undefined;

/**
 * OpenSSL takes down all that it has when the process exits, while workers may be in it: they
 * crash, or wait for a lock that is no more. To be called before anything else of the library is,
 * by everybody, since the first call in the process decides; the system takes the memory anyway.
 */
export function keepAtExit(library: Pick<Libcrypto, "OPENSSL_init_crypto">): void {
  library.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, 0n);
}

/** @throws Error naming what was tried */
export function openLibcrypto(): Libcrypto {
  if (opened !== undefined) return opened;
  for (const name of NAMES) {
    try {
      opened = Deno.dlopen(name, SYMBOLS).symbols;
      keepAtExit(opened);
      return opened;
    } catch {
      // The next name.
    }
  }
  throw new Error(`no usable ${NAMES.join(" or ")} is installed`);
}
