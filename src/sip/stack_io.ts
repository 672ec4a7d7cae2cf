import type { FlowId } from "../core/ids.ts";
import type { Flow } from "./flow.ts";
import type {
  Fault,
  FramerEvent,
  ParseFault,
  SipMessage,
  SipRequest,
  SipResponse,
} from "./message/mod.ts";
import type { FailureReason } from "./transaction/effects.ts";
import type { ClientTransactionId, ServerTransactionId } from "./transaction/ids.ts";

/** What a `SipStack` is told. Messages handed in belong to the stack from then on. */
export type StackInput =
  /** One whole message, as a datagram or as a framer cut it out. */
  | { readonly type: "receive"; readonly flow: Flow; readonly bytes: Uint8Array }
  /**
   * What a framer made of a stream, or a guard of a datagram: read already, not to be read again.
   */
  | {
    readonly type: "receive-framed";
    readonly flow: Flow;
    readonly event: Extract<FramerEvent, { type: "message" | "fault" }>;
    /** As it came, where that is known. */
    readonly bytes?: Uint8Array;
  }
  | { readonly type: "flow-closed"; readonly flow: FlowId }
  /** New client transaction (neither ACK nor CANCEL). The stack adds the top Via. */
  | {
    readonly type: "request";
    readonly id: ClientTransactionId;
    readonly request: SipRequest;
    readonly flow: Flow;
    /** Appended to the random branch: a proxy's loop hash (RFC 5393). */
    readonly branchSuffix?: string;
  }
  /**
   * CANCEL an INVITE (RFC 3261 9.1): waits for a provisional, ignored after a final.
   * @see StackOutput `failed` follows where no final response comes.
   */
  | {
    readonly type: "cancel";
    readonly id: ClientTransactionId;
    /** Value of the CANCEL's Reason header (RFC 3326). */
    readonly reason?: string;
  }
  /** ACK to a 2xx, outside transactions. The stack adds the top Via. */
  | { readonly type: "ack"; readonly request: SipRequest; readonly flow: Flow }
  | {
    readonly type: "respond";
    readonly id: ServerTransactionId;
    readonly response: SipResponse;
    /**
     * A challenge: no transaction stays behind (RFC 3261 8.2.7, 26.3.2.4), so that strangers cost
     * little memory however many they are. The first repetitions get the same answer as long as
     * there is room, later ones are asked about anew.
     */
    readonly isStateless?: boolean;
  }
  /** End a non-INVITE server transaction without an answer (RFC 4320 4.2). */
  | { readonly type: "abandon"; readonly id: ServerTransactionId };

/** What arrives from the network. */
export type WireInput = Extract<
  StackInput,
  { type: "receive" | "receive-framed" | "flow-closed" }
>;

/** What a `SipStack` says. */
export type StackOutput =
  | {
    readonly type: "send";
    readonly flow: Flow;
    readonly bytes: Uint8Array;
    /** The message in `bytes`, for ladders. */
    readonly message: SipMessage;
  }
  /** A new request; answer it by `respond`. Never ACK or CANCEL. */
  | {
    readonly type: "request";
    readonly id: ServerTransactionId;
    readonly request: SipRequest;
    readonly flow: Flow;
  }
  /** ACK that belongs to no non-2xx: for a dialog, or for a proxy to pass on. */
  | { readonly type: "ack"; readonly request: SipRequest; readonly flow: Flow }
  /** A CANCEL matched and has its 200; the INVITE still wants its 487. */
  | {
    readonly type: "cancelled";
    readonly id: ServerTransactionId;
    /** Value of the CANCEL's Reason header (RFC 3326). */
    readonly reason: string | undefined;
  }
  /** Every provisional (100 too), the final response, and every further 2xx to an INVITE. */
  | {
    readonly type: "response";
    readonly id: ClientTransactionId;
    readonly response: SipResponse;
    readonly flow: Flow;
  }
  /** A client transaction ended without a final response. */
  | {
    readonly type: "failed";
    readonly id: ClientTransactionId;
    readonly reason: FailureReason;
  }
  /**
   * A server transaction lost its client: the flow went before a final response (`transport`), or
   * the ACK to a final response to an INVITE never came (`timeout`).
   */
  | {
    readonly type: "server-failed";
    readonly id: ServerTransactionId;
    readonly reason: FailureReason;
  }
  /** Nothing more will be said of this transaction. */
  | {
    readonly type: "terminated";
    readonly id: ClientTransactionId | ServerTransactionId;
  }
  | {
    readonly type: "malformed";
    readonly flow: FlowId;
    readonly fault: ParseFault | Fault;
    readonly bytes: Uint8Array;
  };
