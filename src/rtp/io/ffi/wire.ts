import type { MediaEvent, WorkerStatistics } from "../../contract.ts";

/**
 * Commands and events as bytes for the ring: JSON, with byte arrays behind it. Statistics, by far
 * the largest, are numbers in columns and leave hardly any garbage in the worker that writes them.
 *
 * Form: kind, length of the JSON text, the text, then the byte arrays or the columns.
 */
const PLAIN = 0;
const STATISTICS = 1;
const HEAD = 8;
const REFERENCE = "$bytes";

type Row = WorkerStatistics["endpoints"][number];
type Cell = number | string | boolean | null;
type Column = readonly [name: string, kind: "number" | "string" | "boolean"];

interface StatisticsHead {
  readonly rest: Omit<WorkerStatistics, "endpoints">;
  readonly columns: readonly Column[];
  readonly strings: readonly string[];
  readonly rows: number;
}

/** Reads and writes messages; the bytes that `encode` gives are good until its next call. */
export class Wire {
  #buffer = new Uint8Array(1 << 16);
  #view = new DataView(this.#buffer.buffer);
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  encode(message: unknown): Uint8Array {
    const event = message as MediaEvent;
    const columns = event.type === "statistics" ? columnsOf(event) : null;
    if (columns !== null) return this.#encodeStatistics(event as WorkerStatistics, columns);
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

  decode(bytes: Uint8Array): unknown {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = view.getUint32(4);
    let at = HEAD + length;
    const text = this.#decoder.decode(bytes.subarray(HEAD, at));
    if (view.getUint32(0) === STATISTICS) {
      return readStatistics(JSON.parse(text) as StatisticsHead, view, Math.ceil(at / 8) * 8);
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

  #encodeStatistics(event: WorkerStatistics, columns: readonly Column[]): Uint8Array {
    const { endpoints, ...rest } = event;
    const strings: string[] = [];
    // By index: iterators and what they give would be most of this worker's garbage.
    for (let row = 0; row < endpoints.length; row++) {
      for (let column = 0; column < columns.length; column++) {
        if (columns[column]![1] !== "string") continue;
        const value = cell(endpoints[row]!.statistics, columns[column]![0]);
        if (typeof value === "string" && !strings.includes(value)) strings.push(value);
      }
    }
    const head: StatisticsHead = { rest, columns, strings, rows: endpoints.length };
    const size = endpoints.length * (columns.length + 1) * 8;
    let at = Math.ceil(this.#head(STATISTICS, JSON.stringify(head), size) / 8) * 8;
    for (let row = 0; row < endpoints.length; row++) {
      const { endpoint, statistics } = endpoints[row]!;
      this.#view.setFloat64(at, endpoint);
      at += 8;
      for (let column = 0; column < columns.length; column++) {
        const value = cell(statistics, columns[column]![0]);
        if (value === null) this.#view.setFloat64(at, NaN);
        else if (typeof value === "string") this.#view.setFloat64(at, strings.indexOf(value));
        else this.#view.setFloat64(at, Number(value));
        at += 8;
      }
    }
    return this.#buffer.subarray(0, at);
  }
}

function cell(statistics: Row["statistics"], name: string): Cell {
  return (statistics as unknown as Record<string, Cell>)[name] ?? null;
}

/** Null where a value is not of one simple type throughout: then it travels as JSON. */
function columnsOf({ endpoints }: WorkerStatistics): Column[] | null {
  const first = endpoints[0]?.statistics;
  if (first === undefined) return null;
  const columns: Column[] = [];
  for (const name of Object.keys(first)) {
    let kind: Column[1] = "number";
    for (const { statistics } of endpoints) {
      const value = cell(statistics, name);
      if (value === null) continue;
      const type = typeof value;
      if (type !== "number" && type !== "string" && type !== "boolean") return null;
      kind = type;
      break;
    }
    columns.push([name, kind]);
  }
  return columns;
}

function readStatistics(head: StatisticsHead, view: DataView, start: number): WorkerStatistics {
  let at = start;
  const next = () => {
    const value = view.getFloat64(at);
    at += 8;
    return value;
  };
  const endpoints: Row[] = [];
  for (let i = 0; i < head.rows; i++) {
    const endpoint = next();
    const statistics: Record<string, Cell> = {};
    for (const [name, kind] of head.columns) {
      const value = next();
      statistics[name] = Number.isNaN(value)
        ? null
        : kind === "string"
        ? head.strings[value]!
        : kind === "boolean"
        ? value === 1
        : value;
    }
    endpoints.push({ endpoint, statistics: statistics as unknown as Row["statistics"] });
  }
  return { ...head.rest, endpoints };
}
