import type { SipRequest } from "../message/mod.ts";
import { tooSmall } from "./session_timer.ts";

/** What a user agent answers to a request before anybody sees it (RFC 3261 8.2). */

export interface Inspection {
  /** Methods that somebody here takes. */
  readonly methods: readonly string[];
  readonly extensions: ReadonlySet<string>;
}

export interface InspectionFault {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
}

const SDP = "application/sdp";

/** In the RFC's order: method (8.2.1), extensions (8.2.2.3), content (8.2.3). */
export function inspect(request: SipRequest, known: Inspection): InspectionFault | undefined {
  const { method, headers } = request;
  if (!known.methods.includes(method)) {
    return { status: 405, headers: [["Allow", known.methods.join(", ")]] };
  }
  const unknown = headers.getAll("Require").filter((tag) =>
    !known.extensions.has(tag.toLowerCase())
  );
  if (unknown.length > 0) return { status: 420, headers: [["Unsupported", unknown.join(", ")]] };
  if (method === "INVITE" || method === "UPDATE") {
    const minimum = tooSmall(request);
    if (minimum !== undefined) return { status: 422, headers: [["Min-SE", String(minimum)]] };
    return sessionFault(request);
  }
  return undefined;
}

/** Session descriptions are what we read and write. */
function sessionFault(request: SipRequest): InspectionFault | undefined {
  const { headers, body, contentType } = request;
  if (body.length > 0 && contentType !== SDP && !isOptional(request)) {
    return { status: 415, headers: [["Accept", SDP]] };
  }
  const encoding = headers.get("Content-Encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return { status: 415, headers: [["Accept-Encoding", "identity"]] };
  }
  if (headers.has("Accept") && !headers.getAll("Accept").some(takesSdp)) {
    return { status: 406, headers: [["Accept", SDP]] };
  }
  return undefined;
}

/** The sender can do without our reading it (RFC 3261 20.11). */
function isOptional(request: SipRequest): boolean {
  return /handling\s*=\s*optional/i.test(request.headers.get("Content-Disposition") ?? "");
}

function takesSdp(range: string): boolean {
  const type = range.replace(/\s*;.*/s, "").toLowerCase();
  return type === SDP || type === "application/*" || type === "*/*";
}
