import { createActor } from "xstate";
import { randomHex } from "../../core/entropy.ts";
import type { EndpointToken } from "../../core/ids.ts";
import type { Flow } from "../../sip/flow.ts";
import { createResponse, type SipRequest, type SipResponse } from "../../sip/message/mod.ts";
import { createCancel } from "../../sip/transaction/derived.ts";
import * as sdp from "../../sdp/mod.ts";
import { type AnchorActor, type AnchorEvent, type AnchorHolder, anchorLogic } from "./anchor.ts";
import { AnchorMedia } from "./anchor_media.ts";
import { asksForKeyFrame, cleaned, sdpOf, withoutBody, withSdp } from "./bodies.ts";
import type { Crossing, Passing } from "./crossing.ts";
import { DialogCourse } from "./dialog_course.ts";
import {
  type AnchorDialog,
  type AnchorView,
  type EdgePorts,
  type WireSettings,
} from "./contract.ts";
import { Exchanges, remember, type Role } from "./exchange.ts";
import type { PhoneMedia } from "./phone_media.ts";
import { WaitingLine } from "./waiting_line.ts";
import type { WireMedia, WireMediaEvent } from "./wire_media.ts";

/** What a wire dialog needs of the edge that holds all of them. */
export interface WireDialogPorts extends EdgePorts {
  readonly crossing: Crossing;
  /** The far end's own words of another anchor that allows direct media. */
  original(abstract: sdp.Sdp): string | undefined;
  /** Why this anchor may not send there, in words. */
  refuseRemote(dialog: WireDialog, places: readonly string[]): string | undefined;
  /** A tag of the other party is known: the dialog can be found by it. */
  learn(dialog: WireDialog, name: AnchorDialog): void;
  /** Asks the owner of this endpoint for a key frame. */
  keyFrame(token: EndpointToken): void;
  /** Flow or endpoint are others than before. */
  onMoved(dialog: WireDialog): void;
  onAnswered(dialog: WireDialog): void;
  onClosed(dialog: WireDialog): void;
  /** Sends a BYE of the edge's own. */
  farewell(flow: Flow, bye: SipRequest): void;
  /** The endpoint of this anchor is gone. */
  onLost(dialog: WireDialog): void;
  /** Nothing has come from the far end for this long. */
  onSilent(dialog: WireDialog, ms: number): void;
}

/**
 * One INVITE dialog where it crosses a wire: takes its messages in order, puts descriptions over,
 * and holds the endpoint and the anchor's actor.
 */
export class WireDialog implements AnchorHolder {
  readonly id: string;
  /** Counts up with each anchor; the place in listings. */
  readonly order: number;
  readonly callId: string;
  readonly settings: WireSettings;
  readonly startedAt: number;
  readonly actor: AnchorActor;
  flow: Flow;
  /** Its flow is gone, and nobody has spoken for the far end on another one yet. */
  isAdrift = false;
  answeredAt: number | null = null;
  readonly #ports: WireDialogPorts;
  readonly #course: DialogCourse;
  readonly #media: AnchorMedia;
  readonly #exchanges = new Exchanges();
  /** Messages go on at once, or when the endpoint that they need is open. */
  readonly #line = new WaitingLine((item) => this.#guard(item));
  /** Packets that had come when the far end fell silent. */
  #silentAt: number | null = null;
  #isClosed = false;
  /** An operator has taken back what the far end asked for. */
  #isCancelled = false;

  constructor(
    ports: WireDialogPorts,
    id: string,
    order: number,
    first: Passing,
    invite: SipRequest,
  ) {
    this.order = order;
    this.#ports = ports;
    this.#course = new DialogCourse(invite, first.side);
    this.id = id;
    this.callId = invite.callId;
    this.flow = first.flow;
    this.settings = ports.settings(first.flow, invite, this.#course.role);
    this.startedAt = ports.clock.epoch();
    this.#media = new AnchorMedia({
      ports,
      settings: this.settings,
      flow: first.flow,
      label: `sip ${invite.callId}`,
      original: (abstract) => ports.original(abstract),
      refuseRemote: (places) => ports.refuseRemote(this, places),
      onEvent: (event) => this.#onMedia(event),
      onMoved: () => ports.onMoved(this),
    });
    this.actor = createActor(anchorLogic, { input: { holder: this }, clock: ports.clock });
    this.actor.subscribe({
      complete: () => this.#close(),
      error: (error) => {
        ports.log.error("an anchor failed and was closed", { anchor: id, error });
        this.#close();
      },
    });
  }

  /** To be called once the edge can find it: a machine that dies at once closes at once. */
  start(): void {
    this.actor.start();
  }

  get media(): WireMedia | null {
    return this.#media.wire;
  }

  get phone(): PhoneMedia | undefined {
    return this.#media.phone;
  }

  /** Whose packets go to the far end. */
  get peer(): EndpointToken | null {
    return this.#media.peer;
  }

  /** The far end's own words by version of what was said of them inside. */
  get texts(): ReadonlyMap<number, string> {
    return this.#media.texts;
  }

  get role(): "caller" | "callee" {
    return this.#course.role;
  }

  get isAnswered(): boolean {
    return this.#course.isAnswered;
  }

  /** Answered, and not about to end. */
  get isTalking(): boolean {
    const state = this.actor.getSnapshot().value;
    return state === "answered" || state === "confirmed";
  }

  /** Nothing has come from the far end since the time for it was over. */
  get isSilent(): boolean {
    return this.#silentAt !== null && this.#silentAt === this.#received;
  }

  get #received(): number {
    return this.media?.view().statistics?.receivePackets ?? 0;
  }

  get dialog(): AnchorDialog {
    return this.#course.dialog;
  }

  /** Takes a message; it goes on at once, or when the endpoint that it needs is open. */
  pass(item: Passing): void {
    if (this.#isClosed) this.#giveUp(item, 500);
    else this.#line.push(item);
  }

  /** Ends the anchor, whatever its state; nothing is sent. */
  terminate(): void {
    this.#tell({ type: "terminate" });
  }

  /** Says BYE to the far end, as the party inside would, and ends the anchor. */
  hangUp(reason: string): void {
    const bye = this.#course.bye(reason);
    if (bye) this.#ports.farewell(this.flow, bye);
    this.terminate();
  }

  /** Gives up the far end's INVITE in its place; false where that is over, or given up. */
  cancel(reason: string): boolean {
    const invite = this.#course.unanswered;
    if (!invite || this.#isCancelled) return false;
    this.#isCancelled = true;
    this.#ports.crossing.toElement(this.flow, createCancel(invite, reason));
    return true;
  }

  /** Whether the far end is still there, by OPTIONS; undefined where it can't be asked. */
  ping(callId: string, from: string): SipRequest | undefined {
    return this.#course.ping(callId, from);
  }

  view(): AnchorView {
    return {
      id: this.id,
      flow: this.flow.id,
      remote: this.flow.remote,
      dialog: this.dialog,
      role: this.role,
      state: this.actor.getSnapshot().value,
      ...this.#course.uris,
      media: this.media?.view() ?? null,
      missing: this.#media.missing,
      startedAt: this.startedAt,
      answeredAt: this.answeredAt,
    };
  }

  // --- what the machine asks ---

  release(): void {
    this.#line.release();
  }

  refuse(): void {
    const held = this.#line.empty();
    const agreed = held.find(({ message }) => message.kind === "response" && isAccepting(message));
    // Whoever was called has answered already: the call is made, and ends.
    if (agreed) this.#note(agreed);
    for (const item of held) this.#giveUp(item, 503);
    if (agreed) this.#lose("no endpoint could be opened for an answer");
  }

  trace(state: string): void {
    this.#ports.trace?.("anchor", state);
  }

  // --- messages ---

  #guard(item: Passing): void {
    try {
      this.#take(item);
    } catch (error) {
      this.#ports.log.error("a message could not cross the edge", { anchor: this.id, error });
      if (item.message.kind === "request" && item.message.method !== "ACK") this.#refuse(item, 500);
      this.terminate();
    }
  }

  #take(item: Passing): void {
    const { side, message } = item;
    if (this.#isOurs(item) || this.#isUnasked(item)) return;
    if (side === "wire" && asksForKeyFrame(message)) return this.#fastUpdate(item);
    const text = sdpOf(message);
    const role = text === undefined ? undefined : this.#exchanges.roleOf(side, message);
    if (text === undefined || !role) {
      if (message.kind === "request" && message.method === "INVITE") {
        this.#exchanges.of(side, message.cseq.sequence, "INVITE");
      }
      this.#note(item);
      return this.#ports.crossing.send(item, cleaned(message));
    }
    if (!this.media && !this.#open(item, role, text)) return;
    if (this.#line.isHeld) return this.#line.putBack(item);
    this.#describe(item, role, text);
  }

  #describe(item: Passing, role: Role, text: string): void {
    const { side, message } = item;
    const key = `${side} ${role.kind}\n${text}`;
    let translated = role.exchange.translated.get(key);
    if (!translated) {
      const made = this.#media.translate(side, role, text);
      if (made === "unopened") return this.#openLate(item, role);
      if ("reason" in made) return this.#refuseOffer(item, made);
      translated = made;
      remember(role.exchange, key, made);
    }
    if (this.#course.isForThisFork(message)) {
      translated.agree?.(message.kind === "request" || message.status >= 200);
    }
    this.#note(item);
    this.#ports.crossing.send(item, withSdp(message, translated.body));
  }

  // --- endpoint ---

  /** Opens the endpoint that this description needs; false where the message was refused. */
  #open(item: Passing, role: Role, text: string): boolean {
    const isWaiting = this.actor.getSnapshot().value === "waiting";
    if (role.kind === "answer" || !isWaiting) {
      this.#tooLate(item, role);
      return false;
    }
    const made = this.#media.open(item.side, text, item.message.kind === "request");
    if (!made.ok) {
      this.#refuseOffer(item, made.error);
      return false;
    }
    if (made.value.kind !== "direct" && this.#media.isOpen) this.#line.hold();
    this.#tell({ type: "open" });
    if (!this.#line.isHeld) this.#tell({ type: "media.opened" });
    return true;
  }

  /** Media does not pass by us after all: the description waits for the endpoint that it needs. */
  #openLate(item: Passing, role: Role): void {
    if (this.actor.getSnapshot().value !== "offered") return this.#tooLate(item, role);
    this.#line.hold();
    this.#line.putBack(item);
    this.#tell({ type: "open" });
    this.#media.openEndpoint();
  }

  #tooLate(item: Passing, role: Role): void {
    const text = "an offer came too late for an endpoint";
    if (role.kind === "offer") this.#refuseOffer(item, { reason: "unsupported", text });
    else this.#ports.crossing.send(item, cleaned(item.message));
  }

  #onMedia(event: WireMediaEvent): void {
    const { dialog } = this;
    switch (event.type) {
      case "opened":
        this.#ports.onMoved(this);
        return this.#tell({ type: "media.opened" });
      case "failed":
        this.#ports.log.warn("no endpoint for a SIP leg", { anchor: this.id, text: event.text });
        return this.#tell({ type: "media.failed" });
      case "lost":
        return this.#lose(event.text);
      case "key-frame-wanted":
        return this.#ports.onEffect({ type: "key-frame-wanted", flow: this.flow, dialog });
      case "silent":
        this.#silentAt = this.#received;
        return this.#ports.onSilent(this, event.ms);
      case "dtmf":
        return this.#ports.onEffect({ ...event, dialog });
    }
  }

  /** There is no endpoint any more: who can, ends the dialog. */
  #lose(text: string): void {
    this.#ports.onEffect({ type: "media-lost", dialog: this.dialog, text });
    this.#ports.onLost(this);
    this.terminate();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.media?.close();
    this.#ports.onClosed(this);
    for (const item of this.#line.empty()) this.#giveUp(item, 500);
  }

  /** Nothing will come of this description; what is about other things goes on. */
  #giveUp(item: Passing, status: number): void {
    const { message } = item;
    if (sdpOf(message) === undefined) this.#ports.crossing.send(item, cleaned(message));
    else if (message.kind === "request" && message.method !== "ACK") this.#refuse(item, status);
    else this.#ports.crossing.send(item, withoutBody(message));
  }

  #tell(event: AnchorEvent): void {
    if (!this.#isClosed) this.actor.send(event);
  }

  // --- what a message means for the dialog ---

  /** Answers of our own repeated, and ACKs to them kept. */
  #isOurs({ side, flow, message }: Passing): boolean {
    if (message.kind === "response") return false;
    const exchange = this.#exchanges.find(side, message.cseq.sequence);
    const refusal = exchange?.refusal;
    if (!exchange || !refusal) return false;
    if (message.method === "ACK") {
      if (this.#course.isInvite(exchange)) this.#tell({ type: "acknowledged" });
      return true;
    }
    if (message.method !== exchange.method) return false;
    this.#ports.crossing.answer(side, flow, refusal);
    return true;
  }

  /** The answer to a CANCEL that the far end has not sent. */
  #isUnasked({ side, message }: Passing): boolean {
    return this.#isCancelled && side === "inner" && message.kind === "response" &&
      message.cseq.method === "CANCEL";
  }

  #note({ side, flow, message }: Passing): void {
    // What an element has taken from the far end comes from nobody else.
    const isProven = message.kind === "request" || (this.isAdrift && isSuccess(message));
    if (side === "inner" && isProven && flow.id !== this.flow.id) {
      this.flow = flow;
      this.isAdrift = false;
      this.#ports.onMoved(this);
    }
    const { learnt, isAgreed, event } = this.#course.take(side, message);
    if (learnt) this.#ports.learn(this, learnt);
    if (isAgreed) {
      this.answeredAt = this.#ports.clock.epoch();
      this.#ports.onAnswered(this);
      // A 2xx after a reliable provisional response repeats no answer.
      this.#media.goDirect();
    }
    if (event) this.#tell(event);
  }

  #fastUpdate({ flow, message }: Passing): void {
    const answer = createResponse(message as SipRequest, 200);
    this.#ports.crossing.answer("wire", flow, answer);
    if (this.peer !== null) this.#ports.keyFrame(this.peer);
  }

  // --- sending ---

  #refuseOffer(item: Passing, fault: sdp.SdpFault): void {
    this.#ports.log.info("an offer was refused", { anchor: this.id, text: fault.text });
    if (item.message.kind === "request" && item.message.method !== "ACK") {
      return this.#refuse(item, 488);
    }
    // An offer in a 2xx can't be refused: without a description its receiver ends the call.
    this.#note(item);
    this.#ports.crossing.send(item, withoutBody(item.message));
  }

  #refuse({ side, flow, message }: Passing, status: number): void {
    if (message.kind !== "request") return;
    const toTag = randomHex(this.#ports.entropy, 64);
    const response = createResponse(message, status, undefined, { toTag });
    const exchange = this.#exchanges.of(side, message.cseq.sequence, message.method);
    exchange.refusal = response;
    if (this.#course.isInvite(exchange)) this.#tell({ type: "rejected" });
    this.#ports.crossing.answer(side, flow, response);
  }
}

function isAccepting(response: SipResponse): boolean {
  return response.cseq.method === "INVITE" && isSuccess(response);
}

function isSuccess({ status }: SipResponse): boolean {
  return status >= 200 && status < 300;
}
