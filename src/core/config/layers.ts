import type { ConfigFault } from "./command_line.ts";
import { type JsoncObject, type JsoncValue, parseJsonc, toPlain } from "./jsonc.ts";
import { ENVIRONMENT_PREFIX, environmentName } from "./names.ts";
import { nearest } from "./nearest.ts";
import { CONFIG_GROUPS, CONFIG_KEYS, type LeafKind } from "./schema.ts";

/** One value of one key, and where it was written. */
export interface Setting {
  readonly value: unknown;
  /** For a listing: `default`, `my.jsonc, line 4`, `PORTZERO_HTTP_PORT`. */
  readonly origin: string;
  /** The key as the writer of the value knows it, for the head of a message. */
  readonly subject: string;
}

/** Settings by dotted key. */
export type Layer = Map<string, Setting>;

export interface LayerResult {
  readonly layer: Layer;
  readonly faults: ConfigFault[];
}

/** Reads a configuration file. `origin` replaces file and line in listings. */
export function jsoncLayer(text: string, file: string, origin?: string): LayerResult {
  const layer: Layer = new Map();
  const faults: ConfigFault[] = [];
  const parsed = parseJsonc(text);
  if (!parsed.ok) {
    const { line, column, text: what } = parsed.error;
    return {
      layer,
      faults: [{ key: file, text: `${file}, line ${line}, column ${column}: ${what}` }],
    };
  }
  const visit = (members: JsoncObject, prefix: string) => {
    for (const [name, { value, line }] of members) {
      const path = prefix + name;
      const where = `${file}, line ${line}`;
      if (CONFIG_KEYS.has(path)) {
        const subject = `${path} (${where})`;
        layer.set(path, { value: toPlain(value), origin: origin ?? where, subject });
      } else if (!CONFIG_GROUPS.has(path)) {
        faults.push({ key: path, text: unknownKey(path, where) });
      } else if (value instanceof Map) {
        visit(value, `${path}.`);
      } else {
        const text = `${path} (${where}) is ${
          show(toPlain(value))
        }: expected an object of settings`;
        faults.push({ key: path, text });
      }
    }
  };
  if (isObject(parsed.value)) visit(parsed.value, "");
  else {faults.push({
      key: file,
      text: `${file} holds no object: expected { "http": { ... }, ... }`,
    });}
  return { layer, faults };
}

function isObject(value: JsoncValue): value is JsoncObject {
  return value instanceof Map;
}

function unknownKey(path: string, where: string): string {
  const meant = nearest(path, [...CONFIG_KEYS.keys(), ...CONFIG_GROUPS]);
  return `unknown key ${JSON.stringify(path)} (${where}): did you mean "${meant}"?`;
}

/** A value for a message, cut where it is long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

const BY_ENVIRONMENT: ReadonlyMap<string, string> = new Map(
  [...CONFIG_KEYS.keys()].flatMap((path) => [
    // Without the inner underscores too: PORTZERO_MEDIA_PORTFROM.
    [ENVIRONMENT_PREFIX + path.replaceAll(".", "_").toUpperCase(), path],
    [environmentName(path), path],
  ]),
);

/** Takes the variables that begin with our prefix; any of them that means nothing is a fault. */
export function environmentLayer(env: Readonly<Record<string, string>>): LayerResult {
  const layer: Layer = new Map();
  const faults: ConfigFault[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX)) continue;
    const path = BY_ENVIRONMENT.get(name);
    const key = path === undefined ? undefined : CONFIG_KEYS.get(path);
    if (path === undefined || !key) {
      const meant = nearest(name, [...CONFIG_KEYS.keys()].map(environmentName));
      faults.push({
        key: name,
        text: `unknown environment variable ${name}: did you mean ${meant}?`,
      });
    } else {
      const subject = `${path} (${name})`;
      layer.set(path, { value: valueOfText(key.kind, text), origin: name, subject });
    }
  }
  return { layer, faults };
}

const WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};

/**
 * What text stands for in a key of this kind; what makes no sense stays text, for the check to
 * name.
 */
export function valueOfText(kind: LeafKind, text: string): unknown {
  const trimmed = text.trim();
  switch (kind) {
    case "string":
      return text;
    case "integer":
      return /^[+-]?\d+$/.test(trimmed) ? Number(trimmed) : trimmed;
    case "boolean": {
      const word = trimmed.toLowerCase();
      return Object.hasOwn(WORDS, word) ? WORDS[word] : trimmed;
    }
    case "list":
      return items(trimmed);
    case "listOrWord":
      return trimmed === "auto" ? trimmed : items(trimmed);
    case "json":
      try {
        return JSON.parse(trimmed);
      } catch {
        return trimmed;
      }
    case "accounts":
      return items(trimmed).map((item) => {
        const colon = item.indexOf(":");
        return colon < 0
          ? { name: item, password: "" }
          : { name: item.slice(0, colon), password: item.slice(colon + 1) };
      });
  }
}

function items(text: string): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}
