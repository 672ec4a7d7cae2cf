import type { SipRequest, SipResponse } from "../message/mod.ts";
import { createTryingPacket, keepPacket } from "./derived.ts";
import type { Packet, TransactionEffect } from "./effects.ts";
import { type SipTimers, type TimerName, transactionTimeout } from "./timers.ts";

export type InviteServerState =
  | "Proceeding"
  | "Completed"
  | "Confirmed"
  | "Accepted"
  | "Terminated";

/**
 * INVITE server transaction: RFC 3261 17.2.1 with RFC 6026 (Accepted, timer L).
 *
 * ```text
 * Proceeding --2xx--> Accepted --L--> Terminated
 *     \--300..699--> Completed --ACK--> Confirmed --I--> Terminated
 *                        \--H, transport--> Terminated
 * ```
 *
 * A user agent's 2xx is repeated here until its ACK comes (13.3.1.4), because the stack has the
 * bytes and the clock; a proxy passes 2xx on as they come and sets `repeatAccepted` to false.
 */
export class InviteServerTransaction {
  /** Until the answer. */
  #request: SipRequest | undefined;
  readonly #timers: SipTimers;
  readonly #reliable: boolean;
  readonly #repeatAccepted: boolean;
  #state: InviteServerState = "Proceeding";
  #interval: number;
  #last: Packet<SipResponse> | undefined;
  #acknowledged = false;

  constructor(
    request: SipRequest,
    reliable: boolean,
    timers: SipTimers,
    repeatAccepted = false,
  ) {
    this.#request = request;
    this.#reliable = reliable;
    this.#timers = timers;
    this.#repeatAccepted = repeatAccepted;
    this.#interval = timers.t1;
  }

  get state(): InviteServerState {
    return this.#state;
  }

  /** The response sent last: a CANCEL's answer carries its To tag (9.2). */
  get lastResponse(): SipResponse | undefined {
    return this.#last?.message;
  }

  /** A 2xx of ours was answered by its ACK. */
  get acknowledged(): boolean {
    return this.#acknowledged;
  }

  start(out: TransactionEffect[]): void {
    if (this.#request) out.push({ type: "pass-request", request: this.#request });
    out.push({ type: "set-timer", timer: "100", ms: this.#timers.trying });
  }

  /** A request that matched: a retransmitted INVITE, or an ACK. */
  receive(request: SipRequest, out: TransactionEffect[]): void {
    if (request.method === "ACK") this.#receiveAck(request, out);
    else if (this.#state === "Proceeding") this.#repeatProvisional(out);
    else if (this.#state === "Completed" && this.#last) {
      out.push({ type: "send", packet: this.#last });
    }
    // Accepted and Confirmed absorb it (RFC 6026 7.1).
  }

  respond(response: Packet<SipResponse>, out: TransactionEffect[]): void {
    const status = response.message.status;
    if (this.#state === "Proceeding") {
      this.#last = response;
      out.push({ type: "clear-timer", timer: "100" }, { type: "send", packet: response });
      if (status >= 200) {
        this.#request = undefined;
        this.#last = keepPacket(response);
      }
      if (status >= 300) this.#complete(out);
      else if (status >= 200) this.#accept(out);
    } else if (this.#state === "Accepted" && status >= 200 && status < 300) {
      out.push({ type: "send", packet: response });
    }
  }

  /**
   * A challenge: said once, and the INVITE's repetition is asked about anew (RFC 3261 26.3.2.4). Its
   * ACK finds nothing and goes nowhere.
   */
  respondStateless(response: Packet<SipResponse>, out: TransactionEffect[]): void {
    if (this.#state !== "Proceeding") return;
    this.#request = undefined;
    out.push({ type: "send", packet: response });
    this.#terminate(out);
  }

  /** The ACK to a 2xx of ours came, with a branch of its own: the repeating ends. */
  acknowledge(out: TransactionEffect[]): void {
    if (this.#state !== "Accepted") return;
    this.#acknowledged = true;
    out.push({ type: "clear-timer", timer: "G" });
  }

  timer(name: TimerName, out: TransactionEffect[]): void {
    switch (this.#state) {
      case "Proceeding":
        if (name === "100") this.#repeatProvisional(out);
        return;
      case "Completed":
        if (name === "G") this.#repeatFinal(out);
        else if (name === "H") this.#fail("timeout", out);
        return;
      case "Confirmed":
        if (name === "I") this.#terminate(out);
        return;
      case "Accepted":
        if (name === "G") this.#repeatFinal(out);
        else if (name === "L") this.#endAccepted(out);
        return;
      case "Terminated":
        return;
    }
  }

  /** The flow is gone. */
  transportError(out: TransactionEffect[]): void {
    if (this.#state === "Terminated") return;
    if (this.#state === "Proceeding") out.push({ type: "fail", reason: "transport" });
    this.#terminate(out);
  }

  #receiveAck(request: SipRequest, out: TransactionEffect[]): void {
    if (this.#state === "Accepted") {
      this.acknowledge(out);
      out.push({ type: "pass-request", request });
    } else if (this.#state === "Completed") {
      this.#state = "Confirmed";
      out.push({ type: "clear-timer", timer: "G" }, { type: "clear-timer", timer: "H" });
      if (this.#reliable) this.#terminate(out);
      else out.push({ type: "set-timer", timer: "I", ms: this.#timers.t4 });
    }
  }

  /** The last provisional, or a 100 of our own where the user has not spoken yet. */
  #repeatProvisional(out: TransactionEffect[]): void {
    if (this.#request) this.#last ??= createTryingPacket(this.#request);
    out.push({ type: "clear-timer", timer: "100" });
    if (this.#last) out.push({ type: "send", packet: this.#last });
  }

  #complete(out: TransactionEffect[]): void {
    this.#state = "Completed";
    if (!this.#reliable) out.push({ type: "set-timer", timer: "G", ms: this.#interval });
    out.push({ type: "set-timer", timer: "H", ms: transactionTimeout(this.#timers) });
  }

  #accept(out: TransactionEffect[]): void {
    this.#state = "Accepted";
    // On every transport: a later hop may be one that loses (13.3.1.4).
    if (this.#repeatAccepted) out.push({ type: "set-timer", timer: "G", ms: this.#interval });
    out.push({ type: "set-timer", timer: "L", ms: transactionTimeout(this.#timers) });
  }

  #repeatFinal(out: TransactionEffect[]): void {
    this.#interval = Math.min(this.#interval * 2, this.#timers.t2);
    if (this.#last) out.push({ type: "send", packet: this.#last });
    out.push({ type: "set-timer", timer: "G", ms: this.#interval });
  }

  #endAccepted(out: TransactionEffect[]): void {
    if (this.#repeatAccepted && !this.#acknowledged) this.#fail("timeout", out);
    else this.#terminate(out);
  }

  #fail(reason: "timeout" | "transport", out: TransactionEffect[]): void {
    out.push({ type: "fail", reason });
    this.#terminate(out);
  }

  #terminate(out: TransactionEffect[]): void {
    this.#state = "Terminated";
    out.push({ type: "terminate" });
  }
}
