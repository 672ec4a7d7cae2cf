/** A name server for tests: answers what its table says, over UDP (RFC 1035). */

export type DnsZone = Readonly<Record<string, readonly DnsRecord[]>>;

/** Address, SRV or NAPTR, as the key's first word says. */
export type DnsRecord =
  | string
  | {
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: string;
  }
  | {
    readonly order: number;
    readonly preference: number;
    readonly flags: string;
    readonly services: string;
    readonly replacement: string;
  };

const TYPES: Readonly<Record<number, string>> = { 1: "A", 28: "AAAA", 33: "SRV", 35: "NAPTR" };
const NAME_ERROR = 3;
const HEADER_BYTES = 12;

export class DnsServer implements AsyncDisposable {
  /** Queries in order: `SRV _sip._udp.example.test`. */
  readonly asked: string[] = [];
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #zone: DnsZone;
  readonly #answers: boolean;
  readonly #running: Promise<void>;

  constructor(zone: DnsZone, options: { readonly answers?: boolean } = {}) {
    this.#zone = zone;
    this.#answers = options.answers ?? true;
    this.#running = this.#run();
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    for await (const [query, from] of this.#socket) {
      const answer = this.#answer(query);
      if (this.#answers) await this.#socket.send(answer, from);
    }
  }

  #answer(query: Uint8Array): Uint8Array<ArrayBuffer> {
    const labels: string[] = [];
    let at = HEADER_BYTES;
    for (; query[at] !== 0; at += query[at]! + 1) {
      labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + query[at]!)));
    }
    const end = at + 5;
    const type = query[at + 1]! * 256 + query[at + 2]!;
    const key = `${TYPES[type] ?? type} ${labels.join(".").toLowerCase()}`;
    this.asked.push(key);
    const records = this.#zone[key] ?? [];
    const code = records.length === 0 ? NAME_ERROR : 0;
    return Uint8Array.from([
      ...query.subarray(0, 2),
      ...[0x85, 0x80 | code, 0, 1],
      ...u16(records.length),
      ...[0, 0, 0, 0],
      ...query.subarray(HEADER_BYTES, end),
      ...records.flatMap((record) => {
        const data = encode(record);
        // The name is the question's; class IN, 60 s.
        return [0xc0, HEADER_BYTES, ...u16(type), 0, 1, 0, 0, 0, 60, ...u16(data.length), ...data];
      }),
    ]);
  }
}

function encode(record: DnsRecord): number[] {
  if (typeof record === "string") {
    return record.includes(":") ? ipv6(record) : record.split(".").map(Number);
  }
  if ("order" in record) {
    const { order, preference, flags, services, replacement } = record;
    return [
      ...u16(order),
      ...u16(preference),
      ...text(flags),
      ...text(services),
      ...text(""),
      ...name(replacement),
    ];
  }
  const { priority, weight, port, target } = record;
  return [...u16(priority), ...u16(weight), ...u16(port), ...name(target)];
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)];
}

function name(value: string): number[] {
  return [...value.split(".").flatMap(text), 0];
}

/** Of the form `a::b` only. */
function ipv6(value: string): number[] {
  const [head = "", tail = ""] = value.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].flatMap(u16);
}
