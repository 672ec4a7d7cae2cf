import type { MediaEvent, MediaWorkerStart } from "../../src/rtp/contract.ts";
import { Arena } from "../../src/rtp/io/ffi/arena.ts";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import { FfiShell, type FfiShellParts, SHELL_ARENA } from "../../src/rtp/io/ffi/ffi_shell.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, type Libc, openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { Ring } from "../../src/rtp/io/ffi/ring.ts";
import { Wire } from "../../src/rtp/io/ffi/wire.ts";
import { typescriptSrtp } from "../../src/rtp/srtp/aes_cm.ts";
import type { SrtpEngine } from "../../src/rtp/srtp/cipher.ts";

/** Bytes at a native address that a system call was given. */
export function memoryAt(address: bigint, length: number): DataView<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(address)!;
  return new DataView(new Deno.UnsafePointerView(pointer).getArrayBuffer(length));
}

/** The C library, with some of its functions played by the test. */
export function libcWith(played: Partial<Libc>): Libc {
  return { ...openLibc(), ...played };
}

/** A number as though the C library had left it as the error of its last call. */
export function playedErrno() {
  const value = new Int32Array(1);
  const pointer = Deno.UnsafePointer.of(value);
  return {
    set(error: number): void {
      value[0] = error;
    },
    __errno_location: () => pointer,
  };
}

const START: MediaWorkerStart = {
  type: "start",
  addresses: ["127.0.0.1"],
  portRange: [22_000, 22_999],
  firstPair: 22_500,
  silentAfterMs: 30_000,
  allowCrash: false,
};

export type ShellClass<T extends FfiShell> = new (
  start: MediaWorkerStart,
  parts: FfiShellParts,
  why: string,
) => T;

/**
 * The fast shell in the test's own thread, over real sockets: `run` blocks until it is told to
 * stop, so what is to come must be under way, or be played.
 */
export class ShellStage<T extends FfiShell> {
  readonly descriptors = new Descriptors(Descriptors.memory());
  readonly shell: T;
  readonly #events = new Ring(Ring.memory(1 << 20));
  readonly #eventDescriptor: number;

  constructor(
    make: ShellClass<T>,
    libc: Libc,
    srtp: (arena: Arena) => SrtpEngine = () => typescriptSrtp,
  ) {
    this.#eventDescriptor = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const arena = new Arena(SHELL_ARENA + 64 * 1024);
    const parts: FfiShellParts = {
      libc,
      arena,
      srtp: srtp(arena),
      descriptors: this.descriptors,
      commands: new Ring(Ring.memory(1 << 16)),
      events: this.#events,
      wire: new Wire(),
      eventDescriptor: this.#eventDescriptor,
    };
    this.descriptors.begin();
    this.shell = new make(START, parts, "a test");
  }

  /** What it has told since it was asked last. */
  told(): MediaEvent[] {
    const wire = new Wire();
    const events: MediaEvent[] = [];
    for (let bytes = this.#events.read(); bytes !== null; bytes = this.#events.read()) {
      events.push(wire.decode(bytes) as MediaEvent);
    }
    return events;
  }

  [Symbol.dispose](): void {
    const libc = openLibc();
    this.descriptors.closeAll(libc);
    libc.close(this.#eventDescriptor);
  }
}
