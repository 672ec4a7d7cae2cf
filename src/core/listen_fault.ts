import { settingOf } from "./config/names.ts";

/** Why a listener could not be opened; `text` is one sentence for the operator. */
export interface ListenFault {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly reason: "in_use" | "address_not_available" | "not_permitted" | "other";
  readonly text: string;
}

/** What was wanted. */
export interface ListenWish {
  /** What it is for: `http`, `sip udp` ... */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** The keys that say where each listener listens. */
export const LISTENER_KEYS: Readonly<
  Record<string, { readonly port: string; readonly host: string }>
> = {
  "http": { port: "http.port", host: "http.host" },
  "https": { port: "http.tlsPort", host: "http.host" },
  "rest": { port: "http.restPort", host: "http.host" },
  "rest tls": { port: "http.restTlsPort", host: "http.host" },
  "sip udp": { port: "sip.port", host: "sip.host" },
  "sip tcp": { port: "sip.port", host: "sip.host" },
  "sip tls": { port: "sip.tlsPort", host: "sip.host" },
};

/** The fault that the system's `error` is, told by its name, and what setting can help. */
export function listenFault({ name, host, port }: ListenWish, error: unknown): ListenFault {
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const about = { name, address: host, port };
  const keys = LISTENER_KEYS[name];
  const another = keys ? `; give it another by ${settingOf(keys.port)}` : "";
  switch (error instanceof Error ? error.name : "") {
    case "AddrInUse":
      return {
        ...about,
        reason: "in_use",
        text: `Port ${port} (${name}) of ${host} is in use by another process${another}`,
      };
    case "AddrNotAvailable":
      return {
        ...about,
        reason: "address_not_available",
        text: `${host} is no address of this machine, so ${name} cannot be served there` +
          (keys ? `; --host and ${settingOf(keys.host)} take one that is` : ""),
      };
    case "PermissionDenied":
      return {
        ...about,
        reason: "not_permitted",
        text: `This user may not listen on ${where} (${name}); try a port above 1023` +
          (keys ? ` by ${settingOf(keys.port)}` : ""),
      };
  }
  const why = error instanceof Error ? error.message : String(error);
  return { ...about, reason: "other", text: `Cannot listen on ${where} (${name}): ${why}` };
}

/** No port of the media range is free; a sentence. */
export function mediaRangeFault(
  addresses: readonly string[],
  [first, last]: readonly [number, number],
): string {
  return `no UDP port from ${first} to ${last} is free on ${addresses.join(" and ")}; end what ` +
    `uses them, or move the range by ${settingOf("media.portFrom")} and ` +
    settingOf("media.portTo");
}
