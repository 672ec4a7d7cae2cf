const BOOT_LIMIT = 30_000;

/** A process that runs beside the bench; what it says is kept. */
export class Background {
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  #text = "";
  #isEnded = false;
  #look: () => void = () => {};

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
      for await (const part of stream.pipeThrough(new TextDecoderStream())) {
        this.#text += part;
        this.#look();
      }
    };
    this.#read = Promise.all([read(child.stdout), read(child.stderr)]).then(() => {
      this.#isEnded = true;
      this.#look();
    });
  }

  /** What it has printed. */
  get output(): string {
    return this.#text;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Resolves when it has printed what fits.
   * @throws Error with what it said, where it ends before that or takes too long
   */
  async until(expected: RegExp): Promise<RegExpMatchArray> {
    const limit = setTimeout(() => this.#child.kill("SIGKILL"), BOOT_LIMIT);
    try {
      return await new Promise((resolve, reject) => {
        this.#look = () => {
          const found = this.#text.match(expected);
          if (found !== null) resolve(found);
          else if (this.#isEnded) reject(new Error(`a process did not come up: ${this.#text}`));
        };
        this.#look();
      });
    } finally {
      clearTimeout(limit);
      this.#look = () => {};
    }
  }

  /** It has no core and no timers until `resume`. */
  pause(): void {
    if (!this.#isEnded) this.#child.kill("SIGSTOP");
  }

  resume(): void {
    if (!this.#isEnded) this.#child.kill("SIGCONT");
  }

  async end(): Promise<void> {
    this.resume();
    if (!this.#isEnded) this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#read;
  }
}
