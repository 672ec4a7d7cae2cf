import { err, ok, type Result } from "../../core/result.ts";
import { endOfQuoted, inClass, skipBlanks, TOKEN, unquote } from "../message/text.ts";

/** Why a challenge or credentials can't be used. */
export interface AuthFault {
  /** `scheme`: not Digest; as if it were not there (RFC 4475 3.3.7). */
  readonly kind: "scheme" | "malformed" | "unsupported";
  readonly text: string;
}

/** The parameters of a Digest challenge or of Digest credentials, names in lower case. */
export function parseDigestParams(text: string): Result<ReadonlyMap<string, string>, AuthFault> {
  const malformed = (what: string) => err<AuthFault>({ kind: "malformed", text: what });
  let at = skipBlanks(text, 0);
  const schemeAt = at;
  while (at < text.length && inClass(text.charCodeAt(at), TOKEN)) at++;
  const scheme = text.slice(schemeAt, at);
  if (scheme.toLowerCase() !== "digest") {
    return err({ kind: "scheme", text: `Authentication scheme ${scheme} is not Digest` });
  }
  const params = new Map<string, string>();
  while ((at = skipBlanks(text, at)) < text.length) {
    // Empty elements of a list are allowed (RFC 9110 5.6.1).
    if (text[at] === ",") {
      at++;
      continue;
    }
    const nameAt = at;
    while (at < text.length && inClass(text.charCodeAt(at), TOKEN)) at++;
    const name = text.slice(nameAt, at).toLowerCase();
    at = skipBlanks(text, at);
    if (name === "" || text[at] !== "=") return malformed(`no parameter: "${text.slice(nameAt)}"`);
    const valueAt = skipBlanks(text, at + 1);
    at = endOfValue(text, valueAt);
    if (at < 0) return malformed(`unterminated quotes in parameter ${name}`);
    if (params.has(name)) return malformed(`parameter ${name} stands twice`);
    params.set(name, unquote(text.slice(valueAt, at)));
    at = skipBlanks(text, at);
    if (at < text.length && text[at] !== ",") return malformed(`no comma after parameter ${name}`);
  }
  return ok(params);
}

function endOfValue(text: string, at: number): number {
  if (text[at] === '"') return endOfQuoted(text, at);
  while (at < text.length && text[at] !== "," && text[at] !== " " && text[at] !== "\t") at++;
  return at;
}
