import type { ClientCall, ClientCommand, ClientNotice } from "../actors/client.ts";
import type { CallId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import type { Termination } from "../core/termination.ts";
import { callFailure, isBusy, toCallObject, toWireEnd, unknownCall } from "./call_messages.ts";
import type { CallStatus, ServerMessage } from "./wire.ts";

/** Notices that are about a call. */
export type CallNotice = Exclude<
  ClientNotice,
  { readonly type: "registered" | "registrationFailed" }
>;

/** What one client has been told of one call, and has said to it. */
interface Entry {
  readonly incoming: boolean;
  /** The call's one description has gone to the client. */
  described: boolean;
  /** Incoming: the client has a call object. Outgoing: it has had one from the start. */
  announced: boolean;
  /** An incoming call that waits for its description. */
  waiting: ClientCall | undefined;
  ring: CallStatus | undefined;
  established: boolean;
  answered: boolean;
  hungUp: boolean;
  /** Why the server ended the call although the client did not ask for it. */
  failure: string | undefined;
}

/**
 * The calls that one client knows of. It keeps the order of messages that the SDK depends on,
 * whatever order the session's notices have: one description a call, before `notifyIncomingCall`;
 * nothing but RING before the answer; one `finish` for every call object there ever was.
 */
export class CallBook {
  readonly #send: (message: ServerMessage) => void;
  readonly #busyStatus: "FINISH" | "BUSY";
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();

  constructor(
    send: (message: ServerMessage) => void,
    busyStatus: "FINISH" | "BUSY",
    log: Log,
  ) {
    this.#send = send;
    this.#busyStatus = busyStatus;
    this.#log = log;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(callId: string): boolean {
    return this.#entries.has(callId);
  }

  /** The client begins a call; its session is told next. */
  start(callId: string): void {
    this.#entries.set(callId, newEntry(false));
  }

  /** Ends a call of the client's that never reached its session. */
  refuse(call: ClientCall, sipStatus: number, info: string): void {
    this.#send(callFailure(call.callId, info, sipStatus));
    this.#send({ message: "finish", data: [toCallObject(call, "FAILED", sipStatus, info)] });
  }

  /**
   * An answer to a call that rings.
   *
   * @param fault why there is no description that could be used
   */
  answer(callId: string, sdp: string, fault?: string): ClientCommand | undefined {
    const entry = this.#entries.get(callId);
    const rings = entry?.incoming && entry.announced && !entry.answered && !entry.hungUp;
    if (!rings || entry.failure !== undefined) {
      this.#log.debug("ignored an answer to no ringing call", { callId });
      return undefined;
    }
    if (sdp === "" || fault !== undefined) {
      // Its client waits for `talk` from here on and shows no way out but the end of the call.
      entry.failure = fault ?? "answer: sdp is missing";
      return { type: "hangup", callId: callId as CallId };
    }
    entry.answered = true;
    return { type: "answer", callId: callId as CallId, sdp };
  }

  /**
   * A hang-up. Each is followed by a `finish`, also one for a call that is over or of another life
   * of the page: its UI would stay stuck.
   */
  hangup(callId: string): ClientCommand | undefined {
    const entry = this.#entries.get(callId);
    if (entry?.hungUp) return undefined;
    if (entry) {
      entry.hungUp = true;
      return { type: "hangup", callId: callId as CallId };
    }
    const object = toCallObject(unknownCall(callId), "FINISH", 481, "No such call");
    this.#send({ message: "finish", data: [object] });
    return undefined;
  }

  /** Whether hold, DTMF and transfer have a call to go to. */
  isUnderWay(callId: string): boolean {
    const entry = this.#entries.get(callId);
    if (entry && !entry.hungUp && (!entry.incoming || entry.answered)) return true;
    this.#log.debug("ignored a message for no call that is under way", { callId });
    return false;
  }

  notify(notice: CallNotice): void {
    if (notice.type === "remoteDescription") {
      this.#describe(notice.callId, notice.sdp, notice.isAnswer);
      return;
    }
    const { call } = notice;
    if (notice.type === "incoming") return this.#announce(call);
    const entry = this.#entries.get(call.callId);
    if (!entry) {
      this.#log.debug("a notice for a call that is over", {
        callId: call.callId,
        notice: notice.type,
      });
      return;
    }
    switch (notice.type) {
      case "trying":
        if (!entry.incoming && !entry.ring && !entry.established) {
          this.#tell("notifyTryingResponse", call, "TRYING", 100);
        }
        return;
      case "ringing":
        return this.#ring(entry, call, notice.sipStatus);
      case "talking":
        if (this.#mayTell(entry, call, notice.type)) {
          entry.established = true;
          this.#tell("talk", call, "ESTABLISHED", ...standing(notice.transferStatus));
        }
        return;
      case "held":
        if (this.#mayTell(entry, call, notice.type)) {
          this.#tell("hold", call, "HOLD", ...standing(notice.transferStatus));
        }
        return;
      case "finished":
        return this.#finish(entry, call, notice.termination);
    }
  }

  #describe(callId: CallId, sdp: string, isAnswer: boolean): void {
    let entry = this.#entries.get(callId);
    if (!entry && !isAnswer) {
      entry = newEntry(true);
      this.#entries.set(callId, entry);
    }
    if (!entry || entry.described || entry.incoming === isAnswer) {
      // A second one would leave the browser in have-remote-offer for good.
      this.#log.error("dropped a description that the client could not take", { callId, isAnswer });
      return;
    }
    entry.described = true;
    this.#send({ message: "setRemoteSDP", data: [callId, sdp, isAnswer] });
    if (entry.waiting) this.#announce(entry.waiting);
  }

  /** `ring` follows at once: until a status arrives the SDK keeps a hang-up to itself. */
  #announce(call: ClientCall): void {
    let entry = this.#entries.get(call.callId);
    if (!entry) {
      entry = newEntry(true);
      this.#entries.set(call.callId, entry);
    }
    if (entry.announced) {
      this.#log.error("dropped a second announcement", { callId: call.callId });
      return;
    }
    if (!entry.described) {
      entry.waiting = call;
      return;
    }
    entry.waiting = undefined;
    entry.announced = true;
    entry.ring = "RING";
    this.#tell("notifyIncomingCall", call, "RING", 180);
    this.#tell("ring", call, "RING", 180);
  }

  #ring(entry: Entry, call: ClientCall, sipStatus: number): void {
    if (entry.incoming || entry.established) return;
    const status = sipStatus === 183 && entry.described ? "SESSION_PROGRESS" : "RING";
    if (entry.ring === status) return;
    // The example pages know RING only.
    if (entry.ring === undefined && status !== "RING") this.#tell("ring", call, "RING", 180);
    entry.ring = status;
    this.#tell("ring", call, status, sipStatus);
  }

  #finish(entry: Entry, call: ClientCall, termination: Termination): void {
    this.#entries.delete(call.callId);
    if (!entry.announced) return;
    const end = entry.failure === undefined
      ? toWireEnd(call, termination, entry.hungUp, this.#busyStatus)
      : { status: "FAILED" as const, sipStatus: termination.sipStatus, info: entry.failure };
    if (isBusy(call, termination) && !entry.hungUp) {
      const busy = toCallObject(call, "BUSY", termination.sipStatus, end.info);
      this.#send({ message: "busy", data: [busy] });
    }
    if (end.status === "FAILED") {
      const words = entry.failure ?? termination.text;
      this.#send(callFailure(call.callId, words, termination.sipStatus));
    }
    this.#tell("finish", call, end.status, end.sipStatus, end.info);
  }

  /** Before its answer the SDK takes nothing but RING: any other status makes `answer()` throw. */
  #mayTell(entry: Entry, call: ClientCall, notice: string): boolean {
    if (!entry.incoming || entry.answered) return true;
    this.#log.error("dropped a status before the answer", { callId: call.callId, notice });
    return false;
  }

  #tell(
    message: "notifyTryingResponse" | "notifyIncomingCall" | "ring" | "talk" | "hold" | "finish",
    call: ClientCall,
    status: CallStatus,
    sipStatus: number,
    info?: string,
  ): void {
    this.#send({ message, data: [toCallObject(call, status, sipStatus, info)] });
  }
}

/** Status and words of a call that goes on: after a failed transfer, how that failed. */
function standing(transferStatus: number | undefined): [sipStatus: number, info?: string] {
  return transferStatus === undefined ? [200] : [transferStatus, "Transfer failed"];
}

function newEntry(incoming: boolean): Entry {
  return {
    incoming,
    described: false,
    announced: !incoming,
    waiting: undefined,
    ring: undefined,
    established: false,
    answered: false,
    hungUp: false,
    failure: undefined,
  };
}
