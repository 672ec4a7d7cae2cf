import {
  AES_CM_128_HMAC_SHA1_32,
  AES_CM_128_HMAC_SHA1_80,
  type SrtpProfile,
} from "../../contract.ts";
import { typescriptSrtp } from "../../srtp/aes_cm.ts";
import type { SrtpEngine } from "../../srtp/cipher.ts";
import { Arena } from "./arena.ts";
import { SHELL_ARENA } from "./ffi_shell.ts";
import { checkLayouts, LAYOUTS_ARENA } from "./layouts.ts";
import { type Libc, openLibc } from "./libc.ts";
import { LibcryptoSrtp } from "./libcrypto_srtp.ts";
import { checkSrtp } from "./self_test.ts";

/** Ciphers and their check take this much beside the shell. */
const EXTRA = 64 * 1024;
/** Browsers are offered one of them, phones have both. */
const TYPESCRIPT_PROFILES: readonly SrtpProfile[] = [
  AES_CM_128_HMAC_SHA1_80,
  AES_CM_128_HMAC_SHA1_32,
];

/** What a media worker runs on: everything in it has passed its test just now. */
export type Choice =
  | {
    readonly shell: "ffi";
    readonly libc: Libc;
    readonly arena: Arena;
    readonly srtp: SrtpEngine;
    readonly why: string;
  }
  | { readonly shell: "portable"; readonly srtp: SrtpEngine; readonly why: string };

/** Where the native parts come from; each throws where there is none. */
export interface NativeParts {
  readonly libc: () => Libc;
  readonly srtp: (arena: Arena) => SrtpEngine & { guardHolds(): boolean };
}

const SYSTEM: NativeParts = { libc: openLibc, srtp: (arena) => new LibcryptoSrtp(arena) };

/**
 * Tries the fast shell and libcrypto, then the fast shell and SRTP in TypeScript, then the portable
 * one.
 * @param without why there can be no FFI; null: it may be tried
 * @param typescript SRTP is to be in TypeScript in any case
 */
export function choose(without: string | null, typescript = false, parts = SYSTEM): Choice {
  if (without !== null) return portable(without);
  let libc: Libc;
  let remarks: readonly string[];
  const arena = new Arena(SHELL_ARENA + EXTRA);
  try {
    if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) throw new Error("big-endian machine");
    libc = parts.libc();
    remarks = checkLayouts(libc, new Arena(LAYOUTS_ARENA));
  } catch (error) {
    return portable(`no fast shell: ${textOf(error)}`);
  }
  const because = (...reasons: readonly string[]) => [...reasons, ...remarks].join("; ");
  try {
    if (typescript) throw new Error("it was asked for");
    const srtp = parts.srtp(arena);
    checkSrtp(srtp, arena.bytes, arena.allocate(128));
    if (!srtp.guardHolds()) throw new Error("SHA_CTX is larger than expected");
    return { shell: "ffi", libc, arena, srtp, why: because(PASSED) };
  } catch (error) {
    checkSrtp(typescriptSrtp, arena.bytes, arena.allocate(128), TYPESCRIPT_PROFILES);
    const why = because(`SRTP in TypeScript: ${textOf(error)}`);
    return { shell: "ffi", libc, arena, srtp: typescriptSrtp, why };
  }
}

const PASSED = "all known-answer and layout tests passed";

function portable(why: string): Choice {
  checkSrtp(typescriptSrtp, new Uint8Array(128), 0, TYPESCRIPT_PROFILES);
  return { shell: "portable", srtp: typescriptSrtp, why };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
