import type { Clock } from "../../src/core/clock.ts";
import type { SeededEntropy } from "../../src/core/entropy.ts";
import { randomHex } from "../../src/core/entropy.ts";
import type { EndpointId, EndpointToken, WorkerId } from "../../src/core/ids.ts";
import type { TranscodedSides } from "../../src/rtp/rtp_media_port.ts";
import type {
  EndpointEvent,
  EndpointHandle,
  MediaPort,
  OpenEndpoint,
  RemoteTransport,
} from "../../src/rtp/media_port.ts";

export interface SimMediaFaults {
  /** Share of endpoints that can't be opened. */
  readonly failOpen: number;
  /** Share of browsers that never get through. */
  readonly neverConnect: number;
  /** Share of endpoints whose worker dies at some time. */
  readonly lose: number;
}

export const HEALTHY_MEDIA: SimMediaFaults = { failOpen: 0, neverConnect: 0, lose: 0 };

class SimEndpoint implements EndpointHandle {
  remote: RemoteTransport | null = null;
  peer: EndpointToken | null = null;
  isFlowing = true;
  isClosed = false;
  keyFrames = 0;
  transcoded: TranscodedSides | null = null;

  constructor(
    readonly media: SimMedia,
    readonly id: EndpointId,
    readonly token: EndpointToken,
    readonly near: EndpointToken | undefined,
    readonly label: string,
    readonly emit: (event: EndpointEvent) => void,
  ) {}

  setRemote(remote: RemoteTransport): void {
    this.remote = remote;
    this.media.connectSoon(this);
  }

  connect(peer: EndpointToken): void {
    this.peer = peer;
  }

  setFlowing(flowing: boolean): void {
    this.isFlowing = flowing;
  }

  requestKeyFrame(): void {
    this.keyFrames++;
  }

  restartIce() {
    return { iceUfrag: "restarted", icePwd: "restartedrestartedrestarted" };
  }

  transcode(sides: TranscodedSides | null): void {
    this.transcoded = sides;
  }

  close(): void {
    this.isClosed = true;
    this.media.open_.delete(this.token);
  }
}

export type { SimEndpoint };

/** Media workers without media: opens, connects, fails and loses endpoints by the seed. */
export class SimMedia implements MediaPort {
  readonly open_ = new Map<EndpointToken, SimEndpoint>();
  readonly #clock: Clock;
  readonly #chance: SeededEntropy;
  readonly #faults: SimMediaFaults;
  #serial = 0;

  constructor(clock: Clock, chance: SeededEntropy, faults: SimMediaFaults = HEALTHY_MEDIA) {
    this.#clock = clock;
    this.#chance = chance;
    this.#faults = faults;
  }

  get openEndpoints(): number {
    return this.open_.size;
  }

  open(options: OpenEndpoint, listener: (event: EndpointEvent) => void): EndpointHandle {
    const id = ++this.#serial;
    const token = randomHex(this.#chance, 128) as EndpointToken;
    const { near, label } = options;
    const endpoint = new SimEndpoint(this, id as EndpointId, token, near, label, (event) => {
      if (!endpoint.isClosed) listener(event);
    });
    this.open_.set(token, endpoint);
    this.#clock.setTimeout(() => this.#opened(endpoint, id), this.#chance.below(5));
    return endpoint;
  }

  connectSoon(endpoint: SimEndpoint): void {
    if (this.#chance.fraction() < this.#faults.neverConnect) return;
    this.#clock.setTimeout(() => {
      endpoint.emit({ type: "ice", state: "connected", remoteAddress: "127.0.0.1:9" });
      endpoint.emit({ type: "dtls", state: "connected" });
    }, 20 + this.#chance.below(200));
  }

  #opened(endpoint: SimEndpoint, id: number): void {
    if (this.#chance.fraction() < this.#faults.failOpen) {
      return endpoint.emit({ type: "failed", reason: "no_worker", text: "No worker is running" });
    }
    endpoint.emit({
      type: "opened",
      worker: 0 as WorkerId,
      local: {
        iceUfrag: `u${id}`,
        icePwd: "p".repeat(24),
        fingerprint: Array(32).fill("AA").join(":"),
        candidates: [{ address: "127.0.0.1", port: 30000 }],
      },
    });
    if (this.#chance.fraction() < this.#faults.lose) {
      this.#clock.setTimeout(
        () => endpoint.emit({ type: "lost", text: "The worker died" }),
        this.#chance.below(20_000),
      );
    }
  }
}
