import { createHash, timingSafeEqual } from "node:crypto";

/** The operator's token: asked for by REST and console once the server is exposed. */
export interface OperatorToken {
  /** True where the request carries the token as a bearer header or the cookie made from it. */
  isCarriedBy(request: Request, isSecure: boolean): boolean;
  isRight(candidate: string): boolean;
  /** `Set-Cookie` value that stands for the token from now on. */
  cookie(isSecure: boolean): string;
}

const COOKIE_SECONDS = 12 * 60 * 60;

/** @param token what the operator types */
export function createOperatorToken(token: string): OperatorToken {
  const expected = digest(token);
  // The cookie does not hold the token itself, so that a copied cookie jar is no key to the API.
  const cookieValue = createHash("sha256").update(`portzero cookie\0${token}`).digest("hex");
  const expectedCookie = digest(cookieValue);
  return {
    isRight: (candidate) => timingSafeEqual(digest(candidate), expected),
    isCarriedBy(request, isSecure) {
      const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
      if (bearer !== undefined) return timingSafeEqual(digest(bearer), expected);
      const carried = readCookie(request.headers.get("cookie"), cookieName(isSecure));
      return carried !== undefined && timingSafeEqual(digest(carried), expectedCookie);
    },
    cookie(isSecure) {
      const attributes = ["Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${COOKIE_SECONDS}`];
      if (isSecure) attributes.push("Secure");
      return [`${cookieName(isSecure)}=${cookieValue}`, ...attributes].join("; ");
    },
  };
}

/** Digests have one length, so the comparison tells nothing, not even the length. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/**
 * Two names, since a browser keeps a plain page from replacing a Secure cookie of the same name.
 */
function cookieName(isSecure: boolean): string {
  return isSecure ? "__Host-portzero" : "portzero";
}

function readCookie(header: string | null, name: string): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const at = part.indexOf("=");
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}
