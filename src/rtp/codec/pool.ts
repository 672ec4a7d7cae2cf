import type { Clock } from "../../core/clock.ts";
import type { SocketAddress, WorkerFactory } from "../contract.ts";
import { SupervisedWorker, type WorkerState } from "../supervised_worker.ts";
import type { KeepWorker } from "../worker_life.ts";
import type { CodecAvailability } from "./codec.ts";
import type {
  CodecCommand,
  CodecEvent,
  CodecWorkerStatistics,
  DirectionStatistics,
  Side,
  TranscoderHop,
  TranscoderOptions,
  TranscoderPacket,
} from "./contract.ts";
import { StreamMemory } from "./stream_memory.ts";

/** A transcoder as its call sees it. */
export interface TranscoderHandle {
  /** Takes an RTP packet, unprotected, from this side. Dropped while the worker restarts. */
  send(from: Side, bytes: Uint8Array): void;
  /** What this side's RTCP reports say of the packets that it gets, percent. */
  setLoss(side: Side, percent: number): void;
  /** Frees everything; no event follows. Closing twice is harmless. */
  close(): void;
}

export type TranscoderEvent =
  /** For this side, in its codec. */
  | { readonly type: "packet"; readonly side: Side; readonly bytes: Uint8Array }
  | {
    readonly type: "statistics";
    /** Name of the codec worker that it is in. */
    readonly worker: string;
    readonly fromA: DirectionStatistics;
    readonly fromB: DirectionStatistics;
  }
  /** Of a hop: where its sides have to send; again when another worker has taken it over. */
  | { readonly type: "placed"; readonly local: SocketAddress }
  /** It cannot go on; the handle is closed. */
  | { readonly type: "failed"; readonly text: string };

export interface CodecWorkerView {
  readonly name: string;
  readonly state: WorkerState;
  readonly restarts: number;
  readonly transcoders: number;
  /** Share of the last second that the thread was busy, 0 to 1. */
  readonly load: number;
  /** It has more than it can do in time; no new transcoder is placed there. */
  readonly isFull: boolean;
}

export interface CodecPoolOptions {
  readonly clock: Clock;
  readonly workers: number;
  /** Keeps each worker alive. */
  readonly keepWorker: KeepWorker;
  readonly factory: WorkerFactory<CodecCommand, CodecEvent>;
  readonly allowCrash: boolean;
  /** Call the system's libraries; absent: yes. */
  readonly ffi?: boolean;
  readonly onWorkerEvent: (event: {
    readonly type: "started" | "died" | "stopped" | "fault";
    readonly worker: string;
    readonly text: string;
  }) => void;
}

interface Entry {
  readonly id: number;
  readonly options: TranscoderOptions;
  readonly listener: (event: TranscoderEvent) => void;
  /** Our streams to the two sides, so that a new worker goes on where the old one ended. */
  readonly memory: Readonly<Record<Side, StreamMemory>>;
  readonly hop: TranscoderHop | undefined;
  worker: Slot;
}

type CodecReady = Extract<CodecEvent, { type: "ready" }>;

interface Slot {
  readonly supervised: SupervisedWorker<CodecCommand, CodecEvent, CodecReady>;
  readonly name: string;
  readonly entries: Set<Entry>;
  /** Packets of the present event, which go as one message. */
  packets: TranscoderPacket[];
  load: number;
  /** Reports in a row, one a second, that said that it has too much to do. */
  busyReports: number;
  /** The load that was sure at the last report: the less of the last two. */
  sureLoad: number;
  /** Transcoders at the last report. */
  reported: number;
  local: SocketAddress | undefined;
}

/** A thread that is busy for such a share of its time has none left for another call. */
const FULL_LOAD = 0.9;
/**
 * Frames later than this, ms, are heard by a far side's jitter buffer; the worker's doing where it
 * is busy for such a share of its time in frames alone. Receiving and sending come on top.
 */
const FULL_LATE_MS = 20;
const LATE_LOAD = 0.5;
/** One report alone may be of a machine that was held up. */
const FULL_REPORTS = 2;
/** From so many transcoders on, what one costs is known by what all cost. */
const FEWEST_TO_JUDGE_BY = 10;

/**
 * Places transcoders on codec workers. Where all have more than they can do in time a new one is
 * refused, so that those that are there are heard. When a worker dies its transcoders are opened
 * again, in its replacement or another worker, and their streams go on: a hole of a second, not the
 * call's end.
 */
export class CodecPool {
  readonly #options: CodecPoolOptions;
  readonly #slots: Slot[];
  readonly #entries = new Map<number, Entry>();
  #nextId = 1;
  #availability: readonly CodecAvailability[] = [];
  #onStarted: ((fault: string | null) => void) | undefined;

  constructor(options: CodecPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers }, (_, i) => this.#slot(`codec-${i + 1}`));
  }

  /** @param onStarted once: when all workers are up, or with a text when one is given up */
  start(onStarted: (fault: string | null) => void): void {
    this.#onStarted = onStarted;
    for (const { supervised } of this.#slots) supervised.start();
  }

  /** Empty until a worker is up. */
  get availability(): readonly CodecAvailability[] {
    return this.#availability;
  }

  /** Transcoders that are open. */
  get size(): number {
    return this.#entries.size;
  }

  workers(): readonly CodecWorkerView[] {
    return this.#slots.map((slot) => ({
      name: slot.name,
      state: slot.supervised.state,
      restarts: slot.supervised.restarts,
      transcoders: slot.entries.size,
      load: slot.load,
      isFull: isFull(slot),
    }));
  }

  /**
   * The handle is usable at once; `failed` may follow, never within this call.
   * @param hop the sides' packets go by UDP on loopback instead of through `send` and `packet` events
   */
  open(
    options: TranscoderOptions,
    listener: (event: TranscoderEvent) => void,
    hop?: TranscoderHop,
  ): TranscoderHandle {
    const { clock } = this.#options;
    const entry: Entry = {
      id: this.#nextId++,
      options,
      listener,
      memory: { a: new StreamMemory(options.a, clock), b: new StreamMemory(options.b, clock) },
      hop,
      worker: this.#leastLoaded(),
    };
    this.#entries.set(entry.id, entry);
    if (entry.worker.supervised.state === "stopped") {
      clock.defer(() => this.#fail(entry, "no codec worker is running"));
    } else if (isFull(entry.worker)) {
      clock.defer(() => this.#fail(entry, "the codec workers have all the calls that they can do"));
    } else this.#place(entry);
    const { id } = entry;
    return {
      send: (side, bytes) => {
        if (this.#entries.get(id) !== entry) return;
        this.#enqueue(entry.worker, { id, side, bytes });
      },
      setLoss: (side, percent) => {
        if (this.#entries.get(id) !== entry) return;
        entry.worker.supervised.send({ type: "loss", id, side, percent });
      },
      close: () => {
        if (this.#entries.get(id) !== entry) return;
        const { worker } = entry;
        this.#forget(entry);
        worker.supervised.send({ type: "close", id });
      },
    };
  }

  /** Kills a worker by an uncaught exception, where `allowCrash` is set. */
  crashWorker(index: number): void {
    this.#slots[index]?.supervised.send({ type: "crash" });
  }

  shutdown(): void {
    for (const { supervised } of this.#slots) supervised.shutdown({ type: "shutdown" });
    this.#entries.clear();
  }

  terminate(): void {
    for (const { supervised } of this.#slots) supervised.terminate();
    this.#entries.clear();
  }

  #slot(name: string): Slot {
    const { keepWorker: keep, factory, allowCrash, ffi = true } = this.#options;
    const slot: Slot = {
      name,
      entries: new Set(),
      packets: [],
      load: 0,
      busyReports: 0,
      sureLoad: 0,
      reported: 0,
      local: undefined,
      supervised: new SupervisedWorker({
        name,
        keep,
        factory,
        startCommand: () => ({ type: "start", allowCrash, ffi }),
        startAnswer: (event) => {
          if (event.type === "ready") return { ready: event };
          return event.type === "start-failed" ? { failed: event.text } : null;
        },
        onReady: (ready) => this.#onReady(slot, ready),
        onEvent: (event) => this.#onEvent(slot, event),
        onDown: (text, isFinal) => this.#onDown(slot, text, isFinal),
      }),
    };
    return slot;
  }

  #leastLoaded(): Slot {
    const of = (isFit: (slot: Slot) => boolean) => this.#slots.filter(isFit);
    const running = of(({ supervised }) => supervised.state === "running");
    const free = running.filter((slot) => !isFull(slot));
    if (free.length > 0) return leastOf(free);
    // Whoever is placed in one that is only coming up hears nothing until it is.
    const alive = running.length > 0 ? running : of(({ supervised: s }) => s.state !== "stopped");
    return leastOf(alive.length > 0 ? alive : this.#slots);
  }

  /** Opens it in its worker, now or when that is up. */
  #place(entry: Entry): void {
    const { options, memory, worker, hop } = entry;
    worker.entries.add(entry);
    if (worker.supervised.state !== "running") return;
    const { a, b } = memory;
    // What a hop sends is not seen here, so its worker writes down where it is.
    const places = { a: a.place.shared, b: b.place.shared };
    worker.supervised.send({
      type: "open",
      id: entry.id,
      options: { ...options, a: a.resume(), b: b.resume() },
      ...(hop ? { hop: { ...hop, places } } : {}),
    });
    const { local } = worker;
    if (!hop || !local) return;
    this.#options.clock.defer(() => {
      if (this.#entries.get(entry.id) === entry && entry.worker === worker) {
        entry.listener({ type: "placed", local });
      }
    });
  }

  /** A message costs as much as a frame of G.711, so packets that come together go together. */
  #enqueue(slot: Slot, packet: TranscoderPacket): void {
    if (slot.packets.push(packet) > 1) return;
    this.#options.clock.defer(() => {
      const { packets } = slot;
      slot.packets = [];
      slot.supervised.send({ type: "packets", packets });
    });
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.id);
    entry.worker.entries.delete(entry);
  }

  #fail(entry: Entry, text: string): void {
    if (this.#entries.get(entry.id) !== entry) return;
    this.#forget(entry);
    entry.listener({ type: "failed", text });
  }

  #onReady(slot: Slot, { codecs, local }: CodecReady): void {
    this.#availability = codecs;
    slot.local = local;
    for (const entry of [...slot.entries]) this.#place(entry);
    this.#options.onWorkerEvent({ type: "started", worker: slot.name, text: "" });
    const isAllUp = this.#slots.every(({ supervised }) => supervised.state === "running");
    if (isAllUp) this.#started(null);
  }

  #started(fault: string | null): void {
    const onStarted = this.#onStarted;
    this.#onStarted = undefined;
    onStarted?.(fault);
  }

  #onDown(slot: Slot, text: string, isFinal: boolean): void {
    slot.load = slot.sureLoad = slot.busyReports = 0;
    const type = isFinal ? "stopped" : "died";
    this.#options.onWorkerEvent({ type, worker: slot.name, text });
    if (!isFinal) return;
    this.#started(text);
    const orphans = [...slot.entries];
    slot.entries.clear();
    for (const entry of orphans) {
      entry.worker = this.#leastLoaded();
      if (entry.worker.supervised.state === "stopped") this.#fail(entry, text);
      else this.#place(entry);
    }
  }

  #onEvent(slot: Slot, event: CodecEvent): void {
    switch (event.type) {
      case "packets":
        for (const { id, side, bytes } of event.packets) {
          const entry = this.#entries.get(id);
          entry?.memory[side].sends(bytes);
          entry?.listener({ type: "packet", side, bytes });
        }
        break;
      case "statistics":
        slot.sureLoad = Math.min(slot.load, event.load);
        slot.load = event.load;
        slot.reported = slot.entries.size;
        slot.busyReports = hasTooMuch(event) ? slot.busyReports + 1 : 0;
        for (const { id, fromA, fromB } of event.transcoders) {
          const worker = slot.name;
          this.#entries.get(id)?.listener({ type: "statistics", worker, fromA, fromB });
        }
        break;
      case "fault":
        this.#options.onWorkerEvent({ type: "fault", worker: slot.name, text: event.text });
        this.#failById(event.id, "an error of ours ended the transcoder; see the log");
        break;
      case "worker-fault":
        this.#options.onWorkerEvent({ type: "fault", worker: slot.name, text: event.text });
        break;
      case "failed":
        this.#failById(event.id, event.text);
        break;
    }
  }

  #failById(id: number, text: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#fail(entry, text);
  }
}

function hasTooMuch({ load, lateMs }: CodecWorkerStatistics): boolean {
  return load >= FULL_LOAD || load >= LATE_LOAD && lateMs >= FULL_LATE_MS;
}

/** Without any transcoder nothing is reported, and nothing to do. */
function isFull({ entries, busyReports, sureLoad, reported }: Slot): boolean {
  if (entries.size === 0) return false;
  if (busyReports >= FULL_REPORTS) return true;
  // Many that come at once are not in the load yet.
  const more = entries.size - reported;
  if (more <= 0 || reported < FEWEST_TO_JUDGE_BY) return false;
  return sureLoad * (1 + more / reported) >= FULL_LOAD;
}

function leastOf(slots: readonly Slot[]): Slot {
  return slots.reduce((best, slot) => slot.entries.size < best.entries.size ? slot : best);
}
