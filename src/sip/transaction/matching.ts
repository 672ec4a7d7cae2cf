import { BRANCH_COOKIE, type SipMessage, type SipRequest } from "../message/mod.ts";

/** How messages find their transactions (RFC 3261 17.1.3, 17.2.3). */

const COOKIE = BRANCH_COOKIE.toLowerCase();
/** Between the parts of a key: cannot stand in any of them. */
const SEPARATOR = "\n";

/** Key of a client transaction. */
export function clientKey(branch: string, method: string): string {
  return branch + SEPARATOR + method;
}

/**
 * Key of a server transaction. An ACK finds its INVITE's; `method` stands in for the request's own
 * where a CANCEL looks for what it cancels. Without the magic cookie the client is one of RFC 2543,
 * and the whole request tells.
 */
export function serverKey(
  request: SipRequest,
  method = request.method === "ACK" ? "INVITE" : request.method,
): string {
  const via = request.topVia;
  const branch = via.branch;
  if (branch !== undefined && branch.toLowerCase().startsWith(COOKIE)) {
    return [branch, via.sentBy, method].join(SEPARATOR);
  }
  const { sequence } = request.cseq;
  const from = request.from.tag ?? "";
  return [request.callId, sequence, from, request.uri, via.toString(), method].join(SEPARATOR);
}

/** Key by which the ACK to a 2xx finds the response; of the response and of the ACK alike. */
export function dialogKeyOfAck(message: SipMessage): string {
  return [
    message.callId,
    message.from.tag ?? "",
    message.to.tag ?? "",
    message.cseq.sequence,
  ].join(SEPARATOR);
}

/**
 * A To tag for answers without state: the same for each repetition of a request (8.2.7). Takes raw
 * header text only, since what it answers may be malformed.
 */
export function statelessTag(request: SipRequest): string {
  const text = `${request.headers.get("Via") ?? ""}${request.headers.get("Call-ID") ?? ""}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return `z${(hash >>> 0).toString(16).padStart(8, "0")}`;
}
