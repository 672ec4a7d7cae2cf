import type { Clock } from "../core/clock.ts";
import { type Entropy, randomHex } from "../core/entropy.ts";
import type { EndpointId, EndpointToken, WorkerId } from "../core/ids.ts";
import { Bridges } from "./bridges.ts";
import type {
  Certificate,
  HandshakeCommand,
  HandshakeEvent,
  MediaCommand,
  MediaEvent,
  WorkerFactory,
} from "./contract.ts";
import type {
  EndpointEvent,
  EndpointHandle,
  LocalTransport,
  MediaPort,
  OpenEndpoint,
  WorkerView,
} from "./media_port.ts";
import type {
  HandshakeProcess,
  HandshakeReady,
  MediaReady,
  MediaWorker,
  PoolEndpoint,
} from "./pool_endpoint.ts";
import { SupervisedWorker } from "./supervised_worker.ts";

/** An endpoint that no worker has answered for by then has failed, ms. */
const OPEN_TIMEOUT = 3000;

export type MediaLog = (
  level: "debug" | "info" | "warn" | "error",
  text: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Something that happened to a worker, for the event bus. */
export interface PoolWorkerEvent {
  readonly type: "worker.started" | "worker.died" | "worker.stopped";
  readonly worker: WorkerId;
  readonly text: string;
}

export interface PoolOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Number of media workers, at least one. */
  readonly workers: number;
  readonly mediaFactory: WorkerFactory<MediaCommand, MediaEvent>;
  readonly handshakeFactory: WorkerFactory<HandshakeCommand, HandshakeEvent>;
  /** IPv4 addresses to bind and announce. */
  readonly addresses: readonly string[];
  readonly publicAddress?: string;
  readonly portRange: readonly [number, number];
  readonly silentAfterMs: number;
  readonly allowCrash: boolean;
  readonly log: MediaLog;
  readonly onWorkerEvent: (event: PoolWorkerEvent) => void;
}

/**
 * Places endpoints on workers, carries commands and events between them and the actors, joins endpoints
 * by their tokens, and keeps the workers alive.
 */
export class MediaPool implements MediaPort {
  readonly #options: PoolOptions;
  readonly #workers: MediaWorker[] = [];
  readonly #handshakes: HandshakeProcess;
  readonly #bridges: Bridges;
  readonly #byId = new Map<number, PoolEndpoint>();
  readonly #byToken = new Map<EndpointToken, PoolEndpoint>();
  /** Endpoints without a worker, and endpoints whose peer has none. */
  readonly #waiting = new Set<PoolEndpoint>();
  readonly #unlinked = new Set<PoolEndpoint>();
  #certificate: Certificate | null = null;
  #nextId = 1;
  #onStarted: ((fault: string | null) => void) | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#bridges = new Bridges(() => this.#nextId++, (endpoint, text) => {
      this.#tell(endpoint, { type: "failed", reason: "no_port", text });
    });
    for (let i = 0; i < Math.max(1, options.workers); i++) this.#addWorker(i as WorkerId);
    this.#handshakes = this.#handshakeProcess();
  }

  /** @param onStarted called once: null when all workers are up, or why one is not */
  start(onStarted: (fault: string | null) => void): void {
    this.#onStarted = onStarted;
    this.#handshakes.start();
    for (const worker of this.#workers) worker.process.start();
  }

  /** Endpoints, bridges and what waits: all zero when every call is over. */
  get size(): { readonly endpoints: number; readonly bridges: number; readonly waiting: number } {
    return {
      endpoints: this.#byId.size,
      bridges: this.#bridges.size,
      waiting: this.#waiting.size + this.#unlinked.size,
    };
  }

  open(options: OpenEndpoint, listener: (event: EndpointEvent) => void): EndpointHandle {
    const { entropy, clock } = this.#options;
    const endpoint: PoolEndpoint = {
      id: this.#nextId++ as EndpointId,
      token: randomHex(entropy, 128) as EndpointToken,
      label: options.label,
      listener,
      iceUfrag: randomHex(entropy, 64),
      icePwd: randomHex(entropy, 128),
      near: options.near,
      state: "waiting",
      worker: null,
      timer: undefined,
      remote: null,
      peer: null,
      flowing: true,
      dtls: "new",
    };
    this.#byId.set(endpoint.id, endpoint);
    this.#byToken.set(endpoint.token, endpoint);
    endpoint.timer = clock.setTimeout(() => this.#openTimedOut(endpoint), OPEN_TIMEOUT);
    this.#place(endpoint);
    return this.#handle(endpoint);
  }

  workers(): readonly WorkerView[] {
    return this.#workers.map((worker) => ({
      id: worker.id,
      state: worker.process.state,
      restarts: worker.process.restarts,
      endpoints: worker.endpoints.size,
      bridges: this.#bridges.countOf(worker),
      packets: worker.packetsBefore + worker.packets,
      addresses: worker.addresses.map(({ address, port }) => `${address}:${port}`),
      shell: worker.shell,
    }));
  }

  crashWorker(worker: number): void {
    this.#workers[worker]?.process.send({ type: "crash" });
  }

  crashHandshakeWorker(): void {
    this.#handshakes.send({ type: "crash" });
  }

  /** Asks all workers to end. */
  shutdown(): void {
    for (const endpoint of [...this.#byId.values()]) this.#forget(endpoint);
    for (const worker of this.#workers) worker.process.shutdown({ type: "shutdown" });
    this.#handshakes.shutdown({ type: "shutdown" });
  }

  terminate(): void {
    for (const worker of this.#workers) worker.process.terminate();
    this.#handshakes.terminate();
  }

  #handle(endpoint: PoolEndpoint): EndpointHandle {
    const live = (act: () => void) => {
      if (endpoint.state !== "closed") act();
    };
    return {
      id: endpoint.id,
      token: endpoint.token,
      setRemote: (remote) =>
        live(() => {
          endpoint.remote = remote;
          this.#sendRemote(endpoint);
          this.#bridges.describe(endpoint);
        }),
      connect: (peer) =>
        live(() => {
          endpoint.peer = peer;
          this.#bridges.prune(endpoint);
          this.#link(endpoint);
        }),
      setFlowing: (flowing) =>
        live(() => {
          endpoint.flowing = flowing;
          this.#send(endpoint, { type: "set-flowing", endpoint: endpoint.id, flowing });
        }),
      requestKeyFrame: () =>
        live(() => this.#send(endpoint, { type: "key-frame", endpoint: endpoint.id })),
      close: () => live(() => this.#forget(endpoint)),
    };
  }

  #send(endpoint: PoolEndpoint, command: MediaCommand): void {
    endpoint.worker?.process.send(command);
  }

  /** A listener's fault is not ours to die of. */
  #tell(endpoint: PoolEndpoint, event: EndpointEvent): void {
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
    const worker = this.#choose(endpoint.near);
    if (worker === null || this.#handshakes.state !== "running") {
      this.#waiting.add(endpoint);
      return;
    }
    this.#waiting.delete(endpoint);
    endpoint.worker = worker;
    endpoint.state = "opening";
    worker.endpoints.add(endpoint);
    worker.process.send({
      type: "open",
      endpoint: endpoint.id,
      kind: "webrtc",
      iceUfrag: endpoint.iceUfrag,
      icePwd: endpoint.icePwd,
    });
    this.#openHandshake(endpoint, worker);
    if (endpoint.remote !== null) this.#sendRemote(endpoint);
    if (!endpoint.flowing) {
      worker.process.send({ type: "set-flowing", endpoint: endpoint.id, flowing: false });
    }
    if (endpoint.peer !== null) this.#link(endpoint);
    for (const other of [...this.#unlinked]) {
      if (other.peer === endpoint.token) this.#link(other);
    }
  }

  #choose(near: EndpointToken | undefined): MediaWorker | null {
    const neighbour = near === undefined ? null : this.#byToken.get(near)?.worker ?? null;
    if (neighbour?.process.state === "running") return neighbour;
    let best: MediaWorker | null = null;
    for (const worker of this.#workers) {
      if (worker.process.state !== "running") continue;
      if (best === null || worker.endpoints.size < best.endpoints.size) best = worker;
    }
    return best;
  }

  #placeWaiting(): void {
    for (const endpoint of [...this.#waiting]) this.#place(endpoint);
  }

  #openHandshake(endpoint: PoolEndpoint, worker: MediaWorker): void {
    this.#handshakes.send({ type: "open", endpoint: endpoint.id, profiles: worker.profiles });
  }

  #sendRemote(endpoint: PoolEndpoint): void {
    if (endpoint.remote === null || endpoint.worker === null) return;
    const { payloads, fingerprints } = endpoint.remote;
    this.#send(endpoint, { type: "set-remote", endpoint: endpoint.id, payloads });
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
    this.#unlinked.delete(endpoint);
    this.#bridges.remove(endpoint);
    this.#send(endpoint, { type: "close", endpoint: endpoint.id });
    this.#handshakes.send({ type: "close", endpoint: endpoint.id });
    endpoint.worker?.endpoints.delete(endpoint);
    endpoint.worker = null;
  }

  // Joining

  #link(endpoint: PoolEndpoint): void {
    const peer = endpoint.peer === null ? undefined : this.#byToken.get(endpoint.peer);
    if (peer === undefined) {
      this.#unlinked.delete(endpoint);
      this.#options.log("debug", `endpoint ${endpoint.label} was to be joined to one that is gone`);
      return;
    }
    if (endpoint.worker === null || peer.worker === null) {
      this.#unlinked.add(endpoint);
      return;
    }
    this.#unlinked.delete(endpoint);
    if (endpoint.worker !== peer.worker) this.#bridges.connect(endpoint, peer);
    else this.#send(endpoint, { type: "connect", endpoint: endpoint.id, peer: peer.id });
  }

  // Media workers

  #addWorker(id: WorkerId): void {
    const { clock, mediaFactory, addresses, portRange, silentAfterMs, allowCrash } = this.#options;
    const worker: MediaWorker = {
      id,
      process: new SupervisedWorker<MediaCommand, MediaEvent, MediaReady>({
        name: `media worker ${id}`,
        clock,
        factory: mediaFactory,
        startCommand: () => ({ type: "start", addresses, portRange, silentAfterMs, allowCrash }),
        startAnswer: (event) =>
          event.type === "ready"
            ? { ready: event }
            : event.type === "start-failed"
            ? { failed: event.text }
            : null,
        onReady: (ready) => this.#mediaReady(worker, ready),
        onEvent: (event) => this.#mediaEvent(worker, event),
        onDown: (text, isFinal) => this.#mediaDown(worker, text, isFinal),
      }),
      addresses: [],
      shell: "",
      profiles: [],
      endpoints: new Set(),
      packets: 0,
      packetsBefore: 0,
    };
    this.#workers.push(worker);
  }

  #mediaReady(worker: MediaWorker, ready: MediaReady): void {
    worker.addresses = ready.addresses;
    worker.shell = ready.shell;
    worker.profiles = ready.profiles;
    const at = ready.addresses.map(({ address, port }) => `${address}:${port}`).join(", ");
    this.#workerEvent("worker.started", worker, `media worker ${worker.id} listens on ${at}`);
    this.#placeWaiting();
    this.#started(null);
  }

  #mediaDown(worker: MediaWorker, text: string, isFinal: boolean): void {
    worker.packetsBefore += worker.packets;
    worker.packets = 0;
    const type = isFinal ? "worker.stopped" : "worker.died";
    this.#workerEvent(type, worker, `media worker ${worker.id} died: ${text}`);
    for (const endpoint of [...worker.endpoints]) {
      this.#bridges.remove(endpoint);
      if (endpoint.state === "opening") this.#placeAnew(endpoint);
      else {
        this.#forget(endpoint);
        this.#tell(endpoint, { type: "lost", text: `its media worker died: ${text}` });
      }
    }
    this.#started(text);
  }

  /** Nobody has heard of this endpoint's place yet: another worker serves it as well. */
  #placeAnew(endpoint: PoolEndpoint): void {
    this.#handshakes.send({ type: "close", endpoint: endpoint.id });
    endpoint.worker?.endpoints.delete(endpoint);
    endpoint.worker = null;
    endpoint.state = "waiting";
    this.#place(endpoint);
  }

  #workerEvent(type: PoolWorkerEvent["type"], worker: MediaWorker, text: string): void {
    this.#options.log(type === "worker.started" ? "info" : "error", text);
    this.#options.onWorkerEvent({ type, worker: worker.id, text });
  }

  #mediaEvent(worker: MediaWorker, event: MediaEvent): void {
    switch (event.type) {
      case "ready":
      case "start-failed":
        return;
      case "fault":
        this.#options.log("error", `a fault in media worker ${worker.id} was contained`, {
          fault: event.text,
        });
        return;
      case "statistics":
        worker.packets = event.packets;
        for (const { endpoint: id, statistics } of event.endpoints) {
          const endpoint = this.#byId.get(id);
          if (endpoint !== undefined) this.#tell(endpoint, { type: "statistics", statistics });
        }
        return;
    }
    const endpoint = this.#byId.get(event.endpoint);
    if (endpoint !== undefined) this.#endpointEvent(endpoint, worker, event);
    else this.#bridges.take(event);
  }

  #endpointEvent(
    endpoint: PoolEndpoint,
    worker: MediaWorker,
    event: Extract<MediaEvent, { endpoint: number }>,
  ): void {
    switch (event.type) {
      case "opened":
        this.#opened(endpoint, worker);
        break;
      case "open-failed":
        this.#forget(endpoint);
        this.#tell(endpoint, { type: "failed", reason: "no_port", text: event.text });
        break;
      case "ice":
        this.#tell(endpoint, {
          type: "ice",
          state: event.state,
          remoteAddress: event.remoteAddress,
        });
        break;
      case "dtls-receive":
        this.#handshakes.send(event);
        break;
      case "media":
        this.#tell(endpoint, { type: "media", kind: event.kind });
        break;
      case "silent":
        this.#tell(endpoint, { type: "silent", ms: event.ms });
        break;
    }
  }

  #opened(endpoint: PoolEndpoint, worker: MediaWorker): void {
    const { clock, publicAddress } = this.#options;
    if (endpoint.timer !== undefined) clock.clearTimeout(endpoint.timer);
    endpoint.timer = undefined;
    endpoint.state = "open";
    const candidates = [...worker.addresses];
    const port = candidates[0]?.port;
    const isNew = candidates.every(({ address }) => address !== publicAddress);
    if (publicAddress !== undefined && port !== undefined && isNew) {
      candidates.push({ address: publicAddress, port });
    }
    const local: LocalTransport = {
      iceUfrag: endpoint.iceUfrag,
      icePwd: endpoint.icePwd,
      fingerprint: this.#certificate?.fingerprint ?? "",
      candidates,
    };
    this.#tell(endpoint, { type: "opened", local, worker: worker.id });
  }

  // The handshake worker

  #handshakeProcess(): HandshakeProcess {
    const { clock, handshakeFactory, allowCrash } = this.#options;
    return new SupervisedWorker<HandshakeCommand, HandshakeEvent, HandshakeReady>({
      name: "handshake worker",
      clock,
      factory: handshakeFactory,
      startCommand: () => ({ type: "start", certificate: this.#certificate, allowCrash }),
      startAnswer: (event) =>
        event.type === "ready"
          ? { ready: event }
          : event.type === "start-failed"
          ? { failed: event.text }
          : null,
      onReady: (ready) => this.#handshakesReady(ready),
      onEvent: (event) => this.#handshakeEvent(event),
      onDown: (text) => this.#handshakesDown(text),
    });
  }

  #handshakesReady(ready: HandshakeReady): void {
    // Announced to browsers already: a restarted worker has to have the same one.
    this.#certificate ??= ready.certificate;
    for (const endpoint of this.#byId.values()) {
      if (endpoint.dtls !== "new" || endpoint.worker === null) continue;
      this.#openHandshake(endpoint, endpoint.worker);
      this.#sendRemote(endpoint);
    }
    this.#placeWaiting();
    this.#started(null);
  }

  #handshakesDown(text: string): void {
    this.#options.log("error", `the handshake worker died: ${text}`);
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

  #handshakeEvent(event: HandshakeEvent): void {
    switch (event.type) {
      case "dtls-send":
      case "keys": {
        const endpoint = this.#byId.get(event.endpoint);
        if (endpoint !== undefined) this.#send(endpoint, event);
        break;
      }
      case "dtls": {
        const endpoint = this.#byId.get(event.endpoint);
        if (endpoint === undefined) break;
        endpoint.dtls = event.state;
        const told = { type: "dtls", state: event.state } as const;
        this.#tell(endpoint, event.text === undefined ? told : { ...told, text: event.text });
        break;
      }
      case "fault":
        this.#options.log("warn", "a fault in the handshake worker was contained", {
          fault: event.text,
        });
        break;
    }
  }

  /** Tells the one who started us: all are up, or the first fault. */
  #started(fault: string | null): void {
    if (this.#onStarted === null) return;
    const all = [this.#handshakes, ...this.#workers.map((worker) => worker.process)];
    if (fault === null && all.some((process) => process.state !== "running")) return;
    const onStarted = this.#onStarted;
    this.#onStarted = null;
    onStarted(fault);
  }
}
