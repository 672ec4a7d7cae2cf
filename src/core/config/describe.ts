import type { LoadedConfig } from "./load.ts";
import { CONFIG_KEYS } from "./schema.ts";

const MASK = "***";

/** A secret's shape without its content: `""` stays, so that one sees that nothing is set. */
function masked(value: unknown): unknown {
  if (typeof value === "string") return value === "" ? "" : MASK;
  if (!Array.isArray(value)) return MASK;
  return value.map((element) => ({ ...element, password: MASK }));
}

/**
 * The whole configuration as JSONC, secrets masked. What is not the default says where it comes
 * from; without secrets the text can be fed back by `--config`.
 */
export function describeConfig({ config, origins }: Omit<LoadedConfig, "warnings">): string {
  const lines: string[] = ["{"];
  const keys = [...CONFIG_KEYS.values()];
  let group = "";
  keys.forEach((key, index) => {
    const [first, name] = key.path.split(".") as [string, string?];
    const holder = config[first as keyof typeof config];
    const value = name === undefined ? holder : (holder as Readonly<Record<string, unknown>>)[name];
    if (name !== undefined && first !== group) lines.push(`  ${JSON.stringify(first)}: {`);
    group = first;
    const following = keys[index + 1]?.path.split(".")[0];
    const isLast = name !== undefined && following !== first;
    const origin = origins.get(key.path);
    const comment = origin === undefined || origin === "default" ? "" : ` // ${origin}`;
    const text = JSON.stringify(key.isSecret ? masked(value) : value);
    const comma = isLast ? "" : ",";
    const indent = name === undefined ? "  " : "    ";
    lines.push(`${indent}${JSON.stringify(name ?? first)}: ${text}${comma}${comment}`);
    if (isLast) lines.push(following === undefined ? "  }" : "  },");
  });
  lines.push("}");
  return lines.join("\n");
}
