import {
  createResponse,
  HeaderList,
  serialize,
  type SipMessage,
  SipRequest,
  type SipResponse,
} from "../message/mod.ts";
import type { Packet } from "./effects.ts";

/** Messages that a transaction makes by itself out of its request. */

const NO_BODY = new Uint8Array(0);

export function createPacket<M extends SipMessage>(message: M): Packet<M> {
  return { message, bytes: serialize(message) };
}

/** ACK to a non-2xx final response (RFC 3261 17.1.1.3). */
export function createAckPacket(invite: SipRequest, response: SipResponse): Packet<SipRequest> {
  const ack = createSibling(invite, "ACK");
  ack.headers.set("To", response.headers.get("To") ?? "");
  return createPacket(ack);
}

/** CANCEL of `invite` (RFC 3261 9.1); `reason` is a Reason header's value. */
export function createCancel(invite: SipRequest, reason: string | undefined): SipRequest {
  const cancel = createSibling(invite, "CANCEL");
  if (reason !== undefined) cancel.headers.append("Reason", reason);
  return cancel;
}

export function createTryingPacket(invite: SipRequest): Packet<SipResponse> {
  return createPacket(createResponse(invite, 100, "Trying"));
}

/** A request on the same hop and branch: one Via, the same route, the same CSeq number. */
function createSibling(invite: SipRequest, method: string): SipRequest {
  const from = invite.headers;
  const headers = new HeaderList();
  headers.append("Via", invite.topVia.toString());
  headers.append("Max-Forwards", "70");
  for (const name of ["From", "To", "Call-ID"]) headers.append(name, from.get(name) ?? "");
  headers.append("CSeq", `${invite.cseq.sequence} ${method}`);
  for (const route of from.getAll("Route")) headers.append("Route", route);
  return new SipRequest(method, invite.uri, headers, NO_BODY);
}
