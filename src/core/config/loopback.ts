import type { Config } from "./schema.ts";

/** Whether only this machine itself can reach what listens on `host`. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** Whether a list of hosts, `*` for any, holds this one. */
export function isAllowedHost(allow: readonly string[], host: string): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/^\[|\]$|\.$/g, "");
  const name = plain(host);
  return allow.some((one) => one === "*" || plain(one) === name);
}

/** Whether `host` stands for all addresses of the machine. */
export function isWildcardHost(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** Whether others than this machine can reach the server (design section 10). */
export function isExposed(config: Config): boolean {
  return !isLoopbackHost(config.http.host);
}
