import { TOKEN_PAGE } from "./token_page.ts";

/** Security headers, by kind of path. */

const COMMON: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "permissions-policy": "microphone=(self), camera=(self), display-capture=(self), " +
    "speaker-selection=(self), autoplay=(self), fullscreen=(self), geolocation=(), payment=(), " +
    "usb=(), serial=(), hid=()",
};

/** Nothing but our own files; the page may open WebSockets to the server that its user types in. */
const PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; media-src 'self' blob: data:; font-src 'self'; " +
  "connect-src 'self' ws: wss:; worker-src 'self' blob:; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The console and the documents talk to this server only. */
const OPERATOR_POLICY = PAGE_POLICY.replace("connect-src 'self' ws: wss:", "connect-src 'self'");

/** The vendor's pages have inline scripts and handlers, and are served as they are. */
const VENDOR_POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; " +
  "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob: data:; " +
  "font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

const OPERATOR_PAGES: readonly string[] = ["/console", TOKEN_PAGE, "/api/docs"];

const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";

function policyOf(path: string): string {
  if (path.startsWith("/client2/")) return VENDOR_POLICY;
  if (path === "/") return PAGE_POLICY;
  if (OPERATOR_PAGES.includes(path) || path.startsWith("/problems/")) {
    return OPERATOR_POLICY;
  }
  return DATA_POLICY;
}

/** Adds the security headers to `response`, in place. */
export function secure(response: Response, path: string): Response {
  const { headers } = response;
  for (const [name, value] of Object.entries(COMMON)) headers.set(name, value);
  headers.set("content-security-policy", policyOf(path));
  if (!path.startsWith("/client2/") && !path.startsWith("/sdk/")) {
    headers.set("cross-origin-opener-policy", "same-origin");
    headers.set("cross-origin-resource-policy", "same-origin");
    headers.set("x-frame-options", "DENY");
  }
  return response;
}
