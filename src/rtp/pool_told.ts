import type { MediaEvent } from "./contract.ts";
import type { LocalTransport } from "./media_port.ts";
import type { MediaWorker, PoolEndpoint, PoolEvent } from "./pool_endpoint.ts";

/** What a worker says of an endpoint, in the words of the media port. */

type WorkerSays = Extract<MediaEvent, { endpoint: number }>;

/** Null: nothing that the actors are told. */
export function toldOf(endpoint: PoolEndpoint, event: WorkerSays): PoolEvent | null {
  switch (event.type) {
    case "ice":
      return { type: "ice", state: event.state, remoteAddress: event.remoteAddress };
    case "media":
      return endpoint.rtp === null ? { type: "media", kind: event.kind } : null;
    case "silent":
      return { type: "silent", ms: event.ms };
    case "latched":
      return { type: "latched", kind: event.kind, address: event.address };
    case "dtmf":
      return { type: "dtmf", digit: event.digit, durationMs: event.durationMs };
    case "key-frame-wanted":
      return { type: "key-frame-wanted" };
    default:
      return null;
  }
}

/** What the browser's SDP is to say of our side; the public address stands after our own ones. */
export function localTransportOf(
  { iceUfrag, icePwd }: PoolEndpoint,
  worker: MediaWorker,
  fingerprint: string,
  publicAddress: string | undefined,
): LocalTransport {
  const candidates = [...worker.addresses];
  const port = candidates[0]?.port;
  const isNew = candidates.every(({ address }) => address !== publicAddress);
  if (publicAddress !== undefined && port !== undefined && isNew) {
    candidates.push({ address: publicAddress, port });
  }
  return { iceUfrag, icePwd, fingerprint, candidates };
}
