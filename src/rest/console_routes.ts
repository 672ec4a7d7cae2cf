import type { Hono } from "hono";
import { z } from "zod";
import { readJson } from "./body.ts";
import { TOKEN_PAGE, TOKEN_SCRIPT, tokenPage, tokenPageFor } from "./token_page.ts";
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
  if (!token) {
    // A bookmark from when there was one.
    app.get(TOKEN_PAGE, (c) => c.redirect("/console", 303));
    return;
  }
  app.get(TOKEN_PAGE, (c) => c.html(tokenPage(), 200, { "cache-control": "no-store" }));
  app.get(
    "/console/token.js",
    () =>
      new Response(TOKEN_SCRIPT, {
        headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-cache" },
      }),
  );
  app.post(TOKEN_PAGE, async (c) => {
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

/**
 * A person is led to the page that asks for the token, and comes back from there; a program gets
 * the problem.
 */
export function lockedResponse(request: Request, asked: Asked, fault: Problem): Response {
  if (!isPerson(request, asked.path)) return problemResponse(fault, asked.path);
  const { pathname, search } = new URL(request.url);
  return new Response(null, {
    status: 303,
    headers: {
      "location": tokenPageFor(pathname + search),
      "cache-control": "no-store",
      "vary": "Accept, Sec-Fetch-Mode, Sec-Fetch-Dest",
    },
  });
}

/** Pages; what else there is, is data, which programs ask for that take HTML too by their Accept. */
const PAGES = ["/console", "/api/docs"];

/** A browser that wants something for its window; scripts of pages are programs. */
function isPerson({ method, headers }: Request, path: string): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  if (!/(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(headers.get("accept") ?? "")) return false;
  const mode = headers.get("sec-fetch-mode") ?? (PAGES.includes(path) ? "navigate" : "cors");
  return mode === "navigate" && (headers.get("sec-fetch-dest") ?? "document") === "document";
}
