import type { EndpointToken } from "../core/ids.ts";
import type { Bridges } from "./bridges.ts";
import { faceOf, type PoolEndpoint } from "./pool_endpoint.ts";

/**
 * Who is joined with whom, in one worker or by way of a bridge, past transcoders or through them.
 */
export class Joints {
  readonly #byToken: ReadonlyMap<EndpointToken, PoolEndpoint>;
  readonly #bridges: Bridges;
  /** Endpoints whose peer has no worker yet. */
  readonly #unlinked = new Set<PoolEndpoint>();
  #count = 0;

  constructor(byToken: ReadonlyMap<EndpointToken, PoolEndpoint>, bridges: Bridges) {
    this.#byToken = byToken;
    this.#bridges = bridges;
  }

  /** Endpoints that wait for their peer. */
  get waiting(): number {
    return this.#unlinked.size;
  }

  /** From now on packets of the endpoint go to the one named. */
  join(endpoint: PoolEndpoint, peer: EndpointToken): void {
    endpoint.peer = peer;
    endpoint.linkedAt = ++this.#count;
    this.#bridges.prune(endpoint);
    if (endpoint.transcoding) this.rejoin(endpoint);
    else this.#link(endpoint);
  }

  /** The endpoint has got a worker. */
  placed(endpoint: PoolEndpoint): void {
    if (endpoint.peer !== null) this.#link(endpoint);
    for (const other of [...this.#unlinked]) {
      if (this.targetOf(other) === endpoint) this.#link(other);
    }
  }

  /** Another worker has these endpoints now; who was joined last is joined last again. */
  again(endpoints: readonly PoolEndpoint[]): void {
    for (const endpoint of endpoints.toSorted((a, b) => a.linkedAt - b.linkedAt)) {
      if (endpoint.peer !== null || endpoint.transcoding) this.#link(endpoint);
    }
  }

  forget(endpoint: PoolEndpoint): void {
    this.#unlinked.delete(endpoint);
  }

  /**
   * A transcoder has come between an endpoint and its peer, or gone: all who are joined with it.
   */
  rejoin(endpoint: PoolEndpoint): void {
    const { transcoding } = endpoint;
    if (transcoding) {
      const { near, far } = transcoding;
      near.peer = endpoint.token;
      if (far.peer !== endpoint.peer) {
        far.peer = endpoint.peer;
        this.#bridges.prune(far);
      }
      this.#link(near);
      if (far.peer !== null) this.#link(far);
    }
    this.#bridges.prune(endpoint);
    if (endpoint.peer !== null) this.#link(endpoint);
    for (const other of this.#byToken.values()) {
      if (other.peer !== endpoint.token || other === transcoding?.near) continue;
      const face = faceOf(other);
      this.#bridges.prune(face);
      this.#link(face);
    }
  }

  /** Whose packets the endpoint's go to in truth. */
  targetOf(endpoint: PoolEndpoint): PoolEndpoint | undefined {
    if (endpoint.transcoding) return endpoint.transcoding.near;
    const peer = endpoint.peer === null ? undefined : this.#byToken.get(endpoint.peer);
    const isNear = peer?.transcoding?.near === endpoint;
    return isNear ? peer : peer && faceOf(peer);
  }

  #link(endpoint: PoolEndpoint): void {
    const peer = this.targetOf(endpoint);
    // A peer that nobody knows is gone, or is opened later under a token drawn beforehand.
    if (!peer?.worker || endpoint.worker === null) {
      this.#unlinked.add(endpoint);
      return;
    }
    this.#unlinked.delete(endpoint);
    if (endpoint.worker !== peer.worker) this.#bridges.connect(endpoint, peer);
    else endpoint.worker.process.send({ type: "connect", endpoint: endpoint.id, peer: peer.id });
  }
}
