import { MAX_FORWARDS } from "../dialog/requests.ts";
import type { Flow } from "../flow.ts";
import { NameAddr, type SipRequest } from "../message/mod.ts";
import type { ProxyPolicy, Refusal } from "./proxy_io.ts";

/** What happens to a request on its way through a proxy (RFC 3261 16.4, 16.6; RFC 5393). */

const RECORDED = new Set(["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"]);
const DEFAULT_MAX_BREADTH = 60;

/**
 * Takes our own entries off the route, after undoing what a strict router did to the Request-URI
 * (16.4). Changes `request`.
 */
export function preprocessRoute(request: SipRequest, policy: ProxyPolicy): void {
  // One look tells both of a double Record-Route (RFC 5658).
  const isMine = (address: NameAddr | undefined) =>
    address !== undefined && address.uri.isSip &&
    policy.isOurs(address.uri.host, address.uri.port);
  const uri = request.requestUri;
  const routes = request.routes;
  const last = routes.at(-1);
  // What we record is a host with `lr` and no user: no target ever looks like that.
  if (uri.ok && last && uri.value.rawUser === null && uri.value.params.has("lr")) {
    if (policy.isOurs(uri.value.host, uri.value.port)) {
      request.uri = last.uri.toString();
      routes.pop();
      request.headers.remove("Route");
      for (const route of routes) request.headers.append("Route", route.toString());
    }
  }
  while (isMine(request.routes[0])) request.headers.removeFirstValue("Route");
}

/**
 * What any proxy refuses (16.3); to be asked once our own routes are off.
 * @param isForUs the request goes no further: it may have used up its hops
 */
export function checkRequest(
  request: SipRequest,
  sentBy: string,
  isForUs: boolean,
): Refusal | undefined {
  if (request.maxForwards === 0 && !isForUs) return { status: 483 };
  if (request.headers.has("Proxy-Require")) {
    const extensions = request.headers.getAll("Proxy-Require");
    if (extensions.length > 0) return badExtension(extensions);
  }
  return isLoop(request, sentBy) ? { status: 482 } : undefined;
}

/** 420, naming what is not known (RFC 3261 8.2.2.3, 16.3). */
export function badExtension(extensions: readonly string[]): Refusal {
  return { status: 420, headers: [["Unsupported", extensions.join(", ")]] };
}

/** What a copy gets on its way beside its Request-URI. */
export interface ForwardParts {
  readonly uri: string;
  /** Topmost first: our entries, two where the transport changes here (RFC 5658). */
  readonly recordRoutes: readonly string[];
  /** In front of the request's own routes (RFC 3327). */
  readonly path?: readonly string[];
  /** Branches that may come of this copy (RFC 5393 5.3.3). */
  readonly maxBreadth?: number;
}

/** The copy of `request` that goes out (16.6 steps 1 to 6); the stack adds the Via. */
export function createForward(request: SipRequest, parts: ForwardParts): SipRequest {
  const { uri, recordRoutes, path = [], maxBreadth } = parts;
  const copy = request.clone();
  const { headers } = copy;
  copy.uri = uri;
  headers.set("Max-Forwards", String((request.maxForwards ?? MAX_FORWARDS + 1) - 1));
  if (maxBreadth !== undefined) headers.set("Max-Breadth", String(maxBreadth));
  if (RECORDED.has(request.method)) {
    for (const route of recordRoutes.toReversed()) headers.prepend("Record-Route", route);
  }
  for (const route of path.toReversed()) headers.prepend("Route", route);
  const next = copy.routes[0];
  if (next && !next.uri.params.has("lr")) {
    // The next hop is a strict router: it wants itself in the Request-URI (16.6 step 6).
    headers.removeFirstValue("Route");
    headers.append("Route", `<${uri}>`);
    copy.uri = next.uri.withoutHeaders().toString();
  }
  return copy;
}

/** Branches that a request may still be forked to (RFC 5393 5.3.3). */
export function breadthOf(request: SipRequest): number {
  const text = request.headers.get("Max-Breadth") ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : DEFAULT_MAX_BREADTH;
}

/**
 * Our Record-Route values towards the far end of `out` for a request from `from`: the one that each
 * side can use, its own on its own side (RFC 5658 4).
 */
export function recordRoutes(from: Flow, out: Flow, sentBy: string): string[] {
  const towards = recordRoute(out, sentBy);
  const back = recordRoute(from, sentBy);
  return towards === back ? [towards] : [towards, back];
}

function recordRoute({ transport, local }: Flow, sentBy: string): string {
  const param = transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`;
  return `<sip:${local ?? sentBy}${param};lr>`;
}

/**
 * What tells a loop from a spiral: everything that decides where the request goes (RFC 5393 4.2),
 * as a suffix of the branch.
 */
export function loopSuffix(request: SipRequest): string {
  const headers = request.headers;
  const parts = [
    request.uri,
    request.to.tag ?? "",
    request.from.tag ?? "",
    request.callId,
    String(request.cseq.sequence),
    ...headers.getAll("Route"),
    ...headers.getAll("Proxy-Require"),
  ];
  return `.${hashOf(parts.join("\n"))}`;
}

/** 64 bits in hex. Nobody gains by a collision of his own making but a 482 to himself. */
function hashOf(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
  }
  a = Math.imul(a ^ (a >>> 16), 0x21f0aaad);
  b = Math.imul(b ^ (b >>> 15), 0xd35a2d97);
  const hex = (word: number) => ((word ^ (word >>> 15)) >>> 0).toString(16).padStart(8, "0");
  return hex(a) + hex(b);
}

/** Whether this very request has passed here before, with nothing changed (RFC 5393 4.2). */
function isLoop(request: SipRequest, sentBy: string): boolean {
  const ours = request.vias.filter((via) => via.sentBy === sentBy);
  if (ours.length === 0) return false;
  const suffix = loopSuffix(request);
  return ours.some((via) => via.branch?.endsWith(suffix));
}
