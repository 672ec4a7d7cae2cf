import { z } from "zod";
import type { CommandRefusal, ControlPlane, Outcome, StartCall } from "../actors/control_plane.ts";
import { err, ok, type Result } from "../core/result.ts";
import { refusal } from "./api_operations.ts";
import { digits, outcomeOf } from "./call_operations.ts";
import {
  everyItem,
  fits,
  type LegacyObject,
  liveCalls,
  toLegacyCall,
  toLegacyConnection,
} from "./legacy_views.ts";
import { type Answer, type Operation, operation, quote } from "./operation.ts";
import { type Problem, problem } from "./problem.ts";
import * as schemas from "./schemas.ts";

/**
 * The Web Call Server's `/rest-api/call` and `/rest-api/connection`, with its field names and codes
 * (vendor's REST documentation). Values may come as strings; fields unknown to us are ignored, as
 * the original does; a filter that nothing fits gives 404.
 */

/** A string or number without control characters, `most` characters at most. */
function text(expected: string, most = 256) {
  return z.union([z.string(), z.number()]).transform(String)
    // deno-lint-ignore no-control-regex
    .pipe(z.string().min(1).max(most).regex(/^[^\x00-\x1f\x7f]*$/)).meta({ expected });
}

const flag = z.union([z.boolean(), z.enum(["true", "false"])])
  .transform((value) => value === true || value === "true")
  .meta({ expected: 'true or false (also as the strings "true" and "false")' });

/** The vendor's forms send what is not there as null or "". */
function orNothing<T extends z.ZodType>(schema: T) {
  const nothing = z.union([z.null(), z.literal("")]).transform(() => undefined);
  return z.union([nothing, schema]).optional().meta({ ...schema.meta() });
}

const startupBody = z.looseObject({
  callId: orNothing(
    z.string().regex(/^[\x21-\x7e]{1,128}$/).meta({
      description: "Id of the first call; a new one where absent.",
      expected: "1 to 128 visible ASCII characters",
    }),
  ),
  callee: text("whom to call, 1 to 256 characters"),
  sipLogin: text("the login of a connected session"),
  hasAudio: orNothing(flag),
  hasVideo: orNothing(flag),
  visibleName: orNothing(text("a name of 1 to 256 characters")),
  inviteParameters: z.record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/),
    text("text without control characters", 4096),
  ).nullish().meta({ expected: "an object of header names and texts without control characters" }),
  custom: z.unknown().optional().meta({ description: "Handed on to the session's client." }),
});

const callFilter = ["callId", "status", "caller", "callee", "sessionId", "incoming", "visibleName"];
const connectionFilter = ["sessionId", "status", "sipLogin", "sipDomain", "sipPort"];

function filterQuery(fields: readonly string[]) {
  return z.object(
    Object.fromEntries(
      fields.map((field) => [field, z.string().optional().meta({ expected: "text" })]),
    ),
  );
}

const terminateBody = z.looseObject({ callId: text("the id of a call") });

/** Of the vendor's forms; letters may be small, digits may be a number. */
const dtmfBody = z.looseObject({
  callId: text("the id of a call"),
  dtmf: z.union([z.string(), z.int().min(0)]).transform(String).pipe(digits)
    .meta({ expected: "1 to 64 of 0-9, *, #, A-D" }),
  type: orNothing(schemas.dtmfMethod.meta({ expected: "RFC2833, INFO or INFO_RELAY" })),
});

const transferBody = z.looseObject({
  callId: text("the id of a call"),
  target: text("a name, a number or a SIP URI of 1 to 256 characters"),
});

const connectionBody = z.looseObject({ sessionId: text("the id of a session") });

/** What republishes the call as a stream is no part of this server. */
function streamField(body: Readonly<Record<string, unknown>>): string | undefined {
  return Object.keys(body).find((name) =>
    (name === "toStream" || name.startsWith("rtmp")) && body[name] !== null && body[name] !== ""
  );
}

function startup(
  body: z.output<typeof startupBody>,
  plane: ControlPlane,
): Result<unknown, Problem> {
  const stream = streamField(body);
  if (stream !== undefined) {
    return err(
      problem(
        "bad-request",
        `Field ${stream} is ${quote(body[stream])}, expected to be absent: calls cannot be ` +
          "republished as streams here",
        { field: stream },
      ),
    );
  }
  const request: StartCall = {
    login: body.sipLogin,
    callee: body.callee,
    hasAudio: body.hasAudio ?? true,
    hasVideo: body.hasVideo ?? false,
    ...(body.callId === undefined ? {} : { callId: body.callId }),
    ...(body.visibleName === undefined ? {} : { visibleName: body.visibleName }),
    ...(body.inviteParameters ? { inviteParameters: body.inviteParameters } : {}),
    ...(body.custom === undefined ? {} : { custom: body.custom }),
  };
  const started = plane.startCall(request);
  return started.ok ? ok({ callId: started.value.callId }) : err(refusal(started.error));
}

function found(
  noun: string,
  objects: Iterable<LegacyObject>,
  filter: Readonly<Record<string, unknown>>,
): Result<unknown, Problem> {
  const fitting = [...objects].filter((object) => fits(object, filter));
  return fitting.length > 0 ? ok(fitting) : err(problem("not-found", `No ${noun} fits`));
}

function* legacyCalls(
  plane: ControlPlane,
  filter: Readonly<Record<string, unknown>> = {},
): Generator<LegacyObject> {
  // By far the most frequent question; it must not cost a walk over all calls.
  if (typeof filter.callId === "string") {
    const call = plane.call(filter.callId);
    if (call && call.state !== "ended") yield toLegacyCall(call);
    return;
  }
  for (const call of liveCalls(plane)) yield toLegacyCall(call);
}

function* legacyConnections(plane: ControlPlane): Generator<LegacyObject> {
  for (const session of everyItem((query) => plane.sessions(query))) {
    if (session.state !== "ended") yield toLegacyConnection(session);
  }
}

/**
 * `find` and `find_all`, by POST and by GET (the vendor's helper uses GET where there is no body).
 */
function finders(
  noun: "call" | "connection",
  fields: readonly string[],
  read: (plane: ControlPlane, filter?: Readonly<Record<string, unknown>>) => Iterable<LegacyObject>,
): readonly Operation[] {
  const group = noun === "call" ? "Call" : "Connection";
  const common = {
    tag: "Web Call Server",
    isWrite: false,
    success: {
      status: 200,
      description: `The ${noun}s that fit.`,
      schema: z.array(z.looseObject({})),
    },
    problems: ["bad-request", "not-found"],
  } as const;
  const one = {
    ...common,
    path: `/rest-api/${noun}/find`,
    summary: `Finds the live ${noun}s that have all the given values.`,
  };
  const all = {
    ...common,
    path: `/rest-api/${noun}/find_all`,
    summary: `Lists the live ${noun}s.`,
  };
  return [
    operation({
      ...one,
      id: `find${group}`,
      method: "POST",
      body: z.looseObject({}),
      handle: ({ body }, plane) => found(noun, read(plane, body), body),
    }),
    operation({
      ...one,
      id: `find${group}ByQuery`,
      method: "GET",
      query: filterQuery(fields),
      handle: ({ query }, plane) => found(noun, read(plane, query), query),
    }),
    operation({
      ...all,
      id: `findAll${group}s`,
      method: "POST",
      handle: (_, plane) => found(noun, read(plane), {}),
    }),
    operation({
      ...all,
      id: `getAll${group}s`,
      method: "GET",
      handle: (_, plane) => found(noun, read(plane), {}),
    }),
  ];
}

/** The original knows live calls only. */
function legacyRefusal(fault: CommandRefusal): Problem {
  return fault.code === "ended" ? problem("not-found", fault.text) : refusal(fault);
}

function legacyDone(result: Result<void, CommandRefusal>): Answer {
  return result.ok ? ok({}) : err(legacyRefusal(result.error));
}

/** Whatever can't be ended is not there, for the original. */
function legacyEnded(result: Result<void, CommandRefusal>): Answer {
  return result.ok ? ok({}) : err(problem("not-found", result.error.text));
}

async function command(start: (done: Outcome) => void): Promise<Answer> {
  return legacyDone(await outcomeOf(start));
}

function legacyHold(name: "hold" | "unhold"): Operation {
  return operation({
    ...WRITE,
    id: `${name}CallById`,
    path: `/rest-api/call/${name}`,
    summary: name === "hold" ? "Holds the far side." : "Takes the far side back.",
    body: terminateBody,
    success: { status: 200, description: "It came about.", schema: EMPTY },
    problems: ["bad-request", "not-found", "conflict"],
    handle: ({ body }, plane) =>
      command((outcome) => plane.setHold(body.callId, name === "hold", outcome)),
  });
}

const WRITE = { method: "POST", tag: "Web Call Server", isWrite: true } as const;
const EMPTY = z.looseObject({});

export const LEGACY_OPERATIONS: readonly Operation[] = [
  operation({
    ...WRITE,
    id: "startupCall",
    path: "/rest-api/call/startup",
    summary: "Rings the connected session of `sipLogin` and, on its answer, calls `callee`.",
    body: startupBody,
    success: {
      status: 200,
      description: "Accepted; `callId` is the call to `sipLogin`.",
      schema: z.object({ callId: z.string() }),
    },
    problems: ["bad-request", "not-found", "conflict"],
    handle: ({ body }, plane) => startup(body, plane),
  }),
  ...finders("call", callFilter, legacyCalls),
  operation({
    ...WRITE,
    id: "terminateCall",
    path: "/rest-api/call/terminate",
    summary: "Ends a call on both sides.",
    body: terminateBody,
    success: { status: 200, description: "The call is ending.", schema: EMPTY },
    problems: ["bad-request", "not-found"],
    handle: ({ body }, plane) => legacyEnded(plane.endCall(body.callId)),
  }),
  operation({
    ...WRITE,
    id: "sendDtmf",
    path: "/rest-api/call/send_dtmf",
    summary: "Presses digits in place of the call's client.",
    body: dtmfBody,
    success: { status: 200, description: "They are on their way.", schema: EMPTY },
    problems: ["bad-request", "not-found", "conflict"],
    handle: ({ body }, plane) =>
      legacyDone(plane.sendDtmf(body.callId, body.dtmf, body.type ?? "RFC2833")),
  }),
  legacyHold("hold"),
  legacyHold("unhold"),
  operation({
    ...WRITE,
    id: "transferCallById",
    path: "/rest-api/call/transfer",
    summary: "Asks that the far party is joined with `target`.",
    body: transferBody,
    success: { status: 200, description: "It is under way.", schema: EMPTY },
    problems: ["bad-request", "not-found", "conflict"],
    handle: ({ body }, plane) =>
      command((outcome) => plane.transferCall(body.callId, body.target, outcome)),
  }),
  ...finders("connection", connectionFilter, legacyConnections),
  operation({
    ...WRITE,
    id: "terminateConnection",
    path: "/rest-api/connection/terminate",
    summary: "Ends a session and its calls.",
    body: connectionBody,
    success: { status: 200, description: "The session is ending.", schema: EMPTY },
    problems: ["bad-request", "not-found"],
    handle: ({ body }, plane) => legacyEnded(plane.endSession(body.sessionId)),
  }),
];
