import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { Flow, ServerTransactionId } from "../stack.ts";
import type { Way } from "./outside_way.ts";
import type { Replaces } from "./replaces.ts";

/** What a user agent is to those who use it: its face, and what it tells them. */

/** What becomes of a request that a user agent sent. */
export type ClientEvent =
  | { readonly type: "response"; readonly response: SipResponse }
  | {
    readonly type: "failed";
    readonly reason: "timeout" | "transport";
    /** A sentence, where more is known than that nobody answered. */
    readonly text?: string;
  };

/** What may befall a request before it is through. */
export type ServerEvent =
  /** CANCEL; a 487 is owed. */
  | { readonly type: "cancelled"; readonly reason: string | undefined }
  /** The ACK to our final response never came, or the flow went away. */
  | { readonly type: "failed" };

/** What arrives inside a dialog. ACK has no transaction and so no id. */
export type DialogRequest =
  | { readonly type: "request"; readonly id: ServerTransactionId; readonly request: SipRequest }
  | { readonly type: "ack"; readonly request: SipRequest };

/** An INVITE that opens a call; it wants a `watch` at once. */
export interface IncomingInvite {
  readonly id: ServerTransactionId;
  readonly request: SipRequest;
}

export interface ClientTransaction {
  /** CANCEL (RFC 3261 9.1); the final response still comes. */
  cancel(reason?: string): void;
}

/** One session's user agent: its flow to the next hop, and its Contact. */
export interface UserAgent {
  readonly flow: Flow;
  /** Contact URI, unique to this user agent. */
  readonly contact: string;
  /** Value of Supported. */
  readonly extensions: string;
  /** What OPTIONS and refreshes say: Allow, Supported, Accept (RFC 3261 11.2). */
  readonly capabilities: readonly (readonly [string, string])[];
  request(request: SipRequest, listener: (event: ClientEvent) => void): ClientTransaction;
  ack(request: SipRequest): void;
  respond(id: ServerTransactionId, response: SipResponse): void;
  /** Hears what befalls a request that is still being answered. */
  watch(id: ServerTransactionId, listener: (event: ServerEvent) => void): void;
  /** Requests of this dialog go to `listener` until the returned function is called. */
  openDialog(
    callId: string,
    localTag: string,
    listener: (request: DialogRequest) => void,
  ): () => void;
  /** Fresh tag, Call-ID or branch material, `bits` long, in hex. */
  token(bits: number): string;
}

/** Requests outside dialogs that an agent takes beside INVITE and OPTIONS. */
export interface AgentHooks {
  /** An INVITE in place of a dialog of this agent (RFC 3891); it wants a `watch` at once. */
  replace?(invite: IncomingInvite, replaced: Replaces): void;
  /** The status to answer; methods that are absent get 405. */
  readonly requests?: Readonly<Record<string, (request: SipRequest) => number>>;
}

/** A user agent of a server of others. */
export interface OutsideAgent {
  /** Stands for the agent; no message passes it. */
  readonly flow: Flow;
  readonly way: Way;
  /** User part of Contact; absent: random, so that no two agents have the same. */
  readonly contactUser?: string;
  /** Absent: an INVITE for this Contact is not the agent's. */
  readonly onInvite?: (invite: IncomingInvite) => void;
  readonly hooks?: AgentHooks;
}
