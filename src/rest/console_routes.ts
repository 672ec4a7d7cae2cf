import type { Hono } from "hono";
import { z } from "zod";
import { readJson } from "./body.ts";
import { TOKEN_SCRIPT, tokenPage } from "./token_page.ts";
import type { Asked } from "./gate.ts";
import type { OperatorToken } from "./operator_token.ts";
import { type Problem, problem, problemResponse } from "./problem.ts";
import { fileResponse } from "./static_routes.ts";
import type { WebAppOptions, WebLimits } from "./types.ts";

/** `/console` and the door to it: the page that takes the operator's token for a cookie. */

const tokenBody = z.object({ token: z.string().min(1).max(1024) });

export function addConsoleRoutes(
  app: Hono,
  options: WebAppOptions,
  token: OperatorToken | undefined,
  limits: WebLimits,
): void {
  app.get("/console", (c) => fileResponse(c.req.raw, options.pages.page("/console")));
  if (!token) return;
  app.get(
    "/console/token.js",
    () =>
      new Response(TOKEN_SCRIPT, {
        headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-cache" },
      }),
  );
  app.post("/console/token", async (c) => {
    const { pathname, protocol } = new URL(c.req.url);
    const body = await readJson(c.req.raw, true, limits.bodyBytes);
    if (!body.ok) return problemResponse(body.error, pathname);
    const parsed = tokenBody.safeParse(body.value);
    if (!parsed.success) {
      return problemResponse(
        problem("bad-request", "Field token is missing, expected a string", { field: "token" }),
        pathname,
      );
    }
    if (!token.isRight(parsed.data.token)) {
      options.log.warn("A wrong operator token was given");
      return problemResponse(
        problem("unauthorized", "The token is not that of this server"),
        pathname,
      );
    }
    return new Response(null, {
      status: 204,
      headers: { "set-cookie": token.cookie(protocol === "https:") },
    });
  });
}

/** A person gets the form that asks for the token, everything else the problem. */
export function lockedResponse(request: Request, asked: Asked, fault: Problem): Response {
  const isPage = asked.path === "/console" || asked.path === "/api/docs";
  if (!isPage || !["GET", "HEAD"].includes(request.method)) {
    return problemResponse(fault, asked.path);
  }
  return new Response(tokenPage(), {
    status: 401,
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" },
  });
}
