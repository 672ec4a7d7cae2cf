import { Dialog } from "../dialog/dialog.ts";
import { createInvite } from "../dialog/requests.ts";
import { createResponse, type SipRequest, type SipResponse } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import { authorize, type Credentials } from "./credentials.ts";
import { EarlyDialogs } from "./early_dialogs.ts";
import { allowOf, Extras } from "./extras.ts";
import { InfoSender } from "./info_sender.ts";
import { Modification } from "./modification.ts";
import { knows, RELIABLE, ReliableSender } from "./reliable.ts";
import { SessionTimer } from "./session_timer.ts";
import { bodyOf, SDP, sdpBody, type UsageEvent, type UsageHooks } from "./usage_events.ts";
import {
  type InboundInvite,
  nameAddr,
  type OutboundInvite,
  type UsageOptions,
} from "./usage_options.ts";
import {
  type ClientEvent,
  type ClientTransaction,
  type DialogRequest,
  type UserAgent,
  UserAgents,
} from "./user_agents.ts";

export type { UsageEvent, UsageHooks } from "./usage_events.ts";
export type { Identity, InboundInvite, OutboundInvite } from "./usage_options.ts";

const TAG_BITS = 64;
const NO_ANSWER = "No answer from the next hop";

/**
 * One INVITE usage of a user agent core (RFC 3261 13, 14, 15): the mechanics of INVITE, ACK,
 * CANCEL, BYE, PRACK and of changes of the session, without any decision about the call. Every
 * method is safe in every state.
 */
export class InviteUsage {
  readonly callId: string;
  readonly localTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly #agent: UserAgent;
  readonly #hooks: UsageHooks;
  readonly #emit: (event: UsageEvent) => void;
  readonly #credentials: Credentials | null;
  readonly #timer: SessionTimer;
  readonly #modification: Modification;
  readonly #early = new EarlyDialogs();
  readonly #reliable: ReliableSender;
  readonly #infos: InfoSender;
  readonly #extras: Extras;
  #dialog: Dialog | undefined;
  #remoteTag: string | null = null;
  #closeDialog: (() => void) | undefined;
  #invite: SipRequest;
  #client: ClientTransaction | undefined;
  #server: ServerTransactionId | undefined;
  #triedCredentials = false;
  /** The ACK to the 2xx, once it is known: repetitions want it again. */
  #ackBody: string | null | undefined;
  #ended = false;
  #finallyAnswered = false;
  /** `accept` was called, and may still wait for a PRACK. */
  #isAccepting = false;
  /** INVITE without an offer: what a reliable provisional and its PRACK settled (RFC 3262 5). */
  #earlyOffer: { readonly offer: string; answer: string | null } | undefined;
  /** UAC: sends the PRACK that waits for our answer. */
  #sendAnswer: ((body: string) => void) | undefined;

  private constructor(
    options: UsageOptions & { credentials: Credentials | null },
    invite: SipRequest,
    sides: { isInbound: boolean; localTag: string; localUri: string; remoteUri: string },
    emit: (event: UsageEvent) => void,
  ) {
    const { agent, clock } = options;
    this.#agent = agent;
    this.#hooks = options.hooks ?? {};
    this.#credentials = options.credentials;
    this.#invite = invite;
    this.#emit = emit;
    this.callId = invite.callId;
    this.localTag = sides.localTag;
    this.localUri = sides.localUri;
    this.remoteUri = sides.remoteUri;
    this.#timer = new SessionTimer(clock, options.sessionTimer ?? null, {
      refresh: () => this.#modification.refresh(),
      expire: () => this.#ended || this.#emit({ type: "usage.expired" }),
    });
    this.#modification = new Modification(
      {
        agent,
        clock,
        dialog: () => this.#dialog,
        isEnded: () => this.#ended,
        emit,
        response: (request, status, body) => this.#response(request, status, body),
        watch: (id) => this.#watch(id),
      },
      this.#timer,
      !sides.isInbound,
    );
    this.#extras = new Extras({
      agent,
      localUri: this.localUri,
      dialog: () => this.#ended || this.#dialog?.state !== "confirmed" ? undefined : this.#dialog,
      respond: (id, request, status, headers) => this.#respond(id, request, status, null, headers),
    }, this.#hooks);
    this.#infos = new InfoSender({
      request: (contentType, bytes) =>
        this.#dialog?.state === "confirmed" && !this.#ended
          ? this.#dialog.request("INFO", { body: { contentType, bytes } })
          : undefined,
      send: (request, listener) => void agent.request(request, listener),
    });
    this.#reliable = new ReliableSender({
      clock,
      firstSequence: 1 + parseInt(agent.token(24), 16),
      send: (response) => {
        if (this.#server !== undefined) agent.respond(this.#server, response);
      },
      unacknowledged: () => this.#giveUpOnCaller(),
    });
  }

  /** Sends an INVITE. */
  static outbound(options: OutboundInvite, emit: (event: UsageEvent) => void): InviteUsage {
    const { agent, local, target, body } = options;
    const localTag = agent.token(TAG_BITS);
    const invite = createInvite({
      requestUri: target,
      from: `${nameAddr(local)};tag=${localTag}`,
      to: `<${target}>`,
      callId: options.callId,
      sequence: 1,
      contact: `<${agent.contact}>`,
      allow: allowOf(options.hooks),
      headers: [["Supported", agent.extensions], ...Object.entries(options.headers)],
      ...(body === null ? {} : { body: sdpBody(body) }),
    });
    const sides = { isInbound: false, localTag, localUri: local.uri, remoteUri: target };
    const usage = new InviteUsage(options, invite, sides, emit);
    for (const [name, value] of usage.#timer.requestHeaders()) invite.headers.append(name, value);
    usage.#listen();
    usage.#send(invite);
    return usage;
  }

  /** Takes an INVITE that has arrived; nothing is answered yet. */
  static inbound(options: InboundInvite, emit: (event: UsageEvent) => void): InviteUsage {
    const { agent, invite } = options;
    const request = invite.request;
    const usage = new InviteUsage(
      { ...options, credentials: null },
      request,
      {
        isInbound: true,
        localTag: agent.token(TAG_BITS),
        localUri: request.to.uri.toString(),
        remoteUri: request.from.uri.toString(),
      },
      emit,
    );
    usage.#server = invite.id;
    usage.#remoteTag = request.from.tag ?? null;
    usage.#modification.learn(request);
    usage.#watch(invite.id);
    usage.#listen();
    return usage;
  }

  get remoteTag(): string | null {
    return this.#remoteTag;
  }

  /** RFC 3261 12: none before a To tag is known. */
  get dialogState(): "none" | "early" | "confirmed" | "terminated" {
    if (this.#ended) return "terminated";
    return this.#dialog?.state ?? "none";
  }

  /** Whether the far side takes a method, as far as it has said so (Allow). */
  takes(method: string): boolean | undefined {
    return this.#modification.takes(method);
  }

  /**
   * UAS: a provisional response with To tag and Contact; reliably where the caller demands it, and
   * where it has a description that must not get lost (RFC 3262 3).
   */
  ring(status: 180 | 183, body: string | null): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    const response = this.#response(this.#invite, status, body);
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
      this.#agent.respond(this.#server, response);
    }
  }

  /**
   * UAS: 200 with the answer (with the offer, where the INVITE had none); the stack repeats it
   * until the ACK (RFC 3261 13.3.1.4).
   */
  accept(body: string): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    this.#isAccepting = true;
    this.#reliable.whenSettled(() => this.#accept(body));
  }

  /** UAS: a final refusal. */
  reject(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    this.#finallyAnswered = true;
    this.#reliable.dispose();
    this.#respond(this.#server, this.#invite, status, null, Object.entries(headers));
  }

  /** UAC: our answer to `usage.answered` with an offer, or to `usage.offered`. */
  acknowledge(body: string): void {
    if (this.#sendAnswer) {
      if (this.#earlyOffer) this.#earlyOffer.answer = body;
      this.#sendAnswer(body);
      this.#sendAnswer = undefined;
      return;
    }
    if (!this.#dialog || this.#ackBody !== undefined || this.#server !== undefined) return;
    this.#ackBody = body;
    this.#ack(this.#dialog);
  }

  /** UAC: gives up before the final response, which still comes. */
  cancel(reason?: string): void {
    if (this.#server === undefined && !this.#finallyAnswered) this.#client?.cancel(reason);
  }

  /**
   * Ends a confirmed dialog; `usage.closed` follows.
   * @param reason value of Reason (RFC 3326)
   */
  bye(reason?: string): void {
    this.#settle();
    if (!this.#dialog || this.#dialog.state !== "confirmed" || this.#ended) {
      this.#ended = true;
      this.#emit({ type: "usage.closed" });
      return;
    }
    // An ACK is owed before anything else, even where nobody has an answer any more.
    if (this.#server === undefined && this.#ackBody === undefined) this.acknowledge("");
    this.#ended = true;
    const headers: [string, string][] = reason === undefined ? [] : [["Reason", reason]];
    this.#agent.request(this.#dialog.request("BYE", { headers }), (event) => {
      if (event.type === "failed" || event.response.status >= 200) {
        this.#emit({ type: "usage.closed" });
      }
    });
  }

  /** Offers anew inside the dialog. One at a time: false while another is under way. */
  reoffer(body: string): boolean {
    return this.#modification.offer(body);
  }

  /** What refreshes say of us from now on. */
  describe(body: string): void {
    this.#modification.describe(body);
  }

  /** Answers `usage.reoffered`. */
  reanswer(body: string): void {
    this.#modification.answer(body);
  }

  /** Refuses `usage.reoffered`; the dialog goes on as it was. */
  refuseReoffer(status: number): void {
    this.#modification.refuse(status);
  }

  /** Sends an INFO, after those that wait for their answers. */
  info(contentType: string, body: string): void {
    this.#infos.send(contentType, body);
  }

  /**
   * Asks the far side to call `target` itself (RFC 3515); what comes of it goes to
   * `hooks.referProgress`, a refusal too.
   * @param target URI, `Replaces` escaped in its headers part
   */
  refer(target: string): void {
    this.#extras.refer(target);
  }

  /**
   * Lets go of everything, from whatever state: the best message that fits is sent, timers stop,
   * no event follows.
   */
  abandon(status: number): void {
    if (this.#server !== undefined && !this.#finallyAnswered) this.reject(status);
    else if (this.#server === undefined && !this.#finallyAnswered) this.cancel();
    else if (!this.#ended && this.#dialog?.state === "confirmed") {
      if (this.#server === undefined && this.#ackBody === undefined) this.acknowledge("");
      this.#agent.request(this.#dialog.request("BYE"), () => {});
    }
    this.dispose();
  }

  /** Stops listening and all timers; sends nothing. */
  dispose(): void {
    this.#ended = true;
    this.#settle();
    this.#reliable.dispose();
    this.#closeDialog?.();
    this.#closeDialog = undefined;
  }

  /** No timer, and nobody who still waits for an answer (RFC 3261 15.1.2). */
  #settle(): void {
    this.#modification.dispose();
    this.#extras.settle();
  }

  #listen(): void {
    this.#closeDialog = this.#agent.openDialog(
      this.callId,
      this.localTag,
      (request) => this.#onDialogRequest(request),
    );
  }

  #send(invite: SipRequest): void {
    this.#invite = invite;
    this.#client = this.#agent.request(invite, (event) => this.#onInviteEvent(event));
  }

  /** No PRACK came: 5xx, as RFC 3262 3 wants it. */
  #giveUpOnCaller(): void {
    if (this.#finallyAnswered) return;
    this.reject(504);
    this.#emit(
      this.#isAccepting
        ? { type: "usage.unacknowledged" }
        : { type: "usage.cancelled", reason: 'SIP;cause=504;text="No PRACK"' },
    );
  }

  #accept(body: string): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    this.#finallyAnswered = true;
    this.#reliable.dispose();
    const early = this.#earlyOffer;
    const response = this.#response(this.#invite, 200, early ? null : body);
    for (const [name, value] of this.#timer.accept(this.#invite)) {
      response.headers.append(name, value);
    }
    this.#ensureDialog();
    this.#dialog?.confirm();
    this.#modification.settled(early?.offer ?? body, early?.answer ?? bodyOf(this.#invite));
    this.#modification.expectAck(this.#invite.cseq.sequence);
    this.#agent.respond(this.#server, response);
  }

  /** The callee's dialog, from the first response with a tag on. */
  #ensureDialog(): void {
    if (this.#dialog) return;
    const dialog = Dialog.ofUas(this.#invite, this.localTag);
    if (dialog.ok) this.#dialog = dialog.value;
  }

  #onInviteEvent(event: ClientEvent): void {
    if (event.type === "failed") {
      if (this.#finallyAnswered) return;
      this.#finallyAnswered = true;
      const status = event.reason === "timeout" ? 408 : 503;
      return this.#emit({ type: "usage.refused", status, reason: event.text ?? NO_ANSWER });
    }
    const { response } = event;
    if (response.status < 200) return this.#onProvisional(response);
    if (response.status < 300) return this.#onAnswer(response);
    if (this.#finallyAnswered) return;
    if (this.#retryWithCredentials(response)) return;
    if (response.status === 422 && this.#timer.raise(response)) return this.#retryLonger();
    this.#finallyAnswered = true;
    const why = response.headers.get("Reason");
    this.#emit({ type: "usage.refused", status: response.status, reason: response.reason, why });
  }

  #onProvisional(response: SipResponse): void {
    if (response.status === 100 || this.#finallyAnswered) return;
    const branch = this.#early.receive(this.#invite, response);
    if (response.status === 199) return;
    const rack = branch ? branch.receiver.receive(response) : null;
    if (rack === undefined) return;
    this.#remoteTag = response.to.tag ?? this.#remoteTag;
    const body = bodyOf(response);
    if (branch && rack !== null) {
      const isOffer = this.#invite.body.length === 0 && body !== null && !this.#earlyOffer;
      if (isOffer) return this.#onEarlyOffer(branch.dialog, rack, body);
      this.#sendPrack(branch.dialog, rack, null);
    }
    // A browser takes one description: while several may answer it only rings (design, section 5).
    const counts = this.#early.size <= 1 && this.#invite.body.length > 0;
    const event = { type: "usage.provisional", status: response.status } as const;
    this.#emit({ ...event, body: counts ? body : null });
  }

  #onEarlyOffer(dialog: Dialog, rack: string, offer: string): void {
    this.#earlyOffer = { offer, answer: null };
    this.#sendAnswer = (body) => this.#sendPrack(dialog, rack, body);
    this.#emit({ type: "usage.offered", body: offer });
  }

  #sendPrack(dialog: Dialog, rack: string, answer: string | null): void {
    const body = answer === null ? {} : { body: sdpBody(answer) };
    this.#agent.request(dialog.request("PRACK", { headers: [["RAck", rack]], ...body }), () => {});
  }

  #onAnswer(response: SipResponse): void {
    const tag = response.to.tag ?? "";
    if (this.#finallyAnswered) {
      // The same 2xx again asks for its ACK again; another fork's is turned away.
      if (this.#dialog && tag === this.#remoteTag) return this.#ack(this.#dialog);
      return UserAgents.refuseLateAnswer(this.#agent, this.#invite, response);
    }
    this.#finallyAnswered = true;
    const early = this.#early.confirm(response);
    const made = early ? undefined : Dialog.ofUac(this.#invite, response);
    const dialog = early ?? (made?.ok ? made.value : undefined);
    if (!dialog) {
      const why = made?.ok === false ? made.error : "no dialog";
      return this.#emit({ type: "usage.refused", status: 500, reason: `Unusable answer: ${why}` });
    }
    if (this.#ended) return UserAgents.refuseLateAnswer(this.#agent, this.#invite, response);
    this.#dialog = dialog;
    this.#remoteTag = tag;
    this.#sendAnswer = undefined;
    this.#timer.answered(response);
    this.#modification.learn(response);
    const settled = this.#earlyOffer?.answer ?? null;
    const body = bodyOf(response) ?? (settled === null ? "" : this.#earlyOffer!.offer);
    const offer = bodyOf(this.#invite) ?? settled;
    if (offer === null) {
      return this.#emit({ type: "usage.answered", body, remoteTag: tag, isOffer: true });
    }
    this.#modification.settled(offer, body);
    this.#ackBody = null;
    this.#ack(dialog);
    this.#emit({ type: "usage.answered", body, remoteTag: tag });
  }

  /** The ACK to the 2xx of the INVITE, as often as the 2xx comes. */
  #ack(dialog: Dialog): void {
    const body = this.#ackBody;
    if (body === undefined) return;
    const options = body === null || body === "" ? {} : { body: sdpBody(body) };
    this.#agent.ack(dialog.ack(this.#invite.cseq.sequence, options));
  }

  #retryWithCredentials(response: SipResponse): boolean {
    if (this.#triedCredentials) return false;
    const answer = authorize(
      this.#invite,
      response,
      this.#credentials,
      this.#agent.token(64),
    );
    if (!answer) return false;
    this.#triedCredentials = true;
    this.#retry([answer.header]);
    return true;
  }

  #retryLonger(): void {
    this.#retry(this.#timer.requestHeaders());
  }

  #retry(headers: Iterable<readonly [string, string]>): void {
    const next = this.#invite.clone();
    next.headers.remove("Via");
    next.headers.set("CSeq", `${this.#invite.cseq.sequence + 1} INVITE`);
    for (const [name, value] of headers) next.headers.set(name, value);
    this.#send(next);
  }

  #watch(id: ServerTransactionId): void {
    this.#agent.watch(id, (event) => {
      if (event.type === "cancelled") return this.#onCancelled(id, event.reason);
      if (this.#ended || !this.#modification.ackFailed()) return;
      this.#emit({ type: "usage.unacknowledged" });
    });
  }

  #onCancelled(id: ServerTransactionId, reason: string | undefined): void {
    if (id !== this.#server) return this.#modification.cancelled(id);
    if (this.#finallyAnswered) return;
    this.reject(487);
    this.#emit({ type: "usage.cancelled", reason: reason ?? null });
  }

  #onDialogRequest(event: DialogRequest): void {
    if (event.type === "ack") return this.#onAck(event.request);
    const { id, request } = event;
    const allowed = this.#dialog?.receive(request);
    if (allowed && !allowed.ok) return this.#respond(id, request, allowed.error.status, null);
    switch (request.method) {
      case "BYE":
        return this.#onBye(id, request);
      case "INVITE":
        return this.#modification.receive(id, request);
      case "UPDATE":
        return this.#onUpdate(id, request);
      case "PRACK":
        return this.#onPrack(id, request);
      case "OPTIONS":
        return this.#respond(id, request, 200, null, this.#agent.capabilities);
      default:
        this.#extras.receive(id, request);
    }
  }

  /**
   * A PRACK's description is the answer to our offer; an offer of its own nobody could answer yet.
   */
  #onPrack(id: ServerTransactionId, request: SipRequest): void {
    const body = bodyOf(request);
    const early = this.#earlyOffer;
    const isAnswer = body !== null && early?.answer === null;
    if (isAnswer) early.answer = body;
    const isKnown = this.#reliable.acknowledge(request);
    this.#respond(id, request, !isKnown ? 481 : body === null || isAnswer ? 200 : 488, null);
    if (isAnswer && isKnown) this.#emit({ type: "usage.pracked", body });
  }

  /**
   * Before the call stands its session is not to be changed: nobody could say yes (RFC 3311 5.2).
   */
  #onUpdate(id: ServerTransactionId, request: SipRequest): void {
    const isEarly = this.#dialog?.state !== "confirmed" && request.body.length > 0;
    if (isEarly) return this.#respond(id, request, 500, null, [["Retry-After", "5"]]);
    this.#modification.receive(id, request);
  }

  #onBye(id: ServerTransactionId, request: SipRequest): void {
    this.#respond(id, request, 200, null);
    if (this.#ended) return;
    this.#ended = true;
    this.#settle();
    this.#emit({ type: "usage.bye", reason: request.headers.get("Reason") ?? null });
  }

  #onAck(request: SipRequest): void {
    if (!this.#modification.receiveAck(request) || this.#server === undefined) return;
    if (request.cseq.sequence !== this.#invite.cseq.sequence) return;
    const body = this.#invite.body.length === 0 ? bodyOf(request) : null;
    this.#emit({ type: "usage.acknowledged", ...(body === null ? {} : { body }) });
  }

  #response(request: SipRequest, status: number, body: string | null): SipResponse {
    const response = createResponse(request, status, undefined, {
      toTag: this.localTag,
      recordRoute: status < 300,
    });
    if (status > 100 && status < 300) {
      response.headers.set("Contact", `<${this.#agent.contact}>`);
      if (request.method === "INVITE" || request.method === "UPDATE") {
        response.headers.set("Allow", allowOf(this.#hooks).join(", "));
        response.headers.set("Supported", this.#agent.extensions);
      }
    }
    if (body !== null) {
      response.headers.set("Content-Type", SDP);
      response.body = sdpBody(body).bytes;
    }
    return response;
  }

  #respond(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    body: string | null,
    headers: Iterable<readonly [string, string]> = [],
  ): void {
    const response = this.#response(request, status, body);
    for (const [name, value] of headers) response.headers.set(name, value);
    this.#agent.respond(id, response);
  }
}
