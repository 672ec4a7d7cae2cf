import { z } from "zod";
import type { CommandRefusal, ControlPlane, Page } from "../actors/control_plane.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Operation, operation, quote } from "./operation.ts";
import { type Problem, problem } from "./problem.ts";
import * as schemas from "./schemas.ts";

/** The operations of `/api`, without the event stream and the documents. */

const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;
const MAX_TEXT = 256;

/** @param expected completes "..., expected" in the answer to a bad value */
function text(description: string, expected: string) {
  return z.string().min(1).max(MAX_TEXT).optional().meta({ description, expected });
}

export const paging = {
  cursor: text("`next` of the page before.", "the `next` of an earlier answer"),
  limit: z.string().regex(/^\d{1,4}$/).transform(Number).pipe(z.int().min(1).max(MAX_LIMIT))
    .optional().meta({
      description: `How many at most; ${DEFAULT_LIMIT} where absent.`,
      expected: `an integer from 1 to ${MAX_LIMIT}`,
    }),
};

export const user = text("Only those of this user.", `a name of 1 to ${MAX_TEXT} characters`);

function oneOf<T extends z.ZodEnum>(states: T, description: string) {
  return states.optional().meta({ description, expected: `one of ${states.options.join(", ")}` });
}

const sessionQuery = z.object({
  ...paging,
  state: oneOf(schemas.sessionState, "Only those in this state."),
  user,
});
const callQuery = z.object({
  ...paging,
  state: oneOf(
    schemas.callState,
    "Only those in this state; `ended` gives the last 1,000 ended ones, without it all live ones.",
  ),
  user,
});
const protectionQuery = z.object(paging);
const registrationQuery = z.object({
  ...paging,
  user,
  q: text(
    "Only those in which all of these words stand: in AoR, Contact, source, transport, User-Agent.",
    `words of 1 to ${MAX_TEXT} characters`,
  ),
});

/** What was given, with the default limit, without keys that are undefined. */
export function pageQuery<T extends { readonly limit?: number | undefined }>(query: T) {
  const given = Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
  return { ...given, limit: query.limit ?? DEFAULT_LIMIT };
}

function list<T>(plural: string, page: Page<T>): Result<unknown, Problem> {
  return ok({ [plural]: page.items, next: page.next });
}

function noSuch(noun: string, id: string): Problem {
  return problem("not-found", `No ${noun} ${quote(id)} is known`);
}

/** A refused command as a problem. */
export function refusal(fault: CommandRefusal): Problem {
  switch (fault.code) {
    case "not_found":
      return problem("not-found", fault.text);
    case "conflict":
      return problem("conflict", fault.text);
    case "ended":
      return problem("already-ended", fault.text);
    case "invalid":
      return problem("bad-request", fault.text);
  }
}

/** The answer to a command: what it gives, if anything, or why it was refused. */
export function done<T>(result: Result<T, CommandRefusal>): Result<T, Problem> {
  return result.ok ? result : err(refusal(result.error));
}

const READ = { method: "GET", isWrite: false } as const;
const END = { method: "DELETE", isWrite: true } as const;

/** `GET /api/<plural>`. */
export function listOperation<Q extends z.ZodObject, T>(
  tag: string,
  query: Q,
  item: z.ZodType,
  read: (plane: ControlPlane, query: z.output<Q>) => Page<T>,
): Operation {
  const plural = tag.toLowerCase();
  return operation<Q>({
    ...READ,
    id: `list${tag}`,
    path: `/api/${plural}`,
    tag,
    summary: `Lists ${plural}, a page at a time.`,
    query,
    success: {
      status: 200,
      description: `A page of ${plural}.`,
      schema: schemas.listOf(plural, item),
    },
    problems: ["bad-request"],
    handle: (input, plane) => list(plural, read(plane, input.query as z.output<Q>)),
  });
}

export const API_OPERATIONS: readonly Operation[] = [
  operation({
    ...READ,
    id: "getHealth",
    path: "/api/health",
    tag: "Health",
    summary: "Says how the server is.",
    success: { status: 200, description: "The server answers.", schema: schemas.health },
    problems: [],
    handle: (_, plane) => ok(plane.health()),
  }),
  listOperation(
    "Sessions",
    sessionQuery,
    schemas.session,
    (plane, query) => plane.sessions(pageQuery(query)),
  ),
  operation({
    ...END,
    id: "endSession",
    path: "/api/sessions/{id}",
    tag: "Sessions",
    summary: "Ends a session and its calls.",
    parameters: { id: "Id of the session." },
    success: { status: 204, description: "The session is ending." },
    problems: ["not-found", "already-ended"],
    handle: ({ parameters }, plane) => done(plane.endSession(parameters.id!)),
  }),
  listOperation(
    "Calls",
    callQuery,
    schemas.callSummary,
    (plane, query) => plane.calls(pageQuery(query)),
  ),
  operation({
    ...READ,
    id: "getCall",
    path: "/api/calls/{id}",
    tag: "Calls",
    summary: "Shows one call in full: a live one or one of the last 1,000 ended ones.",
    parameters: { id: "Id of the call." },
    success: { status: 200, description: "The call.", schema: schemas.call },
    problems: ["not-found"],
    handle({ parameters }, plane) {
      const found = plane.call(parameters.id!);
      return found ? ok(found) : err(noSuch("call", parameters.id!));
    },
  }),
  operation({
    ...END,
    id: "endCall",
    path: "/api/calls/{id}",
    tag: "Calls",
    summary: "Ends a call on both sides.",
    parameters: { id: "Id of the call." },
    success: { status: 204, description: "The call is ending." },
    problems: ["not-found", "already-ended"],
    handle: ({ parameters }, plane) => done(plane.endCall(parameters.id!)),
  }),
  listOperation(
    "Registrations",
    registrationQuery,
    schemas.registration,
    (plane, query) => plane.registrations(pageQuery(query)),
  ),
  operation({
    ...READ,
    id: "getProtection",
    path: "/api/protection",
    tag: "Protection",
    summary: "Shows the limits on SIP's wires, and the sources that they hold back.",
    query: protectionQuery,
    success: { status: 200, description: "A page of sources.", schema: schemas.protection },
    problems: ["bad-request"],
    handle: ({ query }, plane) => ok(plane.protection(pageQuery(query))),
  }),
  operation({
    ...END,
    id: "liftProtection",
    path: "/api/protection/{source}",
    tag: "Protection",
    summary: "Forgives a source: its block and its counters go.",
    parameters: { source: "The source as the list names it, or one of its addresses." },
    success: { status: 204, description: "The source starts anew." },
    problems: ["not-found"],
    handle: ({ parameters }, plane) => done(plane.liftProtection(parameters.source!)),
  }),
  operation({
    ...READ,
    id: "listTrunks",
    path: "/api/trunks",
    tag: "Trunks",
    summary: "Lists the trunks by priority, with whether they work.",
    success: {
      status: 200,
      description: "All trunks.",
      schema: schemas.listOf("trunks", schemas.trunk),
    },
    problems: [],
    handle: (_, plane) => list("trunks", { items: plane.trunks(), next: null }),
  }),
  operation({
    ...READ,
    id: "listWorkers",
    path: "/api/workers",
    tag: "Workers",
    summary: "Lists the workers: those of the media pool, then those that transcode.",
    success: {
      status: 200,
      description: "All workers.",
      schema: schemas.listOf("workers", schemas.worker),
    },
    problems: [],
    handle: (_, plane) => list("workers", { items: plane.workers(), next: null }),
  }),
  operation({
    method: "POST",
    isWrite: true,
    id: "restartWorker",
    path: "/api/workers/{id}/restart",
    tag: "Workers",
    summary: "Replaces a media worker; its calls go on in the next one (with the fast shell).",
    parameters: { id: "Id of the media worker: 0, 1 ..." },
    success: { status: 204, description: "The worker is gone; its successor is starting." },
    problems: ["not-found"],
    handle: ({ parameters }, plane) => {
      const { id } = parameters;
      // What is no number names no worker.
      return done(plane.restartWorker(/^\d{1,3}$/.test(id!) ? Number(id) : -1));
    },
  }),
];
