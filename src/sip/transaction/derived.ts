import {
  createResponse,
  HeaderList,
  parseMessage,
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

/**
 * A packet that lingers for repetitions that seldom come: of all that was read of its message only
 * the bytes are kept, and read again when one comes.
 */
export function keepPacket<M extends SipMessage>({ message, bytes }: Packet<M>): Packet<M> {
  return new KeptPacket<M>(message.kind, bytes);
}

/** What was kept of an answer of ours, to be sent again. */
export function readPacket(bytes: Uint8Array): Packet {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) throw new Error("a message that we wrote can't be read");
  return { message: parsed.value, bytes };
}

class KeptPacket<M extends SipMessage> implements Packet<M> {
  readonly #kind: M["kind"];
  readonly bytes: Uint8Array;

  constructor(kind: M["kind"], bytes: Uint8Array) {
    this.#kind = kind;
    this.bytes = bytes;
  }

  get message(): M {
    const { message } = readPacket(this.bytes);
    if (message.kind === this.#kind) return message as M;
    throw new Error(`a message that we wrote is no ${this.#kind} any more`);
  }
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
