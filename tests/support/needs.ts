import { findNeed, type NeedName, WITHOUT_VARIABLE } from "../../tools/needs.ts";

/**
 * What a test needs of the machine. Spread `ignore` into the test, so that it is listed as skipped
 * where the need is not there:
 * `const chromium = needs("chromium"); Deno.test({ name, ignore: chromium.ignore, fn })`.
 */
export function needs(name: NeedName): { readonly ignore: boolean; readonly path: string } {
  const without = (Deno.env.get(WITHOUT_VARIABLE) ?? "").split(",");
  const path = without.includes(name) ? undefined : findNeed(name);
  return { ignore: path === undefined, path: path ?? "" };
}
