import type { Result } from "../core/result.ts";
import { err, ok } from "../core/result.ts";
import type { ClientMessage, ClientMessageName, ServerMessage } from "./wire.ts";
import { clientSchemas, MAX_CALL_ID } from "./wire.ts";

/** Why a frame could not be read. */
export interface WireFault {
  readonly kind: "not_json" | "not_a_message" | "too_deep" | "bad_field";
  /** A sentence for a log or a person. */
  readonly text: string;
  /** With `bad_field`: which message, which field of it, and the call that it named, if it did. */
  readonly message?: ClientMessageName;
  readonly field?: string;
  readonly callId?: string;
}

/** Objects in objects: more than any client sends, little enough for every recursion of ours. */
const MAX_DEPTH = 32;

/** Old clients' names of present messages. */
const ALIASES: Readonly<Record<string, ClientMessageName>> = { connect: "connection" };

/** Reads one text frame of a client. Never throws. */
export function decode(frame: string): Result<ClientMessage, WireFault> {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return err({ kind: "not_json", text: "the frame is not JSON" });
  }
  if (!within(value, MAX_DEPTH)) {
    return err({ kind: "too_deep", text: `the frame nests deeper than ${MAX_DEPTH} levels` });
  }
  if (!isObject(value) || typeof value["message"] !== "string") {
    return err({ kind: "not_a_message", text: "the frame is not an object with a message name" });
  }
  const name = value["message"];
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name;
  if (!isKnown(known)) return ok({ message: "unknown", name });
  return decodeData(known, firstOf(value["data"]));
}

/** One text frame for a client. */
export function encode(message: ServerMessage): string {
  return JSON.stringify({ message: message.message, data: message.data });
}

/** `data` is an array of one; legacy clients leave it out, and a bare object is understood. */
function firstOf(data: unknown): unknown {
  return Array.isArray(data) ? data[0] : data;
}

function decodeData(message: ClientMessageName, raw: unknown): Result<ClientMessage, WireFault> {
  const parsed = clientSchemas[message].safeParse(raw);
  if (parsed.success) {
    // The schema was looked up by the name, so the pair belongs to the union.
    return ok({ message, data: parsed.data, raw } as ClientMessage);
  }
  const issue = parsed.error.issues[0];
  const path = issue?.path[0];
  const callId = isObject(raw) ? raw["callId"] : undefined;
  const field = path === undefined ? "data[0]" : String(path);
  const rule = path === undefined ? "must be an object" : issue?.message ?? "is not understood";
  const found = kindOf(isObject(raw) && path !== undefined ? raw[field] : raw);
  return err({
    kind: "bad_field",
    message,
    field,
    ...(isCallId(callId) ? { callId } : {}),
    text: `${message}: ${field} ${rule} and is ${found}`,
  });
}

function isCallId(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_CALL_ID;
}

function isKnown(name: string): name is ClientMessageName {
  return Object.hasOwn(clientSchemas, name);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "absent";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Whether `value` nests no deeper than `depth`; looks no deeper than that itself. */
function within(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0) return false;
  for (const inner of Object.values(value)) {
    if (!within(inner, depth - 1)) return false;
  }
  return true;
}
