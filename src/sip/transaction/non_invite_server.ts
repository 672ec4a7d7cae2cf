import type { SipRequest, SipResponse } from "../message/mod.ts";
import { keepPacket } from "./derived.ts";
import type { Packet, TransactionEffect } from "./effects.ts";
import { type SipTimers, type TimerName, transactionTimeout } from "./timers.ts";

export type NonInviteServerState = "Trying" | "Proceeding" | "Completed" | "Terminated";

/**
 * Non-INVITE server transaction: RFC 3261 17.2.2.
 *
 * ```text
 * Trying --1xx--> Proceeding --200..699--> Completed --J--> Terminated
 * ```
 */
export class NonInviteServerTransaction {
  /** Until the answer. */
  #request: SipRequest | undefined;
  readonly #timers: SipTimers;
  readonly #reliable: boolean;
  #state: NonInviteServerState = "Trying";
  #last: Packet<SipResponse> | undefined;

  constructor(request: SipRequest, reliable: boolean, timers: SipTimers) {
    this.#request = request;
    this.#reliable = reliable;
    this.#timers = timers;
  }

  get state(): NonInviteServerState {
    return this.#state;
  }

  start(out: TransactionEffect[]): void {
    if (this.#request) out.push({ type: "pass-request", request: this.#request });
  }

  /** A request that matched: only ever a retransmission. */
  receive(_request: SipRequest, out: TransactionEffect[]): void {
    const answers = this.#state === "Proceeding" || this.#state === "Completed";
    if (answers && this.#last) out.push({ type: "send", packet: this.#last });
  }

  respond(response: Packet<SipResponse>, out: TransactionEffect[]): void {
    // 17.2.2: any other final response from the user is discarded in Completed.
    if (this.#state !== "Trying" && this.#state !== "Proceeding") return;
    this.#last = response;
    out.push({ type: "send", packet: response });
    if (response.message.status < 200) {
      this.#state = "Proceeding";
      return;
    }
    this.#state = "Completed";
    this.#request = undefined;
    this.#last = keepPacket(response);
    if (this.#reliable) this.#terminate(out);
    else out.push({ type: "set-timer", timer: "J", ms: transactionTimeout(this.#timers) });
  }

  timer(name: TimerName, out: TransactionEffect[]): void {
    if (this.#state === "Completed" && name === "J") this.#terminate(out);
  }

  /** The user has nothing to say: a late final response helps nobody (RFC 4320 4.2). */
  abandon(out: TransactionEffect[]): void {
    if (this.#state === "Trying" || this.#state === "Proceeding") this.#terminate(out);
  }

  /** The flow is gone. */
  transportError(out: TransactionEffect[]): void {
    if (this.#state === "Terminated") return;
    if (this.#state !== "Completed") out.push({ type: "fail", reason: "transport" });
    this.#terminate(out);
  }

  #terminate(out: TransactionEffect[]): void {
    this.#state = "Terminated";
    out.push({ type: "terminate" });
  }
}
