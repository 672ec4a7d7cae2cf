import type { FlowId } from "../core/ids.ts";

export type SipTransport = "UDP" | "TCP" | "TLS" | "WS" | "WSS";

/** Where a SIP message came from and where its answer goes: a connection, a UDP peer, a hop's end. */
export interface Flow {
  readonly id: FlowId;
  readonly transport: SipTransport;
  /** Address of the far end, for people and logs. */
  readonly remote: string;
}

/** Whether the transport repeats what is lost, so that transactions need not (RFC 3261 17). */
export function isReliable(flow: Flow): boolean {
  return flow.transport !== "UDP";
}
