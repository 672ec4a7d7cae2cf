import type { WorkerStatistics } from "../contract.ts";
import type { Endpoint } from "./endpoint.ts";

/** Numbers of a row, in this order; NaN where there is none, codecs by their place among names. */
enum Column {
  endpoint,
  receivePackets,
  receiveBytes,
  receiveLost,
  jitterMs,
  sendPackets,
  sendBytes,
  dropped,
  roundTripMs,
  audioCodec,
  videoCodec,
  count,
}

const FIRST_ROWS = 64;

/** What goes into a message in place of objects. */
export interface PackedStatistics {
  readonly rows: number;
  readonly codecs: readonly string[];
  readonly packets: number;
  readonly strays: number;
}

/**
 * Statistics of many endpoints as numbers in memory that is used again each time: objects for them
 * would be most of a worker's garbage.
 */
export class StatisticsRows implements PackedStatistics {
  #numbers = new Float64Array(FIRST_ROWS * Column.count);
  readonly codecs: string[] = [];
  rows = 0;
  packets = 0;
  strays = 0;

  begin(packets: number, strays: number): void {
    this.rows = this.codecs.length = 0;
    this.packets = packets;
    this.strays = strays;
  }

  add(endpoint: Endpoint): void {
    const at = this.rows * Column.count;
    if (at + Column.count > this.#numbers.length) this.#grow();
    const numbers = this.#numbers;
    const { receive } = endpoint;
    const near = endpoint.roundTrip.ms;
    const far = endpoint.peer === null ? null : endpoint.peer.roundTrip.ms;
    numbers[at + Column.endpoint] = endpoint.id;
    numbers[at + Column.receivePackets] = endpoint.receivePackets;
    numbers[at + Column.receiveBytes] = endpoint.receiveBytes;
    numbers[at + Column.receiveLost] = receive.lost;
    numbers[at + Column.jitterMs] = receive.audioJitterMs;
    numbers[at + Column.sendPackets] = endpoint.sendPackets;
    numbers[at + Column.sendBytes] = endpoint.sendBytes;
    numbers[at + Column.dropped] = endpoint.dropped;
    numbers[at + Column.roundTripMs] = near !== null && far !== null ? near + far : NaN;
    numbers[at + Column.audioCodec] = receive.audio === null
      ? NaN
      : this.#name(receive.audio.codec);
    numbers[at + Column.videoCodec] = receive.video === null
      ? NaN
      : this.#name(receive.video.codec);
    this.rows++;
  }

  /** The rows as bytes, good until the next `begin`. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#numbers.buffer, 0, this.rows * Column.count * 8);
  }

  /** As an event; what is in it is its own. */
  event(): WorkerStatistics {
    return unpack(this, this.bytes);
  }

  #name(codec: string): number {
    const known = this.codecs.indexOf(codec);
    return known >= 0 ? known : this.codecs.push(codec) - 1;
  }

  #grow(): void {
    const grown = new Float64Array(this.#numbers.length * 2);
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}

/** @param bytes of the rows, as they were packed on this machine */
export function unpack(packed: PackedStatistics, bytes: Uint8Array): WorkerStatistics {
  const { rows, codecs, packets, strays } = packed;
  const numbers = new Float64Array(bytes.slice().buffer);
  const endpoints: WorkerStatistics["endpoints"][number][] = [];
  for (let row = 0; row < rows; row++) {
    const at = row * Column.count;
    const roundTrip = numbers[at + Column.roundTripMs]!;
    endpoints.push({
      endpoint: numbers[at + Column.endpoint]!,
      statistics: {
        receivePackets: numbers[at + Column.receivePackets]!,
        receiveBytes: numbers[at + Column.receiveBytes]!,
        receiveLost: numbers[at + Column.receiveLost]!,
        jitterMs: numbers[at + Column.jitterMs]!,
        sendPackets: numbers[at + Column.sendPackets]!,
        sendBytes: numbers[at + Column.sendBytes]!,
        dropped: numbers[at + Column.dropped]!,
        roundTripMs: Number.isNaN(roundTrip) ? null : roundTrip,
        audioCodec: codecs[numbers[at + Column.audioCodec]!] ?? null,
        videoCodec: codecs[numbers[at + Column.videoCodec]!] ?? null,
      },
    });
  }
  return { type: "statistics", endpoints, packets, strays };
}
