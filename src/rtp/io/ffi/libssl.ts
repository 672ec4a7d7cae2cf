import { keepAtExit } from "./libcrypto.ts";

/** The system's OpenSSL 3: what a DTLS server over memory BIOs needs. Pointers are `u64`. */
const P = "u64" as const;
const I = "i32" as const;
const L = "i64" as const;

const SYMBOLS = {
  DTLS_server_method: { parameters: [], result: P },
  DTLS_client_method: { parameters: [], result: P },
  SSL_CTX_new: { parameters: [P], result: P },
  SSL_CTX_free: { parameters: [P], result: "void" },
  SSL_CTX_ctrl: { parameters: [P, I, L, P], result: L },
  SSL_CTX_set_options: { parameters: [P, P], result: P },
  SSL_CTX_set_cipher_list: { parameters: [P, "buffer"], result: I },
  SSL_CTX_use_certificate_ASN1: { parameters: [P, I, "buffer"], result: I },
  SSL_CTX_use_PrivateKey_ASN1: { parameters: [I, P, "buffer", L], result: I },
  SSL_CTX_check_private_key: { parameters: [P], result: I },
  SSL_CTX_set_tlsext_use_srtp: { parameters: [P, "buffer"], result: I },
  SSL_CTX_set_verify: { parameters: [P, I, P], result: "void" },
  SSL_CTX_set_cert_verify_callback: { parameters: [P, "pointer", P], result: "void" },
  SSL_new: { parameters: [P], result: P },
  SSL_free: { parameters: [P], result: "void" },
  SSL_ctrl: { parameters: [P, I, L, "buffer"], result: L },
  SSL_set_bio: { parameters: [P, P, P], result: "void" },
  SSL_set_accept_state: { parameters: [P], result: "void" },
  SSL_set_connect_state: { parameters: [P], result: "void" },
  SSL_do_handshake: { parameters: [P], result: I },
  SSL_read: { parameters: [P, "buffer", I], result: I },
  SSL_get_error: { parameters: [P, I], result: I },
  SSL_shutdown: { parameters: [P], result: I },
  SSL_get_session: { parameters: [P], result: P },
  SSL_SESSION_get_master_key: { parameters: [P, "buffer", P], result: P },
  SSL_get_client_random: { parameters: [P, "buffer", P], result: P },
  SSL_get_server_random: { parameters: [P, "buffer", P], result: P },
  SSL_get_current_cipher: { parameters: [P], result: P },
  SSL_CIPHER_get_protocol_id: { parameters: [P], result: "u16" },
  SSL_version: { parameters: [P], result: I },
  SSL_get1_peer_certificate: { parameters: [P], result: P },
  SSL_get_selected_srtp_profile: { parameters: [P], result: "pointer" },
  SSL_export_keying_material: {
    parameters: [P, "buffer", P, "buffer", P, P, P, I],
    result: I,
  },
} as const;

const CRYPTO_SYMBOLS = {
  OPENSSL_init_crypto: { parameters: [P, P], result: I },
  BIO_new: { parameters: [P], result: P },
  BIO_s_mem: { parameters: [], result: P },
  BIO_write: { parameters: [P, "buffer", I], result: I },
  BIO_read: { parameters: [P, "buffer", I], result: I },
  BIO_ctrl_pending: { parameters: [P], result: P },
  i2d_X509: { parameters: [P, "buffer"], result: I },
  X509_free: { parameters: [P], result: "void" },
  /** Its address. */
  X509_STORE_CTX_set_default: { type: "pointer" },
  ERR_get_error: { parameters: [], result: P },
  ERR_error_string_n: { parameters: [P, "buffer", P], result: "void" },
} as const;

export type Libssl =
  & Deno.DynamicLibrary<typeof SYMBOLS>["symbols"]
  & Deno.DynamicLibrary<typeof CRYPTO_SYMBOLS>["symbols"];

export const SSL_OP_NO_QUERY_MTU = 0x1000n;
export const SSL_OP_NO_TICKET = 0x4000n;
export const SSL_OP_NO_RENEGOTIATION = 0x40000000n;
export const SSL_CTRL_SET_MTU = 17;
export const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
export const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
export const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
export const SSL_CTRL_GET_MIN_PROTO_VERSION = 130;
export const SSL_CTRL_GET_MAX_PROTO_VERSION = 131;
export const DTLS_CTRL_GET_TIMEOUT = 73;
export const DTLS_CTRL_HANDLE_TIMEOUT = 74;
export const DTLS1_2_VERSION = 0xfefd;
export const SSL_VERIFY_PEER_OR_FAIL = 3;
export const SSL_ERROR_SSL = 1;
export const SSL_ERROR_ZERO_RETURN = 6;
export const EVP_PKEY_EC = 408;

let opened: Libssl | undefined;

/** @throws Error where the library is not to be had */
export function openLibssl(): Libssl {
  if (Deno.build.os !== "linux") throw new Error(`the system is ${Deno.build.os}, not Linux`);
  if (opened === undefined) {
    const crypto = Deno.dlopen("libcrypto.so.3", CRYPTO_SYMBOLS).symbols;
    keepAtExit(crypto);
    opened = { ...Deno.dlopen("libssl.so.3", SYMBOLS).symbols, ...crypto };
  }
  return opened;
}

/** A C string. */
export function textBytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** All that the library's error queue holds, in its words; empties it. */
export function takeErrors(library: Libssl): string {
  const texts: string[] = [];
  for (let code = library.ERR_get_error(); code !== 0n; code = library.ERR_get_error()) {
    const buffer = new Uint8Array(256);
    library.ERR_error_string_n(code, buffer, BigInt(buffer.length));
    const text = new TextDecoder().decode(buffer.subarray(0, buffer.indexOf(0)));
    texts.push(text.split(":").at(-1) ?? text);
  }
  return texts.join(", ");
}
