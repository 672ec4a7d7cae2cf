import type { SipMessage, SipRequest, SipResponse } from "../message/mod.ts";
import type { TimerName } from "./timers.ts";

/** A message with the bytes it goes out as: a retransmission repeats the bytes, not the work. */
export interface Packet<M extends SipMessage = SipMessage> {
  readonly message: M;
  readonly bytes: Uint8Array;
}

/** What a transaction asks of the stack. Nothing follows a `terminate`. */
export type TransactionEffect =
  | { readonly type: "send"; readonly packet: Packet }
  | { readonly type: "set-timer"; readonly timer: TimerName; readonly ms: number }
  | { readonly type: "clear-timer"; readonly timer: TimerName }
  /** Give this answer to repetitions of the request for so long; `terminate` follows. */
  | { readonly type: "keep"; readonly answer: Uint8Array; readonly ms: number }
  /** To the transaction user. */
  | { readonly type: "pass-request"; readonly request: SipRequest }
  | { readonly type: "pass-response"; readonly response: SipResponse }
  | { readonly type: "fail"; readonly reason: FailureReason }
  | { readonly type: "terminate" };

/** `timeout`: B, F, H or the CANCEL's wait ran out. `transport`: the flow is gone. */
export type FailureReason = "timeout" | "transport";
