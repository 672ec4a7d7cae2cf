import { lookup } from "node:dns/promises";
import type { Clock, Instant } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { Log } from "../../core/log.ts";
import type { Result } from "../../core/result.ts";
import type { SipUri } from "../message/mod.ts";
import type { Answer, Query } from "../resolve/records.ts";
import type { ClientTransport, Target } from "../resolve/target.ts";
import { TargetLookup } from "../resolve/target_lookup.ts";

export interface ResolverOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Best first. */
  readonly transports: readonly ClientTransport[];
  readonly ipv6: boolean;
  /** One query, ms. */
  readonly timeoutMs?: number;
  /** Absent: those of the system. */
  readonly nameServer?: { readonly ipAddr: string; readonly port: number };
}

const TIMEOUT_MS = 2_000;
/**
 * `Deno.resolveDns` keeps a record's own time to live to itself, so answers are kept briefly, ms.
 */
const KEPT_MS = 30_000;
const KEPT_EMPTY_MS = 5_000;
/** Answers kept at most; names come from strangers. */
const MAX_KEPT = 2_000;

interface Kept {
  readonly answer: Promise<Answer>;
  readonly until: Instant;
}

/** Finds out where requests to a URI go (RFC 3263), by DNS and the system's table of hosts. */
export class SipResolver {
  readonly #options: ResolverOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** Places to try in this order, at least one; the fault is a sentence. */
  async resolve(uri: SipUri): Promise<Result<readonly Target[], string>> {
    const { entropy, transports, ipv6 } = this.#options;
    const search = new TargetLookup(uri, { entropy, transports, ipv6 });
    for (;;) {
      const { result } = search;
      if (result) return result;
      const asked = search.queries;
      const answers = await Promise.all(asked.map((query) => this.#ask(query)));
      asked.forEach((query, at) => search.answer(query, answers[at]!));
    }
  }

  #ask(query: Query): Promise<Answer> {
    const { clock } = this.#options;
    const key = `${query.type} ${query.name}`;
    const known = this.#kept.get(key);
    if (known && known.until > clock.now()) return known.answer;
    const answer = this.#query(query);
    this.#keep(key, { answer, until: clock.now() + KEPT_MS });
    void answer.then(({ records }) => {
      if (records.length > 0 || this.#kept.get(key)?.answer !== answer) return;
      this.#keep(key, { answer, until: clock.now() + KEPT_EMPTY_MS });
    });
    return answer;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size <= MAX_KEPT) return;
    for (const oldest of this.#kept.keys()) return void this.#kept.delete(oldest);
  }

  /** Never rejects: what cannot be found out is not there. */
  async #query(query: Query): Promise<Answer> {
    const { clock, log, timeoutMs = TIMEOUT_MS } = this.#options;
    if (query.name === "localhost" || query.name.endsWith(".localhost")) return loopback(query);
    const abort = new AbortController();
    const limit = clock.setTimeout(() => abort.abort(), timeoutMs);
    try {
      return await this.#dns(query, abort.signal);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.debug("a DNS query brought nothing", { ...query, why });
      return await this.#hosts(query);
    } finally {
      clock.clearTimeout(limit);
    }
  }

  async #dns(query: Query, signal: AbortSignal): Promise<Answer> {
    const { nameServer } = this.#options;
    const options = { signal, ...(nameServer ? { nameServer } : {}) };
    const { type, name } = query;
    switch (type) {
      case "NAPTR":
        return { type, records: await Deno.resolveDns(name, type, options) };
      case "SRV":
        return { type, records: await Deno.resolveDns(name, type, options) };
      default:
        return { type, records: await Deno.resolveDns(name, type, options) };
    }
  }

  /** Names that only this machine knows. */
  async #hosts({ type, name }: Query): Promise<Answer> {
    if (type === "NAPTR") return { type, records: [] };
    if (type === "SRV") return { type, records: [] };
    // A given name server is the whole truth.
    if (this.#options.nameServer) return { type, records: [] };
    const { clock, timeoutMs = TIMEOUT_MS } = this.#options;
    const { promise: late, resolve } = Promise.withResolvers<[]>();
    const limit = clock.setTimeout(() => resolve([]), timeoutMs);
    try {
      const found = lookup(name, { all: true, family: type === "A" ? 4 : 6 });
      const records = await Promise.race([found, late]);
      return { type, records: records.map(({ address }) => address) };
    } catch {
      return { type, records: [] };
    } finally {
      clock.clearTimeout(limit);
    }
  }
}

/** RFC 6761 6.3. */
function loopback({ type }: Query): Answer {
  if (type === "A") return { type, records: ["127.0.0.1"] };
  if (type === "AAAA") return { type, records: ["::1"] };
  return type === "SRV" ? { type, records: [] } : { type, records: [] };
}
