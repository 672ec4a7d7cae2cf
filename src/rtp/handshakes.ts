import type { Certificate, HandshakeCommand, HandshakeEvent, SrtpProfile } from "./contract.ts";
import type { HandshakeProcess, HandshakeReady } from "./pool_endpoint.ts";
import type { PoolOptions } from "./pool_options.ts";
import { SupervisedWorker } from "./supervised_worker.ts";

export interface HandshakesListener {
  /** The worker is up, and knows of no endpoint. */
  onReady(): void;
  /** All handshakes under way are lost. */
  onDown(text: string): void;
  onEndpoint(event: Extract<HandshakeEvent, { endpoint: number }>): void;
}

/** The handshake worker, kept alive with one certificate. */
export class Handshakes {
  readonly #process: HandshakeProcess;
  #certificate: Certificate | null = null;

  constructor(options: PoolOptions, listener: HandshakesListener) {
    const { keepWorker: keep, handshakeFactory, allowCrash, log } = options;
    this.#process = new SupervisedWorker<HandshakeCommand, HandshakeEvent, HandshakeReady>({
      name: "handshake worker",
      keep,
      factory: handshakeFactory,
      startCommand: () => ({ type: "start", certificate: this.#certificate, allowCrash }),
      startAnswer: (event) =>
        event.type === "ready"
          ? { ready: event }
          : event.type === "start-failed"
          ? { failed: event.text }
          : null,
      onReady: (ready) => {
        // Announced to browsers already: a restarted worker has to have the same one.
        this.#certificate ??= ready.certificate;
        log("info", `DTLS handshakes by ${ready.library}`);
        listener.onReady();
      },
      onEvent: (event) => {
        if (event.type === "fault") {
          log("warn", "a fault in the handshake worker was contained", { fault: event.text });
        } else if (event.type !== "ready" && event.type !== "start-failed") {
          listener.onEndpoint(event);
        }
      },
      onDown: (text) => {
        log("error", `the handshake worker died: ${text}`);
        listener.onDown(text);
      },
    });
  }

  get isRunning(): boolean {
    return this.#process.state === "running";
  }

  /** `AA:BB:...`; empty before the worker was up for the first time. */
  get fingerprint(): string {
    return this.#certificate?.fingerprint ?? "";
  }

  start(): void {
    this.#process.start();
  }

  open(endpoint: number, profiles: readonly SrtpProfile[]): void {
    this.#process.send({ type: "open", endpoint, profiles });
  }

  send(command: HandshakeCommand): void {
    this.#process.send(command);
  }

  shutdown(): void {
    this.#process.shutdown({ type: "shutdown" });
  }

  terminate(): void {
    this.#process.terminate();
  }
}
