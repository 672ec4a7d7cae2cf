import { Dialog } from "../dialog/dialog.ts";
import { createInvite } from "../dialog/requests.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import { allowOf } from "./allow.ts";
import { authorize, type Credentials } from "./credentials.ts";
import { EarlyDialogs } from "./early_dialogs.ts";
import { refuseLateAnswer } from "./late_answer.ts";
import type { Modification } from "./modification.ts";
import type { SessionTimer } from "./session_timer.ts";
import type { UsageCore } from "./usage_core.ts";
import { bodyOf, sdpBody } from "./usage_events.ts";
import { nameAddr, type OutboundInvite } from "./usage_options.ts";
import type { ClientEvent, ClientTransaction } from "./user_agent.ts";

const NO_ANSWER = "No answer from the next hop";

/**
 * The caller's side of one INVITE (RFC 3261 13.2): from the INVITE, with a second one where the
 * first was challenged, through early dialogs and their PRACKs, to the ACK of the 2xx.
 */
export class InviteUac {
  readonly #core: UsageCore;
  readonly #modification: Modification;
  readonly #timer: SessionTimer;
  readonly #credentials: Credentials | null;
  readonly #early = new EarlyDialogs();
  #invite: SipRequest;
  #transaction: ClientTransaction | undefined;
  #triedCredentials = false;
  /** The body of the ACK to the 2xx, once it is known: repetitions want it again. */
  #ackBody: string | null | undefined;
  #isAnswered = false;
  /** INVITE without an offer: what a reliable provisional and its PRACK settled (RFC 3262 5). */
  #earlyOffer: { readonly offer: string; answer: string | null } | undefined;
  /** Sends the PRACK that waits for our answer. */
  #sendAnswer: ((body: string) => void) | undefined;

  constructor(
    core: UsageCore,
    modification: Modification,
    timer: SessionTimer,
    options: OutboundInvite,
  ) {
    this.#core = core;
    this.#modification = modification;
    this.#timer = timer;
    this.#credentials = options.credentials;
    const { agent, local, target, body } = options;
    this.#invite = createInvite({
      requestUri: target,
      from: `${nameAddr(local)};tag=${core.names.localTag}`,
      to: `<${target}>`,
      callId: options.callId,
      sequence: 1,
      contact: `<${agent.contact}>`,
      allow: allowOf(options.hooks),
      headers: [["Supported", agent.extensions], ...Object.entries(options.headers)],
      ...(body === null ? {} : { body: sdpBody(body) }),
    });
    for (const [name, value] of timer.requestHeaders()) this.#invite.headers.append(name, value);
  }

  /** A final response is here, or never will be. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  start(): void {
    this.#send(this.#invite);
  }

  /** Our answer to `usage.answered` with an offer, or to `usage.offered`. */
  acknowledge(body: string): void {
    if (this.#sendAnswer) {
      if (this.#earlyOffer) this.#earlyOffer.answer = body;
      this.#sendAnswer(body);
      this.#sendAnswer = undefined;
      return;
    }
    const { dialog } = this.#core;
    if (!dialog || this.#ackBody !== undefined) return;
    this.#ackBody = body;
    this.#ack(dialog);
  }

  /** An ACK is owed before anything else, even where nobody has an answer any more. */
  payAck(): void {
    if (this.#ackBody === undefined) this.acknowledge("");
  }

  /** CANCEL (9.1); the final response still comes. */
  cancel(reason?: string): void {
    if (!this.#isAnswered) this.#transaction?.cancel(reason);
  }

  #send(invite: SipRequest): void {
    this.#invite = invite;
    this.#transaction = this.#core.agent.request(invite, (event) => this.#onEvent(event));
  }

  #onEvent(event: ClientEvent): void {
    if (event.type === "failed") {
      if (this.#isAnswered) return;
      this.#isAnswered = true;
      const status = event.reason === "timeout" ? 408 : 503;
      return this.#core.emit({ type: "usage.refused", status, reason: event.text ?? NO_ANSWER });
    }
    const { response } = event;
    if (response.status < 200) return this.#onProvisional(response);
    if (response.status < 300) return this.#onAnswer(response);
    if (this.#isAnswered) return;
    if (this.#retryWithCredentials(response)) return;
    if (response.status === 422 && this.#timer.raise(response)) {
      return this.#retry(this.#timer.requestHeaders());
    }
    this.#isAnswered = true;
    const { status, reason } = response;
    const why = response.headers.get("Reason");
    this.#core.emit({ type: "usage.refused", status, reason, why });
  }

  #onProvisional(response: SipResponse): void {
    if (response.status === 100 || this.#isAnswered) return;
    const branch = this.#early.receive(this.#invite, response);
    if (response.status === 199) return;
    const rack = branch ? branch.receiver.receive(response) : null;
    if (rack === undefined) return;
    this.#core.remoteTag = response.to.tag ?? this.#core.remoteTag;
    const body = bodyOf(response);
    if (branch && rack !== null) {
      const isOffer = this.#invite.body.length === 0 && body !== null && !this.#earlyOffer;
      if (isOffer) return this.#onEarlyOffer(branch.dialog, rack, body);
      this.#sendPrack(branch.dialog, rack, null);
    }
    // A browser takes one description: while several may answer it only rings (design, section 5).
    const counts = this.#early.size <= 1 && this.#invite.body.length > 0;
    const event = { type: "usage.provisional", status: response.status } as const;
    this.#core.emit({ ...event, body: counts ? body : null });
  }

  #onEarlyOffer(dialog: Dialog, rack: string, offer: string): void {
    this.#earlyOffer = { offer, answer: null };
    this.#sendAnswer = (body) => this.#sendPrack(dialog, rack, body);
    this.#core.emit({ type: "usage.offered", body: offer });
  }

  #sendPrack(dialog: Dialog, rack: string, answer: string | null): void {
    const body = answer === null ? {} : { body: sdpBody(answer) };
    const prack = dialog.request("PRACK", { headers: [["RAck", rack]], ...body });
    this.#core.agent.request(prack, () => {});
  }

  #onAnswer(response: SipResponse): void {
    const core = this.#core;
    const tag = response.to.tag ?? "";
    if (this.#isAnswered) {
      // The same 2xx again asks for its ACK again; another fork's is turned away.
      if (core.dialog && tag === core.remoteTag) return this.#ack(core.dialog);
      return refuseLateAnswer(core.agent, this.#invite, response);
    }
    this.#isAnswered = true;
    const early = this.#early.confirm(response);
    const made = early ? undefined : Dialog.ofUac(this.#invite, response);
    const dialog = early ?? (made?.ok ? made.value : undefined);
    if (!dialog) {
      const why = made?.ok === false ? made.error : "no dialog";
      return core.emit({ type: "usage.refused", status: 500, reason: `Unusable answer: ${why}` });
    }
    if (core.isEnded) return refuseLateAnswer(core.agent, this.#invite, response);
    core.dialog = dialog;
    core.remoteTag = tag;
    this.#sendAnswer = undefined;
    this.#timer.answered(response);
    this.#modification.learn(response);
    this.#onDescription(dialog, response);
  }

  /** The 2xx has the answer, or the offer where nobody has made one before (13.2.1). */
  #onDescription(dialog: Dialog, response: SipResponse): void {
    const remoteTag = response.to.tag ?? "";
    const settled = this.#earlyOffer?.answer ?? null;
    const body = bodyOf(response) ?? (settled === null ? "" : this.#earlyOffer!.offer);
    const ours = bodyOf(this.#invite) ?? settled;
    if (ours === null) {
      return this.#core.emit({ type: "usage.answered", body, remoteTag, isOffer: true });
    }
    this.#modification.settled(ours, body);
    this.#ackBody = null;
    this.#ack(dialog);
    this.#core.emit({ type: "usage.answered", body, remoteTag });
  }

  /** The ACK to the 2xx of the INVITE, as often as the 2xx comes. */
  #ack(dialog: Dialog): void {
    const body = this.#ackBody;
    if (body === undefined) return;
    const options = body === null || body === "" ? {} : { body: sdpBody(body) };
    this.#core.agent.ack(dialog.ack(this.#invite.cseq.sequence, options));
  }

  #retryWithCredentials(response: SipResponse): boolean {
    if (this.#triedCredentials) return false;
    const cnonce = this.#core.agent.token(64);
    const answer = authorize(this.#invite, response, this.#credentials, cnonce);
    if (!answer) return false;
    this.#triedCredentials = true;
    this.#retry([answer.header]);
    return true;
  }

  #retry(headers: Iterable<readonly [string, string]>): void {
    const next = this.#invite.clone();
    next.headers.remove("Via");
    next.headers.set("CSeq", `${this.#invite.cseq.sequence + 1} INVITE`);
    for (const [name, value] of headers) next.headers.set(name, value);
    this.#send(next);
  }
}
