import type { LoadedConfig } from "./load.ts";
import { CONFIG_KEYS } from "./schema.ts";

const MASK = "***";

/** A secret's shape without its content: `""` stays, so that one sees that nothing is set. */
function masked(value: unknown): unknown {
  if (typeof value === "string") return value === "" ? "" : MASK;
  if (!Array.isArray(value)) return MASK;
  return value.map(withoutPasswords);
}

function withoutPasswords(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === "password" ? MASK : withoutPasswords(member),
    ]),
  );
}

/**
 * The whole configuration as JSONC, secrets masked. What is not the default says where it comes
 * from; without secrets the text can be fed back by `--config`.
 */
export function describeConfig({ config, origins }: Omit<LoadedConfig, "warnings">): string {
  const lines: string[] = ["{"];
  const keys = [...CONFIG_KEYS.values()];
  let open: readonly string[] = [];
  keys.forEach((key, index) => {
    const groups = key.path.split(".");
    const name = groups.pop()!;
    const shared = sharedLength(open, groups);
    for (let depth = shared; depth < groups.length; depth++) {
      lines.push(`${"  ".repeat(depth + 1)}${JSON.stringify(groups[depth])}: {`);
    }
    open = groups;
    const following = keys[index + 1]?.path.split(".") ?? [];
    const left = sharedLength(groups, following.slice(0, -1));
    const isLast = left < groups.length || following.length === 0;
    const origin = origins.get(key.path);
    const comment = origin === undefined || origin === "default" ? "" : ` // ${origin}`;
    const value = valueAt(config, [...groups, name]);
    const text = JSON.stringify(key.isSecret ? masked(value) : value);
    const indent = "  ".repeat(groups.length + 1);
    lines.push(`${indent}${JSON.stringify(name)}: ${text}${isLast ? "" : ","}${comment}`);
    for (let depth = groups.length; depth > left; depth--) {
      const more = depth - 1 > left || following.length === 0 ? "" : ",";
      lines.push(`${"  ".repeat(depth)}}${more}`);
    }
  });
  lines.push("}");
  return lines.join("\n");
}

function sharedLength(a: readonly string[], b: readonly string[]): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

function valueAt(config: unknown, path: readonly string[]): unknown {
  return path.reduce((holder, name) => (holder as Readonly<Record<string, unknown>>)[name], config);
}
