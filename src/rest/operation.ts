import { z } from "zod";
import type { ControlPlane } from "../actors/control_plane.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Problem, problem, type ProblemSlug } from "./problem.ts";

/**
 * One operation of the HTTP API: what validates its input, what describes it in OpenAPI, and what
 * it does, in one value. The app routes from these and the document is generated from them, so
 * neither can say what the other does not.
 */
export interface Operation {
  readonly id: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** With OpenAPI's braces: `/api/calls/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** Changes something: Origin and content type are checked, GET is impossible. */
  readonly isWrite: boolean;
  /** Path parameters: name -> description. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query?: z.ZodObject;
  /** JSON body; absent bodies count as `{}`. */
  readonly body?: z.ZodObject;
  /** Fields of the body that no answer repeats. */
  readonly secrets?: readonly string[];
  readonly success: Success;
  readonly problems: readonly ProblemSlug[];
  run(input: RawInput, plane: ControlPlane): Answer | Promise<Answer>;
}

export type Answer = Result<unknown, Problem>;

export interface Success {
  readonly status: 200 | 201 | 204;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Content types that a `RawBody` may have beside JSON. */
  readonly otherTypes?: readonly string[];
}

/** An answer that is not JSON. */
export class RawBody {
  constructor(
    readonly contentType: string,
    readonly body: string | Uint8Array<ArrayBuffer>,
    /** Name for whoever saves it. */
    readonly fileName?: string,
  ) {}
}

export interface RawInput {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON; undefined where there was no body. */
  readonly body: unknown;
}

type Fields = z.ZodObject | undefined;
type Parsed<T extends Fields> = T extends z.ZodObject ? z.output<T> : undefined;

interface Definition<Q extends Fields, B extends Fields>
  extends Omit<Operation, "run" | "query" | "body" | "parameters"> {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: Q;
  readonly body?: B;
  readonly handle: (
    input: {
      readonly parameters: Readonly<Record<string, string>>;
      readonly query: Parsed<Q>;
      readonly body: Parsed<B>;
    },
    plane: ControlPlane,
  ) => Answer | Promise<Answer>;
}

export function operation<Q extends Fields = undefined, B extends Fields = undefined>(
  definition: Definition<Q, B>,
): Operation {
  const { handle, query, body, ...rest } = definition;
  return {
    parameters: {},
    ...rest,
    ...(query ? { query } : {}),
    ...(body ? { body } : {}),
    run(raw, plane) {
      const parsedQuery = parseQuery(raw.query, query);
      if (!parsedQuery.ok) return parsedQuery;
      const parsedBody = body ? parseBody(raw.body, body, rest.secrets) : ok(undefined);
      if (!parsedBody.ok) return parsedBody;
      return handle({
        parameters: raw.parameters,
        query: parsedQuery.value as Parsed<Q>,
        body: parsedBody.value as Parsed<B>,
      }, plane);
    },
  };
}

/** Query parameters by schema; unknown ones and repeated ones are faults. */
function parseQuery(query: URLSearchParams, schema: Fields): Result<unknown, Problem> {
  const known = Object.keys(schema?.shape ?? {});
  const values: Record<string, string> = {};
  for (const [name, value] of query) {
    if (!known.includes(name)) {
      const expected = known.length > 0 ? `one of ${known.join(", ")}` : "none at all";
      return err(
        problem(
          "bad-request",
          `Query parameter ${quote(name)} is unknown, expected ${expected}`,
          { field: name },
        ),
      );
    }
    if (name in values) {
      return err(
        problem("bad-request", `Query parameter ${name} is given twice, expected once`, {
          field: name,
        }),
      );
    }
    values[name] = value;
  }
  if (!schema) return ok(undefined);
  const parsed = schema.safeParse(values);
  if (parsed.success) return ok(parsed.data);
  return err(fault("Query parameter", values, schema, parsed.error));
}

function parseBody(
  body: unknown,
  schema: z.ZodObject,
  secrets: readonly string[] = [],
): Result<unknown, Problem> {
  const value = body ?? {};
  if (typeof value !== "object" || Array.isArray(value)) {
    return err(problem("bad-request", `Body is ${quote(value)}, expected a JSON object`));
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const shown = Object.entries(value).map(([name, given]) =>
    [name, secrets.includes(name) ? "***" : given] as const
  );
  return err(fault("Field", Object.fromEntries(shown), schema, parsed.error));
}

/**
 * The first issue in words: which value, and what was expected (the field's `expected` in its
 * meta).
 */
function fault(
  kind: string,
  values: Readonly<Record<string, unknown>>,
  schema: z.ZodObject,
  error: z.ZodError,
): Problem {
  const issue = error.issues[0]!;
  const name = String(issue.path[0] ?? "");
  const field = schema.shape[name] as z.ZodType | undefined;
  const described = field?.meta()?.expected;
  const expected = typeof described === "string" ? described : issue.message;
  const given = values[name] === undefined ? "is missing" : `is ${quote(values[name])}`;
  return problem("bad-request", `${kind} ${name} ${given}, expected ${expected}`, { field: name });
}

const QUOTED_LENGTH = 80;

/** A value as it may stand in a sentence: JSON, cut. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}...` : text;
}
