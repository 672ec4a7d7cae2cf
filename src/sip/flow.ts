import type { FlowId } from "../core/ids.ts";

export type SipTransport = "UDP" | "TCP" | "TLS" | "WS" | "WSS";

/**
 * Where a SIP message came from and where its answer goes: a connection, a UDP peer, a hop's end.
 */
export interface Flow {
  readonly id: FlowId;
  readonly transport: SipTransport;
  /** Address of the far end, for people and logs. */
  readonly remote: string;
  /** Where packets of the far end really come from; absent on a hop inside the process. */
  readonly peer?: FlowPeer;
  /**
   * `host:port` by which the far end reaches us over this transport: our Via and Record-Route on
   * this flow. Absent: the element's own.
   */
  readonly local?: string;
}

export interface FlowPeer {
  /** IP address, IPv6 without brackets. */
  readonly address: string;
  /** Absent where the carrier does not say (WebSocket). */
  readonly port?: number;
}

/** Whether the transport repeats what is lost, so that transactions need not (RFC 3261 17). */
export function isReliable(flow: Flow): boolean {
  return flow.transport !== "UDP";
}

/** `host:port` with IPv6 in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An IPv4 peer of a dual-stack socket as IPv4. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
