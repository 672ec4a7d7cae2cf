import type { MediaCommand, MediaEvent, MediaWorkerStart } from "../contract.ts";
import { StateMemory } from "../engine/state_memory.ts";
import { choose } from "./ffi/choose.ts";
import { Descriptors } from "./ffi/descriptors.ts";
import { FfiShell } from "./ffi/ffi_shell.ts";
import type { Libc } from "./ffi/libc.ts";
import type { Attachment, MediaWorkerMessage } from "./ffi/link.ts";
import { Ipv6Names } from "./ffi/ipv6_names.ts";
import { Ring } from "./ffi/ring.ts";
import { Wire } from "./ffi/wire.ts";
import { PortableShell } from "./portable_shell.ts";

/** Entry point of a media worker. */

const scope = globalThis as unknown as {
  onmessage: ((message: MessageEvent<MediaWorkerMessage>) => void) | null;
  postMessage(event: MediaEvent): void;
  close(): void;
};

let attachment: Attachment | null = null;
let without = "this worker was given no shared memory";
let shell: PortableShell | null = null;
let allowCrash = false;

function start(command: MediaWorkerStart): void {
  allowCrash = command.allowCrash;
  try {
    const choice = choose(attachment === null ? without : null, command.typescriptSrtp);
    if (choice.shell === "ffi" && attachment !== null) {
      const serve = prepare(command, choice, attachment);
      // Blocks this thread until the worker ends; everything comes through the ring from now on.
      serve();
      scope.close();
      return;
    }
    const { srtp, why } = choice;
    shell = new PortableShell(command, srtp, (event) => scope.postMessage(tellWhy(event, why)));
  } catch (error) {
    if (error instanceof ServingFault) throw error.cause;
    const text = error instanceof Error ? error.message : String(error);
    scope.postMessage({ type: "start-failed", text });
  }
}

/** Not a fault of starting: the worker dies of it. */
class ServingFault extends Error {}

/**
 * @throws Error where the shell cannot be set up; what it then gives throws `ServingFault` alone
 */
function prepare(
  command: MediaWorkerStart,
  choice: Extract<ReturnType<typeof choose>, { shell: "ffi" }>,
  attached: Attachment,
): () => void {
  const { libc, arena, srtp, why } = choice;
  const descriptors = new Descriptors(attached.descriptors);
  const parts = {
    libc,
    arena,
    srtp,
    descriptors,
    commands: new Ring(attached.commands),
    events: new Ring(attached.events),
    wire: new Wire(),
    eventDescriptor: attached.eventDescriptor,
    state: new StateMemory(attached.state),
    names: new Ipv6Names(attached.names),
  };
  try {
    descriptors.begin(libc.gettid());
    const fast = new FfiShell(command, parts, why);
    return () => serve(fast, descriptors, libc);
  } catch (error) {
    descriptors.closeAll(libc);
    descriptors.end();
    throw error;
  }
}

function serve(fast: FfiShell, descriptors: Descriptors, libc: Libc): void {
  try {
    fast.run();
  } catch (error) {
    throw new ServingFault("", { cause: error });
  } finally {
    descriptors.closeAll(libc);
    descriptors.end();
  }
}

function tellWhy(event: MediaEvent, why: string): MediaEvent {
  return event.type === "ready" ? { ...event, why } : event;
}

function take(command: MediaCommand): void {
  if (command.type === "start") start(command);
  else if (command.type === "shutdown") {
    shell?.close();
    scope.close();
  } else if (command.type === "crash") {
    if (allowCrash) throw new Error("crash command");
  } else shell?.command(command);
}

scope.onmessage = ({ data }) => {
  if (data.type === "attach") attachment = data;
  else if (data.type === "without-ffi") without = data.why;
  else take(data);
};
