/** Faults of a request as values, and their two forms on the wire. */

interface Kind {
  readonly status: number;
  readonly title: string;
  /** When it happens and what to do; shown at the type's address. */
  readonly meaning: string;
}

/** The stable problem types; the slug is the last part of the type's URI `/problems/<slug>`. */
export const PROBLEM_KINDS = {
  "bad-request": {
    status: 400,
    title: "The request is not valid",
    meaning: "A parameter or a field is unknown or has a value that is not allowed. " +
      "The detail names it, its value and what was expected.",
  },
  "unauthorized": {
    status: 401,
    title: "The operator token is missing or wrong",
    meaning: "Send the token that the server printed at start as `Authorization: Bearer <token>`.",
  },
  "host-not-allowed": {
    status: 403,
    title: "This server does not go by that name",
    meaning: "The Host header names neither loopback nor an address or a configured name of this " +
      "server. Add the name to `http.allowedHosts`.",
  },
  "origin-not-allowed": {
    status: 403,
    title: "A page of that origin may not do this",
    meaning: "The request comes from a page of another site. Add its origin to " +
      "`http.allowedOrigins` if it is yours.",
  },
  "not-found": {
    status: 404,
    title: "There is nothing here",
    meaning: "The path is unknown, or what it names does not exist (any more).",
  },
  "method-not-allowed": {
    status: 405,
    title: "The path does not take this method",
    meaning: "The Allow header lists the methods that it takes.",
  },
  "conflict": {
    status: 409,
    title: "The request does not fit what is there",
    meaning: "Something of that name exists already, such as a call with the same id; or what " +
      "is there does not allow it, such as digits in a call that still rings. The detail tells.",
  },
  "already-ended": {
    status: 409,
    title: "It has ended already",
    meaning: "A call or session that has ended takes no more commands.",
  },
  "too-large": {
    status: 413,
    title: "The body is too large",
    meaning: "Bodies are limited to 1 MiB.",
  },
  "unsupported-media-type": {
    status: 415,
    title: "The body must be JSON",
    meaning: "Writes need `Content-Type: application/json`; that also keeps foreign pages out.",
  },
  "upgrade-required": {
    status: 426,
    title: "The path is for WebSockets",
    meaning: "The upgrade request is not one of RFC 6455.",
  },
  "too-many": {
    status: 503,
    title: "Too many at the same time",
    meaning: "A limit of the server is reached; try again later.",
  },
  "stopping": {
    status: 503,
    title: "The server is stopping",
    meaning: "It was told to end before it could answer; ask again when it is back.",
  },
  "internal": {
    status: 500,
    title: "The server failed",
    meaning: "A fault of the server; its log has the details.",
  },
} as const satisfies Record<string, Kind>;

export type ProblemSlug = keyof typeof PROBLEM_KINDS;

export interface Problem {
  readonly slug: ProblemSlug;
  /** One sentence that names the action or the value, and what was expected. */
  readonly detail: string;
  /** Name of the parameter or field at fault. */
  readonly field?: string;
  /** Methods for the Allow header. */
  readonly allow?: readonly string[];
}

export function problem(
  slug: ProblemSlug,
  detail: string,
  more: { readonly field?: string; readonly allow?: readonly string[] } = {},
): Problem {
  return { slug, detail, ...more };
}

/** The prefix whose errors have the Web Call Server's form instead of problem+json. */
export const LEGACY_PREFIX = "/rest-api/";

/** `problem` as RFC 9457 says, or `{"status", "message"}` under `/rest-api`. */
export function problemResponse(fault: Problem, path: string): Response {
  const kind: Kind = PROBLEM_KINDS[fault.slug];
  const isLegacy = path.startsWith(LEGACY_PREFIX);
  const body = isLegacy ? { status: kind.status, message: fault.detail } : {
    type: `/problems/${fault.slug}`,
    title: kind.title,
    status: kind.status,
    detail: fault.detail,
    ...(fault.field === undefined ? {} : { field: fault.field }),
  };
  const headers = new Headers({
    "content-type": isLegacy ? "application/json" : "application/problem+json",
    "cache-control": "no-store",
  });
  if (fault.allow) headers.set("allow", fault.allow.join(", "));
  if (kind.status === 401) headers.set("www-authenticate", 'Bearer realm="Port Zero"');
  if (kind.status === 503) headers.set("retry-after", "5");
  return new Response(JSON.stringify(body), { status: kind.status, headers });
}
