/** Faults of ours told in a second; a hostile packet must not become a flood of messages. */
const MAX_FAULTS_PER_SECOND = 5;

/**
 * A fault of ours costs the packet or command, not the calls of its worker: it is told, not thrown.
 */
export class FaultLimit {
  readonly #tell: (text: string) => void;
  #until = 0;
  #count = 0;

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** @param now ms */
  take(error: unknown, now: number): void {
    if (now > this.#until) {
      this.#until = now + 1000;
      this.#count = 0;
    }
    if (++this.#count > MAX_FAULTS_PER_SECOND) return;
    this.#tell(error instanceof Error ? error.stack ?? error.message : String(error));
  }
}
