import type { LogFields } from "../log.ts";

/**
 * What must not stand in a log: secrets never, and of a telephone number only its end. Works by the
 * names of fields, so a secret has to be logged under an honest name.
 */

const MASK = "***";
const SECRET = /passw|secret|token|authorization|credential|cookie|private|icepwd|^key$|^sdp$/i;
/** Seven digits in a row and more; no part of an IP address has as many. */
const NUMBER = /\+?\d{4,}(\d{3})/g;
const PERSONAL = /^(caller|callee|login|user|username|from|to|aor|contact|target|visiblename)$/i;
const MOST_DEPTH = 4;
const LONGEST_TEXT = 4000;

function maskNumbers(text: string): string {
  return text.replaceAll(NUMBER, (_, end: string) => `${MASK}${end}`);
}

function redactValue(name: string, value: unknown, depth: number): unknown {
  if (SECRET.test(name) && value !== undefined && value !== null && value !== "") return MASK;
  if (typeof value === "string") {
    const text = PERSONAL.test(name) ? maskNumbers(value) : value;
    return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}...` : text;
  }
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return describeError(value, depth);
  if (typeof value === "function" || typeof value === "symbol") return typeof value;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MOST_DEPTH) return "[...]";
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((element) => redactValue(name, element, depth + 1));
  return redactFields(value as LogFields, depth + 1);
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const cause = error.cause === undefined || depth >= MOST_DEPTH
    ? {}
    : { cause: redactValue("cause", error.cause, depth + 1) };
  return { name: error.name, message: error.message, stack: error.stack ?? "", ...cause };
}

/** The same fields, fit to be written down. */
export function redactFields(fields: LogFields, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, redactValue(name, value, depth)]),
  );
}
