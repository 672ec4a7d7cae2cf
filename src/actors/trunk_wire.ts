import type { Clock, Instant } from "../core/clock.ts";
import { type Entropy, randomHex } from "../core/entropy.ts";
import type { Flow } from "../sip/flow.ts";
import {
  BRANCH_COOKIE,
  createResponse,
  serialize,
  type SipMessage,
  SipRequest,
  type SipResponse,
  SipUri,
} from "../sip/message/mod.ts";
import { authorize, type Credentials } from "../sip/user_agent/credentials.ts";

/** How calls look at a carrier. */
export interface TrunkFace {
  /** In From and P-Asserted-Identity. */
  readonly host: string;
  /** `pai`: the number stands in P-Asserted-Identity and the name in From (RFC 3325). */
  readonly callerId: "from" | "pai";
  /** Answers to the carrier's challenges; null: it knows us by address. */
  readonly credentials: Credentials | null;
  /** The number of whoever this From means; undefined: it is none of our accounts. */
  numberOf(from: SipUri): string | undefined;
}

export interface TrunkWirePorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  send(flow: Flow, bytes: Uint8Array, message: SipMessage): void;
}

/** A request on its way: as the element sent it, and as it went out. */
interface Sent {
  readonly original: SipRequest;
  readonly flow: Flow;
  readonly at: Instant;
  wire: SipRequest;
  attempts: number;
}

/** Longer than anything rings (timer C, RFC 3261 16.6 step 11). */
const KEEP_MS = 300_000;
const MAX_KEPT = 20_000;
const BRANCH_BITS = 96;
/** Headers that tell who somebody is: ours alone to set towards a carrier. */
const IDENTITY = [
  "P-Asserted-Identity",
  "P-Preferred-Identity",
  "P-Charging-Vector",
  "P-Charge-Info",
  "P-Asserted-Service",
  "P-Preferred-Service",
  "Remote-Party-ID",
  "Identity",
  "Diversion",
  "History-Info",
  "Referred-By",
];
const SECRETS = ["Authorization", "Proxy-Authorization"];

/**
 * Between our elements and the wire of a trunk: puts the caller's number in, answers the carrier's
 * challenges, and takes both out again on the way back. A proxy may not prove anything for its
 * callers, so that this is done where nobody but the trunk sees it; CSeq counts on as RFC 3261
 * 22.2 wants.
 */
export class TrunkWire {
  readonly #ports: TrunkWirePorts;
  /** By the element's branch; the oldest first. */
  readonly #sent = new Map<string, Sent>();
  /** By the branch on the wire, earlier attempts too. */
  readonly #byWire = new Map<string, { readonly sent: Sent; readonly request: SipRequest }>();
  /** How far CSeq is ahead of the element's, by Call-ID and our tag. */
  readonly #ahead = new Map<string, number>();

  constructor(ports: TrunkWirePorts) {
    this.#ports = ports;
  }

  /** What goes on the wire in place of `message`, which is not changed. */
  outgoing(face: TrunkFace, flow: Flow, message: SipMessage): SipMessage {
    if (message.kind === "response" || message.method === "REGISTER") return message;
    this.#forgetOld();
    const branch = message.topVia.branch ?? "";
    const known = this.#sent.get(branch);
    // The element repeats what it has not heard of; the wire hears its latest form.
    if (known && known.original.method === message.method) return known.wire;
    const copy = message.clone();
    identify(copy, face);
    if (known) {
      // CANCEL, or the ACK to a refusal: of the INVITE as it went out.
      setBranch(copy, known.wire.topVia.branch ?? "");
      setSequence(copy, known.wire.cseq.sequence);
      return copy;
    }
    const ahead = this.#ahead.get(dialogOf(copy)) ?? 0;
    if (ahead > 0) countOn(copy, ahead);
    if (message.method !== "ACK") this.#keep(message.clone(), copy, flow, branch);
    return copy;
  }

  /** What the element hears in place of `message`; null: nothing. */
  incoming(face: TrunkFace, flow: Flow, message: SipMessage): SipMessage | null {
    if (message.kind === "request") return message;
    const branch = message.topVia.branch ?? "";
    const found = this.#byWire.get(branch);
    if (!found) return message;
    const { sent, request } = found;
    if (request !== sent.wire) {
      // An attempt that was challenged says so again: its ACK was lost.
      this.#acknowledge(request, message, flow);
      return null;
    }
    const isChallenge = message.status === 401 || message.status === 407;
    if (isChallenge && message.cseq.method === sent.original.method) {
      if (this.#prove(face, sent, message, flow)) return null;
      // Nobody behind us may answer a carrier's challenge, nor see it.
      return this.#finished(sent, refused(sent.original, message));
    }
    return this.#finished(sent, restored(sent.original, message));
  }

  #finished(sent: Sent, response: SipResponse): SipResponse {
    const { method } = response.cseq;
    const isInitial = method === "INVITE" && sent.original.to.tag === undefined;
    const isOver = method === "BYE" ? response.status >= 200 : isInitial && response.status >= 300;
    if (isOver) this.#ahead.delete(dialogOf(sent.original));
    return response;
  }

  #prove(face: TrunkFace, sent: Sent, response: SipResponse, flow: Flow): boolean {
    const { entropy } = this.#ports;
    const cnonce = randomHex(entropy, 64);
    const answer = authorize(sent.wire, response, face.credentials, cnonce);
    if (!answer || sent.attempts > 1 || (sent.attempts === 1 && !answer.stale)) return false;
    this.#acknowledge(sent.wire, response, flow);
    sent.attempts++;
    const next = sent.wire.clone();
    const branch = `${BRANCH_COOKIE}${randomHex(entropy, BRANCH_BITS)}`;
    setBranch(next, branch);
    countOn(next, 1);
    next.headers.set(answer.header[0], answer.header[1]);
    const dialog = dialogOf(next);
    this.#ahead.set(dialog, (this.#ahead.get(dialog) ?? 0) + 1);
    sent.wire = next;
    this.#byWire.set(branch, { sent, request: next });
    this.#ports.send(flow, serialize(next), next);
    return true;
  }

  /** The ACK to a refusal of an INVITE (RFC 3261 17.1.1.3). */
  #acknowledge(request: SipRequest, response: SipResponse, flow: Flow): void {
    if (request.method !== "INVITE" || response.status < 300) return;
    const ack = new SipRequest("ACK", request.uri);
    const { headers } = ack;
    headers.append("Via", request.topVia.toString());
    for (const route of request.headers.getAll("Route")) headers.append("Route", route);
    headers.append("Max-Forwards", "70");
    headers.append("From", request.headers.get("From") ?? "");
    headers.append("To", response.headers.get("To") ?? "");
    headers.append("Call-ID", request.callId);
    headers.append("CSeq", `${request.cseq.sequence} ACK`);
    this.#ports.send(flow, serialize(ack), ack);
  }

  #keep(original: SipRequest, wire: SipRequest, flow: Flow, branch: string): void {
    const sent: Sent = { original, wire, flow, at: this.#ports.clock.now(), attempts: 0 };
    this.#sent.set(branch, sent);
    this.#byWire.set(branch, { sent, request: wire });
  }

  #forgetOld(): void {
    const before = this.#ports.clock.now() - KEEP_MS;
    for (const [branch, sent] of this.#sent) {
      if (sent.at > before && this.#sent.size <= MAX_KEPT) break;
      this.#sent.delete(branch);
    }
    for (const [branch, { sent }] of this.#byWire) {
      if (sent.at > before && this.#byWire.size <= 2 * MAX_KEPT) break;
      this.#byWire.delete(branch);
    }
    for (const dialog of this.#ahead.keys()) {
      if (this.#ahead.size <= MAX_KEPT) break;
      this.#ahead.delete(dialog);
    }
  }
}

/** The caller as the carrier is to see him; what he says of himself is taken off. */
function identify(request: SipRequest, face: TrunkFace): void {
  const { headers } = request;
  for (const name of [...IDENTITY, ...SECRETS]) headers.remove(name);
  const { from } = request;
  const number = face.numberOf(from.uri);
  if (number === undefined) return;
  const tag = from.tag === undefined ? "" : `;tag=${from.tag}`;
  const asserted = SipUri.of({ user: number, host: face.host });
  const shown = face.callerId === "pai"
    ? SipUri.of({ user: from.uri.user, host: face.host })
    : asserted;
  // No display name: a caller chooses it, and people would take it for a number.
  headers.set("From", `<${shown}>${tag}`);
  if (face.callerId === "pai") headers.set("P-Asserted-Identity", `<${asserted}>`);
}

function restored(original: SipRequest, response: SipResponse): SipResponse {
  const copy = response.clone();
  setBranch(copy, original.topVia.branch ?? "");
  copy.headers.set("CSeq", `${original.cseq.sequence} ${response.cseq.method}`);
  copy.headers.set("From", original.headers.get("From") ?? "");
  return copy;
}

/** To a failover, and to the caller, a trunk that does not let us in is one that does not work. */
function refused(original: SipRequest, response: SipResponse): SipResponse {
  const { tag } = response.to;
  return createResponse(original, 503, "The Trunk Refuses Our Credentials", {
    ...(tag === undefined ? {} : { toTag: tag }),
  });
}

function setBranch(message: SipMessage, branch: string): void {
  const via = message.topVia;
  if (via.branch === branch) return;
  message.headers.replaceFirstValue("Via", via.withParam("branch", branch).toString());
}

function setSequence(message: SipMessage, sequence: number): void {
  message.headers.set("CSeq", `${sequence} ${message.cseq.method}`);
}

/** CSeq, and the one that a PRACK names, so many further. */
function countOn(request: SipRequest, by: number): void {
  setSequence(request, request.cseq.sequence + by);
  const rack = /^(\d+) +(\d+) +(\S+)$/.exec(request.headers.get("RAck") ?? "");
  if (rack) request.headers.set("RAck", `${rack[1]} ${Number(rack[2]) + by} ${rack[3]}`);
}

function dialogOf(request: SipRequest): string {
  return `${request.callId}\n${request.from.tag ?? ""}`;
}
