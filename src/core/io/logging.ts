import {
  configureSync,
  getLogger,
  type LogLevel,
  type LogRecord,
  resetSync,
} from "@logtape/logtape";
import { styleText } from "node:util";
import type { Log, LogFields } from "../log.ts";
import { redactFields } from "./redact.ts";

export interface LoggingOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  /** `text` for people, `json` for machines: one object a line. */
  readonly format: "text" | "json";
  /** Takes finished lines with their line end; standard error where absent. */
  readonly write?: (line: string) => void;
  /** Colours in `text`; only where a terminal reads, unless told. */
  readonly isColoured?: boolean;
}

export interface LogSystem {
  /** A log whose lines carry the name of a part of the house: `sip`, `media`, `web`. */
  log(part: string): Log;
  /** Forgets the set-up, so that another may follow (tests). */
  close(): void;
}

const ROOT = "portzero";
const ENCODER = new TextEncoder();

/**
 * Writes at once, so that the last line before an end is not lost; a reader that left is no fault.
 */
function toStandardError(line: string): void {
  try {
    const bytes = ENCODER.encode(line);
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch { /* Nobody is left to be told. */ }
}

const LEVEL_NAMES: Readonly<Record<LogLevel, string>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  fatal: "fatal",
};

/** The message as written: a log line may hold braces of SDP or JSON, which are no placeholders. */
function messageOf(record: LogRecord): string {
  return typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
}

const partOf = (record: LogRecord) => record.category.slice(1).join(".");

function jsonLine(record: LogRecord): string {
  const line = {
    time: new Date(record.timestamp).toISOString(),
    level: LEVEL_NAMES[record.level],
    part: partOf(record),
    message: messageOf(record),
    ...rename(redactFields(record.properties)),
  };
  return `${JSON.stringify(line)}\n`;
}

const RESERVED = new Set(["time", "level", "part", "message"]);

/** Fields may not take the place of what each line has. */
function rename(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [RESERVED.has(name) ? `${name}_` : name, value]),
  );
}

const COLOURS = { debug: "gray", info: "cyan", warning: "yellow", error: "red" } as const;

/** Control characters would let whoever chose a name forge lines or steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}

function fieldText(value: unknown): string {
  if (typeof value === "string") return /^[\w.:@+/-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}

function textLine(record: LogRecord, isColoured: boolean): string {
  const level = LEVEL_NAMES[record.level].padEnd(5);
  const colour = COLOURS[record.level as keyof typeof COLOURS] ?? "red";
  const fields = redactFields(record.properties);
  let trace = "";
  for (const [name, value] of Object.entries(fields)) {
    // A trace of many lines reads better as such than as one long string.
    if (typeof value === "object" && value !== null && "stack" in value) {
      const { stack, ...rest } = value as Record<string, unknown>;
      fields[name] = `${rest.name}: ${rest.message}`;
      trace += String(stack).split("\n").slice(1).map((line) => `\n    ${printable(line.trim())}`)
        .join("");
    }
  }
  const words = [
    new Date(record.timestamp).toISOString(),
    isColoured ? styleText(colour, level, { validateStream: false }) : level,
    `${partOf(record)}:`,
    printable(messageOf(record)),
    ...Object.entries(fields).map(([name, value]) => printable(`${name}=${fieldText(value)}`)),
  ];
  return `${words.join(" ")}${trace}\n`;
}

/** Sets up the one log of the process. A second call replaces the first. */
export function setUpLogging(options: LoggingOptions): LogSystem {
  const write = options.write ?? toStandardError;
  const isColoured = options.isColoured ??
    (options.write === undefined && Deno.stderr.isTerminal() && !Deno.noColor);
  const isJson = options.format === "json";
  configureSync({
    reset: true,
    sinks: { lines: (record) => write(isJson ? jsonLine(record) : textLine(record, isColoured)) },
    loggers: [
      {
        category: [ROOT],
        lowestLevel: options.level === "warn" ? "warning" : options.level,
        sinks: ["lines"],
      },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["lines"] },
    ],
  });
  return {
    log(part) {
      const logger = getLogger([ROOT, part]);
      // Asking the logger costs more than all else that is done for a registration.
      const says = { debug: options.level === "debug", info: /debug|info/.test(options.level) };
      return {
        debug: (message: string, fields: LogFields = {}) => {
          if (says.debug) logger.debug(message, { ...fields });
        },
        info: (message: string, fields: LogFields = {}) => {
          if (says.info) logger.info(message, { ...fields });
        },
        warn: (message: string, fields: LogFields = {}) => logger.warn(message, { ...fields }),
        error: (message: string, fields: LogFields = {}) => logger.error(message, { ...fields }),
      };
    },
    close: () => resetSync(),
  };
}
