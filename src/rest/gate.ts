import { type AccessRules, hostName } from "./access.ts";
import type { OperatorToken } from "./operator_token.ts";
import { type Problem, problem } from "./problem.ts";
import { TOKEN_PAGE } from "./token_page.ts";

/** What every request must pass before anything else looks at it. */
export interface Asked {
  readonly path: string;
  /** By which name the request calls us. */
  readonly host: string;
  readonly origin: string | null;
  readonly isSecure: boolean;
}

/** Paths that show or change what the server does: Origin is checked even for reads. */
const GUARDED = ["/api", "/rest-api", "/console"];
/** How one gets the cookie; the page shows nothing but a form. */
const TOKEN_DOOR = [TOKEN_PAGE, "/console/token.js"];

function isBelow(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(`${root}/`));
}

/** Path as the URL standard leaves it: dots resolved, percent signs untouched. */
export function pathOf(request: Request): string {
  return new URL(request.url).pathname;
}

/** Reads what the checks need; a Host that names nobody of ours is a fault (DNS rebinding). */
export function whoIsAsked(request: Request, rules: AccessRules): Asked | Problem {
  const url = new URL(request.url);
  // Browsers send Host (or :authority); an absolute request target must not speak past it.
  const named = [url.host, request.headers.get("host")].filter((name) => name !== null);
  for (const name of named) {
    const host = hostName(name);
    if (host === undefined || !rules.isHostAllowed(host)) {
      return problem(
        "host-not-allowed",
        `Host is ${JSON.stringify(name.slice(0, 200))}, expected loopback, an address of this ` +
          "server or a name in http.allowedHosts",
      );
    }
  }
  return {
    path: pathOf(request),
    host: hostName(url.host)!,
    origin: request.headers.get("origin"),
    isSecure: url.protocol === "https:",
  };
}

/** A request with a foreign Origin is refused where it could read or change anything. */
export function checkOrigin(
  request: Request,
  asked: Asked,
  rules: AccessRules,
): Problem | undefined {
  const { origin } = asked;
  if (origin === null || rules.isOriginAllowed(origin, asked.host)) return undefined;
  const isRead = request.method === "GET" || request.method === "HEAD";
  const isUpgrade = request.headers.has("upgrade");
  if (isRead && !isUpgrade && !isBelow(asked.path, GUARDED)) return undefined;
  return problem(
    "origin-not-allowed",
    `Origin is ${JSON.stringify(origin.slice(0, 200))}, expected a page of this host, of ` +
      "loopback or of http.allowedOrigins",
  );
}

/** `/api`, `/rest-api` and the console need the operator's token where there is one. */
export function checkToken(
  request: Request,
  asked: Asked,
  token: OperatorToken | undefined,
): Problem | undefined {
  if (!token || !isBelow(asked.path, GUARDED) || TOKEN_DOOR.includes(asked.path)) return undefined;
  if (token.isCarriedBy(request, asked.isSecure)) return undefined;
  return problem("unauthorized", "The operator token is missing or wrong, expected as a bearer");
}

export function isCorsPath(path: string): boolean {
  return isBelow(path, ["/api", "/rest-api"]);
}

/** Answer to a preflight whose Origin has been checked (Fetch standard 3.2.2). */
export function preflight(request: Request, methods: readonly string[]): Response {
  const headers = new Headers({
    "access-control-allow-methods": methods.join(", "),
    "access-control-allow-headers": "content-type, authorization, last-event-id",
    "access-control-max-age": "600",
    "allow": methods.join(", "),
  });
  if (request.headers.get("access-control-request-private-network") === "true") {
    headers.set("access-control-allow-private-network", "true");
  }
  return new Response(null, { status: 204, headers });
}

/** Lets the page of an allowed origin read the answer. */
export function allowReading(response: Response, origin: string | null): void {
  response.headers.append("vary", "Origin");
  if (origin === null) return;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-expose-headers", "allow, retry-after");
}
