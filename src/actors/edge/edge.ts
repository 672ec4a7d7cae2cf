import { uuid } from "../../core/entropy.ts";
import type { EndpointToken, FlowId } from "../../core/ids.ts";
import type { Flow } from "../../sip/flow.ts";
import {
  createResponse,
  parseMessage,
  type SipMessage,
  type SipRequest,
  validate,
} from "../../sip/message/mod.ts";
import * as sdp from "../../sdp/mod.ts";
import { Anchors } from "./anchors.ts";
import { cleaned, describes, sdpOf, withoutBody } from "./bodies.ts";
import {
  type AnchorDialog,
  type AnchorView,
  type EdgePorts,
  type ElementInput,
  MAX_UNANSWERED_PER_FLOW,
  type Transit,
} from "./contract.ts";
import { Crossing, type Passing } from "./crossing.ts";
import { DirectWatch } from "./direct_watch.ts";
import { Farewells } from "./farewells.ts";
import { ringFault } from "./leg_rings.ts";
import { LostFlows } from "./lost_flows.ts";
import { Transits } from "./transits.ts";
import { WireDialog, type WireDialogPorts } from "./wire_dialog.ts";

/**
 * Stands between wire flows and the SIP elements (design section 1): inside the process
 * descriptions are abstract, on a wire they are concrete, and here one becomes the other. Each
 * INVITE dialog that crosses a wire has an anchor; what has none passes.
 */
export class Edge {
  readonly #ports: EdgePorts;
  readonly #dialogPorts: WireDialogPorts;
  readonly #anchors = new Anchors();
  readonly #crossing: Crossing;
  readonly #farewells: Farewells;
  readonly #transits: Transits;
  readonly #watch: DirectWatch;
  readonly #lostFlows: LostFlows;
  #order = 0;

  constructor(ports: EdgePorts) {
    const anchors = this.#anchors;
    this.#ports = ports;
    this.#crossing = new Crossing(ports);
    const farewells = new Farewells(ports, (flow, bytes, message) => {
      ports.toWire(flow, bytes, message);
    });
    const transits = new Transits({
      anchors,
      ask: (dialog, done) => farewells.ask(dialog, done),
      onEffect: (effect) => ports.onEffect(effect),
    });
    this.#farewells = farewells;
    this.#transits = transits;
    this.#watch = new DirectWatch({
      clock: ports.clock,
      intervalMs: ports.pingMs ?? 0,
      dialogs: () => anchors.all(),
      ask: (dialog, done) => farewells.ask(dialog, done),
      onGone: (dialog) => transits.end(dialog, "session_expired"),
    });
    this.#lostFlows = new LostFlows({
      clock: ports.clock,
      onGone: (dialog) => transits.giveUp(dialog),
    });
    this.#dialogPorts = {
      ...bound(ports),
      crossing: this.#crossing,
      original: (abstract) => this.#original(abstract),
      refuseRemote: (dialog, places) => ringFault(anchors, dialog, places),
      learn: (dialog, name) => anchors.learn(dialog, name),
      keyFrame: (token) => this.#keyFrame(token),
      onMoved: (dialog) => anchors.move(dialog),
      onAnswered: (dialog) => {
        anchors.answered(dialog);
        if (dialog.media?.kind === "direct") this.#watch.start();
        transits.tellAnswer(dialog);
      },
      onClosed: (dialog) => this.#forget(dialog),
      farewell: (flow, bye) => farewells.say(flow, bye),
      onLost: (dialog) => transits.end(dialog, "worker_lost"),
      onSilent: (dialog, ms) => transits.onSilent(dialog, ms),
    };
  }

  /** What is alive, for leak checks. */
  get counts(): Readonly<Record<string, number>> {
    return { ...this.#anchors.counts, anchorFarewells: this.#farewells.count };
  }

  /** A message of an element, before it goes out on a wire flow. It is not changed. */
  outgoing(flow: Flow, message: SipMessage, bytes: Uint8Array): void {
    const item: Passing = { side: "inner", flow, message, bytes };
    const dialog = this.#anchors.find(item) ?? this.#begin(item);
    if (dialog) return dialog.pass(item);
    const clean = this.#withoutAnchor(item);
    if (clean) this.#crossing.send(item, clean);
  }

  /** What came in on a wire flow, before an element sees it. */
  incoming(input: ElementInput): void {
    const { flow } = input;
    const message = readable(input);
    if (!message) return this.#ports.toElement(input);
    if (this.#farewells.takes(flow, message)) return;
    const item: Passing = { side: "wire", flow, message };
    const dialog = this.#anchors.find(item) ?? this.#begin(item);
    if (dialog) return dialog.pass(item);
    if (this.#isTooMany(item)) return;
    const clean = this.#withoutAnchor(item);
    if (clean) this.#crossing.send(item, clean);
  }

  /** The flow is gone, and with it the anchors on it, but for those of calls that talk. */
  flowClosed(flow: FlowId): void {
    for (const dialog of this.#anchors.on(flow)) {
      if (dialog.isTalking) this.#lostFlows.lose(dialog, flow);
      else dialog.terminate();
    }
  }

  /** Whether a dialog needs this flow: such ones may be quiet for long. */
  isFlowUsed(flow: FlowId): boolean {
    return this.#anchors.isAnyOn(flow);
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
    const dialog = this.#anchors.withToken(endpoint);
    const media = dialog?.phone;
    if (!dialog || !media) return "none";
    if (dialog.settings.dtmf === "info" || !media.takesDtmf) return "info";
    media.sendDtmf(digits, durationMs);
    return "played";
  }

  /** All anchors, oldest first. */
  *anchors(): Generator<AnchorView> {
    for (const dialog of this.#anchors.all()) yield dialog.view();
  }

  anchorOf(dialog: AnchorDialog): AnchorView | undefined {
    return this.#anchors.named(dialog)?.view();
  }

  /** Calls between two wire sides, oldest first; `order` counts up and never changes. */
  transits(): Iterable<{ readonly order: number; readonly transit: Transit }> {
    return this.#transits.all();
  }

  /** By the id of the caller's anchor. */
  transit(id: string): Transit | undefined {
    return this.#transits.get(id);
  }

  /** An operator ends a call between two wire sides; false where there is none of this id. */
  endTransit(id: string): boolean {
    return this.#transits.endByOperator(id);
  }

  /** Closes all anchors; for the end of the process. */
  stop(): void {
    for (const dialog of [...this.#anchors.all()]) dialog.terminate();
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
    this.#crossing.answer(side, flow, response);
    return undefined;
  }

  // --- anchors ---

  /** A new anchor for an INVITE that opens a dialog and may have one. */
  #begin(item: Passing): WireDialog | undefined {
    const { side, flow, message } = item;
    if (message.kind !== "request" || message.method !== "INVITE") return undefined;
    if (message.to.tag !== undefined) return undefined;
    if (side === "inner" && !isOurs(message)) return undefined;
    if (side === "wire") {
      if (this.#ports.isChallenged?.(flow, message)) return undefined;
      if (this.#anchors.unansweredOn(flow.id) >= MAX_UNANSWERED_PER_FLOW) return undefined;
    }
    const id = uuid(this.#ports.entropy);
    const dialog = new WireDialog(this.#dialogPorts, id, ++this.#order, item, message);
    this.#anchors.add(dialog, item);
    dialog.start();
    return dialog;
  }

  /** An INVITE beyond what one flow may have waiting is refused without state. */
  #isTooMany({ side, flow, message }: Passing): boolean {
    if (message.kind !== "request" || message.method !== "INVITE") return false;
    if (message.to.tag !== undefined || this.#ports.isChallenged?.(flow, message)) return false;
    const response = createResponse(message, 503, undefined, {
      toTag: "busy",
      headers: [["Retry-After", "5"]],
    });
    this.#crossing.answer(side, flow, response);
    return true;
  }

  #forget(dialog: WireDialog): void {
    this.#lostFlows.forget(dialog);
    this.#anchors.answered(dialog);
    this.#transits.tellEnd(dialog);
    this.#anchors.forget(dialog);
  }

  // --- between anchors ---

  #original(abstract: sdp.Sdp): string | undefined {
    const token = sdp.endpointToken(abstract);
    const dialog = token === undefined ? undefined : this.#anchors.withToken(token);
    return dialog?.texts.get(abstract.origin.version);
  }

  #keyFrame(token: EndpointToken): void {
    const dialog = this.#anchors.withToken(token);
    if (dialog) dialog.media?.requestKeyFrame();
    else this.#ports.onEffect({ type: "key-frame-request", endpoint: token });
  }
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
