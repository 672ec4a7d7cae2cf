import type { Instant } from "../../core/clock.ts";
import type { Flow } from "../flow.ts";
import {
  createResponse,
  NameAddr,
  type SipRequest,
  type SipResponse,
  type SipUri,
} from "../message/mod.ts";
import { type Binding, bindingKey, Location, type RemovalReason } from "./location.ts";
import { flowNumber, gruuParams, needsFirstHop, registerExtensions } from "./outbound.ts";

export interface RegistrarLimits {
  /** Shortest registration, s; a shorter wish gets 423 (RFC 3261 10.3 step 7). */
  readonly minExpires: number;
  /** Longest registration, s; a longer wish gets this. */
  readonly maxExpires: number;
  /** Where the client does not say, s. */
  readonly defaultExpires: number;
  /** Bindings one AoR may have at a time. */
  readonly maxBindingsPerAor: number;
}

export const DEFAULT_REGISTRAR_LIMITS: RegistrarLimits = {
  minExpires: 30,
  maxExpires: 7_200,
  defaultExpires: 3_600,
  maxBindingsPerAor: 16,
};

export type RegistrarEvent =
  /** `uri`: its contact, read. */
  | { readonly type: "binding-added"; readonly binding: Binding; readonly uri: SipUri }
  | { readonly type: "binding-refreshed"; readonly binding: Binding; readonly uri: SipUri }
  | {
    readonly type: "binding-removed";
    readonly binding: Binding;
    readonly reason: RemovalReason;
  };

interface Wish {
  readonly contact: NameAddr;
  /** As `Location.find` wants it. */
  readonly key: string;
  readonly regId: number | null;
  /** Seconds; 0 removes. */
  readonly expires: number;
}

type Refusal = { readonly status: number; readonly reason: string; readonly minExpires?: number };

/**
 * The registrar's work on one REGISTER whose sender is known and allowed (RFC 3261 10.3 from step 5
 * on): all of its contacts are taken or none.
 */
export class Registrar {
  readonly location: Location = new Location();
  readonly #limits: RegistrarLimits;

  constructor(limits: Partial<RegistrarLimits> = {}) {
    this.#limits = { ...DEFAULT_REGISTRAR_LIMITS, ...limits };
  }

  register(
    request: SipRequest,
    aor: string,
    flow: Flow,
    now: Instant,
    toTag: string,
  ): { response: SipResponse; events: RegistrarEvent[] } {
    const events: RegistrarEvent[] = [];
    const { contacts } = request;
    const refusal = contacts === "*"
      ? this.#removeAll(request, aor, now, events)
      : this.#update(request, contacts, aor, flow, now, events);
    if (refusal) {
      const response = createResponse(request, refusal.status, refusal.reason, { toTag });
      if (refusal.minExpires !== undefined) {
        response.headers.set("Min-Expires", String(refusal.minExpires));
      }
      return { response, events: [] };
    }
    const headers = registerExtensions(request, flow);
    const response = createResponse(request, 200, "OK", { toTag, headers });
    for (const binding of this.location.lookup(aor, now)) {
      const left = Math.ceil((binding.expiresAt - now) / 1000);
      const gruu = gruuParams(request, binding);
      response.headers.append("Contact", `${binding.contactValue}${gruu};expires=${left}`);
    }
    return { response, events };
  }

  #removeAll(
    request: SipRequest,
    aor: string,
    now: Instant,
    events: RegistrarEvent[],
  ): Refusal | undefined {
    if (request.expires !== 0) return { status: 400, reason: "Contact * Wants Expires 0" };
    const bindings = this.location.lookup(aor, now);
    if (bindings.some((b) => isOutOfOrder(request, b))) return OUT_OF_ORDER;
    for (const binding of bindings) this.#remove(binding, "unregistered", events);
    return undefined;
  }

  #update(
    request: SipRequest,
    contacts: readonly NameAddr[],
    aor: string,
    flow: Flow,
    now: Instant,
    events: RegistrarEvent[],
  ): Refusal | undefined {
    const wishes: Wish[] = [];
    for (const contact of contacts) {
      if (!contact.uri.isSip) return { status: 400, reason: "Contact Must Be A SIP URI" };
      const wished = readExpires(contact) ?? request.expires ?? this.#limits.defaultExpires;
      if (wished > 0 && wished < this.#limits.minExpires) {
        const minExpires = this.#limits.minExpires;
        return { status: 423, reason: "Interval Too Brief", minExpires };
      }
      const regId = flowNumber(contact);
      if (regId !== null && needsFirstHop(request)) return FIRST_HOP;
      const key = bindingKey(contact.uri, instanceOf(contact), regId);
      const existing = this.location.find(aor, key);
      if (existing && isOutOfOrder(request, existing)) return OUT_OF_ORDER;
      const expires = Math.min(wished, this.#limits.maxExpires);
      wishes.push({ contact, key, regId, expires });
    }
    const isFew = this.location.countOf(aor) + wishes.length <= this.#limits.maxBindingsPerAor;
    if (!isFew && this.#countAfter(wishes, aor, now) > this.#limits.maxBindingsPerAor) {
      return { status: 403, reason: "Too Many Bindings" };
    }
    for (const wish of wishes) this.#apply(wish, request, aor, flow, now, events);
    return undefined;
  }

  #countAfter(wishes: readonly Wish[], aor: string, now: Instant): number {
    const left = new Set<Binding | string>(this.location.lookup(aor, now));
    for (const { key, expires } of wishes) {
      const known = this.location.find(aor, key) ?? key;
      if (expires > 0) left.add(known);
      else left.delete(known);
    }
    return left.size;
  }

  #apply(
    { contact, key, regId, expires }: Wish,
    request: SipRequest,
    aor: string,
    flow: Flow,
    now: Instant,
    events: RegistrarEvent[],
  ): void {
    if (expires === 0) {
      const existing = this.location.find(aor, key);
      if (existing) this.#remove(existing, "unregistered", events);
      return;
    }
    const { binding, previous } = this.location.put({
      aor,
      contact: contact.uri.withoutHeaders().toString(),
      contactValue: valueOf(contact),
      flow,
      callId: request.callId,
      sequence: request.cseq.sequence,
      expiresAt: now + expires * 1000,
      q: readQ(contact),
      instance: instanceOf(contact),
      regId,
      path: request.headers.getAll("Path"),
      refreshedAt: now,
      userAgent: request.headers.get("User-Agent") ?? null,
    }, key);
    const { uri } = contact;
    if (previous && previous.flow.id === flow.id) {
      events.push({ type: "binding-refreshed", binding, uri });
      return;
    }
    if (previous) events.push({ type: "binding-removed", binding: previous, reason: "replaced" });
    events.push({ type: "binding-added", binding, uri });
  }

  #remove(binding: Binding, reason: RemovalReason, events: RegistrarEvent[]): void {
    this.location.remove(binding);
    events.push({ type: "binding-removed", binding, reason });
  }
}

const OUT_OF_ORDER: Refusal = { status: 500, reason: "CSeq Out Of Order" };

const FIRST_HOP: Refusal = { status: 439, reason: "First Hop Lacks Outbound Support" };

/** As it is given back: without its name, and with an expiry that is ours to say. */
function valueOf({ uri, params }: NameAddr): string {
  if (params.size === 0) return `<${uri}>`;
  return NameAddr.of({ uri, params: params.without("expires") }).toString();
}

function instanceOf(contact: NameAddr): string | null {
  return contact.params.get("+sip.instance") ?? null;
}

/** An older REGISTER of the same client must not undo a newer one (10.3 step 7). */
function isOutOfOrder(request: SipRequest, binding: Binding): boolean {
  return binding.callId === request.callId && request.cseq.sequence <= binding.sequence;
}

/** The Contact's `expires`, s; what cannot be read counts as an hour (10.3 step 6). */
function readExpires(contact: NameAddr): number | undefined {
  const text = contact.params.get("expires");
  if (text === undefined) return undefined;
  return /^\d{1,10}$/.test(text) ? Number(text) : 3_600;
}

function readQ(contact: NameAddr): number {
  const text = contact.params.get("q");
  const q = text === undefined ? 1 : Number(text);
  return q >= 0 && q <= 1 ? q : 1;
}
