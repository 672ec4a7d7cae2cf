import { createHash } from "node:crypto";
import { MAX_FORWARDS } from "../dialog/requests.ts";
import { NameAddr, type SipRequest } from "../message/mod.ts";
import type { ProxyPolicy, Refusal } from "./proxy_io.ts";

/** What happens to a request on its way through a proxy (RFC 3261 16.4, 16.6; RFC 5393). */

const RECORDED = new Set(["INVITE", "SUBSCRIBE", "REFER"]);

/**
 * Takes our own entries off the route, after undoing what a strict router did to the Request-URI
 * (16.4). Changes `request`.
 */
export function preprocessRoute(request: SipRequest, policy: ProxyPolicy): void {
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

/** What any proxy refuses (16.3); to be asked once our own routes are off. */
export function checkRequest(
  request: SipRequest,
  sentBy: string,
  suffix: string,
): Refusal | undefined {
  if (request.maxForwards === 0) return { status: 483 };
  const extensions = request.headers.getAll("Proxy-Require");
  if (extensions.length > 0) {
    return { status: 420, headers: [["Unsupported", extensions.join(", ")]] };
  }
  return isLoop(request, sentBy, suffix) ? { status: 482 } : undefined;
}

/** The copy of `request` that goes to `target` (16.6 steps 1 to 6); the stack adds the Via. */
export function createForward(
  request: SipRequest,
  target: string,
  recordRoute: string,
): SipRequest {
  const copy = request.clone();
  copy.uri = target;
  copy.headers.set("Max-Forwards", String((request.maxForwards ?? MAX_FORWARDS + 1) - 1));
  if (RECORDED.has(request.method)) copy.headers.prepend("Record-Route", recordRoute);
  const next = copy.routes[0];
  if (next && !next.uri.params.has("lr")) {
    // The next hop is a strict router: it wants itself in the Request-URI (16.6 step 6).
    copy.headers.removeFirstValue("Route");
    copy.headers.append("Route", `<${target}>`);
    copy.uri = next.uri.toString();
  }
  return copy;
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
  const digest = createHash("md5").update(parts.join("\n")).digest("hex");
  return `.${digest.slice(0, 16)}`;
}

/** Whether this very request has passed here before, with nothing changed (RFC 5393 4.2). */
function isLoop(request: SipRequest, sentBy: string, suffix: string): boolean {
  return request.vias.some((via) => via.sentBy === sentBy && via.branch?.endsWith(suffix));
}
