import type { Hono } from "hono";
import { type Problem, problem, problemResponse } from "./problem.ts";
import type { Pages, StaticFile } from "./types.ts";

/** Pages, their assets and the Web SDK's package. */

/** What of the vendor's package may be seen: its examples and the bundles in its root. */
const VENDOR_PREFIX = "/client2/";
const SDK_PREFIX = "/sdk/";
const SDK_BUNDLE = /^flashphoner[\w.-]*\.js$/;

/** `path` decoded once, or undefined where a segment could mean more than a name. */
export function plainPath(path: string): string | undefined {
  const segments: string[] = [];
  for (const segment of path.split("/").slice(1)) {
    let name: string;
    try {
      name = decodeURIComponent(segment);
    } catch {
      return undefined;
    }
    // deno-lint-ignore no-control-regex
    if (name.startsWith(".") || /[\\/\x00-\x1f]/.test(name)) return undefined;
    segments.push(name);
  }
  return segments.join("/");
}

export function addStaticRoutes(app: Hono, pages: Pages): void {
  app.get("/", (c) => fileResponse(c.req.raw, pages.page("/")));
  app.get("/assets/*", (c) => {
    const path = plainPath(new URL(c.req.url).pathname);
    return fileResponse(c.req.raw, path === undefined ? undefined : pages.page(`/${path}`));
  });
  app.get(
    "/favicon.ico",
    () => new Response(null, { status: 204, headers: { "cache-control": "max-age=86400" } }),
  );
  app.get(`${VENDOR_PREFIX}*`, async (c) => {
    const path = plainPath(new URL(c.req.url).pathname.slice(VENDOR_PREFIX.length - 1));
    const isShown = path?.startsWith("examples/") || SDK_BUNDLE.test(path ?? "");
    return fileResponse(c.req.raw, isShown ? await pages.sdk(path!) : undefined);
  });
  app.get(`${SDK_PREFIX}*`, async (c) => {
    const path = plainPath(new URL(c.req.url).pathname.slice(SDK_PREFIX.length - 1));
    const isShown = SDK_BUNDLE.test(path ?? "");
    return fileResponse(c.req.raw, isShown ? await pages.sdk(path!) : undefined);
  });
}

/** `file` with its validators; 304 where the browser has it; 404 where there is none. */
export function fileResponse(request: Request, file: StaticFile | undefined): Response {
  const { pathname } = new URL(request.url);
  if (!file) return problemResponse(notFound(pathname), pathname);
  const headers = new Headers({
    "content-type": file.contentType,
    "etag": file.etag,
    "cache-control": file.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
  });
  const known = request.headers.get("if-none-match")?.split(",").map((tag) =>
    tag.trim().replace(/^W\//, "")
  );
  if (known?.includes(file.etag)) return new Response(null, { status: 304, headers });
  return new Response(file.body, { headers });
}

export function notFound(pathname: string): Problem {
  return problem("not-found", `Nothing is served at ${JSON.stringify(pathname.slice(0, 200))}`);
}
