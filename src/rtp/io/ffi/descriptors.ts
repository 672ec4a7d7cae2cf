import type { Libc } from "./libc.ts";

/** Highest descriptor number that is kept track of; a worker opens none above it. */
export const MAX_DESCRIPTOR = 65_535;
/** Int32 indices in front of the bits. */
const STATE = 0;
const STOP = 1;
const HEARTBEAT = 2;
const THREAD = 3;
const HEADER = 4;

const STOPPING = 1;
const FENCED = 2;
const RUNNING = 1;
const ENDED = 2;

/**
 * Which descriptors a worker has opened by FFI, in memory that outlives it: the runtime knows
 * nothing of them, and a worker that is terminated runs no `finally`. Whoever comes last closes
 * them. Beside them what the two threads must know of each other's life.
 */
export class Descriptors {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (HEADER + (MAX_DESCRIPTOR + 1) / 32));
  }

  add(descriptor: number): void {
    Atomics.or(this.#words, HEADER + (descriptor >> 5), 1 << (descriptor & 31));
  }

  /** Closes one, if nobody has done it. */
  close(libc: Libc, descriptor: number): void {
    const bit = 1 << (descriptor & 31);
    const before = Atomics.and(this.#words, HEADER + (descriptor >> 5), ~bit);
    if ((before & bit) !== 0) libc.close(descriptor);
  }

  closeAll(libc: Libc): void {
    for (let word = HEADER; word < this.#words.length; word++) {
      if (this.#words[word] === 0) continue;
      for (let bit = 0; bit < 32; bit++) this.close(libc, (word - HEADER) * 32 + bit);
    }
  }

  get isStopping(): boolean {
    return this.#words[STOP] !== 0;
  }

  /** Another worker is at work in its place: nothing may be touched or sent any more. */
  get isFenced(): boolean {
    return this.#words[STOP] === FENCED;
  }

  /** By the worker, before its loop. @param thread its number for the system */
  begin(thread = 0): void {
    this.#words[THREAD] = thread;
    Atomics.store(this.#words, STATE, RUNNING);
  }

  /** By the worker, each time round. */
  beat(): void {
    this.#words[HEARTBEAT]!++;
  }

  /** Changes while the worker's loop goes round. */
  get heartbeat(): number {
    return Atomics.load(this.#words, HEARTBEAT);
  }

  /** The worker's thread for the system; 0: not known. */
  get thread(): number {
    return Atomics.load(this.#words, THREAD);
  }

  /** The loop is running, or was when its thread ended. */
  get isRunning(): boolean {
    return Atomics.load(this.#words, STATE) === RUNNING;
  }

  /** By the worker, after its loop. */
  end(): void {
    Atomics.store(this.#words, STATE, ENDED);
    Atomics.notify(this.#words, STATE);
  }

  /** Asks the loop to end when it has done what it is at; it looks when it wakes. */
  stop(): void {
    Atomics.compareExchange(this.#words, STOP, 0, STOPPING);
  }

  /** To end at once, wherever it is. */
  fence(): void {
    Atomics.store(this.#words, STOP, FENCED);
  }

  /** Blocks until the loop has ended, if it ever began. */
  waitForEnd(ms: number): void {
    Atomics.wait(this.#words, STATE, RUNNING, ms);
  }
}
