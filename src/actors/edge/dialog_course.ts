import { createRequest } from "../../sip/dialog/requests.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/mod.ts";
import type { AnchorEvent } from "./anchor.ts";
import type { AnchorDialog } from "./contract.ts";
import { type Exchange, other, type Side } from "./exchange.ts";

/** What a message means for its anchor. */
export interface CourseStep {
  readonly event?: AnchorEvent;
  /** The dialog has got this name. */
  readonly learnt?: AnchorDialog & { readonly remoteTag: string };
  /** The first 2xx. */
  readonly isAgreed?: boolean;
}

/**
 * How far one INVITE dialog has come, seen from the messages that pass (RFC 3261 12 to 15): nobody
 * tells the edge, which is no party to it.
 */
export class DialogCourse {
  /** Whether the wire's party called, or was called. */
  readonly role: "caller" | "callee";
  readonly #from: string;
  readonly #fromUri: string;
  readonly #toUri: string;
  readonly #callId: string;
  readonly #fromTag: string;
  readonly #sequence: number;
  /** Until it has its final answer. */
  #unanswered: SipRequest | null;
  /** To tag of the first 2xx: other forks are not this anchor's any more. */
  #agreedTag: string | null = null;
  /** To of the first 2xx, with its tag. */
  #to = "";
  /** Contact of the party on the wire, and the way there beyond our flow (RFC 3261 12.2.1.1). */
  #target = "";
  #routes: readonly string[] = [];
  /** Record-Routes that stood in the INVITE when it left us. */
  #recorded = 0;
  /** Highest CSeq that came from inside. */
  #innerSequence = 0;
  #bye: { readonly side: Side; readonly sequence: number } | undefined;

  constructor(invite: SipRequest, requester: Side) {
    this.role = requester === "wire" ? "caller" : "callee";
    this.#from = invite.headers.get("From") ?? "";
    this.#fromUri = invite.from.uri.toString();
    this.#toUri = invite.to.uri.toString();
    this.#callId = invite.callId;
    this.#fromTag = invite.from.tag ?? "";
    this.#sequence = invite.cseq.sequence;
    this.#unanswered = invite;
  }

  /** The INVITE of the party on the wire, while that waits for an answer; else null. */
  get unanswered(): SipRequest | null {
    return this.role === "caller" ? this.#unanswered : null;
  }

  get isAnswered(): boolean {
    return this.#agreedTag !== null;
  }

  get dialog(): AnchorDialog {
    const to = this.#agreedTag;
    return this.role === "callee"
      ? { callId: this.#callId, localTag: this.#fromTag, remoteTag: to }
      : { callId: this.#callId, localTag: to ?? "", remoteTag: this.#fromTag };
  }

  /** Of the party inside, and of the one on the wire. */
  get uris(): { readonly localUri: string; readonly remoteUri: string } {
    const [from, to] = [this.#fromUri, this.#toUri];
    return this.role === "callee"
      ? { localUri: from, remoteUri: to }
      : { localUri: to, remoteUri: from };
  }

  /** Whether this is the exchange of the INVITE that made the dialog. */
  isInvite({ requester, sequence }: Pick<Exchange, "requester" | "sequence">): boolean {
    const caller: Side = this.role === "caller" ? "wire" : "inner";
    return requester === caller && sequence === this.#sequence;
  }

  /** Whether the message is of the branch that was answered first; all are, before that. */
  isForThisFork(message: SipMessage): boolean {
    const tag = this.#agreedTag;
    return tag === null || message.to.tag === tag || message.from.tag === tag;
  }

  /**
   * A BYE to the party on the wire, as the one inside would send it; undefined where there is no
   * dialog to end, or it is ending.
   */
  bye(reason: string): SipRequest | undefined {
    if (this.#agreedTag === null || this.#bye || this.#target === "") return undefined;
    const [from, to] = [this.#from, this.#to];
    const [local, remote] = this.role === "callee" ? [from, to] : [to, from];
    return createRequest({
      method: "BYE",
      requestUri: this.#target,
      from: local,
      to: remote,
      callId: this.#callId,
      sequence: this.#innerSequence + 1,
      routes: this.#routes,
      headers: [["Reason", reason]],
    });
  }

  /** OPTIONS to the party on the wire, outside the dialog, whose sequence numbers are not ours. */
  ping(callId: string, from: string): SipRequest | undefined {
    if (this.#target === "") return undefined;
    return createRequest({
      method: "OPTIONS",
      requestUri: this.#target,
      from,
      to: `<${this.#target}>`,
      callId,
      sequence: 1,
      routes: this.#routes,
    });
  }

  take(side: Side, message: SipMessage): CourseStep {
    const { method, sequence } = message.cseq;
    if (method === "INVITE") this.#learnWay(side, message);
    if (message.kind === "request") return this.#takeRequest(side, message);
    const requester = other(side);
    if (method === "INVITE" && this.isInvite({ requester, sequence })) {
      return this.#takeAnswer(message);
    }
    const isBye = method === "BYE" && this.#bye?.side === requester &&
      this.#bye.sequence === sequence;
    if (!isBye || message.status < 200) return {};
    const isChallenge = message.status === 401 || message.status === 407;
    return { event: { type: isChallenge ? "resumed" : "ended" } };
  }

  #takeRequest(side: Side, request: SipRequest): CourseStep {
    const { sequence } = request.cseq;
    if (side === "inner") this.#innerSequence = Math.max(this.#innerSequence, sequence);
    if (request.method === "CANCEL") return { event: { type: "cancelled" } };
    if (!this.isForThisFork(request)) return {};
    if (request.method === "BYE") {
      this.#bye = { side, sequence };
      return { event: { type: "bye" } };
    }
    const isAck = request.method === "ACK" && this.isInvite({ requester: side, sequence });
    return isAck ? { event: { type: "acknowledged" } } : {};
  }

  #takeAnswer(response: SipResponse): CourseStep {
    const { status } = response;
    if (status === 100) return {};
    if (status >= 200) this.#unanswered = null;
    if (status >= 300) return this.isAnswered ? {} : { event: { type: "refused" } };
    const tag = response.to.tag;
    const named = tag === undefined ? {} : { learnt: this.#named(tag) };
    if (status < 200) return { ...named, event: { type: "provisional" } };
    if (this.isAnswered) return named;
    this.#agreedTag = tag ?? "";
    this.#to = response.headers.get("To") ?? "";
    return { ...named, event: { type: "accepted" }, isAgreed: true };
  }

  #learnWay(side: Side, message: SipMessage): void {
    const recorded = message.headers.getAll("Record-Route");
    const isFirst = message.kind === "request" && message.to.tag === undefined;
    if (side === "inner") {
      if (isFirst) this.#recorded = recorded.length;
      return;
    }
    if (message.kind === "response" && (message.status < 200 || message.status >= 300)) return;
    if (!this.isForThisFork(message)) return;
    const { contacts } = message;
    if (contacts !== "*" && contacts[0]) this.#target = contacts[0].uri.toString();
    if (isFirst) this.#routes = recorded;
    else if (message.kind === "response" && this.role === "callee" && !this.isAnswered) {
      this.#routes = recorded.slice(0, Math.max(0, recorded.length - this.#recorded)).reverse();
    }
  }

  #named(tag: string): AnchorDialog & { readonly remoteTag: string } {
    const callId = this.#callId;
    return this.role === "callee"
      ? { callId, localTag: this.#fromTag, remoteTag: tag }
      : { callId, localTag: tag, remoteTag: this.#fromTag };
  }
}
