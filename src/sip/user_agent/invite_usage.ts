import type { SipRequest } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import { Extras } from "./extras.ts";
import { InfoSender } from "./info_sender.ts";
import { InviteUac } from "./invite_uac.ts";
import { InviteUas } from "./invite_uas.ts";
import { Modification } from "./modification.ts";
import { SessionTimer } from "./session_timer.ts";
import { UsageCore, type UsageNames } from "./usage_core.ts";
import type { UsageEvent } from "./usage_events.ts";
import type { InboundInvite, OutboundInvite, UsageOptions } from "./usage_options.ts";
import type { DialogRequest } from "./user_agent.ts";

export type { UsageEvent, UsageHooks } from "./usage_events.ts";
export type { Identity, InboundInvite, OutboundInvite } from "./usage_options.ts";

const TAG_BITS = 64;

/**
 * One INVITE usage of a user agent core (RFC 3261 13, 14, 15): the mechanics of INVITE, ACK,
 * CANCEL, BYE, PRACK and of changes of the session, without any decision about the call. Every
 * method is safe in every state.
 *
 * It begins with an INVITE that is sent (`invite_uac.ts`) or has come (`invite_uas.ts`);
 * afterwards both sides are the same: changes (`modification.ts`), all else (`extras.ts`).
 */
export class InviteUsage {
  readonly callId: string;
  readonly localTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly #core: UsageCore;
  readonly #timer: SessionTimer;
  readonly #modification: Modification;
  readonly #infos: InfoSender;
  readonly #extras: Extras;
  /** One of the two is there. */
  #uac: InviteUac | undefined;
  #uas: InviteUas | undefined;
  #closeDialog: (() => void) | undefined;

  private constructor(core: UsageCore, options: UsageOptions, ownsCallId: boolean) {
    this.#core = core;
    this.callId = core.names.callId;
    this.localTag = core.names.localTag;
    this.localUri = core.names.localUri;
    this.remoteUri = core.names.remoteUri;
    this.#timer = new SessionTimer(core.clock, options.sessionTimer ?? null, {
      refresh: () => this.#modification.refresh(),
      expire: () => core.isEnded || core.emit({ type: "usage.expired" }),
    });
    this.#modification = new Modification(core, this.#timer, ownsCallId);
    this.#extras = new Extras(core);
    this.#infos = new InfoSender({
      request: (contentType, bytes) =>
        core.confirmed?.request("INFO", { body: { contentType, bytes } }),
      send: (request, listener) => void core.agent.request(request, listener),
    });
    this.#closeDialog = core.agent.openDialog(
      this.callId,
      this.localTag,
      (request) => this.#onDialogRequest(request),
    );
  }

  /** Sends an INVITE. */
  static outbound(options: OutboundInvite, emit: (event: UsageEvent) => void): InviteUsage {
    const names: UsageNames = {
      callId: options.callId,
      localTag: options.agent.token(TAG_BITS),
      localUri: options.local.uri,
      remoteUri: options.target,
    };
    const core = new UsageCore(options, names, emit);
    const usage = new InviteUsage(core, options, true);
    usage.#uac = new InviteUac(core, usage.#modification, usage.#timer, options);
    usage.#uac.start();
    return usage;
  }

  /** Takes an INVITE that has arrived; nothing is answered yet. */
  static inbound(options: InboundInvite, emit: (event: UsageEvent) => void): InviteUsage {
    const { request } = options.invite;
    const names: UsageNames = {
      callId: request.callId,
      localTag: options.agent.token(TAG_BITS),
      localUri: request.to.uri.toString(),
      remoteUri: request.from.uri.toString(),
    };
    const core = new UsageCore(options, names, emit);
    const usage = new InviteUsage(core, options, false);
    usage.#uas = new InviteUas(core, usage.#modification, usage.#timer, options.invite);
    return usage;
  }

  get remoteTag(): string | null {
    return this.#core.remoteTag;
  }

  /** RFC 3261 12: none before a To tag is known. */
  get dialogState(): "none" | "early" | "confirmed" | "terminated" {
    if (this.#core.isEnded) return "terminated";
    return this.#core.dialog?.state ?? "none";
  }

  /** Whether the far side takes a method, as far as it has said so (Allow). */
  takes(method: string): boolean | undefined {
    return this.#modification.takes(method);
  }

  /** UAS: a provisional response; reliably where it must not get lost (RFC 3262 3). */
  ring(status: 180 | 183, body: string | null): void {
    this.#uas?.ring(status, body);
  }

  /** UAS: 200 with the answer; with the offer, where the INVITE had none. */
  accept(body: string): void {
    this.#uas?.accept(body);
  }

  /** UAS: a final refusal. */
  reject(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.#uas?.reject(status, headers);
  }

  /** UAC: our answer to `usage.answered` with an offer, or to `usage.offered`. */
  acknowledge(body: string): void {
    this.#uac?.acknowledge(body);
  }

  /** UAC: gives up before the final response, which still comes. */
  cancel(reason?: string): void {
    this.#uac?.cancel(reason);
  }

  /**
   * Ends a confirmed dialog; `usage.closed` follows.
   * @param reason value of Reason (RFC 3326)
   */
  bye(reason?: string): void {
    const core = this.#core;
    this.#settle();
    const dialog = core.confirmed;
    if (!dialog) {
      core.isEnded = true;
      core.emit({ type: "usage.closed" });
      return;
    }
    this.#uac?.payAck();
    core.isEnded = true;
    const headers: [string, string][] = reason === undefined ? [] : [["Reason", reason]];
    core.agent.request(dialog.request("BYE", { headers }), (event) => {
      if (event.type === "failed" || event.response.status >= 200) {
        core.emit({ type: "usage.closed" });
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
    const dialog = this.#core.confirmed;
    if (this.#uas?.isAnswered === false) this.#uas.reject(status);
    else if (this.#uac?.isAnswered === false) this.#uac.cancel();
    else if (dialog) {
      this.#uac?.payAck();
      this.#core.agent.request(dialog.request("BYE"), () => {});
    }
    this.dispose();
  }

  /** Stops listening and all timers; sends nothing. */
  dispose(): void {
    this.#core.isEnded = true;
    this.#settle();
    this.#uas?.dispose();
    this.#closeDialog?.();
    this.#closeDialog = undefined;
  }

  /** No timer, and nobody who still waits for an answer (RFC 3261 15.1.2). */
  #settle(): void {
    this.#modification.dispose();
    this.#extras.settle();
  }

  #onDialogRequest(event: DialogRequest): void {
    if (event.type === "ack") {
      if (this.#modification.receiveAck(event.request)) this.#uas?.receiveAck(event.request);
      return;
    }
    const { id, request } = event;
    const allowed = this.#core.dialog?.receive(request);
    if (allowed && !allowed.ok) return this.#core.respond(id, request, allowed.error.status);
    switch (request.method) {
      case "BYE":
        return this.#onBye(id, request);
      case "INVITE":
        return this.#modification.receive(id, request);
      case "UPDATE":
        return this.#onUpdate(id, request);
      case "PRACK":
        if (this.#uas) return this.#uas.receivePrack(id, request);
        return this.#core.respond(id, request, 481);
      case "OPTIONS":
        return this.#core.respond(id, request, 200, this.#core.agent.capabilities);
      default:
        this.#extras.receive(id, request);
    }
  }

  /**
   * Before the call stands its session is not to be changed: nobody could say yes (RFC 3311 5.2).
   */
  #onUpdate(id: ServerTransactionId, request: SipRequest): void {
    const isEarly = this.#core.dialog?.state !== "confirmed" && request.body.length > 0;
    if (isEarly) return this.#core.respond(id, request, 500, [["Retry-After", "5"]]);
    this.#modification.receive(id, request);
  }

  #onBye(id: ServerTransactionId, request: SipRequest): void {
    this.#core.respond(id, request, 200);
    if (this.#core.isEnded) return;
    this.#core.isEnded = true;
    this.#settle();
    this.#core.emit({ type: "usage.bye", reason: request.headers.get("Reason") ?? null });
  }
}
