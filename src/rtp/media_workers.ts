import type { WorkerId } from "../core/ids.ts";
import type { MediaCommand, MediaEvent } from "./contract.ts";
import type { WorkerView } from "./media_port.ts";
import type { MediaReady, MediaWorker } from "./pool_endpoint.ts";
import type { PoolOptions, PoolWorkerEvent } from "./pool_options.ts";
import { SupervisedWorker } from "./supervised_worker.ts";

export interface MediaWorkersListener {
  /** @param isSuccessor it takes the place of one whose endpoints are still in its set */
  onReady(worker: MediaWorker, isSuccessor: boolean): void;
  /** The worker is gone; its endpoints are still in its set. */
  onDown(worker: MediaWorker, text: string, isFinal: boolean): void;
  /** An event of an endpoint, real or plain. */
  onEndpoint(worker: MediaWorker, event: Extract<MediaEvent, { endpoint: number }>): void;
  onStatistics(event: Extract<MediaEvent, { type: "statistics" }>): void;
}

/** The media workers: kept alive, chosen from, and shown. */
export class MediaWorkers {
  readonly #options: PoolOptions;
  readonly #listener: MediaWorkersListener;
  readonly #workers: MediaWorker[] = [];

  constructor(options: PoolOptions, listener: MediaWorkersListener) {
    this.#options = options;
    this.#listener = listener;
    for (let i = 0; i < Math.max(1, options.workers); i++) this.#add(i as WorkerId);
  }

  start(): void {
    for (const worker of this.#workers) worker.process.start();
  }

  get allRunning(): boolean {
    return this.#workers.every((worker) => worker.process.state === "running");
  }

  at(index: number): MediaWorker | undefined {
    return this.#workers[index];
  }

  /** The neighbour where it is running, else the running worker with the fewest endpoints. */
  choose(neighbour: MediaWorker | null): MediaWorker | null {
    if (neighbour?.process.state === "running") return neighbour;
    let best: MediaWorker | null = null;
    for (const worker of this.#workers) {
      if (worker.process.state !== "running") continue;
      if (best === null || worker.endpoints.size < best.endpoints.size) best = worker;
    }
    return best;
  }

  views(bridgesOf: (worker: MediaWorker) => number): WorkerView[] {
    return this.#workers.map((worker) => ({
      id: worker.id,
      state: worker.process.state,
      restarts: worker.process.restarts,
      endpoints: worker.endpoints.size,
      bridges: bridgesOf(worker),
      packets: worker.packetsBefore + worker.packets,
      adopts: worker.adopts,
      adoptions: worker.adoptions,
      lastGapMs: worker.lastGapMs,
      addresses: worker.addresses.map(({ address, port }) => `${address}:${port}`),
      shell: worker.shell,
    }));
  }

  shutdown(): void {
    for (const worker of this.#workers) worker.process.shutdown({ type: "shutdown" });
  }

  terminate(): void {
    for (const worker of this.#workers) worker.process.terminate();
  }

  #add(id: WorkerId): void {
    const { keepWorker: keep, mediaFactory, addresses, portRange, silentAfterMs, allowCrash } =
      this.#options;
    const { typescriptSrtp = false, dscp = true } = this.#options;
    const worker: MediaWorker = {
      id,
      process: new SupervisedWorker<MediaCommand, MediaEvent, MediaReady>({
        name: `media worker ${id}`,
        keep,
        factory: mediaFactory,
        startCommand: () => ({
          type: "start",
          addresses,
          portRange,
          firstPair: this.#firstPair(id),
          silentAfterMs,
          typescriptSrtp,
          dscp,
          allowCrash,
        }),
        startAnswer: (event) =>
          event.type === "ready"
            ? { ready: event }
            : event.type === "start-failed"
            ? { failed: event.text }
            : null,
        onReady: (ready) => this.#ready(worker, ready),
        onEvent: (event) => this.#event(worker, event),
        onDown: (...how) => this.#down(worker, ...how),
      }),
      addresses: [],
      shell: "",
      adopts: false,
      downAt: null,
      adoptions: 0,
      lastGapMs: null,
      profiles: [],
      endpoints: new Set(),
      packets: 0,
      packetsBefore: 0,
    };
    this.#workers.push(worker);
  }

  /** Each worker begins in a part of its own, so that they seldom try each other's ports. */
  #firstPair(id: number): number {
    const { portRange: [first, last], workers } = this.#options;
    return first + Math.floor((last + 1 - first) * id / Math.max(1, workers));
  }

  #ready(worker: MediaWorker, ready: MediaReady): void {
    worker.addresses = ready.addresses;
    worker.shell = ready.shell;
    worker.profiles = ready.profiles;
    worker.adopts = ready.adopts ?? false;
    const at = ready.addresses.map(({ address, port }) => `${address}:${port}`).join(", ");
    const why = ready.why === undefined ? "" : ` (${ready.why})`;
    const text = `media worker ${worker.id} listens on ${at}, shell ${ready.shell}${why}`;
    this.#tell("worker.started", worker, text);
    this.#listener.onReady(worker, worker.downAt !== null);
    if (!worker.adopts) worker.downAt = null;
  }

  #down(worker: MediaWorker, text: string, isFinal: boolean, isReplaced: boolean): void {
    worker.packetsBefore += worker.packets;
    worker.packets = 0;
    if (worker.shell !== "") worker.downAt ??= this.#options.clock.now();
    const type = isReplaced ? "worker.replaced" : isFinal ? "worker.stopped" : "worker.died";
    const what = isReplaced ? "gives way to another" : "died";
    this.#tell(type, worker, `media worker ${worker.id} ${what}: ${text}`);
    this.#listener.onDown(worker, text, isFinal);
  }

  #adopted(worker: MediaWorker): void {
    if (worker.downAt === null) return;
    const gap = this.#options.clock.now() - worker.downAt;
    worker.downAt = null;
    worker.adoptions++;
    worker.lastGapMs = Math.round(gap);
    const text = `media worker ${worker.id} goes on with the ${worker.endpoints.size} endpoints ` +
      `of the one before it, ${worker.lastGapMs} ms later`;
    this.#tell("worker.adopted", worker, text);
  }

  #tell(type: PoolWorkerEvent["type"], worker: MediaWorker, text: string): void {
    const isBad = type === "worker.died" || type === "worker.stopped";
    this.#options.log(isBad ? "error" : "info", text);
    this.#options.onWorkerEvent({ type, worker: worker.id, text });
  }

  #event(worker: MediaWorker, event: MediaEvent): void {
    switch (event.type) {
      case "ready":
      case "start-failed":
      case "released":
        return;
      case "adopted":
        return this.#adopted(worker);
      case "fault":
        this.#options.log("error", `a fault in media worker ${worker.id} was contained`, {
          fault: event.text,
        });
        return;
      case "statistics":
        worker.packets = event.packets;
        this.#listener.onStatistics(event);
        return;
      default:
        this.#listener.onEndpoint(worker, event);
    }
  }
}
