import type { ListenerPort } from "../actors/listener.ts";
import { ListenerGroup } from "../actors/listeners.ts";
import type { Clock } from "../core/clock.ts";
import { listenFault } from "../core/listen_fault.ts";
import type { Log } from "../core/log.ts";
import { err, ok, type Result } from "../core/result.ts";
import { problem, problemResponse } from "./problem.ts";
import type { WebApp } from "./types.ts";

/** One listener that is wanted. Port 0 takes any free one. */
export interface ListenerSpec {
  /** What it is for, in logs and faults: `http`, `https`, `rest`, `rest tls`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** PEM; absent: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface Listener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

export interface Listeners {
  readonly listeners: readonly Listener[];
  /**
   * Takes no more requests, says goodbye to streams and sockets, and waits for what is being
   * answered, `deadlineMs` at most.
   */
  shutdown(deadlineMs: number): Promise<void>;
}

interface Running {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  readonly pending: PendingAnswers;
}

/** After its deadline a shutdown waits this long for the last bytes to leave, ms. */
const GRACE_MS = 250;

/**
 * Requests that are being answered, so that a shutdown can end them: aborting a `Deno.serve` that
 * is shutting down throws inside Deno, where nobody can catch it.
 */
class PendingAnswers {
  readonly #resolvers = new Set<(response: Response) => void>();

  answer(work: () => Response | Promise<Response>): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.#resolvers.add(resolve);
    Promise.try(work).then(resolve, reject).finally(() => this.#resolvers.delete(resolve));
    return promise;
  }

  /** Answers all that is left with 503. */
  endAll(): void {
    for (const resolve of this.#resolvers) {
      resolve(
        problemResponse(
          problem("stopping", "The server was told to end before it could answer"),
          "/",
        ),
      );
    }
  }
}

/** Opens all of them or none; the faults are sentences. They are aliases of one handler. */
export async function startListeners(
  specs: readonly ListenerSpec[],
  app: WebApp,
  log: Log,
  clock: Clock,
): Promise<Result<Listeners, readonly string[]>> {
  const servers = specs.map((spec) => new WebListener(spec, app, log));
  const group = new ListenerGroup({ clock, log });
  const named = servers.map((port) => ({ name: port.name, port }));
  const faults = await new Promise<readonly string[]>((resolve) => group.open(named, resolve));
  if (faults.length > 0) return err(faults);
  return ok({
    listeners: servers.map((server) => server.listener),
    async shutdown(deadlineMs) {
      const closed = new Promise<void>((resolve) => group.close(deadlineMs, resolve));
      app.close();
      await closed;
    },
  });
}

/** One `Deno.serve` as a listener that can be opened again. */
class WebListener implements ListenerPort {
  readonly #spec: ListenerSpec;
  readonly #app: WebApp;
  readonly #log: Log;
  #running: Running | undefined;
  /** The port that was got, so that a second opening takes the same. */
  #port: number;

  constructor(spec: ListenerSpec, app: WebApp, log: Log) {
    this.#spec = spec;
    this.#app = app;
    this.#log = log;
    this.#port = spec.port;
  }

  get name(): string {
    return this.#spec.name;
  }

  get listener(): Listener {
    const { name, host, tls } = this.#spec;
    return { name, host, port: this.#port, isSecure: tls !== undefined };
  }

  open(tell: Parameters<ListenerPort["open"]>[0]): void {
    try {
      const running = serve({ ...this.#spec, port: this.#port }, this.#app, this.#log);
      this.#running = running;
      this.#port = running.server.addr.port;
      const lost = (why: string) => {
        if (this.#running === running) tell({ type: "lost", why });
      };
      running.server.finished.then(
        () => lost("the server ended"),
        (error) => lost(error instanceof Error ? error.message : String(error)),
      );
      tell({ type: "opened" });
    } catch (error) {
      tell({ type: "open.failed", why: listenFault(this.#spec, error).text });
    }
  }

  close(deadlineMs: number, done: () => void): void {
    const running = this.#running;
    this.#running = undefined;
    if (!running) return done();
    void stop(running, deadlineMs).then(done);
  }
}

function serve(spec: ListenerSpec, app: WebApp, log: Log): Running {
  const pending = new PendingAnswers();
  const handler = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => {
    const remoteAddress = plainAddress(info.remoteAddr.hostname);
    return pending.answer(() => app.fetch(request, { remoteAddress }));
  };
  const options = {
    hostname: spec.host,
    port: spec.port,
    // Deno would print a line of its own.
    onListen: () => {},
    onError: (error: unknown) => {
      log.error("Answering a request failed", { listener: spec.name, error });
      return problemResponse(problem("internal", "The server failed; its log says why"), "/");
    },
  };
  const server = spec.tls
    ? Deno.serve({ ...options, cert: spec.tls.certificate, key: spec.tls.key }, handler)
    : Deno.serve(options, handler);
  return { server, pending };
}

async function stop(running: Running, deadlineMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const deadline = setTimeout(() => running.pending.endAll(), deadlineMs);
  // Whoever then still keeps a connection open, by reading slowly or sending half a request, loses
  // it with the process.
  const end = setTimeout(over.resolve, deadlineMs + GRACE_MS);
  try {
    await Promise.race([running.server.shutdown(), over.promise]);
  } finally {
    clearTimeout(deadline);
    clearTimeout(end);
  }
}

/** An IPv4 peer of a dual-stack socket as IPv4. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
