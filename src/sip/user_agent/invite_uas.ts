import { Dialog } from "../dialog/dialog.ts";
import type { SipRequest } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import type { Modification } from "./modification.ts";
import { knows, RELIABLE, ReliableSender } from "./reliable.ts";
import type { SessionTimer } from "./session_timer.ts";
import type { UsageCore } from "./usage_core.ts";
import { bodyOf } from "./usage_events.ts";
import type { IncomingInvite, ServerEvent } from "./user_agent.ts";

/**
 * The callee's side of one INVITE (RFC 3261 13.3): provisional responses, reliably where that is
 * asked for (RFC 3262), and one final response, whose ACK is waited for.
 */
export class InviteUas {
  readonly #core: UsageCore;
  readonly #modification: Modification;
  readonly #timer: SessionTimer;
  readonly #id: ServerTransactionId;
  readonly #invite: SipRequest;
  readonly #reliable: ReliableSender;
  #isAnswered = false;
  /** `accept` was called, and may still wait for a PRACK. */
  #isAccepting = false;
  /** INVITE without an offer: what a reliable provisional and its PRACK settled (RFC 3262 5). */
  #earlyOffer: { readonly offer: string; answer: string | null } | undefined;

  constructor(
    core: UsageCore,
    modification: Modification,
    timer: SessionTimer,
    invite: IncomingInvite,
  ) {
    this.#core = core;
    this.#modification = modification;
    this.#timer = timer;
    this.#id = invite.id;
    this.#invite = invite.request;
    this.#reliable = new ReliableSender({
      clock: core.clock,
      firstSequence: 1 + parseInt(core.agent.token(24), 16),
      send: (response) => core.agent.respond(invite.id, response),
      unacknowledged: () => this.#giveUpOnCaller(),
    });
    core.remoteTag = invite.request.from.tag ?? null;
    modification.learn(invite.request);
    core.agent.watch(invite.id, (event) => this.#onServerEvent(event));
  }

  /** A final response has gone. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /**
   * A provisional response with To tag and Contact; reliably where the caller demands it, and where
   * it has a description that must not get lost (RFC 3262 3).
   */
  ring(status: 180 | 183, body: string | null): void {
    if (this.#isAnswered) return;
    const response = this.#core.response(this.#invite, status, body);
    const reliable = knows(this.#invite, RELIABLE);
    // Without an offer the first reliable one would have to have one (RFC 3262 5).
    const lacksOffer = this.#invite.body.length === 0 && body === null;
    const isReliable = !lacksOffer && (reliable === "demands" || reliable === "knows" && body);
    if (isReliable) {
      if (this.#invite.body.length === 0 && body !== null) {
        this.#earlyOffer ??= { offer: body, answer: null };
      }
      this.#ensureDialog();
      this.#reliable.send(response, body !== null);
    } else if (reliable !== "demands") {
      this.#core.agent.respond(this.#id, response);
    }
  }

  /**
   * 200 with the answer (with the offer, where the INVITE had none); the stack repeats it until the
   * ACK (RFC 3261 13.3.1.4).
   */
  accept(body: string): void {
    if (this.#isAnswered) return;
    this.#isAccepting = true;
    this.#reliable.whenSettled(() => this.#accept(body));
  }

  /** A final refusal. */
  reject(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#reliable.dispose();
    this.#core.respond(this.#id, this.#invite, status, Object.entries(headers));
  }

  /**
   * A PRACK's description is the answer to our offer; an offer of its own nobody could answer yet.
   */
  receivePrack(id: ServerTransactionId, request: SipRequest): void {
    const body = bodyOf(request);
    const early = this.#earlyOffer;
    const isAnswer = body !== null && early?.answer === null;
    if (isAnswer) early.answer = body;
    const isKnown = this.#reliable.acknowledge(request);
    this.#core.respond(id, request, !isKnown ? 481 : body === null || isAnswer ? 200 : 488);
    if (isAnswer && isKnown) this.#core.emit({ type: "usage.pracked", body });
  }

  /** An ACK to a 2xx of this dialog, the INVITE's or a later one's. */
  receiveAck(request: SipRequest): void {
    if (request.cseq.sequence !== this.#invite.cseq.sequence) return;
    const body = this.#invite.body.length === 0 ? bodyOf(request) : null;
    this.#core.emit({ type: "usage.acknowledged", ...(body === null ? {} : { body }) });
  }

  /** Stops what repeats; sends nothing. */
  dispose(): void {
    this.#reliable.dispose();
  }

  #accept(body: string): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#reliable.dispose();
    const early = this.#earlyOffer;
    const response = this.#core.response(this.#invite, 200, early ? null : body);
    for (const [name, value] of this.#timer.accept(this.#invite)) {
      response.headers.append(name, value);
    }
    this.#ensureDialog();
    this.#core.dialog?.confirm();
    this.#modification.settled(early?.offer ?? body, early?.answer ?? bodyOf(this.#invite));
    this.#modification.expectAck(this.#invite.cseq.sequence);
    this.#core.agent.respond(this.#id, response);
  }

  /** The callee's dialog, from the first response with a tag on (RFC 3261 12.1.1). */
  #ensureDialog(): void {
    if (this.#core.dialog) return;
    const dialog = Dialog.ofUas(this.#invite, this.#core.names.localTag);
    if (dialog.ok) this.#core.dialog = dialog.value;
  }

  /** No PRACK came: 5xx, as RFC 3262 3 wants it. */
  #giveUpOnCaller(): void {
    if (this.#isAnswered) return;
    this.reject(504);
    this.#core.emit(
      this.#isAccepting
        ? { type: "usage.unacknowledged" }
        : { type: "usage.cancelled", reason: 'SIP;cause=504;text="No PRACK"' },
    );
  }

  #onServerEvent(event: ServerEvent): void {
    if (event.type === "failed") return this.#modification.ackFailed();
    if (this.#isAnswered) return;
    this.reject(487);
    this.#core.emit({ type: "usage.cancelled", reason: event.reason ?? null });
  }
}
