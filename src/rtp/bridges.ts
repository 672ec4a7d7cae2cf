import type { MediaEvent, SocketAddress } from "./contract.ts";
import { type MediaWorker, openPlain, payloadsOf, type PoolEndpoint } from "./pool_endpoint.ts";

/** One end of a bridge: a plain endpoint beside the real one, in its worker. */
interface End {
  readonly endpoint: PoolEndpoint;
  readonly worker: MediaWorker;
  readonly plain: number;
  local: SocketAddress | null;
  /** Packets of its endpoint have been sent on their way over the bridge. */
  isJoined: boolean;
}

interface Bridge {
  readonly ends: readonly [End, End];
}

/**
 * Joins endpoints that live in two workers by one plain RTP hop over loopback: each worker gets a
 * plain endpoint that stands for the one far away. Slower than one worker, and right.
 */
export class Bridges {
  readonly #nextId: () => number;
  readonly #onFailed: (endpoint: PoolEndpoint, text: string, wasOpen: boolean) => void;
  readonly #targetOf: (endpoint: PoolEndpoint) => PoolEndpoint | undefined;
  readonly #byPlain = new Map<number, Bridge>();
  readonly #byEndpoint = new Map<PoolEndpoint, Set<Bridge>>();

  /** @param targetOf whose packets an endpoint's go to at present */
  constructor(
    nextId: () => number,
    onFailed: (endpoint: PoolEndpoint, text: string, wasOpen: boolean) => void,
    targetOf: (endpoint: PoolEndpoint) => PoolEndpoint | undefined,
  ) {
    this.#targetOf = targetOf;
    this.#nextId = nextId;
    this.#onFailed = onFailed;
  }

  /** Bridges with an end in this worker. */
  countOf(worker: MediaWorker): number {
    let count = 0;
    for (const bridge of new Set(this.#byPlain.values())) {
      if (bridge.ends.some((end) => end.worker === worker)) count++;
    }
    return count;
  }

  get size(): number {
    return this.#byPlain.size / 2;
  }

  /** Packets of `from` go to `to`, which lives in another worker. */
  connect(from: PoolEndpoint, to: PoolEndpoint): void {
    const bridge = this.#find(from, to) ?? this.#open(from, to);
    for (const [end, far] of bothWays(bridge)) {
      if (end.endpoint !== from) continue;
      end.isJoined = true;
      end.worker.process.send({ type: "connect", endpoint: from.id, peer: end.plain });
      far.worker.process.send({ type: "connect", endpoint: far.plain, peer: to.id });
    }
  }

  /** Another worker has come in the place of this one: its ends of bridges are opened again. */
  reopen(worker: MediaWorker): void {
    for (const [end, far] of this.#endsIn(worker)) sendOpen(end, far);
  }

  /** And joined again, when the endpoints are there too; where to send follows from `opened`. */
  rejoin(worker: MediaWorker): void {
    for (const [{ endpoint, plain, isJoined }, far] of this.#endsIn(worker)) {
      if (isJoined) {
        worker.process.send({ type: "connect", endpoint: endpoint.id, peer: plain });
      }
      if (far.isJoined) {
        worker.process.send({ type: "connect", endpoint: plain, peer: endpoint.id });
      }
    }
  }

  #endsIn(worker: MediaWorker): (readonly [End, End])[] {
    const bridges = [...new Set(this.#byPlain.values())];
    return bridges.flatMap(bothWays).filter(([end]) => end.worker === worker);
  }

  /** Its peer has changed: closes the bridges that nothing goes over any more. */
  prune(endpoint: PoolEndpoint): void {
    for (const bridge of [...this.#byEndpoint.get(endpoint) ?? []]) {
      const [a, b] = bridge.ends;
      const isUsed = this.#targetOf(a.endpoint) === b.endpoint ||
        this.#targetOf(b.endpoint) === a.endpoint;
      if (!isUsed) this.#close(bridge);
    }
  }

  /** What the far side of this endpoint's bridges must know of its payload types. */
  describe(endpoint: PoolEndpoint): void {
    for (const bridge of this.#byEndpoint.get(endpoint) ?? []) {
      for (const [end, far] of bothWays(bridge)) {
        if (end.endpoint !== endpoint) continue;
        far.worker.process.send({
          type: "set-remote",
          endpoint: far.plain,
          payloads: payloadsOf(endpoint),
        });
      }
    }
  }

  /** The endpoint is gone. */
  remove(endpoint: PoolEndpoint): void {
    for (const bridge of [...this.#byEndpoint.get(endpoint) ?? []]) this.#close(bridge);
  }

  /** An event of a plain endpoint; false where it is none. */
  take(event: Extract<MediaEvent, { endpoint: number }>): boolean {
    const bridge = this.#byPlain.get(event.endpoint);
    if (bridge === undefined) return false;
    if (event.type === "open-failed" || event.type === "torn") {
      this.#close(bridge);
      const wasOpen = event.type === "torn";
      const text = wasOpen ? "a media worker died while it changed its bridge" : event.text;
      for (const end of bridge.ends) this.#onFailed(end.endpoint, text, wasOpen);
    } else if (event.type === "opened") {
      for (const end of bridge.ends) {
        if (end.plain === event.endpoint) end.local = event.local ?? null;
      }
      this.#introduce(bridge);
    }
    return true;
  }

  #find(a: PoolEndpoint, b: PoolEndpoint): Bridge | undefined {
    for (const bridge of this.#byEndpoint.get(a) ?? []) {
      if (bridge.ends.some((end) => end.endpoint === b)) return bridge;
    }
    return undefined;
  }

  #open(a: PoolEndpoint, b: PoolEndpoint): Bridge {
    const end = (endpoint: PoolEndpoint): End => {
      if (endpoint.worker === null) throw new Error(`endpoint ${endpoint.id} has no worker yet`);
      return {
        endpoint,
        worker: endpoint.worker,
        plain: this.#nextId(),
        local: null,
        isJoined: false,
      };
    };
    const bridge: Bridge = { ends: [end(a), end(b)] };
    for (const [end, far] of bothWays(bridge)) {
      const { endpoint, plain } = end;
      this.#byPlain.set(plain, bridge);
      const bridges = this.#byEndpoint.get(endpoint) ?? new Set();
      bridges.add(bridge);
      this.#byEndpoint.set(endpoint, bridges);
      sendOpen(end, far);
    }
    return bridge;
  }

  #introduce(bridge: Bridge): void {
    for (const [end, far] of bothWays(bridge)) {
      if (end.local === null || far.local === null) return;
      end.worker.process.send({
        type: "set-remote",
        endpoint: end.plain,
        payloads: payloadsOf(far.endpoint),
        remote: far.local,
      });
    }
  }

  #close(bridge: Bridge): void {
    for (const { endpoint, worker, plain } of bridge.ends) {
      this.#byPlain.delete(plain);
      const bridges = this.#byEndpoint.get(endpoint);
      bridges?.delete(bridge);
      if (bridges?.size === 0) this.#byEndpoint.delete(endpoint);
      worker.process.send({ type: "close", endpoint: plain });
    }
  }
}

function sendOpen({ worker, plain }: End, far: End): void {
  worker.process.send(openPlain(plain, far.endpoint));
}

function bothWays({ ends: [a, b] }: Bridge): readonly (readonly [End, End])[] {
  return [[a, b], [b, a]];
}
