import type { Clock, Timer } from "../../core/clock.ts";
import { Dialog } from "../dialog/dialog.ts";
import { createInvite } from "../dialog/requests.ts";
import { createResponse, NameAddr, type SipRequest, type SipResponse } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import { authorize, type Credentials } from "./credentials.ts";
import {
  type ClientEvent,
  type ClientTransaction,
  type DialogRequest,
  type IncomingInvite,
  type UserAgent,
  UserAgents,
} from "./user_agents.ts";

/** What an INVITE usage tells the dialog's actor. */
export type UsageEvent =
  | { readonly type: "usage.provisional"; readonly status: number; readonly body: string | null }
  | { readonly type: "usage.answered"; readonly body: string; readonly remoteTag: string }
  | {
    readonly type: "usage.refused";
    readonly status: number;
    readonly reason: string;
    /** Value of the Reason header (RFC 3326). */
    readonly why?: string | undefined;
  }
  /** UAS: the ACK to our 2xx is here. */
  | { readonly type: "usage.acknowledged" }
  /** UAS: no ACK came in 64*T1. */
  | { readonly type: "usage.unacknowledged" }
  | { readonly type: "usage.cancelled"; readonly reason: string | null }
  /** The other side offers anew; `reanswer` or `refuseReoffer` is owed. */
  | { readonly type: "usage.reoffered"; readonly body: string }
  | { readonly type: "usage.reanswered"; readonly body: string }
  | { readonly type: "usage.reofferRefused"; readonly status: number }
  | { readonly type: "usage.bye"; readonly reason: string | null }
  /** Our BYE has its final response, or never will have. */
  | { readonly type: "usage.closed" };

export interface Identity {
  /** AoR as a URI, `sip:alice@portzero.local`. */
  readonly uri: string;
  readonly displayName: string | null;
}

export interface OutboundInvite {
  readonly agent: UserAgent;
  readonly clock: Clock;
  readonly local: Identity;
  readonly target: string;
  readonly callId: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials | null;
}

export interface InboundInvite {
  readonly agent: UserAgent;
  readonly clock: Clock;
  readonly invite: IncomingInvite;
}

const SDP = "application/sdp";
const TAG_BITS = 64;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * One INVITE usage of a user agent core (RFC 3261 13, 14, 15): the mechanics of INVITE, ACK, CANCEL,
 * BYE and re-INVITE, without any decision about the call. Every method is safe in every state.
 */
export class InviteUsage {
  readonly callId: string;
  readonly localTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly #agent: UserAgent;
  readonly #clock: Clock;
  readonly #emit: (event: UsageEvent) => void;
  readonly #credentials: Credentials | null;
  #dialog: Dialog | undefined;
  #remoteTag: string | null = null;
  #closeDialog: (() => void) | undefined;
  #invite: SipRequest;
  #client: ClientTransaction | undefined;
  #server: ServerTransactionId | undefined;
  #triedCredentials = false;
  /** CSeq of a 2xx of ours whose ACK is still to come. */
  #unacknowledged: number | undefined;
  #reoffer: { sequence: number; body: string; refused491: number; timer?: Timer } | undefined;
  #reofferServer: { id: ServerTransactionId; request: SipRequest } | undefined;
  #ended = false;
  #finallyAnswered = false;

  private constructor(
    options: { agent: UserAgent; clock: Clock; credentials: Credentials | null },
    invite: SipRequest,
    sides: { localTag: string; localUri: string; remoteUri: string },
    emit: (event: UsageEvent) => void,
  ) {
    this.#agent = options.agent;
    this.#clock = options.clock;
    this.#credentials = options.credentials;
    this.#invite = invite;
    this.#emit = emit;
    this.callId = invite.callId;
    this.localTag = sides.localTag;
    this.localUri = sides.localUri;
    this.remoteUri = sides.remoteUri;
  }

  /** Sends an INVITE with an offer. */
  static outbound(options: OutboundInvite, emit: (event: UsageEvent) => void): InviteUsage {
    const { agent, local, target } = options;
    const localTag = agent.token(TAG_BITS);
    const invite = createInvite({
      requestUri: target,
      from: `${nameAddr(local)};tag=${localTag}`,
      to: `<${target}>`,
      callId: options.callId,
      sequence: 1,
      contact: `<${agent.contact}>`,
      headers: Object.entries(options.headers),
      body: { contentType: SDP, bytes: encoder.encode(options.body) },
    });
    const sides = { localTag, localUri: local.uri, remoteUri: target };
    const usage = new InviteUsage(options, invite, sides, emit);
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
        localTag: agent.token(TAG_BITS),
        localUri: request.to.uri.toString(),
        remoteUri: request.from.uri.toString(),
      },
      emit,
    );
    usage.#server = invite.id;
    usage.#remoteTag = request.from.tag ?? null;
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

  /** UAS: a provisional response with To tag and Contact. */
  ring(status: 180 | 183, body: string | null): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    this.#respond(this.#server, this.#invite, status, body);
  }

  /** UAS: 200 with the answer; the stack repeats it until the ACK (RFC 3261 13.3.1.4). */
  accept(body: string): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    this.#finallyAnswered = true;
    const id = this.#server;
    const response = this.#response(this.#invite, 200, body);
    const dialog = Dialog.ofUas(this.#invite, this.localTag);
    if (dialog.ok) {
      this.#dialog = dialog.value;
      this.#dialog.confirm();
    }
    this.#unacknowledged = this.#invite.cseq.sequence;
    this.#agent.respond(id, response);
  }

  /** UAS: a final refusal. */
  reject(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#server === undefined || this.#finallyAnswered) return;
    this.#finallyAnswered = true;
    const response = this.#response(this.#invite, status, null);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    this.#agent.respond(this.#server, response);
  }

  /** UAC: gives up before the final response, which still comes. */
  cancel(reason?: string): void {
    if (this.#server === undefined && !this.#finallyAnswered) this.#client?.cancel(reason);
  }

  /** Ends a confirmed dialog; `usage.closed` follows. */
  bye(): void {
    if (!this.#dialog || this.#dialog.state !== "confirmed" || this.#ended) {
      this.#ended = true;
      this.#emit({ type: "usage.closed" });
      return;
    }
    this.#ended = true;
    this.#agent.request(this.#dialog.request("BYE"), (event) => {
      if (event.type === "failed" || event.response.status >= 200) {
        this.#emit({ type: "usage.closed" });
      }
    });
  }

  /** Offers anew inside the dialog. One at a time: false while another is under way. */
  reoffer(body: string): boolean {
    if (this.#dialog?.state !== "confirmed" || this.#ended) return false;
    if (this.#reoffer || this.#reofferServer || this.#unacknowledged !== undefined) return false;
    this.#reoffer = { sequence: 0, body, refused491: 0 };
    this.#sendReoffer();
    return true;
  }

  /** Answers `usage.reoffered`. */
  reanswer(body: string): void {
    const pending = this.#reofferServer;
    if (!pending) return;
    this.#reofferServer = undefined;
    const response = this.#response(pending.request, 200, body);
    this.#unacknowledged = pending.request.cseq.sequence;
    this.#agent.respond(pending.id, response);
  }

  /** Refuses `usage.reoffered`; the dialog goes on as it was. */
  refuseReoffer(status: number): void {
    const pending = this.#reofferServer;
    if (!pending) return;
    this.#reofferServer = undefined;
    this.#respond(pending.id, pending.request, status, null);
  }

  /**
   * Lets go of everything, from whatever state: the best message that fits is sent, timers stop,
   * no event follows.
   */
  abandon(status: number): void {
    if (this.#server !== undefined && !this.#finallyAnswered) this.reject(status);
    else if (this.#server === undefined && !this.#finallyAnswered) this.cancel();
    else if (!this.#ended && this.#dialog?.state === "confirmed") {
      this.#agent.request(this.#dialog.request("BYE"), () => {});
    }
    this.dispose();
  }

  /** Stops listening and all timers; sends nothing. */
  dispose(): void {
    this.#ended = true;
    if (this.#reoffer?.timer !== undefined) this.#clock.clearTimeout(this.#reoffer.timer);
    this.#reoffer = undefined;
    this.#closeDialog?.();
    this.#closeDialog = undefined;
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

  #onInviteEvent(event: ClientEvent): void {
    if (event.type === "failed") {
      if (this.#finallyAnswered) return;
      this.#finallyAnswered = true;
      const status = event.reason === "timeout" ? 408 : 503;
      return this.#emit({ type: "usage.refused", status, reason: "No answer from the next hop" });
    }
    const { response } = event;
    if (response.status < 200) {
      if (response.status === 100 || this.#finallyAnswered) return;
      this.#remoteTag = response.to.tag ?? this.#remoteTag;
      const body = bodyOf(response);
      return this.#emit({ type: "usage.provisional", status: response.status, body });
    }
    if (response.status < 300) return this.#onAnswer(response);
    if (this.#finallyAnswered) return;
    if (this.#retryWithCredentials(response)) return;
    this.#finallyAnswered = true;
    const why = response.headers.get("Reason");
    this.#emit({ type: "usage.refused", status: response.status, reason: response.reason, why });
  }

  #onAnswer(response: SipResponse): void {
    const tag = response.to.tag ?? "";
    if (this.#finallyAnswered) {
      // The same 2xx again asks for its ACK again; another fork's is turned away.
      if (this.#dialog && tag === this.#remoteTag) {
        return this.#agent.ack(this.#dialog.ack(this.#invite.cseq.sequence));
      }
      return UserAgents.refuseLateAnswer(this.#agent, this.#invite, response);
    }
    this.#finallyAnswered = true;
    const dialog = Dialog.ofUac(this.#invite, response);
    if (!dialog.ok) {
      return this.#emit({
        type: "usage.refused",
        status: 500,
        reason: `Unusable answer: ${dialog.error}`,
      });
    }
    if (this.#ended) return UserAgents.refuseLateAnswer(this.#agent, this.#invite, response);
    this.#dialog = dialog.value;
    this.#remoteTag = tag;
    this.#agent.ack(dialog.value.ack(this.#invite.cseq.sequence));
    this.#emit({ type: "usage.answered", body: bodyOf(response) ?? "", remoteTag: tag });
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
    const next = this.#invite.clone();
    next.headers.remove("Via");
    next.headers.set("CSeq", `${this.#invite.cseq.sequence + 1} INVITE`);
    next.headers.set(...answer.header);
    this.#send(next);
    return true;
  }

  #watch(id: ServerTransactionId): void {
    this.#agent.watch(id, (event) => {
      if (event.type === "cancelled") return this.#onCancelled(id, event.reason);
      if (this.#unacknowledged === undefined || this.#ended) return;
      this.#unacknowledged = undefined;
      this.#emit({ type: "usage.unacknowledged" });
    });
  }

  #onCancelled(id: ServerTransactionId, reason: string | undefined): void {
    if (id !== this.#server) return this.refuseReoffer(487);
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
        return this.#onReoffer(id, request);
      case "OPTIONS":
        return this.#respond(id, request, 200, null);
      default:
        this.#respond(id, request, 405, null);
    }
  }

  #onBye(id: ServerTransactionId, request: SipRequest): void {
    this.#respond(id, request, 200, null);
    if (this.#ended) return;
    this.#ended = true;
    this.#emit({ type: "usage.bye", reason: request.headers.get("Reason") ?? null });
  }

  /** RFC 3261 14.2: 491 while our own offer is out, 500 while the last one is unanswered. */
  #onReoffer(id: ServerTransactionId, request: SipRequest): void {
    if (this.#ended) return this.#respond(id, request, 481, null);
    if (this.#reoffer) return this.#respond(id, request, 491, null);
    if (this.#reofferServer || this.#unacknowledged !== undefined) {
      return this.#respond(id, request, 500, null, { "Retry-After": "1" });
    }
    this.#reofferServer = { id, request };
    this.#watch(id);
    this.#dialog?.updateTarget(request);
    this.#emit({ type: "usage.reoffered", body: decoder.decode(request.body) });
  }

  #onAck(request: SipRequest): void {
    if (request.cseq.sequence !== this.#unacknowledged) return;
    this.#unacknowledged = undefined;
    const isFirst = request.cseq.sequence === this.#invite.cseq.sequence;
    if (isFirst && this.#server !== undefined) this.#emit({ type: "usage.acknowledged" });
  }

  #sendReoffer(): void {
    const pending = this.#reoffer;
    const dialog = this.#dialog;
    if (!pending || !dialog || this.#ended) return;
    const request = dialog.request("INVITE", {
      contact: `<${this.#agent.contact}>`,
      body: { contentType: SDP, bytes: encoder.encode(pending.body) },
    });
    pending.sequence = request.cseq.sequence;
    this.#agent.request(request, (event) => this.#onReofferEvent(request.cseq.sequence, event));
  }

  #onReofferEvent(sequence: number, event: ClientEvent): void {
    const pending = this.#reoffer;
    const status = event.type === "failed" ? 408 : event.response.status;
    if (status < 200) return;
    if (event.type === "response" && status < 300) {
      // Every repetition of the 2xx wants its ACK, also after the answer was taken.
      if (this.#dialog) this.#agent.ack(this.#dialog.ack(sequence));
      if (pending?.sequence !== sequence) return;
      this.#reoffer = undefined;
      this.#dialog?.updateTarget(event.response);
      return this.#emit({ type: "usage.reanswered", body: bodyOf(event.response) ?? "" });
    }
    if (pending?.sequence !== sequence) return;
    if (status === 491 && pending.refused491++ < 3 && !this.#ended) {
      // RFC 3261 14.1: the owner of the Call-ID waits longer.
      const [from, span] = this.#server === undefined ? [2100, 1900] : [0, 2000];
      const chance = parseInt(this.#agent.token(16), 16) / 0xffff;
      const wait = from + Math.round(chance * span / 10) * 10;
      pending.timer = this.#clock.setTimeout(() => this.#sendReoffer(), wait);
      return;
    }
    this.#reoffer = undefined;
    this.#emit({ type: "usage.reofferRefused", status });
  }

  #response(request: SipRequest, status: number, body: string | null): SipResponse {
    const response = createResponse(request, status, undefined, {
      toTag: this.localTag,
      recordRoute: status < 300,
    });
    if (status > 100 && status < 300) response.headers.set("Contact", `<${this.#agent.contact}>`);
    if (body !== null) {
      response.headers.set("Content-Type", SDP);
      response.body = encoder.encode(body);
    }
    return response;
  }

  #respond(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    body: string | null,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    const response = this.#response(request, status, body);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    this.#agent.respond(id, response);
  }
}

function nameAddr(identity: Identity): string {
  const { uri, displayName } = identity;
  const parsed = NameAddr.parse(`<${uri}>`);
  return displayName === null || !parsed.ok
    ? `<${uri}>`
    : NameAddr.of({ displayName, uri: parsed.value.uri }).toString();
}

function bodyOf(message: SipRequest | SipResponse): string | null {
  return message.body.length === 0 ? null : decoder.decode(message.body);
}
