import type { SipRequest, SipResponse } from "../message/mod.ts";
import { keepPacket } from "./derived.ts";
import type { FailureReason, Packet, TransactionEffect } from "./effects.ts";
import { type SipTimers, type TimerName, transactionTimeout } from "./timers.ts";

export type NonInviteClientState = "Trying" | "Proceeding" | "Completed" | "Terminated";

/**
 * Non-INVITE client transaction: RFC 3261 17.1.2.
 *
 * ```text
 * Trying --1xx--> Proceeding --200..699--> Completed --K--> Terminated
 *    \--F, transport--/--> Terminated
 * ```
 */
export class NonInviteClientTransaction {
  #request: Packet<SipRequest>;
  readonly #timers: SipTimers;
  readonly #reliable: boolean;
  #state: NonInviteClientState = "Trying";
  #interval: number;

  constructor(request: Packet<SipRequest>, reliable: boolean, timers: SipTimers) {
    this.#request = request;
    this.#reliable = reliable;
    this.#timers = timers;
    this.#interval = timers.t1;
  }

  get state(): NonInviteClientState {
    return this.#state;
  }

  start(out: TransactionEffect[]): void {
    out.push({ type: "send", packet: this.#request });
    if (!this.#reliable) out.push({ type: "set-timer", timer: "E", ms: this.#interval });
    out.push({ type: "set-timer", timer: "F", ms: transactionTimeout(this.#timers) });
  }

  receive(response: SipResponse, out: TransactionEffect[]): void {
    if (this.#state !== "Trying" && this.#state !== "Proceeding") return;
    if (response.status < 200) {
      this.#state = "Proceeding";
      out.push({ type: "pass-response", response });
      return;
    }
    this.#state = "Completed";
    this.#request = keepPacket(this.#request);
    out.push({ type: "clear-timer", timer: "E" }, { type: "clear-timer", timer: "F" });
    out.push({ type: "pass-response", response });
    if (this.#reliable) this.#terminate(out);
    else out.push({ type: "set-timer", timer: "K", ms: this.#timers.t4 });
  }

  timer(name: TimerName, out: TransactionEffect[]): void {
    switch (this.#state) {
      case "Trying":
      case "Proceeding":
        if (name === "E") {
          this.#interval = this.#state === "Proceeding"
            ? this.#timers.t2
            : Math.min(this.#interval * 2, this.#timers.t2);
          out.push({ type: "send", packet: this.#request });
          out.push({ type: "set-timer", timer: "E", ms: this.#interval });
        } else if (name === "F") {
          this.#fail("timeout", out);
        }
        return;
      case "Completed":
        if (name === "K") this.#terminate(out);
        return;
      case "Terminated":
        return;
    }
  }

  /** The flow is gone. */
  transportError(out: TransactionEffect[]): void {
    if (this.#state === "Trying" || this.#state === "Proceeding") this.#fail("transport", out);
    else if (this.#state !== "Terminated") this.#terminate(out);
  }

  #fail(reason: FailureReason, out: TransactionEffect[]): void {
    out.push({ type: "fail", reason });
    this.#terminate(out);
  }

  #terminate(out: TransactionEffect[]): void {
    this.#state = "Terminated";
    out.push({ type: "terminate" });
  }
}
