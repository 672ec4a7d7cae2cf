/**
 * Exits with 0, or is aborted where OpenSSL takes itself down at the exit of a process:
 * `deno run -A tests/support/openssl_exit.ts libcrypto|libssl`, by whose opener it is opened.
 */
import { openLibcrypto } from "../../src/rtp/io/ffi/libcrypto.ts";
import { openLibssl } from "../../src/rtp/io/ffi/libssl.ts";

if (Deno.args[0] === "libssl") openLibssl();
else openLibcrypto();

const { abort } = Deno.dlopen("libc.so.6", { abort: { type: "pointer" } }).symbols;
const { OPENSSL_init_crypto, OPENSSL_atexit } = Deno.dlopen("libcrypto.so.3", {
  OPENSSL_init_crypto: { parameters: ["u64", "u64"], result: "i32" },
  OPENSSL_atexit: { parameters: ["pointer"], result: "i32" },
}).symbols;
const LOAD_CRYPTO_STRINGS = 2n;
// As the library does by itself when it is used.
OPENSSL_init_crypto(LOAD_CRYPTO_STRINGS, 0n);
// Called by OPENSSL_cleanup.
if (OPENSSL_atexit(abort) !== 1) Deno.exit(2);
Deno.exit(0);
