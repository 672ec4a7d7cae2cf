import type { Instant } from "../../core/clock.ts";
import type { Deadline, SansIo } from "../../core/sans_io.ts";
import { type TimerEntry, TimerQueue } from "../../core/timer_queue.ts";
import { type Codec, type CodecName, CodecRefusal } from "./codec.ts";
import type {
  CodecCommand,
  CodecEvent,
  Side,
  TranscoderOptions,
  TranscoderPacket,
  TranscoderSide,
} from "./contract.ts";
import { Transcoder } from "./transcoder.ts";

/** What a codec worker does, without the worker. */

export type EngineCommand = Exclude<CodecCommand, { type: "start" | "crash" | "shutdown" }>;
export type EngineEvent = Exclude<
  CodecEvent,
  { type: "ready" | "start-failed" | "worker-fault" }
>;

const STATISTICS_INTERVAL_MS = 1000;
const SHORTEST_PACKET_MS = 10;
const LONGEST_PACKET_MS = 60;
const MOST_DELAY_MS = 2000;

interface Direction {
  readonly id: number;
  /** Where its packets go. */
  readonly to: Side;
  readonly transcoder: Transcoder;
  timer: TimerEntry<Direction> | undefined;
}

interface Pair {
  readonly fromA: Direction;
  readonly fromB: Direction;
}

export interface CodecEngineOptions {
  readonly codecs: ReadonlyMap<CodecName, Codec>;
  /** ms that the thread was busy since it was last asked; for `load`. */
  readonly takeBusyMs: () => number;
}

/** All transcoders of one worker. A fault in one is contained: it is closed, the others go on. */
export class CodecEngine implements SansIo<EngineCommand, EngineEvent> {
  readonly #options: CodecEngineOptions;
  readonly #pairs = new Map<number, Pair>();
  readonly #timers = new TimerQueue<Direction>();
  readonly #events: EngineEvent[] = [];
  #packets: TranscoderPacket[] = [];
  #statisticsAt: Instant | undefined;
  #statisticsFrom: Instant = 0;
  /** Since the last report: by how much transcoders were woken late, in all, and how many. */
  #lateMs = 0;
  #wakes = 0;

  constructor(options: CodecEngineOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pairs.size;
  }

  handle(command: EngineCommand, now: Instant): void {
    switch (command.type) {
      case "open":
        this.#open(command.id, command.options, now);
        break;
      case "packets":
        for (const packet of command.packets) this.#take(packet, now);
        break;
      case "loss": {
        // Packets to a side are made by the direction that comes from the other.
        const direction = this.#direction(command.id, command.side === "a" ? "b" : "a");
        this.#contain(direction, () => direction?.transcoder.setLoss(command.percent));
        break;
      }
      case "close":
        this.#close(command.id);
        break;
    }
  }

  wake(now: Instant): void {
    for (let due = this.#timers.takeDue(now); due; due = this.#timers.takeDue(now)) {
      const direction = due;
      if (direction.timer !== undefined) {
        this.#lateMs += now - direction.timer.at;
        this.#wakes++;
      }
      direction.timer = undefined;
      this.#contain(direction, () => direction.transcoder.wake(now));
      this.#drain(direction);
    }
    if (this.#statisticsAt !== undefined && now >= this.#statisticsAt) this.#report(now);
  }

  /** Packets come out in batches, so that a wake is one message. */
  poll(): EngineEvent | undefined {
    if (this.#packets.length > 0) {
      const packets = this.#packets;
      this.#packets = [];
      return { type: "packets", packets };
    }
    return this.#events.shift();
  }

  deadline(): Deadline | undefined {
    const timer = this.#timers.first;
    const statistics = this.#statisticsAt;
    if (timer !== undefined && (statistics === undefined || timer.at <= statistics)) {
      return { at: timer.at, reason: "transcoder tick" };
    }
    return statistics === undefined ? undefined : { at: statistics, reason: "statistics" };
  }

  #open(id: number, options: TranscoderOptions, now: Instant): void {
    const fault = this.#pairs.has(id) ? `transcoder ${id} is open already` : faultOf(options);
    if (fault !== null) return this.#fail(id, fault);
    const { a, b } = options;
    let fromA: Direction | undefined;
    try {
      fromA = this.#make(id, a, b, "b", options);
      this.#pairs.set(id, { fromA, fromB: this.#make(id, b, a, "a", options) });
    } catch (error) {
      fromA?.transcoder.close();
      return this.#fail(id, error instanceof Error ? error.message : String(error));
    }
    if (this.#statisticsAt === undefined) {
      this.#options.takeBusyMs();
      this.#statisticsFrom = now;
      this.#statisticsAt = now + STATISTICS_INTERVAL_MS;
    }
  }

  #make(
    id: number,
    from: TranscoderSide,
    to: TranscoderSide,
    side: Side,
    { minDelayMs, maxDelayMs }: TranscoderOptions,
  ): Direction {
    const transcoder = new Transcoder({
      from,
      to,
      fromCodec: this.#codec(from.codec),
      toCodec: this.#codec(to.codec),
      minDelayMs,
      maxDelayMs,
    });
    return { id, to: side, transcoder, timer: undefined };
  }

  #codec(name: CodecName): Codec {
    const codec = this.#options.codecs.get(name);
    if (codec === undefined) throw new Error(`codec ${name} is not available`);
    return codec;
  }

  #fail(id: number, text: string): void {
    this.#events.push({ type: "failed", id, text });
  }

  #direction(id: number, from: Side): Direction | undefined {
    const pair = this.#pairs.get(id);
    return from === "a" ? pair?.fromA : pair?.fromB;
  }

  #take(packet: TranscoderPacket, now: Instant): void {
    const direction = this.#direction(packet.id, packet.side);
    // A packet may meet the close of its transcoder on the way.
    if (direction === undefined) return;
    this.#contain(direction, () => direction.transcoder.handle(packet.bytes, now));
    this.#drain(direction);
  }

  /** Puts out what the direction has made, and sets its timer. */
  #drain(direction: Direction): void {
    const { id, to, transcoder } = direction;
    for (let bytes = transcoder.poll(); bytes !== undefined; bytes = transcoder.poll()) {
      this.#packets.push({ id, side: to, bytes });
    }
    const at = transcoder.deadline()?.at;
    if (direction.timer?.at === at) return;
    if (direction.timer !== undefined) this.#timers.remove(direction.timer);
    direction.timer = at === undefined ? undefined : this.#timers.add(at, direction);
  }

  /** Nothing that one call's packets do may end the others. */
  #contain(direction: Direction | undefined, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (direction === undefined) throw error;
      if (error instanceof CodecRefusal) this.#fail(direction.id, error.message);
      else {
        const text = error instanceof Error ? error.stack ?? error.message : String(error);
        this.#events.push({ type: "fault", id: direction.id, text });
      }
      this.#close(direction.id);
    }
  }

  #close(id: number): void {
    const pair = this.#pairs.get(id);
    if (pair === undefined) return;
    this.#pairs.delete(id);
    for (const direction of [pair.fromA, pair.fromB]) {
      if (direction.timer !== undefined) this.#timers.remove(direction.timer);
      direction.timer = undefined;
      direction.transcoder.close();
    }
    if (this.#pairs.size === 0) this.#statisticsAt = undefined;
  }

  #report(now: Instant): void {
    const elapsed = Math.max(1, now - this.#statisticsFrom);
    this.#statisticsFrom = now;
    this.#statisticsAt = now + STATISTICS_INTERVAL_MS;
    this.#events.push({
      type: "statistics",
      transcoders: [...this.#pairs].map(([id, { fromA, fromB }]) => ({
        id,
        fromA: fromA.transcoder.statistics(),
        fromB: fromB.transcoder.statistics(),
      })),
      load: Math.min(1, this.#options.takeBusyMs() / elapsed),
      lateMs: this.#lateMs / Math.max(1, this.#wakes),
    });
    this.#lateMs = this.#wakes = 0;
  }
}

/** Why the options make no sense, in words; null where they do. */
function faultOf(options: TranscoderOptions): string | null {
  const { minDelayMs, maxDelayMs } = options;
  if (!(minDelayMs >= 0 && minDelayMs <= maxDelayMs && maxDelayMs <= MOST_DELAY_MS)) {
    return `delays from ${minDelayMs} to ${maxDelayMs} ms, expected 0 to ${MOST_DELAY_MS}, ascending`;
  }
  for (const { packetMs, codec } of [options.a, options.b]) {
    if (!(packetMs >= SHORTEST_PACKET_MS && packetMs <= LONGEST_PACKET_MS)) {
      return `${codec} packets of ${packetMs} ms, expected 10 to 60`;
    }
  }
  return null;
}
