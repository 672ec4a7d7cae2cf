import assert from "node:assert/strict";
import { Hono } from "hono";
import { createAccessRules } from "./access.ts";
import { addApiRoutes } from "./api_routes.ts";
import { addConsoleRoutes, lockedResponse } from "./console_routes.ts";
import { EventStreams } from "./events.ts";
import {
  allowReading,
  type Asked,
  checkOrigin,
  checkToken,
  isCorsPath,
  pathOf,
  preflight,
  whoIsAsked,
} from "./gate.ts";
import { secure } from "./headers.ts";
import { createOperatorToken, type OperatorToken } from "./operator_token.ts";
import { problem, problemResponse } from "./problem.ts";
import { isUpgrade, Sockets } from "./sockets.ts";
import { addStaticRoutes, notFound } from "./static_routes.ts";
import {
  DEFAULT_LIMITS,
  type RequestInfo,
  type WebApp,
  type WebAppOptions,
  type WebLimits,
} from "./types.ts";

/** The whole web face as one handler: pages, API and WebSockets; every listener serves it. */
export function createWebApp(options: WebAppOptions): WebApp {
  assert(!options.isExposed || options.token, "an exposed server needs an operator token");
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const rules = createAccessRules(options.allowedHosts, options.allowedOrigins);
  const token = options.token ? createOperatorToken(options.token) : undefined;
  const events = new EventStreams(options.controlPlane, limits);
  const sockets = new Sockets(
    options.onSocket,
    limits,
    options.log,
    options.subProtocols,
  );
  const routes = createRoutes(options, token, events, limits);

  /** Checks first, then whoever is meant. */
  async function answer(request: Request, asked: Asked): Promise<Response> {
    const refused = checkOrigin(request, asked, rules);
    if (refused) return problemResponse(refused, asked.path);
    if (request.method === "OPTIONS" && isCorsPath(asked.path)) {
      return preflight(request, allowedMethods(routes, asked.path));
    }
    const locked = checkToken(request, asked, token);
    if (locked) return lockedResponse(request, asked, locked);
    return await routes.fetch(request);
  }

  return {
    async fetch(request: Request, info: RequestInfo): Promise<Response> {
      const asked = whoIsAsked(request, rules);
      if ("slug" in asked) return secure(problemResponse(asked, "/api/"), "/api/");
      if (isUpgrade(request)) {
        const refused = checkOrigin(request, asked, rules);
        const answered = refused ??
          sockets.upgrade(
            request,
            { ...asked, userAgent: request.headers.get("user-agent") },
            info.remoteAddress,
          );
        return answered instanceof Response ? answered : problemResponse(answered, asked.path);
      }
      const response = await answer(request, asked);
      if (isCorsPath(asked.path)) {
        const isAllowed = asked.origin !== null && rules.isOriginAllowed(asked.origin, asked.host);
        allowReading(response, isAllowed ? asked.origin : null);
      }
      return secure(response, asked.path);
    },
    close() {
      events.close();
      sockets.close();
    },
  };
}

function createRoutes(
  options: WebAppOptions,
  token: OperatorToken | undefined,
  events: EventStreams,
  limits: WebLimits,
): Hono {
  // Routed by the very text that the checks have looked at: Hono would decode it once more, and
  // `/%61pi` would pass them as something else.
  const app = new Hono({ getPath: pathOf });
  addApiRoutes(app, options, events, limits);
  addConsoleRoutes(app, options, token, limits);
  addStaticRoutes(app, options.pages);
  app.notFound((c) => {
    const { pathname } = new URL(c.req.url);
    const allow = allowedMethods(app, pathname);
    if (allow.length === 0 || allow.includes(c.req.method)) {
      return problemResponse(notFound(pathname), pathname);
    }
    return problemResponse(
      problem(
        "method-not-allowed",
        `Method is ${c.req.method}, expected ${allow.join(" or ")}`,
        { allow },
      ),
      pathname,
    );
  });
  app.onError((error, c) => {
    const { pathname } = new URL(c.req.url);
    options.log.error("A request handler threw", { method: c.req.method, path: pathname, error });
    return problemResponse(problem("internal", "The server failed; its log says why"), pathname);
  });
  return app;
}

/** Methods that some route takes at `path`. */
function allowedMethods(app: Hono, path: string): readonly string[] {
  const taken = ["GET", "POST", "DELETE"].filter((method) =>
    app.router.match(method, path)[0].length > 0
  );
  return taken.includes("GET") ? [...taken, "HEAD"] : taken;
}
