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

/** The fault that the system's `error` is, told by its name. */
export function listenFault({ name, host, port }: ListenWish, error: unknown): ListenFault {
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const about = { name, address: host, port };
  switch (error instanceof Error ? error.name : "") {
    case "AddrInUse":
      return {
        ...about,
        reason: "in_use",
        text: `Port ${port} (${name}) of ${host} is in use by another process`,
      };
    case "AddrNotAvailable":
      return {
        ...about,
        reason: "address_not_available",
        text: `${host} is no address of this machine, so ${name} cannot be served there`,
      };
    case "PermissionDenied":
      return {
        ...about,
        reason: "not_permitted",
        text: `This user may not listen on ${where} (${name}); try a port above 1023`,
      };
  }
  const why = error instanceof Error ? error.message : String(error);
  return { ...about, reason: "other", text: `Cannot listen on ${where} (${name}): ${why}` };
}
