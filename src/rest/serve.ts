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

/** Why a listener could not be opened; `text` is one sentence for the operator. */
export interface ListenFault {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly reason: "in_use" | "address_not_available" | "not_permitted" | "other";
  readonly text: string;
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
  readonly listener: Listener;
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

/** Opens all of them or none. They are aliases of one handler. */
export async function startListeners(
  specs: readonly ListenerSpec[],
  app: WebApp,
  log: Log,
): Promise<Result<Listeners, ListenFault>> {
  const running: Running[] = [];
  for (const spec of specs) {
    const started = listen(spec, app, log);
    if (!started.ok) {
      await Promise.all(running.map((each) => stop(each, 0)));
      return started;
    }
    running.push(started.value);
  }
  return ok({
    listeners: running.map((each) => each.listener),
    async shutdown(deadlineMs) {
      const stopping = running.map((each) => stop(each, deadlineMs));
      app.close();
      await Promise.all(stopping);
    },
  });
}

function listen(spec: ListenerSpec, app: WebApp, log: Log): Result<Running, ListenFault> {
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
  try {
    const server = spec.tls
      ? Deno.serve({ ...options, cert: spec.tls.certificate, key: spec.tls.key }, handler)
      : Deno.serve(options, handler);
    const { hostname: host, port } = server.addr;
    const listener = { name: spec.name, host, port, isSecure: spec.tls !== undefined };
    return ok({ server, pending, listener });
  } catch (error) {
    return err(listenFault(spec, error));
  }
}

function listenFault(spec: ListenerSpec, error: unknown): ListenFault {
  const where = `${spec.host.includes(":") ? `[${spec.host}]` : spec.host}:${spec.port}`;
  const about = { name: spec.name, address: spec.host, port: spec.port };
  if (error instanceof Deno.errors.AddrInUse) {
    const text = `Port ${spec.port} (${spec.name}) of ${spec.host} is in use by another process`;
    return { ...about, reason: "in_use", text };
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    const text =
      `${spec.host} is no address of this machine, so ${spec.name} cannot be served there`;
    return { ...about, reason: "address_not_available", text };
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    const text = `This user may not listen on ${where} (${spec.name}); try a port above 1023`;
    return { ...about, reason: "not_permitted", text };
  }
  const why = error instanceof Error ? error.message : String(error);
  return { ...about, reason: "other", text: `Cannot listen on ${where} (${spec.name}): ${why}` };
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
