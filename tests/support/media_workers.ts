import { keepWorkers } from "../../src/actors/media_worker.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import type { Clock } from "../../src/core/clock.ts";
import type {
  HandshakeCommand,
  HandshakeEvent,
  MediaCommand,
  MediaEvent,
  WorkerFactory,
  WorkerListener,
} from "../../src/rtp/contract.ts";
import { MediaPool } from "../../src/rtp/pool.ts";
import type { PoolOptions } from "../../src/rtp/pool_options.ts";

/**
 * A worker in this thread that the test plays: it keeps what it was told and says what it is given.
 */
export class PlayedWorker<Command, Event> {
  readonly commands: Command[] = [];
  isTerminated = false;

  constructor(
    readonly name: string,
    readonly listener: WorkerListener<Event>,
    readonly clock: Clock,
    answer: (command: Command) => Event | null,
  ) {
    this.send = (command) => {
      this.commands.push(command);
      const event = answer(command);
      // Like a message from another thread, it comes later.
      if (event !== null) clock.defer(() => this.listener.onEvent(event));
    };
  }

  readonly send: (command: Command) => void;

  terminate(): void {
    this.isTerminated = true;
  }

  say(event: Event): void {
    this.listener.onEvent(event);
  }

  die(text: string): void {
    this.listener.onDeath(text);
  }
}

/** Played workers by name, newest last; `mute` ones answer nothing. */
export class Cast {
  readonly media: PlayedWorker<MediaCommand, MediaEvent>[] = [];
  readonly handshakes: PlayedWorker<HandshakeCommand, HandshakeEvent>[] = [];
  mute = false;
  /** Whether new media workers can go on where others have ended. */
  adopts = false;

  constructor(readonly clock: Clock) {}

  readonly mediaFactory: WorkerFactory<MediaCommand, MediaEvent> = (name, listener) => {
    const worker = new PlayedWorker<MediaCommand, MediaEvent>(
      name,
      listener,
      this.clock,
      (command) => this.mute ? null : mediaAnswer(name, command, this.adopts),
    );
    this.media.push(worker);
    return worker;
  };

  readonly handshakeFactory: WorkerFactory<HandshakeCommand, HandshakeEvent> = (name, listener) => {
    const worker = new PlayedWorker<HandshakeCommand, HandshakeEvent>(
      name,
      listener,
      this.clock,
      (command) => {
        if (command.type !== "start") return null;
        const made = { certificatePem: "c", keyPem: "k", fingerprint: `${this.handshakes.length}` };
        return { type: "ready", certificate: command.certificate ?? made, library: "played" };
      },
    );
    this.handshakes.push(worker);
    return worker;
  };

  /** A pool of so many workers that play. */
  pool(workers: number, hear: Pick<PoolOptions, "log" | "onWorkerEvent">): MediaPool {
    return new MediaPool({
      clock: this.clock,
      entropy: new SeededEntropy(7),
      workers,
      keepWorker: keepWorkers(this.clock),
      mediaFactory: this.mediaFactory,
      handshakeFactory: this.handshakeFactory,
      addresses: ["127.0.0.1"],
      portRange: [1, 2],
      silentAfterMs: 1000,
      allowCrash: false,
      ...hear,
    });
  }

  /** The present worker of this number. */
  worker(id: number): PlayedWorker<MediaCommand, MediaEvent> {
    return this.media.findLast(({ name }) => name === `media worker ${id}`)!;
  }
}

function mediaAnswer(name: string, command: MediaCommand, adopts: boolean): MediaEvent | null {
  const id = Number(name.split(" ").at(-1));
  if (command.type === "start") {
    const addresses = command.addresses.map((address) => ({ address, port: 40_000 + id }));
    return { type: "ready", addresses, shell: "played", profiles: [1], adopts };
  }
  if (command.type === "adopt") return { type: "adopted" };
  if (command.type !== "open") return null;
  const { endpoint } = command;
  if (command.kind === "rtp") {
    const { address, media } = command;
    const sections = media.map((_, i) => ({ address, port: 20_000 + 10 * endpoint + 2 * i }));
    return { type: "opened", endpoint, sections };
  }
  return command.kind === "webrtc"
    ? { type: "opened", endpoint }
    : { type: "opened", endpoint, local: { address: "127.0.0.1", port: 30_000 + endpoint } };
}
