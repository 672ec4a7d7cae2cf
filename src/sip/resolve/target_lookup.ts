import type { Entropy } from "../../core/entropy.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { SipUri } from "../message/mod.ts";
import type { Answer, NaptrRecord, Query, SrvRecord } from "./records.ts";
import { orderSrv } from "./srv_order.ts";
import { type ClientTransport, defaultPort, type Target, targetHost } from "./target.ts";

export interface LookupOptions {
  readonly entropy: Entropy;
  /** Transports that we can use, best first; takes the place of a missing NAPTR's preference. */
  readonly transports: readonly ClientTransport[];
  /** Whether IPv6 addresses are of any use to us. */
  readonly ipv6: boolean;
}

/** Most places tried for one request: names of others must not keep us busy. */
export const MAX_TARGETS = 16;

const NAPTR_SERVICES: Readonly<Record<string, ClientTransport>> = {
  "SIPS+D2T": "TLS",
  "SIP+D2T": "TCP",
  "SIP+D2U": "UDP",
};

/** A host at a port, whose addresses are wanted. */
interface Hop {
  readonly transport: ClientTransport;
  readonly name: string;
  readonly port: number;
}

/** An SRV name that stands for hops. */
interface Service {
  readonly transport: ClientTransport;
  readonly name: string;
}

type Stage =
  | { readonly type: "naptr" }
  | { readonly type: "srv"; readonly services: readonly Service[] }
  | { readonly type: "addresses"; readonly hops: readonly Hop[] };

/**
 * Where to send a request to a URI, in which order (RFC 3263 4.1, 4.2). Ask `queries`, give each
 * answer to `answer`, until `result` is there.
 */
export class TargetLookup {
  readonly #uri: SipUri;
  readonly #options: LookupOptions;
  readonly #host: string;
  readonly #transports: readonly ClientTransport[];
  #stage: Stage | undefined;
  #open = new Map<string, Query>();
  #answers = new Map<string, Answer>();
  #result: Result<readonly Target[], string> | undefined;

  constructor(uri: SipUri, options: LookupOptions) {
    this.#uri = uri;
    this.#options = options;
    this.#host = targetHost(uri).replace(/\.$/, "");
    this.#transports = options.transports.filter((one) => uri.scheme !== "sips" || one === "TLS");
    this.#begin();
  }

  /** The queries whose answers are wanted now; they may be asked at the same time. */
  get queries(): readonly Query[] {
    return [...this.#open.values()];
  }

  get result(): Result<readonly Target[], string> | undefined {
    return this.#result;
  }

  answer(query: Query, answer: Answer): void {
    const key = keyOf(query);
    if (!this.#open.delete(key)) return;
    this.#answers.set(key, answer);
    if (this.#open.size === 0) this.#advance();
  }

  #begin(): void {
    const { scheme, port, transport: wanted } = this.#uri;
    if (!this.#uri.isSip) return this.#fail(`${scheme} URIs cannot be looked up`);
    const transport = transportOf(wanted, scheme);
    if (wanted !== undefined && !transport) return this.#fail(`transport ${wanted} is no way out`);
    if (transport && !this.#transports.includes(transport)) {
      return this.#fail(`${transport} is not served here`);
    }
    const isNumeric = isAddress(this.#host);
    if (isNumeric || port !== undefined) {
      // RFC 3263 4.1: a number or a port leaves nothing to look up but addresses.
      const chosen = transport ?? (scheme === "sips" ? "TLS" : "UDP");
      const hop = { transport: chosen, name: this.#host, port: port ?? defaultPort(chosen) };
      if (isNumeric) return this.#finish([{ ...hop, host: this.#host }]);
      return this.#enter({ type: "addresses", hops: [hop] });
    }
    if (transport) return this.#enter({ type: "srv", services: [this.#service(transport)] });
    this.#enter({ type: "naptr" });
  }

  #enter(stage: Stage): void {
    this.#stage = stage;
    this.#answers = new Map();
    this.#open = new Map(this.#queriesOf(stage).map((query) => [keyOf(query), query]));
    if (this.#open.size === 0) this.#advance();
  }

  #queriesOf(stage: Stage): Query[] {
    switch (stage.type) {
      case "naptr":
        return [{ type: "NAPTR", name: this.#host }];
      case "srv":
        return stage.services.map(({ name }) => ({ type: "SRV", name }));
      case "addresses":
        return stage.hops.filter(({ name }) => !isAddress(name)).flatMap(({ name }): Query[] => [
          { type: "A", name },
          ...this.#options.ipv6 ? [{ type: "AAAA", name } as const] : [],
        ]);
    }
  }

  #advance(): void {
    const stage = this.#stage!;
    if (stage.type === "naptr") this.#afterNaptr();
    else if (stage.type === "srv") this.#afterSrv(stage.services);
    else this.#afterAddresses(stage.hops);
  }

  #afterNaptr(): void {
    const services = this.#records("NAPTR", this.#host)
      .map((record) => ({ record, transport: NAPTR_SERVICES[record.services.toUpperCase()] }))
      .filter(({ record, transport }) =>
        transport !== undefined && this.#transports.includes(transport) &&
        record.flags.toUpperCase() === "S" && record.replacement !== ""
      )
      .toSorted((a, b) => compareNaptr(a.record, b.record))
      .map(({ record, transport }) => ({
        transport: transport!,
        name: record.replacement.toLowerCase().replace(/\.$/, ""),
      }));
    if (services.length > 0) return this.#enter({ type: "srv", services });
    this.#enter({ type: "srv", services: this.#transports.map((one) => this.#service(one)) });
  }

  #afterSrv(services: readonly Service[]): void {
    const records = services.map((service) => ({
      service,
      found: this.#records("SRV", service.name),
    })).filter(({ found }) => found.length > 0);
    if (records.length === 0) {
      const { scheme, transport: wanted } = this.#uri;
      const transport = transportOf(wanted, scheme) ?? (scheme === "sips" ? "TLS" : "UDP");
      const port = defaultPort(transport);
      return this.#enter({ type: "addresses", hops: [{ transport, name: this.#host, port }] });
    }
    const hops = records.flatMap(({ service, found }) =>
      orderSrv(found.filter(({ target }) => target !== "." && target !== ""), this.#options.entropy)
        .map((record): Hop => ({
          transport: service.transport,
          name: record.target.toLowerCase().replace(/\.$/, ""),
          port: record.port,
        }))
    );
    if (hops.length === 0) return this.#fail(`${this.#host} says that it offers no SIP`);
    this.#enter({ type: "addresses", hops: hops.slice(0, MAX_TARGETS) });
  }

  #afterAddresses(hops: readonly Hop[]): void {
    const targets = hops.flatMap((hop): Target[] => {
      const addresses = isAddress(hop.name)
        ? [hop.name]
        : [...this.#addresses("A", hop.name), ...this.#addresses("AAAA", hop.name)];
      // The certificate names the domain that was asked for, not the SRV's host (RFC 5922 7.1).
      return addresses.map((host) => ({ ...hop, host, name: this.#host }));
    });
    if (targets.length === 0) return this.#fail(`${this.#host} has no address`);
    this.#finish(targets.slice(0, MAX_TARGETS));
  }

  #records(type: "NAPTR", name: string): readonly NaptrRecord[];
  #records(type: "SRV", name: string): readonly SrvRecord[];
  #records(type: "NAPTR" | "SRV", name: string): readonly (NaptrRecord | SrvRecord)[] {
    const answer = this.#answers.get(`${type} ${name}`);
    return answer?.type === type ? answer.records : [];
  }

  #addresses(type: "A" | "AAAA", name: string): readonly string[] {
    const answer = this.#answers.get(`${type} ${name}`);
    return answer?.type === type ? answer.records : [];
  }

  #service(transport: ClientTransport): Service {
    const name = transport === "TLS" ? "_sips._tcp" : `_sip._${transport.toLowerCase()}`;
    return { transport, name: `${name}.${this.#host}` };
  }

  #finish(targets: readonly Target[]): void {
    this.#result = ok(targets);
  }

  #fail(why: string): void {
    this.#result = err(why);
  }
}

/** `transport=tcp` of a SIPS URI means TLS (RFC 3261 26.2.2). */
function transportOf(wanted: string | undefined, scheme: string): ClientTransport | undefined {
  if (wanted === "TLS" || (wanted === "TCP" && scheme === "sips")) return "TLS";
  if (scheme === "sips") return undefined;
  return wanted === "UDP" || wanted === "TCP" ? wanted : undefined;
}

function compareNaptr(a: NaptrRecord, b: NaptrRecord): number {
  return a.order - b.order || a.preference - b.preference;
}

function keyOf({ type, name }: Query): string {
  return `${type} ${name}`;
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}
