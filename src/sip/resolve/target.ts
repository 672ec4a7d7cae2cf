import type { SipTransport } from "../flow.ts";
import type { SipUri } from "../message/mod.ts";

/** Transports by which we can open a flow ourselves. */
export type ClientTransport = "UDP" | "TCP" | "TLS";

/** One place to try, in the order of RFC 3263 4. */
export interface Target {
  readonly transport: ClientTransport;
  /** IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Name that a TLS certificate must carry (RFC 5922 7); the host itself where it is numeric. */
  readonly name: string;
}

/** Requests longer than this go by a transport that minds congestion (RFC 3261 18.1.1), bytes. */
export const MAX_DATAGRAM_REQUEST_BYTES = 1300;

export function defaultPort(transport: SipTransport): number {
  switch (transport) {
    case "TLS":
      return 5061;
    case "WS":
      return 80;
    case "WSS":
      return 443;
    default:
      return 5060;
  }
}

/**
 * The targets of a request of `bytes`: a large one tries TCP before each UDP target, which stays as
 * what is left when nobody listens there (RFC 3261 18.1.1).
 */
export function targetsForSize(targets: readonly Target[], bytes: number): readonly Target[] {
  if (bytes <= MAX_DATAGRAM_REQUEST_BYTES) return targets;
  const all = targets.flatMap((target): Target[] =>
    target.transport === "UDP" ? [{ ...target, transport: "TCP" }, target] : [target]
  );
  const key = ({ transport, host, port }: Target) => `${transport} ${host} ${port}`;
  return all.filter((target, at) => all.findIndex((other) => key(other) === key(target)) === at);
}

/** Where a request to `uri` is to be sent: `maddr` stands in for the host (RFC 3261 19.1.1). */
export function targetHost(uri: SipUri): string {
  return (uri.params.get("maddr") ?? uri.address).toLowerCase();
}
