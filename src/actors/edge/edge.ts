import { randomHex, uuid } from "../../core/entropy.ts";
import { Groups } from "../../core/groups.ts";
import type { EndpointToken, FlowId } from "../../core/ids.ts";
import type { Flow } from "../../sip/flow.ts";
import {
  createResponse,
  parseMessage,
  serialize,
  type SipMessage,
  type SipRequest,
  validate,
} from "../../sip/message/mod.ts";
import * as sdp from "../../sdp/mod.ts";
import { cleaned, describes, sdpOf, withoutBody } from "./bodies.ts";
import {
  type AnchorDialog,
  type AnchorView,
  type EdgePorts,
  type ElementInput,
  MAX_UNANSWERED_PER_FLOW,
  type Transit,
  type TransitEnd,
} from "./contract.ts";
import { DirectWatch } from "./direct_watch.ts";
import { Farewells } from "./farewells.ts";
import { LostFlows } from "./lost_flows.ts";
import { PhoneMedia } from "./phone_media.ts";
import { type Passing, WireDialog, type WireDialogPorts } from "./wire_dialog.ts";
import type { WireMedia } from "./wire_media.ts";

/** Reason headers of BYEs of our own (RFC 3326). */
const REASONS = {
  worker_lost: 'SIP;cause=500;text="Media worker lost"',
  media_silent: 'SIP;cause=408;text="No media"',
  session_expired: 'SIP;cause=408;text="The other side does not answer"',
  operator: 'SIP;cause=200;text="Ended by an operator"',
} as const;

/** Longest way from anchor to anchor that is looked at for a ring of legs. */
const MAX_RING = 64;

/**
 * Stands between wire flows and the SIP elements (design section 1): inside the process
 * descriptions are abstract, on a wire they are concrete, and here one becomes the other. Each
 * INVITE dialog that crosses a wire has an anchor; what has none passes.
 */
export class Edge {
  readonly #ports: EdgePorts;
  readonly #dialogPorts: WireDialogPorts;
  readonly #dialogs = new Map<string, WireDialog>();
  /** By transaction of the INVITE, and by dialog; each anchor knows its own keys. */
  readonly #byTransaction = new Map<string, WireDialog>();
  readonly #byDialog = new Groups<string, WireDialog>();
  readonly #byFlow = new Groups<FlowId, WireDialog>();
  readonly #byToken = new Map<EndpointToken, WireDialog>();
  /** By `address:port` where an endpoint of ours receives. */
  readonly #byPlace = new Map<string, WireDialog>();
  readonly #unanswered = new Map<FlowId, number>();
  readonly #entries = new Map<WireDialog, Entry>();

  readonly #farewells: Farewells;
  readonly #watch: DirectWatch;
  readonly #lostFlows: LostFlows;
  #order = 0;
  /** Why calls between wire sides end at this moment. */
  #cause: TransitEnd = "hangup";

  constructor(ports: EdgePorts) {
    this.#ports = ports;
    this.#farewells = new Farewells(ports, (flow, bytes, message) => {
      ports.toWire(flow, bytes, message);
    });
    this.#watch = new DirectWatch({
      clock: ports.clock,
      intervalMs: ports.pingMs ?? 0,
      dialogs: () => this.#dialogs.values(),
      ask: (dialog, done) => this.#ask(dialog, done),
      onGone: (dialog) => this.#endTransitOf(dialog, "session_expired"),
    });
    this.#lostFlows = new LostFlows({
      clock: ports.clock,
      onGone: (dialog) => this.#giveUp(dialog),
    });
    this.#dialogPorts = {
      ...bound(ports),
      original: (abstract) => this.#original(abstract),
      refuseRemote: (dialog, places) => this.#refuseRemote(dialog, places),
      learn: (dialog, name) => this.#learn(dialog, name),
      keyFrame: (token) => this.#keyFrame(token),
      onMoved: (dialog) => this.#move(dialog),
      onAnswered: (dialog) => {
        this.#answered(dialog);
        const transit = this.#transitOf(dialog);
        const { dialog: name } = dialog;
        if (dialog.media?.kind === "direct") this.#watch.start();
        if (transit) ports.onEffect({ type: "transit-connected", dialog: name, transit });
      },
      onClosed: (dialog) => this.#forget(dialog),
      farewell: (flow, bye) => this.#farewells.say(flow, bye),
      onLost: (dialog) => this.#endTransitOf(dialog, "worker_lost"),
      onSilent: (dialog, ms) => this.#onSilent(dialog, ms),
    };
  }

  /** What is alive, for leak checks. */
  get counts(): Readonly<Record<string, number>> {
    return {
      anchors: this.#dialogs.size,
      anchorFarewells: this.#farewells.count,
      anchorTransactions: this.#byTransaction.size,
      anchorDialogs: this.#byDialog.size,
      anchorIndices: this.#byFlow.size + this.#byToken.size + this.#byPlace.size +
        this.#unanswered.size,
    };
  }

  /** A message of an element, before it goes out on a wire flow. It is not changed. */
  outgoing(flow: Flow, message: SipMessage, bytes: Uint8Array): void {
    const item: Passing = { side: "inner", flow, message, bytes };
    const dialog = this.#find(item) ?? this.#begin(item);
    if (dialog) return dialog.pass(item);
    const clean = this.#withoutAnchor(item);
    if (clean) this.#ports.toWire(flow, clean === message ? bytes : serialize(clean), clean);
  }

  /** What came in on a wire flow, before an element sees it. */
  incoming(input: ElementInput): void {
    const { flow } = input;
    const message = readable(input);
    if (!message) return this.#ports.toElement(input);
    if (this.#farewells.takes(flow, message)) return;
    const item: Passing = { side: "wire", flow, message };
    const dialog = this.#find(item) ?? this.#begin(item);
    if (dialog) return dialog.pass(item);
    if (this.#isTooMany(item)) return;
    const clean = this.#withoutAnchor(item);
    if (clean) this.#toElement(flow, clean);
  }

  /** The flow is gone, and with it the anchors on it, but for those of calls that talk. */
  flowClosed(flow: FlowId): void {
    for (const dialog of this.#byFlow.valuesOf(flow)) {
      if (dialog.isTalking) this.#lostFlows.lose(dialog, flow);
      else dialog.terminate();
    }
  }

  /** Whether a dialog needs this flow: such ones may be quiet for long. */
  isFlowUsed(flow: FlowId): boolean {
    return this.#byFlow.has(flow);
  }

  /**
   * Telephone-events by the endpoint of this token. `info`: its far end takes none, so that digits
   * are its dialog's matter; `none`: it is none of a SIP leg's.
   */
  sendDtmf(
    endpoint: EndpointToken,
    digits: string,
    durationMs: number,
  ): "played" | "info" | "none" {
    const dialog = this.#byToken.get(endpoint);
    const media = phoneOf(dialog?.media ?? null);
    if (!dialog || !media) return "none";
    if (dialog.settings.dtmf === "info" || !media.takesDtmf) return "info";
    media.sendDtmf(digits, durationMs);
    return "played";
  }

  /** All anchors, oldest first. */
  *anchors(): Generator<AnchorView> {
    for (const dialog of this.#dialogs.values()) yield dialog.view();
  }

  anchorOf(dialog: AnchorDialog): AnchorView | undefined {
    return this.#byDialog.firstOf(dialogKey(dialog))?.view();
  }

  /** Calls between two wire sides, oldest first; `order` counts up and never changes. */
  *transits(): Generator<{ readonly order: number; readonly transit: Transit }> {
    const ringing = this.#ringing();
    for (const caller of this.#dialogs.values()) {
      const transit = this.#transitOf(caller) ?? ringingTransit(caller, ringing);
      if (transit) yield { order: caller.order, transit };
    }
  }

  /** By the id of the caller's anchor. */
  transit(id: string): Transit | undefined {
    const caller = this.#dialogs.get(id);
    return caller && (this.#transitOf(caller) ?? ringingTransit(caller, this.#ringing()));
  }

  /** An operator ends a call between two wire sides; false where there is none of this id. */
  endTransit(id: string): boolean {
    const caller = this.#dialogs.get(id);
    if (!caller || caller.isAnswered) {
      return caller !== undefined && this.#endTransitOf(caller, "operator");
    }
    const transit = this.transit(id);
    if (!transit || !caller.cancel(REASONS.operator)) return false;
    const { dialog } = caller;
    this.#ports.onEffect({ type: "transit-ended", dialog, transit, reason: "operator" });
    return true;
  }

  /** Closes all anchors; for the end of the process. */
  stop(): void {
    for (const dialog of [...this.#dialogs.values()]) dialog.terminate();
    this.#farewells.stop();
    this.#watch.stop();
  }

  // --- without an anchor ---

  /**
   * What goes on of a message that has no anchor. A description inside a dialog has lost its media
   * (a repetition that comes late, a server that was restarted): requests get 481, so that who sent
   * it ends the dialog (RFC 3261 12.2.1.2); undefined then.
   */
  #withoutAnchor({ side, flow, message }: Passing): SipMessage | undefined {
    const isInside = describes(message) && message.to.tag !== undefined;
    if (!isInside || sdpOf(message) === undefined) return cleaned(message);
    if (message.kind === "response" || message.method === "ACK") return withoutBody(message);
    const response = createResponse(message, 481);
    if (side === "inner") this.#toElement(flow, response);
    else this.#ports.toWire(flow, serialize(response), response);
    return undefined;
  }

  #toElement(flow: Flow, message: SipMessage): void {
    this.#ports.toElement({ type: "receive-framed", flow, event: { type: "message", message } });
  }

  // --- finding anchors ---

  #find(item: Passing): WireDialog | undefined {
    // An answer to what could not be read repeats what could not be read.
    if (this.#dialogs.size === 0 || !validate(item.message).ok) return undefined;
    const transaction = this.#byTransaction.get(transactionKey(item));
    if (transaction) return transaction;
    const { side, flow, message } = item;
    const from = message.from.tag ?? "";
    const to = message.to.tag;
    if (to === undefined) return undefined;
    // Whoever sent the request stands in From.
    const isFromWire = (side === "wire") === (message.kind === "request");
    const [localTag, remoteTag] = isFromWire ? [to, from] : [from, to];
    const key = dialogKey({ callId: message.callId, localTag, remoteTag });
    const found = this.#byDialog.valuesOf(key);
    // A phone may have come back on another connection.
    return found.find((dialog) => dialog.flow.id === flow.id) ??
      (found.length === 1 ? found[0] : undefined);
  }

  /** A new anchor for an INVITE that opens a dialog and may have one. */
  #begin(item: Passing): WireDialog | undefined {
    const { side, flow, message } = item;
    if (message.kind !== "request" || message.method !== "INVITE") return undefined;
    if (message.to.tag !== undefined) return undefined;
    if (side === "inner" && !isOurs(message)) return undefined;
    if (side === "wire") {
      if (this.#ports.isChallenged?.(flow, message)) return undefined;
      if ((this.#unanswered.get(flow.id) ?? 0) >= MAX_UNANSWERED_PER_FLOW) return undefined;
    }
    const id = uuid(this.#ports.entropy);
    const dialog = new WireDialog(this.#dialogPorts, id, ++this.#order, item, message);
    const transaction = transactionKey(item);
    this.#dialogs.set(dialog.id, dialog);
    this.#byTransaction.set(transaction, dialog);
    const entry: Entry = {
      transaction,
      dialogs: new Set(),
      tokens: new Set(),
      places: [],
      flow: flow.id,
      unansweredOn: flow.id,
    };
    this.#entries.set(dialog, entry);
    this.#byFlow.add(flow.id, dialog);
    this.#unanswered.set(flow.id, (this.#unanswered.get(flow.id) ?? 0) + 1);
    dialog.start();
    return dialog;
  }

  /** An INVITE beyond what one flow may have waiting is refused without state. */
  #isTooMany({ flow, message }: Passing): boolean {
    if (message.kind !== "request" || message.method !== "INVITE") return false;
    if (message.to.tag !== undefined || this.#ports.isChallenged?.(flow, message)) return false;
    const response = createResponse(message, 503, undefined, {
      toTag: "busy",
      headers: [["Retry-After", "5"]],
    });
    this.#ports.toWire(flow, serialize(response), response);
    return true;
  }

  #learn(dialog: WireDialog, name: AnchorDialog): void {
    const key = dialogKey(name);
    const known = this.#entries.get(dialog)?.dialogs;
    if (known?.has(key)) return;
    this.#byDialog.add(key, dialog);
    known?.add(key);
  }

  /** Keeps the indices by flow, token and port as the dialog stands now. */
  #move(dialog: WireDialog): void {
    const entry = this.#entries.get(dialog);
    if (!entry) return;
    if (entry.flow !== dialog.flow.id) {
      this.#byFlow.delete(entry.flow, dialog);
      entry.flow = dialog.flow.id;
      this.#byFlow.add(entry.flow, dialog);
    }
    const { media } = dialog;
    if (media) {
      this.#byToken.set(media.token, dialog);
      entry.tokens.add(media.token);
    }
    for (const place of entry.places) this.#byPlace.delete(place);
    entry.places = phoneOf(media)?.places ?? [];
    for (const place of entry.places) this.#byPlace.set(place, dialog);
  }

  #answered(dialog: WireDialog): void {
    const entry = this.#entries.get(dialog);
    if (!entry || entry.unansweredOn === null) return;
    const left = (this.#unanswered.get(entry.unansweredOn) ?? 1) - 1;
    if (left > 0) this.#unanswered.set(entry.unansweredOn, left);
    else this.#unanswered.delete(entry.unansweredOn);
    entry.unansweredOn = null;
  }

  #forget(dialog: WireDialog): void {
    this.#lostFlows.forget(dialog);
    this.#answered(dialog);
    this.#tellEnd(dialog);
    this.#dialogs.delete(dialog.id);
    const entry = this.#entries.get(dialog);
    if (!entry) return;
    this.#entries.delete(dialog);
    this.#byTransaction.delete(entry.transaction);
    this.#byFlow.delete(entry.flow, dialog);
    for (const key of entry.dialogs) this.#byDialog.delete(key, dialog);
    for (const token of entry.tokens) this.#byToken.delete(token);
    for (const place of entry.places) this.#byPlace.delete(place);
  }

  // --- between anchors ---

  #ask(dialog: WireDialog, done: (isThere: boolean) => void): void {
    const { entropy, sentBy = "localhost" } = this.#ports;
    const tag = randomHex(entropy, 64);
    const ping = dialog.ping(randomHex(entropy, 128), `<sip:${sentBy}>;tag=${tag}`);
    // Whatever it says, it is there; only a proxy before it says 408 in its place.
    if (ping) this.#farewells.say(dialog.flow, ping, (status) => done((status ?? 408) !== 408));
  }

  #endTransitOf(dialog: WireDialog, cause: keyof typeof REASONS): boolean {
    const other = this.#otherOf(dialog);
    if (!other) return false;
    this.#cause = cause;
    try {
      dialog.hangUp(REASONS[cause]);
      other.hangUp(REASONS[cause]);
    } finally {
      this.#cause = "hangup";
    }
    return true;
  }

  /** Whoever was at the far end has no connection to us any more. */
  #giveUp(dialog: WireDialog): void {
    if (this.#endTransitOf(dialog, "session_expired")) return;
    this.#ports.onEffect({ type: "party-lost", dialog: dialog.dialog });
    dialog.terminate();
  }

  /** Nothing comes from a far end any more that owes media: it may be gone without a word. */
  #onSilent(dialog: WireDialog, ms: number): void {
    const joined = dialog.peer === null ? undefined : this.#byToken.get(dialog.peer);
    const isHeld = dialog.media?.view().isHeld || joined?.media?.view().isHeld;
    // While it rings nobody owes media.
    if (!dialog.isAnswered || !dialog.isSilent || isHeld) return;
    const other = this.#otherOf(dialog);
    // A party inside has this dialog: it is its call that ends.
    if (!other) {
      return this.#ports.onEffect({ type: "silent", dialog: dialog.dialog, ms });
    }
    if (other.isSilent) return void this.#endTransitOf(dialog, "media_silent");
    // Somebody talks to a phone that is muted, or gone.
    this.#ask(dialog, (isThere) => {
      if (!isThere && dialog.isSilent) this.#endTransitOf(dialog, "media_silent");
    });
  }

  /** The first of two anchors closes: what the call between them was is known for the last time. */
  #tellEnd(dialog: WireDialog): void {
    const { peer } = dialog;
    const other = peer === null ? undefined : this.#byToken.get(peer);
    const caller = dialog.role === "caller" ? dialog : other;
    // Whose place another has taken ends nothing by its going.
    const isLeft = caller !== dialog && caller?.peer !== dialog.media?.token;
    const transit = caller?.isAnswered && !isLeft ? this.#transitOf(caller) : undefined;
    if (!caller || !transit) return;
    this.#ports.onEffect({
      type: "transit-ended",
      dialog: caller.dialog,
      transit,
      reason: this.#cause,
    });
  }

  #transitOf(caller: WireDialog): Transit | undefined {
    const callee = caller.role === "caller" ? this.#otherOf(caller) : undefined;
    return callee && [caller.view(), callee.view()];
  }

  /**
   * The other wire side of a call that merely passes: the proxy changes no Call-ID. A party inside
   * that has joined two of its dialogs has a call of its own.
   */
  #otherOf(dialog: WireDialog): WireDialog | undefined {
    const other = dialog.peer === null ? undefined : this.#byToken.get(dialog.peer);
    return other !== dialog && other?.callId === dialog.callId ? other : undefined;
  }

  /** Those who ring, by Call-ID; one of each fork. */
  #ringing(): Map<string, WireDialog> {
    const found = new Map<string, WireDialog>();
    for (const dialog of this.#dialogs.values()) {
      if (dialog.role === "callee" && !dialog.isAnswered) found.set(dialog.callId, dialog);
    }
    return found;
  }

  #original(abstract: sdp.Sdp): string | undefined {
    const token = sdp.endpointToken(abstract);
    const dialog = token === undefined ? undefined : this.#byToken.get(token);
    return dialog?.texts.get(abstract.origin.version);
  }

  #keyFrame(token: EndpointToken): void {
    const dialog = this.#byToken.get(token);
    if (dialog) dialog.media?.requestKeyFrame();
    else this.#ports.onEffect({ type: "key-frame-request", endpoint: token });
  }

  /**
   * Media that comes back to the leg that it left would run for ever: by the leg's own port, or
   * over other legs of ours. Any other port of ours is a place like every other.
   */
  #refuseRemote(self: WireDialog, places: readonly string[]): string | undefined {
    let owner = this.#ownerOf(places);
    if (owner === self) return "the offer names the port of its own leg";
    for (let step = 0; step < MAX_RING; step++) {
      // What arrives there leaves by the leg that it is joined with.
      const beyond = owner && owner.peer !== null ? this.#byToken.get(owner.peer) : undefined;
      if (!beyond) return undefined;
      if (beyond === self) return "the offer closes a ring of legs";
      owner = this.#ownerOf(phoneOf(beyond.media)?.remotePlaces ?? []);
    }
    return "the offer leads over too many legs";
  }

  #ownerOf(places: readonly string[]): WireDialog | undefined {
    for (const place of places) {
      const owner = this.#byPlace.get(place);
      if (owner) return owner;
    }
    return undefined;
  }
}

/** A call that nobody has answered yet. */
function ringingTransit(
  caller: WireDialog,
  ringing: ReadonlyMap<string, WireDialog>,
): Transit | undefined {
  if (caller.role !== "caller" || caller.isAnswered) return undefined;
  const callee = ringing.get(caller.callId);
  return callee && [caller.view(), callee.view()];
}

/** Under which keys an anchor is found. */
interface Entry {
  readonly transaction: string;
  readonly dialogs: Set<string>;
  readonly tokens: Set<EndpointToken>;
  places: readonly string[];
  flow: FlowId;
  unansweredOn: FlowId | null;
}

/** The message, where it can be read as one that elements take. */
function readable(input: ElementInput): SipMessage | undefined {
  if (input.type === "receive-framed") {
    const { event } = input;
    return event.type === "message" && validate(event.message).ok ? event.message : undefined;
  }
  const parsed = parseMessage(input.bytes);
  return parsed.ok && validate(parsed.value).ok ? parsed.value : undefined;
}

/** Whether elements of ours made the description, or leave it to the far end to make one. */
function isOurs(invite: SipRequest): boolean {
  const text = sdpOf(invite);
  return text === undefined || sdp.namesEndpoint(text);
}

/** INVITE, CANCEL, ACK to a refusal, and responses share it; branches of strangers are not ours. */
function transactionKey({ side, flow, message }: Passing): string {
  const isOurBranch = (side === "inner") === (message.kind === "request");
  const branch = message.topVia.branch ?? `${message.cseq.sequence}`;
  const { callId } = message;
  return isOurBranch ? `${callId}\n${branch}` : `${flow.id}\n${callId}\n${branch}`;
}

function dialogKey({ callId, localTag, remoteTag }: AnchorDialog): string {
  return `${callId}\n${localTag}\n${remoteTag ?? ""}`;
}

function phoneOf(media: WireMedia | null): PhoneMedia | undefined {
  return media instanceof PhoneMedia ? media : undefined;
}

/** The ports, bound: what they belong to may be a class. */
function bound(ports: EdgePorts): EdgePorts {
  const { clock, entropy, log, sentBy, rtp, webrtc } = ports;
  const base: EdgePorts = {
    clock,
    entropy,
    log,
    ...(sentBy === undefined ? {} : { sentBy }),
    ...(ports.pingMs === undefined ? {} : { pingMs: ports.pingMs }),
    rtp,
    webrtc,
    settings: (flow, invite, role) => ports.settings(flow, invite, role),
    toElement: (input) => ports.toElement(input),
    toWire: (flow, bytes, message) => ports.toWire(flow, bytes, message),
    onEffect: (effect) => ports.onEffect(effect),
  };
  return {
    ...base,
    ...(ports.transcodable ? { transcodable: () => ports.transcodable?.() ?? new Set() } : {}),
    ...(ports.trace ? { trace: (machine, state) => ports.trace?.(machine, state) } : {}),
  };
}
