import type { Clock } from "../../src/core/clock.ts";
import { randomHex, type SeededEntropy } from "../../src/core/entropy.ts";
import type { EndpointId, EndpointToken, WorkerId } from "../../src/core/ids.ts";
import type {
  LocalRtp,
  OpenRtp,
  RemoteRtp,
  RtpEndpointEvent,
  RtpEndpointHandle,
  RtpMediaPort,
  TranscodedSides,
} from "../../src/rtp/rtp_media_port.ts";

/** Our media address in the simulator. */
export const MEDIA_ADDRESS = "198.51.100.1";

export class SimRtpEndpoint implements RtpEndpointHandle {
  remote: readonly (RemoteRtp | null)[] = [];
  peer: EndpointToken | null = null;
  isFlowing = true;
  isClosed = false;
  keyFrames = 0;
  dtmf: string[] = [];
  sides: TranscodedSides | null = null;

  constructor(
    readonly media: SimRtpMedia,
    readonly id: EndpointId,
    readonly token: EndpointToken,
    readonly options: OpenRtp,
    readonly local: readonly LocalRtp[],
    readonly emit: (event: RtpEndpointEvent) => void,
  ) {}

  setRemote(remote: readonly (RemoteRtp | null)[]): void {
    if (remote.length !== this.options.media.length) {
      throw new Error(`${remote.length} remotes for ${this.options.media.length} sections`);
    }
    this.remote = remote;
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

  sendDtmf(digits: string): void {
    this.dtmf.push(digits);
  }

  transcode(sides: TranscodedSides | null): void {
    this.sides = sides;
  }

  close(): void {
    this.isClosed = true;
    this.media.live.delete(this.token);
  }
}

export interface SimRtpFaults {
  /** Share of endpoints that can't be opened. */
  readonly failOpen: number;
}

/** Workers of SIP legs without media: endpoints open after a while, or fail, by the seed. */
export class SimRtpMedia implements RtpMediaPort {
  readonly live = new Map<EndpointToken, SimRtpEndpoint>();
  /** Endpoints ever opened, closed ones too. */
  readonly all: SimRtpEndpoint[] = [];
  readonly #clock: Clock;
  readonly #chance: SeededEntropy;
  readonly #faults: SimRtpFaults;
  #nextPort = 20_000;

  constructor(clock: Clock, chance: SeededEntropy, faults: SimRtpFaults = { failOpen: 0 }) {
    this.#clock = clock;
    this.#chance = chance;
    this.#faults = faults;
  }

  openRtp(options: OpenRtp, listener: (event: RtpEndpointEvent) => void): RtpEndpointHandle {
    const token = options.token ?? randomHex(this.#chance, 128) as EndpointToken;
    const local = options.media.map((kind) => {
      const port = this.#nextPort;
      this.#nextPort += 2;
      return { kind, address: MEDIA_ADDRESS, port };
    });
    const id = this.all.length as EndpointId;
    const endpoint = new SimRtpEndpoint(this, id, token, options, local, (event) => {
      if (!endpoint.isClosed) listener(event);
    });
    this.live.set(token, endpoint);
    this.all.push(endpoint);
    const fails = this.#chance.fraction() < this.#faults.failOpen;
    this.#clock.setTimeout(() => {
      endpoint.emit(
        fails
          ? { type: "failed", reason: "no_port", text: "No port is free" }
          : { type: "opened", local, worker: 0 as WorkerId },
      );
    }, this.#chance.below(6));
    return endpoint;
  }
}
