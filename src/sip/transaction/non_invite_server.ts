import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { Packet, TransactionEffect } from "./effects.ts";
import { type SipTimers, transactionTimeout } from "./timers.ts";

export type NonInviteServerState = "Trying" | "Proceeding" | "Terminated";

/**
 * Non-INVITE server transaction: RFC 3261 17.2.2.
 *
 * ```text
 * Trying --1xx--> Proceeding --200..699--> Completed --J--> Terminated
 * ```
 *
 * Completed is no state of this machine: all that is left to do then is to repeat the answer until
 * timer J, which whoever keeps it does without a machine (effect `keep`).
 */
export class NonInviteServerTransaction {
  readonly #request: SipRequest;
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
    out.push({ type: "pass-request", request: this.#request });
  }

  /** A request that matched: only ever a retransmission. */
  receive(_request: SipRequest, out: TransactionEffect[]): void {
    const answers = this.#state === "Proceeding" && this.#last;
    if (answers) out.push({ type: "send", packet: answers });
  }

  respond(response: Packet<SipResponse>, out: TransactionEffect[]): void {
    // 17.2.2: any other final response from the user is discarded.
    if (this.#state === "Terminated") return;
    this.#last = response;
    out.push({ type: "send", packet: response });
    if (response.message.status < 200) {
      this.#state = "Proceeding";
      return;
    }
    const timerJ = this.#reliable ? 0 : transactionTimeout(this.#timers);
    if (timerJ > 0) out.push({ type: "keep", answer: response.bytes, ms: timerJ });
    this.#terminate(out);
  }

  /** Has none. */
  timer(): void {}

  /** An answer that comes out the same whenever it is asked for is not kept (8.2.7). */
  respondStateless(response: Packet<SipResponse>, out: TransactionEffect[]): void {
    if (this.#state === "Terminated") return;
    out.push({ type: "send", packet: response });
    this.#terminate(out);
  }

  /** The user has nothing to say: a late final response helps nobody (RFC 4320 4.2). */
  abandon(out: TransactionEffect[]): void {
    if (this.#state !== "Terminated") this.#terminate(out);
  }

  /** The flow is gone. */
  transportError(out: TransactionEffect[]): void {
    if (this.#state === "Terminated") return;
    out.push({ type: "fail", reason: "transport" });
    this.#terminate(out);
  }

  #terminate(out: TransactionEffect[]): void {
    this.#state = "Terminated";
    out.push({ type: "terminate" });
  }
}
