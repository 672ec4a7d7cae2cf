import type { MediaCommand, MediaEvent, WorkerFactory, WorkerListener } from "../../contract.ts";
import { Arena, sizeOf } from "./arena.ts";
import { Descriptors } from "./descriptors.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, type Libc, openLibc } from "./libc.ts";
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

/** What a media worker gets first: the way to talk to it once its thread is blocked. */
export interface Attachment {
  readonly type: "attach";
  readonly commands: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly descriptors: SharedArrayBuffer;
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
 * @param plain makes the worker itself
 */
export function linkedFactory(plain: PlainFactory): WorkerFactory<MediaCommand, MediaEvent> {
  return (name, listener) => {
    let libc: Libc;
    try {
      libc = openLibc();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return portableFactory(plain, `no fast shell: ${why}`)(name, listener);
    }
    const link = new Link(libc, listener);
    const port = plain(name, link.listener);
    link.attach(port.send);
    return {
      send: (command) => link.send(command),
      terminate: () => {
        link.end();
        port.terminate();
        link.free();
      },
    };
  };
}

class Link {
  readonly #libc: Libc;
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
  #post: (message: MediaWorkerMessage) => void = () => {};
  /** The worker has told by way of the ring that it listens to the ring. */
  #isBlocked = false;
  #alive = true;

  constructor(libc: Libc, to: WorkerListener<MediaEvent>) {
    this.#libc = libc;
    this.#to = to;
    this.#attachment = {
      type: "attach",
      commands: Ring.memory(COMMAND_RING),
      events: Ring.memory(EVENT_RING),
      descriptors: Descriptors.memory(),
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
        if (this.#alive) this.#to.onEvent(event);
      },
      onDeath: (text) => {
        if (!this.#alive) return;
        this.#deliver();
        this.end();
        this.free();
        this.#to.onDeath(text);
      },
    };
  }

  attach(post: (message: MediaWorkerMessage) => void): void {
    this.#post = post;
    post(this.#attachment);
    this.#listen();
  }

  send(command: MediaCommand): void {
    if (!this.#alive) return;
    if (!this.#isBlocked) {
      this.#post(command);
      return;
    }
    const bytes = this.#wire.encode(command);
    if (bytes.length > this.#commands.maxLength) {
      throw new Error(`a ${command.type} command of ${bytes.length} bytes does not fit the ring`);
    }
    if (this.#backlog.length > 0 || !this.#commands.write(bytes)) {
      this.#backlog.push(bytes.slice());
      this.#retry ??= setTimeout(() => this.#again(), RETRY);
    }
    if (command.type === "keys") this.#wire.wipe();
    this.#ring();
  }

  /** Makes the loop leave its system call and end. */
  end(): void {
    this.#alive = false;
    clearTimeout(this.#retry);
    this.#descriptors.stop();
    this.#ring();
    this.#events.wake();
    this.#descriptors.waitForEnd(END_GRACE);
  }

  /** Closes what the thread has left open; it has ended or is about to. */
  free(): void {
    this.#descriptors.closeAll(this.#libc);
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#libc.close(this.#attachment.eventDescriptor);
  }
  #isFreed = false;

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
      if (event.type === "ready") this.#isBlocked = true;
      this.#to.onEvent(event);
    }
  }
}
