import type { Bridges } from "./bridges.ts";
import type { MediaCommand } from "./contract.ts";
import type { EndpointHandle } from "./media_port.ts";
import type { PoolEndpoint } from "./pool_endpoint.ts";
import type { Joints } from "./pool_joints.ts";
import type { PoolRtp } from "./pool_rtp.ts";
import type { RtpEndpointHandle, TranscodedSides } from "./rtp_media_port.ts";

/** What handles need of the pool that holds the endpoints. */
export interface HandlePorts {
  /** Tells the workers what has become known of the far end. */
  update(endpoint: PoolEndpoint): void;
  send(endpoint: PoolEndpoint, command: MediaCommand): void;
  /** Drawn anew each time. */
  iceCredentials(): { readonly iceUfrag: string; readonly icePwd: string };
  transcode(endpoint: PoolEndpoint, sides: TranscodedSides | null): void;
  close(endpoint: PoolEndpoint): void;
}

/** The endpoints of a pool as whoever has opened them holds them. */
export class Handles {
  readonly #bridges: Bridges;
  readonly #joints: Joints;
  readonly #ports: HandlePorts;

  constructor(bridges: Bridges, joints: Joints, ports: HandlePorts) {
    this.#bridges = bridges;
    this.#joints = joints;
    this.#ports = ports;
  }

  webrtc(endpoint: PoolEndpoint): EndpointHandle {
    return {
      ...this.#common(endpoint),
      restartIce: () => {
        endpoint.formerIce = { iceUfrag: endpoint.iceUfrag, icePwd: endpoint.icePwd };
        Object.assign(endpoint, this.#ports.iceCredentials());
        const { id, iceUfrag, icePwd } = endpoint;
        this.#ports.send(endpoint, { type: "ice-restart", endpoint: id, iceUfrag, icePwd });
        return { iceUfrag, icePwd };
      },
      setRemote: (remote) => {
        if (endpoint.state === "closed") return;
        endpoint.remote = remote;
        this.#ports.update(endpoint);
        this.#bridges.describe(endpoint);
      },
    };
  }

  rtp(endpoint: PoolEndpoint, rtp: PoolRtp): RtpEndpointHandle {
    const { id } = endpoint;
    return {
      ...this.#common(endpoint),
      setRemote: (remote) => {
        if (endpoint.state === "closed") return;
        rtp.remote = remote;
        this.#ports.update(endpoint);
        this.#bridges.describe(endpoint);
      },
      sendDtmf: (digits, durationMs) =>
        this.#ports.send(endpoint, { type: "send-dtmf", endpoint: id, digits, durationMs }),
    };
  }

  #common(endpoint: PoolEndpoint): Omit<EndpointHandle, "setRemote" | "restartIce"> {
    const { id, token } = endpoint;
    const ports = this.#ports;
    const live = (act: () => void) => {
      if (endpoint.state !== "closed") act();
    };
    return {
      id,
      token,
      connect: (peer) => live(() => this.#joints.join(endpoint, peer)),
      setFlowing: (flowing) =>
        live(() => {
          endpoint.flowing = flowing;
          ports.send(endpoint, { type: "set-flowing", endpoint: id, flowing });
        }),
      requestKeyFrame: () => live(() => ports.send(endpoint, { type: "key-frame", endpoint: id })),
      transcode: (sides) => live(() => ports.transcode(endpoint, sides)),
      close: () => live(() => ports.close(endpoint)),
    };
  }
}
