import { join } from "node:path";
import { type Entropy, randomHex } from "../entropy.ts";
import { err, ok, type Result } from "../result.ts";

const WORDS: readonly (readonly [kind: new (message: string) => Error, words: string])[] = [
  [Deno.errors.NotFound, "no such file or folder"],
  [Deno.errors.PermissionDenied, "permission denied"],
  [Deno.errors.NotCapable, "the runtime was not given this permission"],
  [Deno.errors.IsADirectory, "it is a folder"],
  [Deno.errors.NotADirectory, "a part of the path is not a folder"],
  [Deno.errors.AlreadyExists, "it is there already and is no folder"],
];

/** What went wrong with a file, in words without code and path. */
export function fileFault(fault: unknown): string {
  for (const [kind, words] of WORDS) if (fault instanceof kind) return words;
  return fault instanceof Error ? fault.message : String(fault);
}

/** A text file, or in words why it cannot be had. */
export function readFile(path: string): Result<string, string> {
  try {
    return ok(Deno.readTextFileSync(path));
  } catch (fault) {
    return err(fileFault(fault));
  }
}

/**
 * Writes a file that only its owner may read (0600). It appears whole or not at all, also when two
 * processes write it at the same time.
 */
export function writePrivateFile(
  path: string,
  text: string,
  entropy: Entropy,
): Result<void, string> {
  const draft = `${path}.${randomHex(entropy, 32)}.new`;
  try {
    Deno.writeTextFileSync(draft, text, { mode: 0o600, createNew: true });
    Deno.renameSync(draft, path);
    return ok(undefined);
  } catch (fault) {
    try {
      Deno.removeSync(draft);
    } catch { /* It was never made. */ }
    return err(fileFault(fault));
  }
}

/** Makes the folder of what outlives a restart, for its owner alone where it is new. */
export function ensureDataDirectory(path: string, entropy: Entropy): Result<void, string> {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (fault) {
    return err(`cannot make the data folder ${path}: ${fileFault(fault)}`);
  }
  // The only honest test of being able to write is to write.
  const probe = join(path, `.probe-${randomHex(entropy, 32)}`);
  try {
    Deno.writeTextFileSync(probe, "", { mode: 0o600, createNew: true });
    Deno.removeSync(probe);
    return ok(undefined);
  } catch (fault) {
    return err(`cannot write to the data folder ${path}: ${fileFault(fault)}`);
  }
}

/** Random bits of a token that is made here. */
const TOKEN_BITS = 192;

/**
 * The operator token of an exposed server: the configured one, else the one kept in the data
 * folder, else a new one, which is kept.
 */
export function ensureOperatorToken(
  configured: string,
  directory: string,
  entropy: Entropy,
): Result<string, string> {
  if (configured !== "") return ok(configured);
  const path = join(directory, "operator-token");
  const kept = readFile(path);
  if (kept.ok && /^[0-9a-f]{48}$/.test(kept.value.trim())) return ok(kept.value.trim());
  const token = randomHex(entropy, TOKEN_BITS);
  const written = writePrivateFile(path, `${token}\n`, entropy);
  return written.ok ? ok(token) : err(`cannot keep the operator token ${path}: ${written.error}`);
}
