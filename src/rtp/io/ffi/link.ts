import type {
  MediaCommand,
  MediaEvent,
  MediaWorkerStart,
  WorkerFactory,
  WorkerListener,
} from "../../contract.ts";
import { Arena, sizeOf } from "./arena.ts";
import { Descriptors } from "./descriptors.ts";
import { Estate } from "./estate.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, type Libc, openLibc, PRIO_PROCESS } from "./libc.ts";
import { Ring } from "./ring.ts";
import { Wire } from "./wire.ts";

const COMMAND_RING = 1 << 20;
const EVENT_RING = 1 << 21;
/** How long a full ring is left alone, ms. */
const RETRY = 5;
/** Events are looked for at least this often, ms. */
const LOOK = 1000;
/** A loop that was told to end gets this long before its thread is ended, ms. */
const END_GRACE = 250;
/** A loop that has not gone round at so many looks one after the other hangs; ms between them. */
const HUNG_LOOKS = 4;
const HUNG_INTERVAL = 500;
/** Least priority, for a thread that cannot be ended. */
const NICE = 19;

/** What a media worker gets first: the way to talk to it once its thread is blocked. */
export interface Attachment {
  readonly type: "attach";
  readonly commands: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly descriptors: SharedArrayBuffer;
  /** What a worker in its place has left: `StateMemory`, and `Ipv6Names`. */
  readonly state: SharedArrayBuffer;
  readonly names: SharedArrayBuffer;
  /** Readable when there are commands; a descriptor number is good in every thread. */
  readonly eventDescriptor: number;
}

/** Or: that it is to be done without. */
export interface WithoutFfi {
  readonly type: "without-ffi";
  readonly why: string;
}

export type MediaWorkerMessage = MediaCommand | Attachment | WithoutFfi;

type PlainFactory = WorkerFactory<MediaWorkerMessage, MediaEvent>;

/** Workers that do without FFI and get everything by messages. */
export function portableFactory<Command, Event>(
  plain: WorkerFactory<Command | WithoutFfi, Event>,
  why: string,
): WorkerFactory<Command, Event> {
  return (name, listener) => {
    const port = plain(name, listener);
    port.send({ type: "without-ffi", why });
    return port;
  };
}

/**
 * Gives media workers that may block in system calls: commands go through shared memory and an
 * eventfd. A worker that finds no fast shell here goes on with messages, and this port with it.
 * Workers of one name have one estate, one after the other.
 * @param plain makes the worker itself
 */
export function linkedFactory(plain: PlainFactory): WorkerFactory<MediaCommand, MediaEvent> {
  const estates = new Map<string, Estate>();
  return (name, listener) => {
    let libc: Libc;
    try {
      libc = openLibc();
    } catch (error) {
      return portableFactory(plain, `no fast shell: ${textOf(error)}`)(name, listener);
    }
    const estate = estates.get(name) ?? new Estate(libc);
    estates.set(name, estate);
    const link = new Link(libc, estate, listener);
    const port = plain(name, link.listener);
    link.attach(port.send);
    return {
      send: (command) => link.send(command),
      terminate: (isReplaced = false) => {
        link.end(isReplaced);
        port.terminate();
        link.free();
        if (isReplaced || estates.get(name) !== estate) return;
        estates.delete(name);
        estate.close();
      },
    };
  };
}

class Link {
  readonly #libc: Libc;
  readonly #estate: Estate;
  readonly #to: WorkerListener<MediaEvent>;
  readonly #attachment: Attachment;
  readonly #commands: Ring;
  readonly #events: Ring;
  readonly #descriptors: Descriptors;
  readonly #wire = new Wire();
  readonly #arena = new Arena(64);
  readonly #one: bigint;
  readonly #backlog: Uint8Array[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #post: (message: MediaWorkerMessage) => void = () => {};
  /** The worker has told by way of the ring that it listens to the ring. */
  #isBlocked = false;
  #alive = true;
  #isHung = false;
  /** What it works on is its own from now on. */
  #isLeft = false;
  /** Endpoints that this worker was told to open. */
  readonly #opened = new Set<number>();

  constructor(libc: Libc, estate: Estate, to: WorkerListener<MediaEvent>) {
    this.#libc = libc;
    this.#estate = estate;
    this.#to = to;
    this.#attachment = {
      type: "attach",
      commands: Ring.memory(COMMAND_RING),
      events: Ring.memory(EVENT_RING),
      descriptors: Descriptors.memory(),
      state: estate.state,
      names: estate.names,
      eventDescriptor: libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
    };
    this.#commands = new Ring(this.#attachment.commands);
    this.#events = new Ring(this.#attachment.events);
    this.#descriptors = new Descriptors(this.#attachment.descriptors);
    const at = this.#arena.allocate(8);
    this.#arena.view.setBigUint64(at, 1n, true);
    this.#one = this.#arena.address(at);
  }

  /** For what comes by messages: everything of a portable shell, and deaths. */
  get listener(): WorkerListener<MediaEvent> {
    return {
      onEvent: (event) => {
        if (!this.#alive) return;
        // It has sockets of its own.
        if (event.type === "ready") this.#estate.close();
        this.#to.onEvent(event);
      },
      onDeath: (text) => this.#die(text),
    };
  }

  #die(text: string): void {
    if (!this.#alive) return;
    this.#deliver();
    this.end();
    this.free();
    this.#to.onDeath(text);
  }

  attach(post: (message: MediaWorkerMessage) => void): void {
    this.#post = post;
    post(this.#attachment);
    this.#listen();
  }

  send(command: MediaCommand): void {
    if (!this.#alive) return;
    if (command.type === "start") this.#start(command);
    else if (!this.#isBlocked) this.#post(command);
    else if (command.type === "open") this.#open(command);
    else {
      if (command.type === "adopt") this.#estate.retain(this.#opened);
      this.#write(command);
    }
  }

  #start(command: MediaWorkerStart): void {
    try {
      this.#post({ ...command, sockets: this.#estate.shared(command) });
    } catch (error) {
      this.#answer({ type: "start-failed", text: textOf(error) });
    }
  }

  #open(command: Extract<MediaCommand, { type: "open" }>): void {
    const { endpoint } = command;
    try {
      const sockets = this.#estate.openFor(command);
      this.#opened.add(endpoint);
      this.#write(command.kind === "webrtc" ? command : { ...command, sockets });
    } catch (error) {
      this.#answer({ type: "open-failed", endpoint, text: textOf(error) });
    }
  }

  /** Like an event of the worker, it comes later. */
  #answer(event: MediaEvent): void {
    queueMicrotask(() => {
      if (this.#alive) this.#to.onEvent(event);
    });
  }

  #write(command: MediaCommand): void {
    const bytes = this.#wire.encode(command);
    if (bytes.length > this.#commands.maxLength) {
      throw new Error(`a ${command.type} command of ${bytes.length} bytes does not fit the ring`);
    }
    if (this.#backlog.length > 0 || !this.#commands.write(bytes)) {
      this.#backlog.push(bytes.slice());
      this.#retry ??= setTimeout(() => this.#again(), RETRY);
    }
    if (command.type === "keys" || command.type === "set-remote-rtp") this.#wire.wipe();
    this.#ring();
  }

  /** Makes the loop leave its system call and end. @param isReplaced another one follows */
  end(isReplaced = true): void {
    this.#alive = false;
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    if (this.#isHung) this.#descriptors.fence();
    this.#descriptors.stop();
    this.#ring();
    this.#events.wake();
    if (!this.#isHung) this.#descriptors.waitForEnd(END_GRACE);
    this.#descriptors.fence();
    if (isReplaced && this.#descriptors.isRunning) this.#isHung = true;
    if (!this.#isHung || this.#isLeft) return;
    this.#isLeft = true;
    this.#estate.renew();
  }

  /** Closes what the thread has left open; it has ended or is about to. */
  free(): void {
    if (this.#isFreed) return;
    if (this.#isHung && this.#isThreadThere) {
      // It may come to again, and must not find others' descriptors under its numbers.
      Deno.unrefTimer(setTimeout(() => this.free(), LOOK) as unknown as number);
      return;
    }
    this.#descriptors.closeAll(this.#libc);
    this.#isFreed = true;
    this.#libc.close(this.#attachment.eventDescriptor);
  }
  #isFreed = false;

  /** A thread that the runtime ends does not say so itself. */
  get #isThreadThere(): boolean {
    const { isRunning, thread } = this.#descriptors;
    return isRunning && (thread === 0 || this.#libc.sched_getscheduler(thread) >= 0);
  }

  /**
   * Looks whether the loop goes round. The looks are counted, not the time: this thread may have
   * been held up itself.
   */
  #watchOver(): void {
    let [before, looks] = [this.#descriptors.heartbeat, 0];
    this.#watch = setInterval(() => {
      const { heartbeat, isRunning } = this.#descriptors;
      looks = heartbeat === before && isRunning ? looks + 1 : 0;
      before = heartbeat;
      if (looks < HUNG_LOOKS) return;
      this.#isHung = true;
      // The runtime cannot end a thread that is busy; at least it is to be in nobody's way.
      const { thread } = this.#descriptors;
      if (thread > 0) this.#libc.setpriority(PRIO_PROCESS, thread, NICE);
      this.#die(`it gave no sign of life for ${HUNG_LOOKS * HUNG_INTERVAL / 1000} s`);
    }, HUNG_INTERVAL);
    Deno.unrefTimer(this.#watch as unknown as number);
  }

  #ring(): void {
    if (this.#isFreed) return;
    this.#libc.write(this.#attachment.eventDescriptor, this.#one, sizeOf(8));
  }

  #again(): void {
    this.#retry = undefined;
    while (this.#backlog.length > 0 && this.#commands.write(this.#backlog[0]!)) {
      this.#backlog.shift()!.fill(0);
    }
    if (this.#backlog.length > 0) this.#retry = setTimeout(() => this.#again(), RETRY);
    this.#ring();
  }

  async #listen(): Promise<void> {
    while (this.#alive) {
      await this.#events.wait(LOOK);
      if (this.#alive) this.#deliver();
    }
  }

  #deliver(): void {
    for (let bytes = this.#events.read(); bytes !== null; bytes = this.#events.read()) {
      const event = this.#wire.decode(bytes) as MediaEvent;
      this.#note(event);
      this.#to.onEvent(event);
    }
  }

  #note(event: MediaEvent): void {
    if (event.type === "ready") {
      this.#isBlocked = true;
      this.#watchOver();
    } else if (event.type === "released") this.#estate.release(event.descriptor);
    else if (event.type === "torn" || event.type === "open-failed") {
      this.#estate.releaseAll(event.endpoint);
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
