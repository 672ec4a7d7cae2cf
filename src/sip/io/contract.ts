import type { Clock } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import type { ListenFault } from "../../core/listen_fault.ts";
import type { Log } from "../../core/log.ts";
import type { Result } from "../../core/result.ts";
import type { Flow } from "../flow.ts";
import type { Target } from "../resolve/target.ts";
import type { WireInput } from "../stack_io.ts";
import type { TransportLimits } from "./limits.ts";

export type { WireInput };

export interface SipTransportsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<TransportLimits>;
  /** Called at most once at a time, never from within a call into the transports. */
  readonly onInput: (input: WireInput) => void;
  /** Whether a binding or a contact needs this flow: such ones may be quiet for long. */
  readonly isFlowUsed?: (flow: FlowId) => boolean;
  /** Whether a used flow's far end has promised keep-alives: silence is its end then. */
  readonly promisesLife?: (flow: FlowId) => boolean;
  /** Whether connections of this IP address are taken; absent: all are. */
  readonly isWelcome?: (address: string) => boolean;
  /** PEM certificates that outbound TLS trusts besides the system's. */
  readonly trusted?: readonly string[];
}

export interface ListenSpec {
  readonly transport: "UDP" | "TCP" | "TLS";
  /** Address to bind; IPv6 without brackets. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM; for TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Host by which others reach us, where it is not the bound one: behind a wildcard or NAT. */
  readonly advertisedHost?: string;
}

export interface SipListener {
  readonly transport: "UDP" | "TCP" | "TLS";
  readonly host: string;
  readonly port: number;
  /** Takes no more; UDP flows are closed, connections stay. `onLost` is not called any more. */
  close(): void;
}

/** What `src/rest` hands over of a WebSocket that speaks SIP (RFC 7118). */
export interface WireSocket {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  readonly bufferedAmount: number;
  /** IP address, without port. */
  readonly remoteAddress: string;
}

export interface WireSocketHandler {
  receive(text: string): void;
  receiveBytes(bytes: Uint8Array): void;
  closed(): void;
}

/** The network as our SIP elements see it. */
export interface Transports {
  /** @param onLost the listener failed by itself; the sentence says why */
  listen(spec: ListenSpec, onLost: (why: string) => void): Result<SipListener, ListenFault>;
  /** Sends on a flow; bytes for a flow that is gone are dropped (`flow-closed` has been told). */
  send(flow: Flow, bytes: Uint8Array): void;
  /**
   * A flow to this target: the one that we opened before, or a new one. The fault is a sentence.
   */
  connect(target: Target): Promise<Result<Flow, string>>;
  attachWebSocket(socket: WireSocket, isSecure: boolean, local?: string): WireSocketHandler;
  /** Ends a flow from our side. */
  drop(flow: FlowId, why: string): void;
  /** Live flows by transport. */
  counts(): Readonly<Record<string, number>>;
  /** Closes listeners, lets queued bytes out for `deadlineMs` at most, then closes the rest. */
  close(deadlineMs: number): Promise<void>;
}
