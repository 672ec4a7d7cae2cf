import { err, ok, type Result } from "../core/result.ts";
import { type Problem, problem } from "./problem.ts";

/**
 * The JSON body of a request; undefined where there is none. A write needs the content type even
 * then: no foreign page can send it without asking first (CORS preflight).
 */
export async function readJson(
  request: Request,
  isWrite: boolean,
  limit: number,
): Promise<Result<unknown, Problem>> {
  const bytes = await readBytes(request, limit);
  if (!bytes.ok) return bytes;
  const isEmpty = bytes.value.length === 0;
  const type = request.headers.get("content-type");
  const isJson = type?.replace(/;.*$/s, "").trim().toLowerCase() === "application/json";
  if (!isJson && (!isEmpty || (isWrite && request.method === "POST"))) {
    const given = type === null ? "missing" : JSON.stringify(type.slice(0, 80));
    return err(
      problem("unsupported-media-type", `Content-Type is ${given}, expected application/json`),
    );
  }
  if (isEmpty) return ok(undefined);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.value);
    return ok(JSON.parse(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return err(problem("bad-request", `The body is not JSON: ${why}`));
  }
}

async function readBytes(
  request: Request,
  limit: number,
): Promise<Result<Uint8Array, Problem>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > limit) {
      return err(problem("too-large", `The body is over ${limit} bytes, expected at most those`));
    }
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return ok(bytes);
}
