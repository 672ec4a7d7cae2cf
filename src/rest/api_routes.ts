import type { Context, Hono } from "hono";
import { ACCOUNT_OPERATIONS } from "./account_operations.ts";
import { API_OPERATIONS } from "./api_operations.ts";
import { readJson } from "./body.ts";
import { CALL_OPERATIONS } from "./call_operations.ts";
import { docsPage, problemPage } from "./docs_page.ts";
import type { EventStreams } from "./events.ts";
import { LEGACY_OPERATIONS } from "./legacy_operations.ts";
import { openApiDocument } from "./openapi.ts";
import { type Operation, RawBody } from "./operation.ts";
import {
  type Problem,
  problem,
  PROBLEM_KINDS,
  problemResponse,
  type ProblemSlug,
} from "./problem.ts";
import type { WebAppOptions, WebLimits } from "./types.ts";

/** `/api` and `/rest-api`: the operations, the event stream and the documents. */

const OPERATIONS: readonly Operation[] = [
  ...API_OPERATIONS,
  ...CALL_OPERATIONS,
  ...ACCOUNT_OPERATIONS,
  ...LEGACY_OPERATIONS,
];

export function addApiRoutes(
  app: Hono,
  options: WebAppOptions,
  events: EventStreams,
  limits: WebLimits,
): void {
  for (const each of OPERATIONS) {
    const path = each.path.replace(/\{(\w+)\}/g, ":$1");
    app.on(each.method, path, (c) => runOperation(c, each, options, limits.bodyBytes));
  }
  app.get("/api/events", (c) => openEvents(c, events));
  addDocuments(app, options);
}

async function runOperation(
  c: Context,
  each: Operation,
  options: WebAppOptions,
  bodyBytes: number,
): Promise<Response> {
  const path = new URL(c.req.url).pathname;
  const body = await readJson(c.req.raw, each.isWrite, bodyBytes);
  if (!body.ok) return problemResponse(body.error, path);
  const query = new URL(c.req.url).searchParams;
  const result = await each.run(
    { parameters: c.req.param(), query, body: body.value },
    options.controlPlane,
  );
  if (!result.ok) return problemResponse(result.error, path);
  const headers = { "cache-control": "no-store" };
  if (each.success.status === 204) return new Response(null, { status: 204, headers });
  if (result.value instanceof RawBody) return rawResponse(result.value, headers);
  return Response.json(result.value, { status: each.success.status, headers });
}

function rawResponse(
  { body, contentType, fileName }: RawBody,
  headers: Readonly<Record<string, string>>,
): Response {
  const disposition = fileName === undefined
    ? {}
    : { "content-disposition": `attachment; filename="${fileName}"` };
  return new Response(body, {
    headers: { ...headers, ...disposition, "content-type": contentType },
  });
}

/** Sequence numbers as the browser sends them back. */
const SEQUENCE = /^\d{1,15}$/;

function openEvents(c: Context, events: EventStreams): Response {
  const unknown = Object.keys(c.req.query()).find((name) => name !== "after");
  const given = c.req.header("last-event-id") ?? c.req.query("after");
  let fault: Problem | undefined;
  if (unknown !== undefined) {
    fault = problem(
      "bad-request",
      `Query parameter ${JSON.stringify(unknown)} is unknown, expected after`,
      { field: unknown },
    );
  } else if (given !== undefined && !SEQUENCE.test(given)) {
    fault = problem(
      "bad-request",
      `Last-Event-ID is ${JSON.stringify(given.slice(0, 80))}, expected a sequence number`,
      { field: "Last-Event-ID" },
    );
  } else if (events.isFull) {
    fault = problem("too-many", `${events.size} event streams are open, expected fewer`);
  }
  if (fault) return problemResponse(fault, "/api/events");
  // A HEAD request must not leave a stream behind that nobody reads.
  if (c.req.method === "HEAD") {
    return new Response(null, { headers: { "content-type": "text/event-stream" } });
  }
  return events.open(given === undefined ? undefined : Number(given));
}

function addDocuments(app: Hono, options: WebAppOptions): void {
  // Made at the first request, so that no start waits for it.
  let made: ReturnType<typeof openApiDocument> | undefined;
  const document = () =>
    made ??= openApiDocument(OPERATIONS, options.version, options.token !== undefined);
  app.get(
    "/api/openapi.json",
    () => Response.json(document(), { headers: { "cache-control": "no-cache" } }),
  );
  app.get("/api/docs", (c) => c.html(docsPage(document())));
  app.get("/problems/:slug", (c) => {
    const slug = c.req.param("slug");
    if (!Object.hasOwn(PROBLEM_KINDS, slug)) return c.notFound();
    return c.html(problemPage(slug as ProblemSlug));
  });
}
