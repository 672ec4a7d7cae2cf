import { isExposed, isLoopbackHost, isWildcardHost } from "../config/loopback.ts";
import type { Config } from "../config/schema.ts";
import { err, ok, type Result } from "../result.ts";

/** One address of one interface, as `Deno.networkInterfaces` gives it. */
export interface InterfaceAddress {
  readonly name: string;
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
}

/** Interfaces of containers, virtual machines and tunnels: real, but nobody calls by them. */
const VIRTUAL =
  /^(docker|br-|veth|virbr|vmnet|vboxnet|lxc|lxd|cni|flannel|cali|kube|utun|awdl|llw)/;

/** Most addresses that are announced to browsers without being asked for. */
const MOST_ANNOUNCED = 4;

/** The interface of the default route, where the system tells (Linux, `/proc/net/route`). */
function defaultRouteInterface(): string | undefined {
  try {
    const rows = Deno.readTextFileSync("/proc/net/route").split("\n").slice(1);
    return rows.map((row) => row.split("\t")).find((row) => row[1] === "00000000")?.[0];
  } catch {
    return undefined;
  }
}

/**
 * Addresses by which other machines may reach this one, best first: the default route's, then other
 * real interfaces, then virtual ones. IPv6 counts only where there is no IPv4, because its
 * temporary addresses change daily and would renew the certificate each time.
 */
export function lanAddresses(
  interfaces: readonly InterfaceAddress[] = Deno.networkInterfaces(),
  primary: string | undefined = defaultRouteInterface(),
): string[] {
  const rank = ({ name }: InterfaceAddress) => name === primary ? 0 : VIRTUAL.test(name) ? 2 : 1;
  const reachable = interfaces
    .filter(({ address }) => !isLoopbackHost(address))
    // Link-local ones need a zone, or lead nowhere (RFC 3927, RFC 4291 2.5.6).
    .filter(({ address }) => !/^(169\.254\.|fe[89ab][0-9a-f]:)/i.test(address))
    .toSorted((a, b) => rank(a) - rank(b));
  const v4 = reachable.filter(({ family }) => family === "IPv4");
  return [...new Set((v4.length > 0 ? v4 : reachable).map(({ address }) => address))];
}

/**
 * Addresses that media sockets are bound to. `auto`: loopback and the machine's own address, since
 * Firefox refuses a loopback candidate; an exposed server takes all of its LAN's.
 */
export function mediaAddresses(
  config: Config,
  interfaces: readonly InterfaceAddress[] = Deno.networkInterfaces(),
): Result<string[], string> {
  const { addresses } = config.media;
  if (addresses === "auto") {
    const own = lanAddresses(interfaces.filter(({ family }) => family === "IPv4"));
    const { host } = config.http;
    const reached = isWildcardHost(host)
      ? own.slice(0, MOST_ANNOUNCED)
      : isExposed(config) && own.includes(host)
      ? [host]
      : own.slice(0, 1);
    return ok(["127.0.0.1", ...reached]);
  }
  const here = interfaces.map(({ address }) => address);
  for (const address of addresses) {
    if (isLoopbackHost(address) || here.includes(address)) continue;
    return err(
      `media.addresses names ${address}: expected addresses of this machine (${
        here.join(", ")
      }); ` +
        `an address outside of it goes to media.publicAddress`,
    );
  }
  return ok([...new Set(addresses)]);
}

/**
 * Names and addresses by which this server is meant, besides loopback; for Host, certificate, SIP.
 */
export function ownNames(config: Config, lan: readonly string[]): string[] {
  const { host, allowedHosts } = config.http;
  const bound = isWildcardHost(host) ? lan : isExposed(config) ? [host] : [];
  return [...new Set([...bound, ...allowedHosts])];
}
