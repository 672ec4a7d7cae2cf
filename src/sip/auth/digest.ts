import { hash } from "node:crypto";

/** Hash algorithms of digest authentication (RFC 8760); `-sess` is a matter of `session`. */
export type DigestAlgorithm = "MD5" | "SHA-256" | "SHA-512-256";

const NAMES: Readonly<Record<DigestAlgorithm, string>> = {
  "MD5": "md5",
  "SHA-256": "sha256",
  "SHA-512-256": "sha512-256",
};

/** H() in lower-case hex; text counts as its UTF-8 bytes. */
export function digest(algorithm: DigestAlgorithm, text: string): string {
  return hash(NAMES[algorithm], text, "hex");
}

/** Name in an `algorithm` parameter; undefined for one that we do not know. */
export function parseAlgorithm(
  text: string,
): { algorithm: DigestAlgorithm; session: boolean } | undefined {
  const upper = text.toUpperCase();
  const session = upper.endsWith("-SESS");
  const name = session ? upper.slice(0, -5) : upper;
  if (name !== "MD5" && name !== "SHA-256" && name !== "SHA-512-256") return undefined;
  return { algorithm: name, session };
}

/** H(username:realm:password): what is kept of a password. */
export function ha1(
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
): string {
  return digest(algorithm, `${username}:${realm}:${password}`);
}

/** What is kept of an account's password; good for one username and one realm only. */
export interface AccountDigests {
  /** HA1 with MD5, 32 hex digits. */
  readonly md5: string;
  /** HA1 with SHA-256, 64 hex digits. */
  readonly sha256: string;
}

export function accountDigests(username: string, realm: string, password: string): AccountDigests {
  return {
    md5: ha1("MD5", username, realm, password),
    sha256: ha1("SHA-256", username, realm, password),
  };
}

export interface ResponseInput {
  readonly algorithm: DigestAlgorithm;
  /** Whether the algorithm has `-sess`. */
  readonly session: boolean;
  readonly ha1: string;
  readonly nonce: string;
  readonly method: string;
  /** As it stands in the `uri` parameter. */
  readonly uri: string;
  /** Absent: the form without qop that RFC 2069 left (RFC 7616 has dropped it, phones have not). */
  readonly auth?: { readonly cnonce: string; readonly nc: string };
  /** Of -sess without qop. */
  readonly cnonce?: string;
}

/** `request-digest` (RFC 7616 3.4.1). */
export function digestResponse(input: ResponseInput): string {
  const { algorithm, nonce, auth } = input;
  const cnonce = auth?.cnonce ?? input.cnonce ?? "";
  const a1 = input.session ? digest(algorithm, `${input.ha1}:${nonce}:${cnonce}`) : input.ha1;
  const a2 = digest(algorithm, `${input.method}:${input.uri}`);
  const middle = auth === undefined ? nonce : `${nonce}:${auth.nc}:${auth.cnonce}:auth`;
  return digest(algorithm, `${a1}:${middle}:${a2}`);
}
