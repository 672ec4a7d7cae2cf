import type { Timer } from "../../core/clock.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import type { SessionTimer } from "./session_timer.ts";
import type { UsageCore } from "./usage_core.ts";
import { bodyOf, sdpBody } from "./usage_events.ts";
import type { ClientEvent } from "./user_agent.ts";

interface Offered {
  sequence: number;
  /** null: a refresh of the session timer that changes nothing. */
  readonly body: string | null;
  refused491: number;
  /** Waits out a glare: the other may have his turn meanwhile (RFC 3261 14.1). */
  timer: Timer | undefined;
}

interface Asked {
  readonly id: ServerTransactionId;
  readonly request: SipRequest;
}

const MAX_GLARES = 3;

/**
 * Changes of a confirmed session: re-INVITE and UPDATE both ways, one at a time, with the rules of
 * glare (RFC 3261 14, RFC 3311), and the refreshes of the session timer (RFC 4028).
 */
export class Modification {
  readonly #core: UsageCore;
  readonly #timer: SessionTimer;
  /** Whoever made the Call-ID waits longer after a 491 (RFC 3261 14.1). */
  readonly #ownsCallId: boolean;
  #offered: Offered | undefined;
  #asked: Asked | undefined;
  /** CSeq of a 2xx of ours whose ACK is still to come. */
  #unacknowledged: number | undefined;
  /** That 2xx had the offer: the ACK brings the answer. */
  #expectsAnswer = false;
  /** Methods that the far side says it takes; null: it has not said. */
  #peerAllows: ReadonlySet<string> | null = null;
  /** Our last description, repeated where a refresh must have one. */
  #local = "";
  #remote: string | null = null;

  constructor(core: UsageCore, timer: SessionTimer, ownsCallId: boolean) {
    this.#core = core;
    this.#timer = timer;
    this.#ownsCallId = ownsCallId;
  }

  /** What the first exchange settled. */
  settled(local: string, remote: string | null): void {
    this.#local = local;
    this.#remote = remote;
  }

  /** What is said of us where nothing changes: less than was offered, where less was taken. */
  describe(local: string): void {
    this.#local = local;
  }

  /** What a message of the far side says about itself. */
  learn(message: SipRequest | SipResponse): void {
    const methods = message.headers.getAll("Allow");
    if (methods.length > 0) this.#peerAllows = new Set(methods);
  }

  /** Whether the far side takes a method; undefined where it has not said. */
  takes(method: string): boolean | undefined {
    return this.#peerAllows?.has(method);
  }

  expectAck(sequence: number): void {
    this.#unacknowledged = sequence;
  }

  /** The ACK to a 2xx of ours did not come in time. */
  ackFailed(): void {
    if (this.#core.isEnded || this.#unacknowledged === undefined) return;
    this.#unacknowledged = undefined;
    this.#core.emit({ type: "usage.unacknowledged" });
  }

  /** Whether this ACK was waited for. */
  receiveAck(ack: SipRequest): boolean {
    if (ack.cseq.sequence !== this.#unacknowledged) return false;
    this.#unacknowledged = undefined;
    if (!this.#expectsAnswer) return true;
    this.#expectsAnswer = false;
    const body = bodyOf(ack);
    // The answer to a description that was the old one is news only where it differs.
    if (body !== null && body !== this.#remote) {
      this.#remote = body;
      this.#core.emit({ type: "usage.reoffered", body });
    }
    return true;
  }

  /** Offers anew. False while another change is under way. */
  offer(body: string): boolean {
    if (!this.#isFree) return false;
    this.#offered = { sequence: 0, body, refused491: 0, timer: undefined };
    this.#sendOffer("INVITE");
    return true;
  }

  /** Refreshes the session timer, by the cheaper of the two. */
  refresh(): void {
    // A change that is under way carries a Session-Expires too.
    if (!this.#isFree) return;
    this.#offered = { sequence: 0, body: null, refused491: 0, timer: undefined };
    this.#sendOffer(this.takes("UPDATE") ? "UPDATE" : "INVITE");
  }

  answer(body: string): void {
    const asked = this.#asked;
    if (!asked) return;
    this.#asked = undefined;
    this.#local = body;
    this.#remote = bodyOf(asked.request);
    this.#accept(asked, body);
  }

  refuse(status: number): void {
    const asked = this.#asked;
    if (!asked) return;
    this.#asked = undefined;
    this.#core.agent.respond(asked.id, this.#core.response(asked.request, status, null));
  }

  /** An INVITE or UPDATE inside the dialog: 491 and 500 as RFC 3261 14.2 and RFC 3311 5.2 say. */
  receive(id: ServerTransactionId, request: SipRequest): void {
    const refuse = (status: number, retryAfter?: number) => {
      const response = this.#core.response(request, status, null);
      if (retryAfter !== undefined) response.headers.set("Retry-After", String(retryAfter));
      this.#core.agent.respond(id, response);
    };
    const dialog = this.#core.dialog;
    if (this.#core.isEnded || !dialog) return refuse(481);
    this.learn(request);
    const body = bodyOf(request);
    if (request.method === "UPDATE" && body === null) {
      dialog.updateTarget(request);
      return this.#accept({ id, request }, null);
    }
    if (this.#offered && this.#offered.timer === undefined) return refuse(491);
    // Under a second, and not the same for both (RFC 3261 14.2).
    if (this.#asked || this.#unacknowledged !== undefined) return refuse(500, 1);
    dialog.updateTarget(request);
    if (body === null) {
      // A re-INVITE without a description asks for ours: it is what it was.
      this.#expectsAnswer = true;
      return this.#accept({ id, request }, this.#local);
    }
    this.#asked = { id, request };
    this.#watch(id);
    this.#core.emit({ type: "usage.reoffered", body });
  }

  /** What was asked and has no answer yet gets one (RFC 3261 15.1.2). */
  dispose(): void {
    this.refuse(487);
    if (this.#offered?.timer !== undefined) this.#core.clock.clearTimeout(this.#offered.timer);
    this.#offered = undefined;
    this.#timer.stop();
  }

  get #isFree(): boolean {
    if (this.#core.dialog?.state !== "confirmed" || this.#core.isEnded) return false;
    return !this.#offered && !this.#asked && this.#unacknowledged === undefined;
  }

  /** Hears CANCEL and the missing ACK of a re-INVITE. */
  #watch(id: ServerTransactionId): void {
    this.#core.agent.watch(id, (event) => {
      if (event.type === "failed") this.ackFailed();
      else if (this.#asked?.id === id) this.refuse(487);
    });
  }

  #accept({ id, request }: Asked, body: string | null): void {
    const response = this.#core.response(request, 200, body);
    for (const [name, value] of this.#timer.accept(request)) response.headers.append(name, value);
    if (request.method === "INVITE") {
      this.#unacknowledged = request.cseq.sequence;
      this.#watch(id);
    }
    this.#core.agent.respond(id, response);
  }

  #sendOffer(method: "INVITE" | "UPDATE"): void {
    const pending = this.#offered;
    const dialog = this.#core.dialog;
    if (!pending || !dialog || this.#core.isEnded) return;
    pending.timer = undefined;
    if (this.#asked || this.#unacknowledged !== undefined) return this.#waitAfterGlare(method);
    const body = pending.body ?? (method === "INVITE" ? this.#local : null);
    const request = dialog.request(method, {
      contact: `<${this.#core.agent.contact}>`,
      headers: [...this.#core.agent.capabilities, ...this.#timer.requestHeaders()],
      ...(body === null ? {} : { body: sdpBody(body) }),
    });
    pending.sequence = request.cseq.sequence;
    this.#core.agent.request(request, (event) => this.#onEvent(request, event));
  }

  #onEvent(request: SipRequest, event: ClientEvent): void {
    const { sequence, method } = request.cseq;
    const pending = this.#offered?.sequence === sequence ? this.#offered : undefined;
    const status = event.type === "failed" ? 408 : event.response.status;
    if (status < 200) return;
    if (event.type === "response" && status < 300) {
      const dialog = this.#core.dialog;
      // Every repetition of the 2xx wants its ACK, also after the answer was taken.
      if (dialog && method === "INVITE") this.#core.agent.ack(dialog.ack(sequence));
      if (pending) this.#onAccepted(pending, event.response);
      return;
    }
    if (!pending) return;
    if (status === 491 && pending.refused491++ < MAX_GLARES) return this.#waitAfterGlare(method);
    if (event.type === "response" && status === 422 && this.#timer.raise(event.response)) {
      return this.#sendOffer(method === "UPDATE" ? "UPDATE" : "INVITE");
    }
    this.#offered = undefined;
    if (pending.body !== null) this.#core.emit({ type: "usage.reofferRefused", status });
    // RFC 4028 10, RFC 3261 12.2.1.2: nobody is there any more.
    else if (status === 408 || status === 481) this.#core.emit({ type: "usage.expired" });
  }

  #onAccepted(pending: Offered, response: SipResponse): void {
    this.#offered = undefined;
    this.learn(response);
    this.#core.dialog?.updateTarget(response);
    this.#timer.answered(response);
    if (pending.body === null) return;
    this.#local = pending.body;
    this.#remote = bodyOf(response);
    this.#core.emit({ type: "usage.reanswered", body: this.#remote ?? "" });
  }

  #waitAfterGlare(method: string): void {
    const pending = this.#offered;
    if (!pending || this.#core.isEnded) return;
    const [from, span] = this.#ownsCallId ? [2100, 1900] : [0, 2000];
    const chance = parseInt(this.#core.agent.token(16), 16) / 0xffff;
    const wait = from + Math.round(chance * span / 10) * 10;
    const next = method === "UPDATE" ? "UPDATE" : "INVITE";
    pending.timer = this.#core.clock.setTimeout(() => this.#sendOffer(next), wait);
  }
}
