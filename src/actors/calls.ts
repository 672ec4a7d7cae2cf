import { createActor } from "xstate";
import type { Clock } from "../core/clock.ts";
import { type Entropy, uuid } from "../core/entropy.ts";
import type { CallId, EndpointToken, SessionId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import type { Result } from "../core/result.ts";
import { type Termination, termination } from "../core/termination.ts";
import type { MediaPort } from "../rtp/media_port.ts";
import type { InviteUsage } from "../sip/user_agent/invite_usage.ts";
import type { IncomingInvite } from "../sip/user_agent/user_agent.ts";
import { callMachine } from "./call.ts";
import { type CallContext, childrenOf, initialCallContext } from "./call_context.ts";
import { clientCall, eventData } from "./call_facts.ts";
import { CallIndex, type CallRecord } from "./call_index.ts";
import {
  type CallInput,
  type CallOptions,
  type CallOrigin,
  type CallParty,
  type CallPorts,
  noResources,
  releaseResources,
  type TransferRights,
} from "./call_ports.ts";
import type { ClientNotice } from "./client.ts";
import { infoOfDigits } from "./dtmf.ts";
import type { SipMediaView } from "./control_plane.ts";
import { keyFrameRequest } from "./edge/bodies.ts";
import type { AnchorDialog } from "./edge/contract.ts";
import { EndedCalls } from "./ended_calls.ts";
import type { EventBus } from "./event_bus.ts";
import type { Ladder } from "./ladder.ts";
import type { Callee } from "./routing.ts";
import { toCallView } from "./views.ts";

/** Live calls one session may have; a further INVITE is answered 486. */
export const CALLS_PER_SESSION = 20;

export interface CallsPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly media: MediaPort;
  readonly bus: EventBus;
  readonly options: CallOptions;
  /** To the client of a session. */
  notify(session: SessionId, notice: ClientNotice): void;
  onCallGone(session: SessionId): void;
  /** What a user of this session means by `text`. */
  parseTarget(session: SessionId, text: string): Result<Callee, string>;
  readonly rights: TransferRights;
  /** Codecs between which calls can be transcoded; absent: none. */
  transcodable?(): ReadonlySet<string>;
  /**
   * Telephone-events by an endpoint of a SIP leg. `info`: its far end wants INFO instead; `none`:
   * no SIP leg has this token.
   */
  sendDtmf(endpoint: EndpointToken, digits: string): "played" | "info" | "none";
  /** Media where a dialog crosses a wire; undefined: it crosses none. */
  wireMedia?(dialog: AnchorDialog): SipMediaView | null | undefined;
  /** Keeps the messages of calls as long as their views. */
  readonly ladder?: Ladder;
  trace?(machine: string, state: string): void;
}

export interface NewCall {
  readonly callId?: CallId;
  readonly party: CallParty;
  readonly origin: CallOrigin;
  readonly caller: string;
  readonly callee: string;
  readonly target: string;
  readonly visibleName: string;
  readonly inviteParameters?: Readonly<Record<string, string>> | null;
  readonly custom?: unknown;
}

/**
 * All calls of this process, each a root actor of its own with an error observer. A call that dies
 * of a fault leaves a will: dialog, endpoint and client are dealt with, nobody else notices.
 */
export class Calls {
  readonly #ports: CallsPorts;
  readonly #live = new CallIndex();
  readonly #ended: EndedCalls;
  #order = 0;

  constructor(ports: CallsPorts) {
    this.#ports = ports;
    this.#ended = new EndedCalls(ports.bus, ports.ladder);
  }

  /** Calls that are over, those between two wire sides among them. */
  get archive(): EndedCalls {
    return this.#ended;
  }

  get size(): number {
    return this.#live.size;
  }

  get(id: string): CallRecord | undefined {
    return this.#live.get(id as CallId);
  }

  live(): Iterable<CallRecord> {
    return this.#live.all();
  }

  ofSession(session: SessionId): readonly CallRecord[] {
    return this.#live.ofSession(session);
  }

  /** The calls that one SIP Call-ID joins: caller, callee, and other places that ring. */
  ofSipCall(sipCallId: string): readonly CallRecord[] {
    return this.#live.ofSipCall(sipCallId);
  }

  /** Whether a call that has left its client still speaks by the agent of this session. */
  isAgentNeeded(session: SessionId): boolean {
    return this.#live.hasBridged(session);
  }

  /** Ends the calls that no session would end. */
  endBridged(reason: Termination): void {
    for (const { actor } of this.#live.bridged()) {
      actor.send({ type: "terminate", termination: reason });
    }
  }

  isFull(session: SessionId): boolean {
    return this.#live.countOf(session) >= CALLS_PER_SESSION;
  }

  /** Starts a call. The id is free: whoever chose it has looked. */
  start(call: NewCall): CallRecord {
    const { party, origin } = call;
    const id = call.callId ?? uuid(this.#ports.entropy) as CallId;
    const resources = noResources();
    if (origin.type === "invite") {
      resources.dialog.unanswered = { agent: party.agent, invite: origin.invite };
    }
    const sipCallId = origin.type === "invite"
      ? origin.invite.request.callId
      : party.agent.token(128);
    const input: CallInput = {
      callId: id,
      sipCallId,
      ports: this.#callPorts(id, party.sessionId),
      party,
      origin,
      resources,
      caller: call.caller,
      callee: call.callee,
      target: call.target,
      visibleName: call.visibleName,
      inviteParameters: call.inviteParameters ?? null,
      custom: call.custom ?? null,
    };
    const actor = createActor(callMachine, { input, clock: this.#ports.clock });
    const record: CallRecord = {
      id,
      sipCallIds: [sipCallId],
      sessionId: party.sessionId,
      actor,
      input,
      resources,
      order: ++this.#order,
      isTold: false,
    };
    this.#add(record);
    actor.subscribe({
      complete: () => this.#finish(record, actor.getSnapshot().output),
      error: (error) => this.#executeWill(record, error),
    });
    if (origin.type === "client") this.#tellTrying(record);
    this.#ports.bus.publish("call.started", eventData(initialCallContext(input)));
    actor.start();
    return record;
  }

  /** Ends a live call; false where there is none of that id. */
  end(id: string, reason: Termination): boolean {
    const record = this.get(id);
    record?.actor.send({ type: "terminate", termination: reason });
    return record !== undefined;
  }

  endOfSession(session: SessionId, reason: Termination): void {
    for (const { actor } of this.#live.ofSession(session)) {
      actor.send({ type: "terminate", termination: reason });
    }
  }

  /** Asks the browser behind this endpoint for a key frame; strangers to us are passed over. */
  requestKeyFrame(endpoint: EndpointToken): void {
    this.#ofEndpoint(endpoint)?.resources.endpoint?.requestKeyFrame();
  }

  /** The party inside wants a key frame of a wire side that knows no RTCP feedback (RFC 5168). */
  askForKeyFrame(sipCallId: string, localTag: string): void {
    const { contentType, bytes } = keyFrameRequest();
    for (const record of this.ofSipCall(sipCallId)) {
      const usage = usageOf(record, localTag);
      usage?.info(contentType, new TextDecoder().decode(bytes));
    }
  }

  /** The media of a dialog's wire side is gone: nobody would hear anybody any more. */
  loseMedia(sipCallId: string, localTag: string, text: string): void {
    for (const record of this.ofSipCall(sipCallId)) {
      if (!usageOf(record, localTag)) continue;
      record.actor.send({ type: "terminate", termination: termination("worker_lost", { text }) });
    }
  }

  /** The wire side of a dialog has no connection any more. */
  loseParty(sipCallId: string, localTag: string): void {
    const text = "The other side's connection is gone, and it has not come back";
    for (const record of this.ofSipCall(sipCallId)) {
      if (!usageOf(record, localTag)) continue;
      const reason = termination("session_expired", { text });
      record.actor.send({ type: "terminate", termination: reason });
    }
  }

  /** Nothing comes from a dialog's wire side any more, ms. */
  missMedia(sipCallId: string, localTag: string, ms: number): void {
    for (const record of this.ofSipCall(sipCallId)) {
      if (usageOf(record, localTag)) record.actor.send({ type: "wire.silent", ms });
    }
  }

  /** The wire side of a dialog has played a digit to the party inside. */
  hearDigit(sipCallId: string, localTag: string, digit: string): void {
    for (const { resources, actor } of this.ofSipCall(sipCallId)) {
      if (resources.dialog.usage?.localTag !== localTag) continue;
      actor.send({ type: "dtmf", digit, method: "RFC2833" });
    }
  }

  /** Refuses an INVITE without making a call of it. */
  refuse(party: CallParty, invite: IncomingInvite, status: number): void {
    const resources = noResources();
    resources.dialog.unanswered = { agent: party.agent, invite };
    releaseResources(resources, status, this.#ports.log);
  }

  #callPorts(id: CallId, session: SessionId): CallPorts {
    const { clock, entropy, log, media, options, bus, trace } = this.#ports;
    const ports: CallPorts = {
      clock,
      entropy,
      log,
      media,
      options,
      notify: (notice) => {
        if (notice.type === "finished") {
          const record = this.#live.get(id);
          if (record) record.isTold = true;
        }
        this.#ports.notify(session, notice);
      },
      parseTarget: (text) => this.#ports.parseTarget(session, text),
      rights: this.#ports.rights,
      transcodable: () => this.#ports.transcodable?.() ?? new Set(),
      wireMedia: (dialog) => this.#ports.wireMedia?.(dialog),
      sendDtmf: (peer, digits) => this.#sendDtmf(id, peer, digits),
      joined: (sipCallId) => this.#join(id, sipCallId),
      leftClient: () => this.#leaveClient(id, session),
      publish: (type, data) => bus.publish(type, data),
    };
    return trace ? { ...ports, trace } : ports;
  }

  /** A call has one more Call-ID: a transfer has joined it with somebody else. */
  #join(id: CallId, sipCallId: string): void {
    const record = this.#live.get(id);
    if (record && this.#live.join(record, sipCallId)) this.#ports.ladder?.claim(sipCallId);
  }

  /** From now on the session's end is not the call's. */
  #leaveClient(id: CallId, session: SessionId): void {
    const record = this.#live.get(id);
    if (!record) return;
    this.#live.leaveClient(record);
    this.#ports.onCallGone(session);
  }

  /** By the SIP leg's endpoint; a browser that is joined plays none, so its call shows them. */
  #sendDtmf(id: CallId, peer: EndpointToken, digits: string): void {
    const done = this.#ports.sendDtmf(peer, digits);
    if (done === "played") return;
    if (done === "info") {
      const { contentType, bodies } = infoOfDigits(digits, "INFO_RELAY");
      const usage = this.#live.get(id)?.resources.dialog.usage;
      for (const body of bodies) usage?.info(contentType, body);
      return;
    }
    const call = this.#ofEndpoint(peer);
    for (const digit of call ? digits : "") {
      call?.actor.send({ type: "dtmf", digit, method: "RFC2833" });
    }
  }

  #ofEndpoint(endpoint: EndpointToken): CallRecord | undefined {
    for (const record of this.#live.all()) {
      if (record.resources.endpoint?.token === endpoint) return record;
    }
    return undefined;
  }

  /** At once, before any work (reference, must-do rule 5). */
  #tellTrying(record: CallRecord): void {
    const context = initialCallContext(record.input);
    record.input.ports.notify({ type: "trying", call: clientCall(context) });
  }

  #add(record: CallRecord): void {
    this.#live.add(record);
    for (const sipCallId of record.sipCallIds) this.#ports.ladder?.claim(sipCallId);
  }

  #finish(record: CallRecord, end: Termination | undefined): void {
    if (!this.#live.remove(record)) return;
    const reason = end ?? termination("internal_error");
    releaseResources(record.resources, refusalOf(reason), this.#ports.log);
    const context = this.#contextOf(record);
    const ended: CallContext = {
      ...context,
      termination: reason,
      endedAt: context.endedAt ?? this.#ports.clock.epoch(),
    };
    this.#ended.add(toCallView(ended, "ended", null, record.input.ports));
    this.#ports.bus.publish("call.ended", {
      ...eventData(ended),
      reason: reason.reason,
      result: reason.result,
      sipStatus: reason.sipStatus,
      text: reason.text,
    });
    this.#ports.onCallGone(record.sessionId);
  }

  #executeWill(record: CallRecord, error: unknown): void {
    this.#ports.log.error("a call failed and was ended", { call: record.id, error });
    const reason = termination("internal_error");
    const context = this.#contextOf(record);
    releaseResources(record.resources, reason.sipStatus, this.#ports.log);
    for (const child of childrenOf(context)) {
      // Children of a machine that died of its own fault are orphans: nobody else stops them.
      child?.send({ type: "terminate", sipStatus: 500 });
    }
    if (!record.isTold) {
      try {
        record.input.ports.notify({
          type: "finished",
          call: clientCall(context),
          termination: reason,
        });
      } catch (fault) {
        this.#ports.log.error("a client could not be told that its call ended", { error: fault });
      }
    }
    this.#finish(record, reason);
  }

  #contextOf(record: CallRecord): CallContext {
    // A machine that threw before its first state has no context.
    const snapshot = record.actor.getSnapshot() as { context?: CallContext };
    return snapshot.context ?? initialCallContext(record.input);
  }
}

/** The dialog of this tag: the call's own, or the one that it has bridged it with. */
function usageOf({ resources }: CallRecord, localTag: string): InviteUsage | undefined {
  const { dialog, others } = resources;
  const heard = [dialog, ...[...others].filter(({ role }) => role === "bridged")];
  return heard.find(({ usage }) => usage?.localTag === localTag)?.usage ?? undefined;
}

function refusalOf(reason: Termination): number {
  return reason.sipStatus >= 300 ? reason.sipStatus : 480;
}
