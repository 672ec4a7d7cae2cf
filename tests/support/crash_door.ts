import { BLOCK, Role } from "../../src/rtp/engine/state_memory.ts";
import type { Attachment, MediaWorkerMessage } from "../../src/rtp/io/ffi/link.ts";
import { openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { Ring } from "../../src/rtp/io/ffi/ring.ts";
import { Wire } from "../../src/rtp/io/ffi/wire.ts";

/**
 * Loaded in front of the server by tests alone: a door through which its media workers crash, which
 * the product has not. SIGUSR2: all of them do; SIGWINCH: in the middle of a change to what they
 * know of the endpoint that was opened last.
 */

const attached = new Map<string, Attachment>();

class WatchedWorker extends Worker {
  readonly #name: string;

  constructor(module: URL, options: WorkerOptions) {
    super(module, options);
    this.#name = options.name ?? "";
  }

  override postMessage(message: MediaWorkerMessage): void {
    if (message.type === "attach") attached.set(this.#name, message);
    super.postMessage(message.type === "start" ? { ...message, allowCrash: true } : message);
  }
}

globalThis.Worker = WatchedWorker as unknown as typeof Worker;

/** The endpoint with the highest number that has a record there; 0: none. */
function lastOpened(state: SharedArrayBuffer): number {
  const words = new Int32Array(state);
  let last = 0;
  for (let at = BLOCK; at < words[0]!; at += BLOCK) {
    if (words[at + 1] === Role.endpoint) last = Math.max(last, words[at]!);
  }
  return last;
}

function crash(isTorn: boolean): void {
  for (const { commands, state, eventDescriptor } of attached.values()) {
    const tear = lastOpened(state);
    if (isTorn && tear === 0) continue;
    // This is the thread that writes to the ring in any case.
    new Ring(commands).write(new Wire().encode({ type: "crash", ...(isTorn ? { tear } : {}) }));
    const one = BigUint64Array.of(1n);
    const at = Deno.UnsafePointer.value(Deno.UnsafePointer.of(one));
    openLibc().write(eventDescriptor, BigInt(at), 8n);
  }
}

Deno.addSignalListener("SIGUSR2", () => crash(false));
Deno.addSignalListener("SIGWINCH", () => crash(true));
