import type { FlowId } from "../../core/ids.ts";
import type { Result } from "../../core/result.ts";
import type { Flow } from "../flow.ts";
import type { Fault, ParseFault, SipMessage, SipRequest, SipUri } from "../message/mod.ts";
import type { NewBinding } from "../registrar/location.ts";
import type { RegistrarEvent } from "../registrar/registrar.ts";
import type { StackInput } from "../stack_io.ts";
import type { Account } from "./authenticator.ts";
import type { TargetGroups } from "./target.ts";
import type { OutsideEffect, OutsideInput } from "./outside.ts";

/** What a policy says of one request. */
export type Verdict =
  /**
   * Go on. `identity` is the user part that From (of a REGISTER: To) must name; null where any may
   * stand there.
   */
  | { readonly kind: "allow"; readonly identity: string | null }
  /** Prove it by digest; `username`: nobody else will do. */
  | { readonly kind: "challenge"; readonly realm: string; readonly username: string | null }
  | { readonly kind: "forbid"; readonly status: number; readonly text: string };

/** An answer of the proxy's own: reason phrase where the status's own does not say enough. */
export interface Refusal {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

/** Other targets than those that the registrar knows, or another name to look for. */
export type Route =
  | { readonly kind: "targets"; readonly groups: TargetGroups }
  | { readonly kind: "uri"; readonly uri: SipUri };

/** What the house decides and the proxy carries out. Pure functions; answers are not kept. */
export interface ProxyPolicy {
  /** Whether a URI's host and port mean this server. */
  isOurs(host: string, port: number | undefined): boolean;
  /** The one domain of all AoRs. */
  readonly canonicalDomain: string;
  /**
   * Who speaks on this flow and what may he do? Asked for each request outside dialogs, not for ACK
   * and CANCEL.
   * @param registered user part that this flow has registered, null before
   */
  authorize(request: SipRequest, flow: Flow, registered: string | null): Verdict;
  /** The account whose digest user name this is; undefined for guests and strangers. */
  account(username: string): Account | undefined;
  /**
   * A dial plan: another URI for one that it knows, such as `tel:` or a number at our domain. Asked
   * outside dialogs, once who sends it is known; undefined leaves the URI as it is.
   */
  translate?(
    request: SipRequest,
    uri: SipUri,
    identity: string | null,
  ): Result<SipUri, Refusal> | undefined;
  /**
   * Where a request goes that neither registrar nor relay decides about: numbers and trunks. Asked
   * outside dialogs, once who sends it is known; undefined: the proxy goes its usual way.
   */
  route?(
    request: SipRequest,
    uri: SipUri,
    identity: string | null,
    flow: Flow,
  ): Result<Route, Refusal> | undefined;
  /** Whether nobody gets to this flow by a mere Contact: only `route` leads there. */
  isGuarded?(flow: Flow): boolean;
  /**
   * Whether a request may leave for a place that is neither ours nor known: a trunk, a server of
   * others. Absent: never (RFC 3261 26.3.1.4 warns of open relays).
   * @param identity who sends it, proven; null where any may
   */
  mayRelay?(request: SipRequest, uri: SipUri, identity: string | null, flow: Flow): boolean;
  /** Whether this user part is an account: without bindings it is away (480), not unknown (404). */
  hasAccount(user: string): boolean;
}

export type ProxyInput =
  | OutsideInput
  | Extract<StackInput, { type: "receive" | "receive-framed" }>
  /** Its bindings, transactions, identity and contacts go. */
  | { readonly type: "flow-closed"; readonly flow: FlowId }
  /** A binding of an earlier run; its flow leads to the address that it had. No event follows. */
  | { readonly type: "restore"; readonly binding: NewBinding }
  /** An operator takes an AoR's bindings away, or the one of this contact. */
  | { readonly type: "unregister"; readonly aor: string; readonly contact?: string };

export type ProxyOutput =
  | {
    readonly type: "send";
    readonly flow: Flow;
    readonly bytes: Uint8Array;
    readonly message: SipMessage;
  }
  | RegistrarEvent
  | OutsideEffect
  /** Digest credentials were wrong, or were not the ones asked for. */
  | {
    readonly type: "authentication-failed";
    readonly flow: Flow;
    readonly username: string;
    readonly method: string;
  }
  | {
    readonly type: "malformed";
    readonly flow: FlowId;
    readonly fault: ParseFault | Fault;
    readonly bytes: Uint8Array;
  };
