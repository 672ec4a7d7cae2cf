import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { Packet, TransactionEffect } from "./effects.ts";
import { createAckPacket, keepPacket } from "./derived.ts";
import { type SipTimers, timerD, transactionTimeout } from "./timers.ts";
import type { TimerName } from "./timers.ts";

export type InviteClientState =
  | "Calling"
  | "Proceeding"
  | "Completed"
  | "Accepted"
  | "Terminated";

/**
 * INVITE client transaction: RFC 3261 17.1.1 with RFC 6026 (Accepted, timer M).
 *
 * ```text
 * Calling --1xx--> Proceeding --300..699--> Completed --D--> Terminated
 *    |  \--2xx--> Accepted <--2xx--/                \
 *    B, transport                 \--M--> Terminated
 * ```
 */
export class InviteClientTransaction {
  #request: Packet<SipRequest>;
  readonly #timers: SipTimers;
  readonly #reliable: boolean;
  #state: InviteClientState = "Calling";
  #interval: number;
  #ack: Packet | undefined;

  constructor(request: Packet<SipRequest>, reliable: boolean, timers: SipTimers) {
    this.#request = request;
    this.#reliable = reliable;
    this.#timers = timers;
    this.#interval = timers.t1;
  }

  get state(): InviteClientState {
    return this.#state;
  }

  /** As it went out. */
  get request(): Packet<SipRequest> {
    return this.#request;
  }

  start(out: TransactionEffect[]): void {
    out.push({ type: "send", packet: this.request });
    if (!this.#reliable) out.push({ type: "set-timer", timer: "A", ms: this.#interval });
    out.push({ type: "set-timer", timer: "B", ms: transactionTimeout(this.#timers) });
  }

  receive(response: SipResponse, out: TransactionEffect[]): void {
    const status = response.status;
    switch (this.#state) {
      case "Calling":
      case "Proceeding":
        if (status < 200) this.#provisional(response, out);
        else if (status < 300) this.#accept(response, out);
        else this.#complete(response, out);
        return;
      case "Accepted":
        if (status >= 200 && status < 300) out.push({ type: "pass-response", response });
        return;
      case "Completed":
        if (status >= 300 && this.#ack) out.push({ type: "send", packet: this.#ack });
        return;
      case "Terminated":
        return;
    }
  }

  /** A CANCEL went out: without a final response in time the INVITE counts as cancelled (9.1). */
  cancelSent(out: TransactionEffect[]): void {
    if (this.#state !== "Proceeding") return;
    out.push({ type: "set-timer", timer: "cancel", ms: transactionTimeout(this.#timers) });
  }

  timer(name: TimerName, out: TransactionEffect[]): void {
    switch (this.#state) {
      case "Calling":
        if (name === "A") {
          this.#interval *= 2;
          out.push({ type: "send", packet: this.request });
          out.push({ type: "set-timer", timer: "A", ms: this.#interval });
        } else if (name === "B") {
          this.#fail("timeout", out);
        }
        return;
      case "Proceeding":
        if (name === "cancel") this.#fail("timeout", out);
        return;
      case "Completed":
        if (name === "D") this.#terminate(out);
        return;
      case "Accepted":
        if (name === "M") this.#terminate(out);
        return;
      case "Terminated":
        return;
    }
  }

  /** The flow is gone. */
  transportError(out: TransactionEffect[]): void {
    if (this.#state === "Calling" || this.#state === "Proceeding") this.#fail("transport", out);
    else if (this.#state !== "Terminated") this.#terminate(out);
  }

  #provisional(response: SipResponse, out: TransactionEffect[]): void {
    if (this.#state === "Calling") {
      this.#state = "Proceeding";
      out.push({ type: "clear-timer", timer: "A" }, { type: "clear-timer", timer: "B" });
    }
    out.push({ type: "pass-response", response });
  }

  #accept(response: SipResponse, out: TransactionEffect[]): void {
    this.#clear(out);
    this.#state = "Accepted";
    this.#request = keepPacket(this.#request);
    out.push({ type: "pass-response", response });
    out.push({ type: "set-timer", timer: "M", ms: transactionTimeout(this.#timers) });
  }

  #complete(response: SipResponse, out: TransactionEffect[]): void {
    this.#clear(out);
    this.#state = "Completed";
    const ack = createAckPacket(this.#request.message, response);
    this.#request = keepPacket(this.#request);
    this.#ack = keepPacket(ack);
    out.push({ type: "send", packet: ack }, { type: "pass-response", response });
    const linger = timerD(this.#timers, this.#reliable);
    if (linger === 0) this.#terminate(out);
    else out.push({ type: "set-timer", timer: "D", ms: linger });
  }

  #clear(out: TransactionEffect[]): void {
    for (const timer of ["A", "B", "cancel"] as const) out.push({ type: "clear-timer", timer });
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
