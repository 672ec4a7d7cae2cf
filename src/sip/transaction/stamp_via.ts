import type { Flow } from "../flow.ts";
import type { SipRequest } from "../message/mod.ts";

/**
 * Writes into the top Via where the request really came from: `received` where that differs from
 * what the Via says (RFC 3261 18.2.1), and both where the client asks by `rport` (RFC 3581 4).
 * Responses go back on the flow itself in any case.
 */
export function stampVia(request: SipRequest, flow: Flow): void {
  const { peer } = flow;
  if (!peer) return;
  const via = request.topVia;
  const asks = via.rport !== undefined;
  const host = via.host.startsWith("[") ? via.host.slice(1, -1) : via.host;
  let stamped = via;
  if (asks && peer.port !== undefined) stamped = stamped.withParam("rport", String(peer.port));
  const claims = via.received !== undefined && via.received !== peer.address;
  if (asks || claims || host !== peer.address) {
    stamped = stamped.withParam("received", peer.address);
  }
  if (stamped !== via) request.topVia = stamped;
}
