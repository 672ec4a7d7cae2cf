/** Int32 indices in front of the data. Positions only grow, modulo 2^32. */
const WRITTEN = 0;
const READ = 1;
const HEADER_LENGTH = 16;
const LENGTH_FIELD = 4;

/**
 * Messages from one thread to another through shared memory: one writer, one reader. A message
 * counts only when it is whole, and its bytes are wiped when it has been read, since keys pass
 * here.
 */
export class Ring {
  readonly #header: Int32Array<SharedArrayBuffer>;
  readonly #data: Uint8Array<SharedArrayBuffer>;
  readonly #field = new DataView(new ArrayBuffer(LENGTH_FIELD));
  readonly #fieldBytes = new Uint8Array(this.#field.buffer);
  readonly #mask: number;

  /** @param buffer made by `Ring.memory` */
  constructor(buffer: SharedArrayBuffer) {
    this.#header = new Int32Array(buffer, 0, HEADER_LENGTH / 4);
    this.#data = new Uint8Array(buffer, HEADER_LENGTH);
    this.#mask = this.#data.length - 1;
  }

  /** @param capacity bytes, a power of two */
  static memory(capacity: number): SharedArrayBuffer {
    if ((capacity & (capacity - 1)) !== 0) throw new Error(`capacity ${capacity}: a power of two`);
    return new SharedArrayBuffer(HEADER_LENGTH + capacity);
  }

  /** The longest message. */
  get maxLength(): number {
    return this.#data.length - LENGTH_FIELD;
  }

  /** False where there is no room now. Who waits for messages is told. */
  write(message: Uint8Array): boolean {
    const written = this.#header[WRITTEN]!;
    const used = (written - Atomics.load(this.#header, READ)) >>> 0;
    const size = LENGTH_FIELD + message.length;
    if (size > this.#data.length - used) return false;
    this.#field.setUint32(0, message.length);
    this.#put(written, this.#fieldBytes);
    this.#put(written + LENGTH_FIELD, message);
    Atomics.store(this.#header, WRITTEN, (written + size) | 0);
    Atomics.notify(this.#header, WRITTEN);
    return true;
  }

  /** The next message, or null. */
  read(): Uint8Array | null {
    const read = this.#header[READ]!;
    if (Atomics.load(this.#header, WRITTEN) === read) return null;
    this.#take(read, this.#fieldBytes);
    const message = new Uint8Array(this.#field.getUint32(0));
    this.#take(read + LENGTH_FIELD, message);
    Atomics.store(this.#header, READ, (read + LENGTH_FIELD + message.length) | 0);
    return message;
  }

  /**
   * Resolves when there is something to read, or `wake` was called, or time is up. It keeps no
   * process alive: the worker at the other end does.
   */
  async wait(ms: number): Promise<void> {
    const read = this.#header[READ]!;
    const waiting = Atomics.waitAsync(this.#header, WRITTEN, read, ms);
    if (waiting.async) await waiting.value;
  }

  /** Ends a `wait`. */
  wake(): void {
    Atomics.notify(this.#header, WRITTEN);
  }

  #put(position: number, bytes: Uint8Array): void {
    const at = position & this.#mask;
    const first = Math.min(bytes.length, this.#data.length - at);
    this.#data.set(first === bytes.length ? bytes : bytes.subarray(0, first), at);
    if (first < bytes.length) this.#data.set(bytes.subarray(first), 0);
  }

  #take(position: number, bytes: Uint8Array): void {
    const at = position & this.#mask;
    const first = Math.min(bytes.length, this.#data.length - at);
    bytes.set(this.#data.subarray(at, at + first));
    this.#data.fill(0, at, at + first);
    if (first === bytes.length) return;
    bytes.set(this.#data.subarray(0, bytes.length - first), first);
    this.#data.fill(0, 0, bytes.length - first);
  }
}
