import {
  type PackedStatistics,
  type StatisticsRows,
  unpack,
} from "../../engine/statistics_rows.ts";

/**
 * Commands and events as bytes for the ring: JSON, with byte arrays behind it. Statistics, by far
 * the largest, go as they stand in memory and leave no garbage in the worker that writes them.
 *
 * Form: kind, length of the JSON text, the text, then the byte arrays or the rows.
 */
const PLAIN = 0;
const STATISTICS = 1;
const HEAD = 8;
const REFERENCE = "$bytes";

/** Reads and writes messages; the bytes that `encode` gives are good until its next call. */
export class Wire {
  #buffer = new Uint8Array(1 << 16);
  #view = new DataView(this.#buffer.buffer);
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  encode(message: unknown): Uint8Array {
    const blobs: Uint8Array[] = [];
    const text = JSON.stringify(message, (_, value: unknown) => {
      if (!(value instanceof Uint8Array)) return value;
      blobs.push(value);
      return { [REFERENCE]: value.length };
    });
    const size = blobs.reduce((sum, { length }) => sum + length, 0);
    let at = this.#head(PLAIN, text, size);
    for (const blob of blobs) {
      this.#buffer.set(blob, at);
      at += blob.length;
    }
    return this.#buffer.subarray(0, at);
  }

  encodeStatistics(statistics: StatisticsRows): Uint8Array {
    const { bytes, rows, codecs, packets, strays } = statistics;
    const head: PackedStatistics = { rows, codecs, packets, strays };
    const at = this.#head(STATISTICS, JSON.stringify(head), bytes.length);
    this.#buffer.set(bytes, at);
    return this.#buffer.subarray(0, at + bytes.length);
  }

  decode(bytes: Uint8Array): unknown {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = view.getUint32(4);
    let at = HEAD + length;
    const text = this.#decoder.decode(bytes.subarray(HEAD, at));
    if (view.getUint32(0) === STATISTICS) {
      return unpack(JSON.parse(text) as PackedStatistics, bytes.subarray(at));
    }
    return JSON.parse(text, (_, value: unknown) => {
      if (typeof value !== "object" || value === null || !(REFERENCE in value)) return value;
      const blob = bytes.slice(at, at + Number(value[REFERENCE]));
      at += blob.length;
      return blob;
    });
  }

  /** Overwrites what was encoded last, where it held keys. */
  wipe(): void {
    this.#buffer.fill(0);
  }

  #head(kind: number, text: string, more: number): number {
    const needed = HEAD + text.length * 3 + 8 + more;
    if (this.#buffer.length < needed) {
      this.#buffer = new Uint8Array(needed * 2);
      this.#view = new DataView(this.#buffer.buffer);
    }
    const { written } = this.#encoder.encodeInto(text, this.#buffer.subarray(HEAD));
    this.#view.setUint32(0, kind);
    this.#view.setUint32(4, written);
    return HEAD + written;
  }
}
