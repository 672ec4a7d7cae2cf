import { z } from "zod";
import type { Operation } from "./operation.ts";
import { LEGACY_PREFIX, PROBLEM_KINDS, type ProblemSlug } from "./problem.ts";
import * as schemas from "./schemas.ts";

/** The OpenAPI 3.1 document, generated from the operations that the server routes from. */

export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: Readonly<Record<string, unknown>>;
  readonly servers: readonly Readonly<Record<string, unknown>>[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

export interface OpenApiParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface OpenApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters: readonly OpenApiParameter[];
  readonly requestBody?: Readonly<Record<string, unknown>>;
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: unknown }>
  >;
}

type JsonSchema = Record<string, unknown>;

const COMPONENTS = {
  Health: schemas.health,
  Session: schemas.session,
  CallSummary: schemas.callSummary,
  Call: schemas.call,
  Ladder: schemas.ladder,
  Registration: schemas.registration,
  Account: schemas.account,
  Trunk: schemas.trunk,
  Protection: schemas.protection,
  ProtectedSource: schemas.protectedSource,
  MediaWorker: schemas.mediaWorker,
  CodecWorker: schemas.codecWorker,
  Worker: schemas.worker,
  Event: schemas.domainEvent,
  Problem: schemas.problemBody,
} as const;

const LEGACY_ERROR = {
  type: "object",
  required: ["status", "message"],
  properties: { status: { type: "integer" }, message: { type: "string" } },
  description: "An error in the Web Call Server's form.",
};

/** @param isTokenAsked whether this server asks for the operator token */
export function openApiDocument(
  operations: readonly Operation[],
  version: string,
  isTokenAsked: boolean,
): OpenApiDocument {
  const shared: Record<string, unknown> = { LegacyError: LEGACY_ERROR };
  for (const schema of Object.values(COMPONENTS)) jsonSchema(schema, shared);
  const paths: Record<string, Record<string, OpenApiOperation>> = { ...eventPath() };
  for (const each of operations) {
    const path = paths[each.path] ??= {};
    path[each.method.toLowerCase()] = describe(each, shared);
  }
  const tags = [...new Set(Object.values(paths).flatMap((path) => Object.values(path)))]
    .flatMap((each) => each.tags);
  return {
    openapi: "3.1.0",
    info: {
      title: "Port Zero",
      version,
      description: "Sessions, calls and workers of this server; live facts by Server-Sent " +
        "Events; and the Web Call Server's REST calls under /rest-api.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "This server" }],
    tags: [...new Set(tags)].map((name) => ({ name })),
    paths,
    components: {
      schemas: shared as Record<string, unknown>,
      securitySchemes: {
        operatorToken: {
          type: "http",
          scheme: "bearer",
          description: "Printed at start; asked for where the server is exposed by --host.",
        },
      },
    },
    security: isTokenAsked ? [{ operatorToken: [] }] : [{}, { operatorToken: [] }],
  };
}

function describe(each: Operation, shared: Record<string, unknown>): OpenApiOperation {
  const body = each.body;
  return {
    operationId: each.id,
    tags: [each.tag],
    summary: each.summary,
    parameters: [...pathParameters(each), ...queryParameters(each, shared)],
    ...(body
      ? {
        requestBody: {
          required: each.isWrite,
          content: { "application/json": { schema: jsonSchema(body, shared, "input") } },
        },
      }
      : {}),
    responses: responses(each, shared),
  };
}

function pathParameters(each: Operation): readonly OpenApiParameter[] {
  return Object.entries(each.parameters).map(([name, description]) => ({
    name,
    in: "path" as const,
    required: true,
    description,
    schema: { type: "string" },
  }));
}

function queryParameters(
  each: Operation,
  shared: Record<string, unknown>,
): readonly OpenApiParameter[] {
  if (!each.query) return [];
  return Object.entries(each.query.shape).map(([name, field]) => {
    const { description, ...schema } = jsonSchema(field as z.ZodType, shared);
    return {
      name,
      in: "query" as const,
      required: false,
      description: typeof description === "string" ? description : `The ${name} to look for.`,
      schema,
    };
  });
}

function responses(
  each: Operation,
  shared: Record<string, unknown>,
): OpenApiOperation["responses"] {
  const { status, description, schema, otherTypes = [] } = each.success;
  const others = otherTypes.map((type) => [type, { schema: { type: "string" } }]);
  const content = schema
    ? {
      content: {
        "application/json": { schema: jsonSchema(schema, shared) },
        ...Object.fromEntries(others),
      },
    }
    : {};
  return { [status]: { description, ...content }, ...problems(each.path, each.problems) };
}

/** Problems by status; two kinds may share one. */
function problems(path: string, slugs: readonly ProblemSlug[]): OpenApiOperation["responses"] {
  const isLegacy = path.startsWith(LEGACY_PREFIX);
  const byStatus: Record<string, { description: string; content: unknown }> = {};
  for (const slug of new Set<ProblemSlug>([...slugs, "unauthorized", "origin-not-allowed"])) {
    const { status, title } = PROBLEM_KINDS[slug];
    const before = byStatus[status]?.description;
    byStatus[status] = {
      description: before === undefined ? title : `${before}; or: ${title}`,
      content: isLegacy
        ? { "application/json": { schema: { $ref: "#/components/schemas/LegacyError" } } }
        : { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    };
  }
  return byStatus;
}

function eventPath(): Record<string, Record<string, OpenApiOperation>> {
  const lastSeen = "Sequence number of the last event seen; what came after it is sent first.";
  const get: OpenApiOperation = {
    operationId: "streamEvents",
    tags: ["Events"],
    summary: "Streams facts as Server-Sent Events; each `data` is an Event.",
    parameters: [
      {
        name: "Last-Event-ID",
        in: "header",
        required: false,
        description: lastSeen,
        schema: { type: "integer", minimum: 0 },
      },
      {
        name: "after",
        in: "query",
        required: false,
        description: `${lastSeen} The header goes before.`,
        schema: { type: "integer", minimum: 0 },
      },
    ],
    responses: {
      "200": {
        description: "The stream; it ends only when the server stops or the reader is too slow.",
        content: { "text/event-stream": { schema: { $ref: "#/components/schemas/Event" } } },
      },
      ...problems("/api/events", ["bad-request", "too-many"]),
    },
  };
  return { "/api/events": { get } };
}

/** `schema` as JSON Schema 2020-12; named parts go to `shared` and are referred to. */
function jsonSchema(
  schema: z.ZodType,
  shared: Record<string, unknown>,
  io: "input" | "output" = "output",
): JsonSchema {
  const { $schema: _, $defs, ...own } = z.toJSONSchema(schema, {
    target: "draft-2020-12",
    io,
    unrepresentable: "any",
    override: ({ jsonSchema: part }) => tidy(part),
  }) as JsonSchema & { readonly $defs?: Record<string, JsonSchema> };
  for (const [name, part] of Object.entries($defs ?? {})) shared[name] ??= referring(part);
  const name = schema.meta()?.id;
  if (name === undefined) return referring(own) as JsonSchema;
  shared[name] ??= referring(own);
  return { $ref: `#/components/schemas/${name}` };
}

/** Takes out what describes zod rather than the API. */
function tidy(part: JsonSchema): void {
  delete part.id;
  delete part.expected;
  delete part.readOnly;
  if (part.format === "date-time") delete part.pattern;
  if (part.maximum === Number.MAX_SAFE_INTEGER) delete part.maximum;
  if (part.minimum === Number.MIN_SAFE_INTEGER) delete part.minimum;
  // Answers may grow; a client must not take a new member for an error.
  if (part.additionalProperties === false) delete part.additionalProperties;
}

/** References of a lone schema (`#/$defs/X`) as references of the document. */
function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      name === "$ref" && typeof part === "string"
        ? part.replace("#/$defs/", "#/components/schemas/")
        : referring(part),
    ]),
  );
}
