import { randomHex } from "../core/entropy.ts";
import type { EndpointId, EndpointToken } from "../core/ids.ts";
import { Bridges } from "./bridges.ts";
import type { HandshakeEvent, MediaCommand, MediaEvent } from "./contract.ts";
import { Handshakes } from "./handshakes.ts";
import type {
  EndpointEvent,
  EndpointHandle,
  MediaPort,
  OpenEndpoint,
  WorkerView,
} from "./media_port.ts";
import { MediaWorkers } from "./media_workers.ts";
import { openCommandFor, remoteCommandFor, retell } from "./pool_commands.ts";
import {
  isWebrtc,
  type MediaWorker,
  type PoolEndpoint,
  type PoolEvent,
  type PoolPlain,
} from "./pool_endpoint.ts";
import { Handles } from "./pool_handles.ts";
import { Joints } from "./pool_joints.ts";
import type { PoolOptions } from "./pool_options.ts";
import { addressTowards, localOf, type PoolRtp } from "./pool_rtp.ts";
import { localTransportOf, toldOf } from "./pool_told.ts";
import type {
  OpenRtp,
  RtpEndpointEvent,
  RtpEndpointHandle,
  RtpMediaPort,
} from "./rtp_media_port.ts";
import { Transcodings } from "./transcodings.ts";

/** An endpoint that no worker has answered for by then has failed, ms. */
const OPEN_TIMEOUT = 3000;

/**
 * Places endpoints on workers, carries commands and events between them and the actors, joins
 * endpoints by their tokens, and keeps the workers alive.
 */
export class MediaPool implements MediaPort, RtpMediaPort {
  readonly #options: PoolOptions;
  readonly #workers: MediaWorkers;
  readonly #handshakes: Handshakes;
  readonly #bridges: Bridges;
  readonly #transcodings: Transcodings;
  readonly #joints: Joints;
  readonly #handles: Handles;
  readonly #byId = new Map<number, PoolEndpoint>();
  readonly #byToken = new Map<EndpointToken, PoolEndpoint>();
  /** Endpoints without a worker. */
  readonly #waiting = new Set<PoolEndpoint>();
  #nextId = 1;
  #onStarted: ((fault: string | null) => void) | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#bridges = new Bridges(() => this.#nextId++, (endpoint, text, wasOpen) => {
      if (wasOpen) this.#lose(endpoint, text);
      else this.#tell(endpoint, { type: "failed", reason: "no_port", text });
    }, (endpoint) => this.#joints.targetOf(endpoint));
    this.#joints = new Joints(this.#byToken, this.#bridges);
    this.#handles = new Handles(this.#bridges, this.#joints, {
      update: (endpoint) => this.#sendRemote(endpoint),
      iceCredentials: () => this.#iceCredentials(),
      send: (endpoint, command) => this.#send(endpoint, command),
      transcode: (endpoint, sides) => this.#transcodings.set(endpoint, sides),
      close: (endpoint) => this.#forget(endpoint),
    });
    this.#transcodings = new Transcodings(options, {
      open: (label, near, plain) => this.#addPlain(label, near, plain),
      close: (endpoint) => {
        if (endpoint.state !== "closed") this.#forget(endpoint);
      },
      update: (endpoint) => this.#sendRemote(endpoint),
      relink: (endpoint) => this.#joints.rejoin(endpoint),
      tell: (endpoint, event) => this.#tell(endpoint, event),
    });
    this.#workers = new MediaWorkers(options, {
      onReady: (worker, isSuccessor) => {
        if (isSuccessor) this.#adopt(worker);
        this.#workerUp();
      },
      onDown: (worker, text, isFinal) => this.#mediaDown(worker, text, isFinal),
      onEndpoint: (worker, event) => {
        const endpoint = this.#byId.get(event.endpoint);
        if (endpoint !== undefined) this.#endpointEvent(endpoint, worker, event);
        else this.#bridges.take(event);
      },
      onStatistics: ({ endpoints }) => {
        for (const { endpoint: id, statistics } of endpoints) {
          const endpoint = this.#byId.get(id);
          if (endpoint !== undefined) this.#tell(endpoint, { type: "statistics", statistics });
        }
      },
    });
    this.#handshakes = new Handshakes(options, {
      onReady: () => this.#handshakesReady(),
      onDown: (text) => this.#handshakesDown(text),
      onEndpoint: (event) => this.#handshakeEvent(event),
    });
  }

  /** @param onStarted called once: null when all workers are up, or why one is not */
  start(onStarted: (fault: string | null) => void): void {
    this.#onStarted = onStarted;
    this.#handshakes.start();
    this.#workers.start();
  }

  /** Endpoints, bridges and what waits: all zero when every call is over. */
  get size(): { readonly endpoints: number; readonly bridges: number; readonly waiting: number } {
    return {
      endpoints: this.#byId.size,
      bridges: this.#bridges.size,
      waiting: this.#waiting.size + this.#joints.waiting,
    };
  }

  open(options: OpenEndpoint, listener: (event: EndpointEvent) => void): EndpointHandle {
    return this.#handles.webrtc(this.#add(options, {}, listener as (event: PoolEvent) => void));
  }

  openRtp(options: OpenRtp, listener: (event: RtpEndpointEvent) => void): RtpEndpointHandle {
    const { entropy, addresses, rtpAddresses } = this.#options;
    const address = addressTowards(rtpAddresses ?? addresses, options.towards);
    const seed = new DataView(entropy.bytes(4).buffer).getInt32(0);
    const rtp: PoolRtp = { options, address: address ?? "", seed, remote: null };
    const tell = listener as (event: PoolEvent) => void;
    return this.#handles.rtp(this.#add(options, { rtp }, tell), rtp);
  }

  #iceCredentials(): { readonly iceUfrag: string; readonly icePwd: string } {
    const { entropy } = this.#options;
    return { iceUfrag: randomHex(entropy, 64), icePwd: randomHex(entropy, 128) };
  }

  #addPlain(label: string, near: EndpointToken, plain: PoolPlain): PoolEndpoint {
    return this.#add({ label, near }, { plain }, (event) => {
      if (event.type === "failed" || event.type === "lost") plain.onGone(event.text);
    });
  }

  #add(
    options: {
      readonly label: string;
      readonly near?: EndpointToken;
      readonly token?: EndpointToken;
    },
    kind: { readonly rtp?: PoolRtp; readonly plain?: PoolPlain },
    listener: (event: PoolEvent) => void,
  ): PoolEndpoint {
    const { entropy, clock } = this.#options;
    const { rtp = null, plain = null } = kind;
    const hasIce = rtp === null && plain === null;
    const endpoint: PoolEndpoint = {
      id: this.#nextId++ as EndpointId,
      token: options.token ?? randomHex(entropy, 128) as EndpointToken,
      label: options.label,
      listener,
      rtp,
      plain,
      ...(hasIce ? this.#iceCredentials() : { iceUfrag: "", icePwd: "" }),
      near: options.near,
      state: "waiting",
      worker: null,
      timer: undefined,
      remote: null,
      peer: null,
      linkedAt: 0,
      flowing: true,
      keys: null,
      transcoding: null,
      dtls: "new",
    };
    this.#byId.set(endpoint.id, endpoint);
    this.#byToken.set(endpoint.token, endpoint);
    endpoint.timer = clock.setTimeout(() => this.#openTimedOut(endpoint), OPEN_TIMEOUT);
    if (rtp === null || rtp.address !== "") this.#place(endpoint);
    else clock.defer(() => this.#noAddress(endpoint, rtp));
    return endpoint;
  }

  /** No address of ours is of the far end's family. */
  #noAddress(endpoint: PoolEndpoint, { options }: PoolRtp): void {
    if (endpoint.state === "closed") return;
    this.#forget(endpoint);
    this.#tell(endpoint, {
      type: "failed",
      reason: "no_port",
      text: `no media address reaches ${options.towards}: add one of its family`,
    });
  }

  workers(): readonly WorkerView[] {
    return this.#workers.views((worker) => this.#bridges.countOf(worker));
  }

  /** Kills a worker and starts another in its place, which goes on with its endpoints. */
  restartWorker(worker: number): boolean {
    return this.#workers.at(worker)?.process.replace("an operator restarted it") ?? false;
  }

  /** How: as the `crash` command says. */
  crashWorker(
    worker: number,
    how: { readonly tear?: number; readonly hangMs?: number; readonly inPacket?: boolean } = {},
  ): void {
    this.#workers.at(worker)?.process.send({ type: "crash", ...how });
  }

  crashHandshakeWorker(): void {
    this.#handshakes.send({ type: "crash" });
  }

  /** Asks all workers to end. */
  shutdown(): void {
    for (const endpoint of [...this.#byId.values()]) this.#forget(endpoint);
    this.#workers.shutdown();
    this.#handshakes.shutdown();
  }

  terminate(): void {
    this.#workers.terminate();
    this.#handshakes.terminate();
  }

  #send(endpoint: PoolEndpoint, command: MediaCommand): void {
    endpoint.worker?.process.send(command);
  }

  /** A listener's fault is not ours to die of. */
  #tell(endpoint: PoolEndpoint, event: PoolEvent): void {
    if (endpoint.state === "closed" && event.type !== "lost" && event.type !== "failed") return;
    try {
      endpoint.listener(event);
    } catch (error) {
      this.#options.log("error", `the listener of endpoint ${endpoint.label} threw`, {
        event: event.type,
        error: String(error),
      });
    }
  }

  // Placement

  #place(endpoint: PoolEndpoint): void {
    const { near } = endpoint;
    const neighbour = near === undefined ? null : this.#byToken.get(near)?.worker ?? null;
    const worker = this.#workers.choose(neighbour);
    if (worker === null || (isWebrtc(endpoint) && !this.#handshakes.isRunning)) {
      this.#waiting.add(endpoint);
      return;
    }
    this.#waiting.delete(endpoint);
    endpoint.worker = worker;
    endpoint.state = "opening";
    worker.endpoints.add(endpoint);
    worker.process.send(openCommandFor(endpoint));
    if (isWebrtc(endpoint)) this.#handshakes.open(endpoint.id, worker.profiles);
    this.#sendRemote(endpoint);
    if (!endpoint.flowing) {
      worker.process.send({ type: "set-flowing", endpoint: endpoint.id, flowing: false });
    }
    this.#joints.placed(endpoint);
  }

  #sendRemote(endpoint: PoolEndpoint): void {
    const command = remoteCommandFor(endpoint);
    if (command !== null) this.#send(endpoint, command);
    if (!isWebrtc(endpoint) || endpoint.remote === null || endpoint.worker === null) return;
    const { fingerprints } = endpoint.remote;
    this.#handshakes.send({ type: "fingerprints", endpoint: endpoint.id, fingerprints });
  }

  #openTimedOut(endpoint: PoolEndpoint): void {
    endpoint.timer = undefined;
    if (endpoint.state !== "waiting" && endpoint.state !== "opening") return;
    const isWaiting = endpoint.state === "waiting";
    this.#forget(endpoint);
    this.#tell(endpoint, {
      type: "failed",
      reason: "no_worker",
      text: isWaiting ? "no media worker is running" : "the media worker did not answer",
    });
  }

  #forget(endpoint: PoolEndpoint): void {
    const { clock } = this.#options;
    if (endpoint.timer !== undefined) clock.clearTimeout(endpoint.timer);
    endpoint.timer = undefined;
    endpoint.state = "closed";
    this.#byId.delete(endpoint.id);
    this.#byToken.delete(endpoint.token);
    this.#waiting.delete(endpoint);
    this.#joints.forget(endpoint);
    this.#bridges.remove(endpoint);
    this.#transcodings.set(endpoint, null);
    this.#send(endpoint, { type: "close", endpoint: endpoint.id });
    this.#closeHandshake(endpoint);
    endpoint.worker?.endpoints.delete(endpoint);
    endpoint.worker = null;
    endpoint.keys = null;
  }

  #closeHandshake(endpoint: PoolEndpoint): void {
    if (isWebrtc(endpoint)) this.#handshakes.send({ type: "close", endpoint: endpoint.id });
  }

  // Workers

  #workerUp(): void {
    for (const endpoint of [...this.#waiting]) this.#place(endpoint);
    this.#started(null);
  }

  #mediaDown(worker: MediaWorker, text: string, isFinal: boolean): void {
    const isAwaited = worker.adopts && !isFinal;
    for (const endpoint of [...worker.endpoints]) {
      if (endpoint.state === "opening") this.#placeAnew(endpoint);
      else if (!isAwaited) this.#lose(endpoint, `its media worker died: ${text}`);
    }
    this.#started(text);
  }

  #lose(endpoint: PoolEndpoint, text: string): void {
    this.#forget(endpoint);
    this.#tell(endpoint, { type: "lost", text });
  }

  /**
   * Another worker has come in the place of this one: it is told all that the one before was told,
   * and finds the rest, what packets have taught, in the memory and the sockets of both.
   */
  #adopt(worker: MediaWorker): void {
    if (!worker.adopts) {
      for (const endpoint of [...worker.endpoints]) {
        this.#lose(endpoint, "its media worker died, and the next one cannot take its place");
      }
      return;
    }
    retell(worker, this.#bridges, this.#joints);
  }

  /** Nobody has heard of this endpoint's place yet: another worker serves it as well. */
  #placeAnew(endpoint: PoolEndpoint): void {
    this.#bridges.remove(endpoint);
    this.#closeHandshake(endpoint);
    endpoint.worker?.endpoints.delete(endpoint);
    endpoint.worker = null;
    endpoint.state = "waiting";
    this.#place(endpoint);
  }

  #endpointEvent(
    endpoint: PoolEndpoint,
    worker: MediaWorker,
    event: Extract<MediaEvent, { endpoint: number }>,
  ): void {
    switch (event.type) {
      case "opened":
        // Opened again in another worker: nothing has changed for whoever asked for it.
        if (endpoint.state === "opening") this.#opened(endpoint, worker, event);
        break;
      case "torn":
        this.#lose(endpoint, "its media worker died while it changed what it knew of the call");
        break;
      case "open-failed":
        this.#forget(endpoint);
        this.#tell(endpoint, { type: "failed", reason: "no_port", text: event.text });
        break;
      case "dtls-receive":
        this.#handshakes.send(event);
        break;
      default: {
        const told = toldOf(endpoint, event);
        if (told !== null) this.#tell(endpoint, told);
      }
    }
  }

  #opened(
    endpoint: PoolEndpoint,
    worker: MediaWorker,
    event: Extract<MediaEvent, { type: "opened" }>,
  ): void {
    const { clock, publicAddress } = this.#options;
    if (endpoint.timer !== undefined) clock.clearTimeout(endpoint.timer);
    endpoint.timer = undefined;
    endpoint.state = "open";
    if (endpoint.plain !== null) {
      if (event.local) endpoint.plain.onOpened(event.local);
      return;
    }
    if (endpoint.rtp !== null) {
      const local = localOf(endpoint.rtp, event.sections ?? [], publicAddress);
      this.#tell(endpoint, { type: "opened", local, worker: worker.id });
      return;
    }
    const { fingerprint } = this.#handshakes;
    const local = localTransportOf(endpoint, worker, fingerprint, publicAddress);
    this.#tell(endpoint, { type: "opened", local, worker: worker.id });
  }

  #handshakesReady(): void {
    for (const endpoint of this.#byId.values()) {
      if (!isWebrtc(endpoint) || endpoint.dtls !== "new" || endpoint.worker === null) continue;
      this.#handshakes.open(endpoint.id, endpoint.worker.profiles);
      this.#sendRemote(endpoint);
    }
    this.#workerUp();
  }

  #handshakesDown(text: string): void {
    for (const endpoint of [...this.#byId.values()]) {
      if (endpoint.dtls !== "handshaking") continue;
      endpoint.dtls = "failed";
      this.#tell(endpoint, {
        type: "dtls",
        state: "failed",
        text: `the handshake worker died: ${text}`,
      });
    }
    this.#started(text);
  }

  #handshakeEvent(event: Extract<HandshakeEvent, { endpoint: number }>): void {
    const endpoint = this.#byId.get(event.endpoint);
    if (endpoint === undefined) return;
    if (event.type !== "dtls") {
      if (event.type === "keys") endpoint.keys ??= event.keys;
      this.#send(endpoint, event);
      return;
    }
    endpoint.dtls = event.state;
    const told = { type: "dtls", state: event.state } as const;
    this.#tell(endpoint, event.text === undefined ? told : { ...told, text: event.text });
  }

  /** Tells the one who started us: all are up, or the first fault. */
  #started(fault: string | null): void {
    if (this.#onStarted === null) return;
    const isUp = this.#handshakes.isRunning && this.#workers.allRunning;
    if (fault === null && !isUp) return;
    const onStarted = this.#onStarted;
    this.#onStarted = null;
    onStarted(fault);
  }
}
