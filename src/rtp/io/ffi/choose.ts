import { typescriptSrtp } from "../../srtp/aes_cm.ts";
import type { SrtpEngine } from "../../srtp/cipher.ts";
import { Arena } from "./arena.ts";
import { SHELL_ARENA } from "./ffi_shell.ts";
import { type Libc, openLibc } from "./libc.ts";
import { LibcryptoSrtp } from "./libcrypto_srtp.ts";
import { checkLayouts, checkSrtp } from "./self_test.ts";

/** Ciphers and checks take this much beside the shell. */
const EXTRA = 64 * 1024;

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

/**
 * Tries the fast shell and libcrypto, then the fast shell and SRTP in TypeScript, then the portable
 * one.
 * @param without why there can be no FFI; null: it may be tried
 * @param typescript SRTP is to be in TypeScript in any case
 */
export function choose(without: string | null, typescript = false): Choice {
  if (without !== null) return portable(without);
  let libc: Libc;
  const arena = new Arena(SHELL_ARENA + EXTRA);
  try {
    if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) throw new Error("big-endian machine");
    libc = openLibc();
    checkLayouts(libc, new Arena(EXTRA));
  } catch (error) {
    return portable(`no fast shell: ${textOf(error)}`);
  }
  try {
    if (typescript) throw new Error("it was asked for");
    const srtp = new LibcryptoSrtp(arena);
    checkSrtp(srtp, arena.bytes, arena.allocate(128));
    if (!srtp.guardHolds()) throw new Error("SHA_CTX is larger than expected");
    return { shell: "ffi", libc, arena, srtp, why: "all known-answer and layout tests passed" };
  } catch (error) {
    checkSrtp(typescriptSrtp, arena.bytes, arena.allocate(128));
    const why = `SRTP in TypeScript: ${textOf(error)}`;
    return { shell: "ffi", libc, arena, srtp: typescriptSrtp, why };
  }
}

function portable(why: string): Choice {
  checkSrtp(typescriptSrtp, new Uint8Array(128), 0);
  return { shell: "portable", srtp: typescriptSrtp, why };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
