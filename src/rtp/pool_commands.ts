import type { Bridges } from "./bridges.ts";
import type { MediaCommand } from "./contract.ts";
import { type MediaWorker, openPlain, type PoolEndpoint } from "./pool_endpoint.ts";
import type { Joints } from "./pool_joints.ts";
import { openCommandOf, remoteCommandOf } from "./pool_rtp.ts";

/** What the pool keeps of an endpoint, as commands to its media worker. */

export function openCommandFor(endpoint: PoolEndpoint): MediaCommand {
  const { id, rtp, plain, iceUfrag, icePwd } = endpoint;
  if (rtp !== null) return openCommandOf(id, rtp);
  if (plain !== null) return openPlain(id, endpoint);
  return { type: "open", endpoint: id, kind: "webrtc", iceUfrag, icePwd };
}

/** What is known of the far end; null: nothing yet. */
export function remoteCommandFor({ id, rtp, plain, remote }: PoolEndpoint): MediaCommand | null {
  if (rtp !== null) return remoteCommandOf(id, rtp);
  if (plain !== null) {
    if (plain.remote === null) return null;
    return { type: "set-remote", endpoint: id, payloads: plain.payloads, remote: plain.remote };
  }
  if (remote === null) return null;
  const { payloads, transportWideId } = remote;
  return {
    type: "set-remote",
    endpoint: id,
    payloads,
    ...(transportWideId === undefined ? {} : { transportWideId }),
  };
}

/**
 * Another worker has come in the place of this one: it is told all that the one before was told,
 * and finds the rest, what packets have taught, in the sockets and the memory of both.
 */
export function retell(worker: MediaWorker, bridges: Bridges, joints: Joints): void {
  const endpoints = [...worker.endpoints].filter(({ state }) => state === "open");
  const send = (command: MediaCommand) => worker.process.send(command);
  for (const endpoint of endpoints) send(openCommandFor({ ...endpoint, ...endpoint.formerIce }));
  bridges.reopen(worker);
  for (const endpoint of endpoints) {
    const { id, keys, flowing, iceUfrag, icePwd } = endpoint;
    // Its record says whether the browser has followed already.
    if (endpoint.formerIce !== undefined) {
      send({ type: "ice-restart", endpoint: id, iceUfrag, icePwd });
    }
    const remote = remoteCommandFor(endpoint);
    if (remote !== null) send(remote);
    if (keys !== null) send({ type: "keys", endpoint: id, keys });
    if (!flowing) send({ type: "set-flowing", endpoint: id, flowing });
  }
  joints.again(endpoints);
  bridges.rejoin(worker);
  send({ type: "adopt" });
}
