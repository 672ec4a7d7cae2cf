/**
 * A program under test, run for real: its lines can be awaited, and nothing of it outlives the
 * test.
 */
export class Child {
  readonly #process: Deno.ChildProcess;
  #output = "";
  #changed = Promise.withResolvers<void>();
  readonly #readers: Promise<void>[];
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | undefined;

  constructor(
    command: string,
    args: readonly string[],
    options: {
      readonly cwd?: string;
      readonly env?: Readonly<Record<string, string>>;
      /** Its standard input is ours to write to. */
      readonly isTold?: boolean;
    } = {},
  ) {
    this.#process = new Deno.Command(command, {
      args: [...args],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { PORTZERO_MEDIA_ADDRESSES: "127.0.0.1", NO_COLOR: "1", ...options.env },
      stdin: options.isTold ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = options.isTold ? this.#process.stdin.getWriter() : undefined;
    this.#readers = [this.#process.stdout, this.#process.stderr].map((stream) =>
      this.#read(stream)
    );
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Everything on standard output and standard error so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits for text that fits; throws with all output when it does not come. */
  async expect(pattern: RegExp, ms = 20_000): Promise<RegExpExecArray> {
    const end = performance.now() + ms;
    for (;;) {
      const found = pattern.exec(this.#output);
      if (found) return found;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`no ${pattern} within ${ms} ms in:\n${this.#output}`);
      await before(this.#changed.promise, left);
    }
  }

  /** Writes to its standard input; nothing where it has ended. */
  async tell(text: string): Promise<void> {
    await this.#input?.write(new TextEncoder().encode(text)).catch(() => {});
  }

  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** The exit status, once all output is read too; throws when it takes too long. */
  async ended(ms = 10_000): Promise<Deno.CommandStatus> {
    const status = await before(this.#process.status, ms);
    if (!status) throw new Error(`process ${this.pid} still runs after ${ms} ms:\n${this.#output}`);
    await before(Promise.all(this.#readers), 1000);
    return status;
  }

  /** Ends what still runs of it, and waits for its pipes. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch { /* It has ended by itself. */ }
    await this.#process.status;
    await this.#input?.close().catch(() => {});
    // Grandchildren that hold the pipes have been ended by whoever knows their ids.
    await Promise.all(this.#readers);
  }
}

/** The promise's value, or undefined after `ms`. */
export async function before<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a process with this id runs. */
export function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

/** Waits until no process has this id; throws after `ms`. */
export async function gone(pid: number, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (isRunning(pid)) {
    if (performance.now() > end) throw new Error(`process ${pid} still runs after ${ms} ms`);
    // The end of a process that is not one's own child is no event that could be awaited.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
