/**
 * Who may talk to us: the Host and Origin rules of the web face. Loopback is no wall, since any
 * page in the browser can send requests to it; what protects us is that a browser says by which
 * name it calls (Host, against DNS rebinding) and which page asks (Origin).
 */

export interface AccessRules {
  isHostAllowed(host: string): boolean;
  /** `host`: the name by which the request calls us; its own pages are always allowed. */
  isOriginAllowed(origin: string, host: string): boolean;
}

/** Lower-case name or address of `authority` (`name`, `name:port`, `[v6]:port`, bare v6). */
export function hostName(authority: string): string | undefined {
  // Anything besides host and port (user, path, query) is no authority of a Host header.
  if (/[\s/?#@\\]/.test(authority)) return undefined;
  const isBareV6 = (authority.match(/:/g)?.length ?? 0) > 1 && !authority.startsWith("[");
  try {
    return plainName(new URL(`http://${isBareV6 ? `[${authority}]` : authority}`).hostname);
  } catch {
    return undefined;
  }
}

/** `localhost`, names below it (RFC 6761 6.3), 127.0.0.0/8 and ::1. */
export function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" ||
    /^127(\.\d{1,3}){3}$/.test(name);
}

/**
 * @param allowedHosts names and addresses besides loopback, with or without port
 * @param allowedOrigins origins besides same host and loopback; `null` may be listed too
 */
export function createAccessRules(
  allowedHosts: readonly string[],
  allowedOrigins: readonly string[],
): AccessRules {
  const hosts = new Set(allowedHosts.map((host) => hostName(host) ?? host));
  const origins = new Set(allowedOrigins.map(canonicalOrigin));
  return {
    isHostAllowed: (host) => isLoopbackName(host) || hosts.has(host),
    isOriginAllowed: (origin, host) => {
      if (origins.has(canonicalOrigin(origin))) return true;
      const name = originHost(origin);
      return name !== undefined && (name === host || isLoopbackName(name));
    },
  };
}

/** Host of a web origin; undefined for `null` and schemes that are not the web's. */
function originHost(origin: string): string | undefined {
  try {
    const url = new URL(origin);
    if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
    return plainName(url.hostname);
  } catch {
    return undefined;
  }
}

function canonicalOrigin(origin: string): string {
  try {
    const canonical = new URL(origin).origin;
    return canonical === "null" ? origin : canonical;
  } catch {
    return origin;
  }
}

function plainName(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase();
}
