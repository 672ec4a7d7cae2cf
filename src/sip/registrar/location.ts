import type { Instant } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import { Groups } from "../../core/groups.ts";
import { TimerQueue } from "../../core/timer_queue.ts";
import type { Flow } from "../flow.ts";
import { copyText, parseUri, type SipUri } from "../message/mod.ts";
import { StoredBinding } from "./stored_binding.ts";

/** One place where an AoR can be reached (RFC 3261 10). */
export interface Binding {
  /** User and canonical domain, as `SipUri.aorKey` writes it. */
  readonly aor: string;
  /** Contact URI as registered. */
  readonly contact: string;
  /** The Contact as the registrar writes it back, without `expires`. */
  readonly contactValue: string;
  /** Requests to the contact go out here. */
  readonly flow: Flow;
  readonly callId: string;
  readonly sequence: number;
  readonly expiresAt: Instant;
  /** 0 to 1; 1 unless the Contact says otherwise. */
  readonly q: number;
  /** `+sip.instance` (RFC 5626), undecoded. */
  readonly instance: string | null;
  /** `reg-id` beside an instance (RFC 5626 4.2): one of several flows of one device. */
  readonly regId: number | null;
  /** Path values of the REGISTER: in front of the routes of what goes there (RFC 3327). */
  readonly path: readonly string[];
  readonly refreshedAt: Instant;
  readonly userAgent: string | null;
  /** Order of arrival; the cursor of a listing. Kept over refreshes. */
  readonly sequenceNumber: number;
}

export type NewBinding = Omit<Binding, "sequenceNumber">;
export type RemovalReason = "expired" | "unregistered" | "replaced" | "flow-closed";

/** A page of bindings in order of arrival. */
export interface BindingPage {
  readonly bindings: readonly Binding[];
  /** `after` of the next page, null on the last. */
  readonly next: number | null;
}

/**
 * What makes two contacts one binding: user, host, port and transport. Coarser than 19.1.4, so that
 * a lookup is one step; a client that tells two contacts apart by other parameters alone has one.
 */
export function contactKey(uri: SipUri): string {
  return `${uri.aorKey()};${uri.transport ?? ""}`;
}

/** What a binding is found again by: a device's flow by its number, all others by their contact. */
export function bindingKey(
  contact: SipUri,
  instance: string | null,
  regId: number | null,
): string {
  return instance !== null && regId !== null ? `${instance};reg-id=${regId}` : contactKey(contact);
}

/** The bindings of a registrar, by AoR, contact, flow and expiry. */
export class Location {
  readonly #aors = new Groups<string, StoredBinding>();
  readonly #flows = new Groups<FlowId, StoredBinding>();
  readonly #inOrder = new Map<number, StoredBinding>();
  readonly #queue = new TimerQueue<StoredBinding>();
  #sequence = 0;

  get bindingCount(): number {
    return this.#inOrder.size;
  }

  get aorCount(): number {
    return this.#aors.size;
  }

  /** Bindings of an AoR, expired ones that are still about, too. */
  countOf(aor: string): number {
    return this.#aors.countOf(aor);
  }

  /** When the next binding expires. */
  get nextExpiry(): Instant | undefined {
    return this.#queue.first?.at;
  }

  /** The live bindings of an AoR, best first (by q, then oldest). */
  lookup(aor: string, now: Instant): Binding[] {
    const bindings = this.#aors.valuesOf(aor);
    if (bindings.length === 1) return bindings[0]!.expiresAt > now ? bindings : [];
    return bindings.filter((b) => b.expiresAt > now)
      .sort((a, b) => b.q - a.q || a.sequenceNumber - b.sequenceNumber);
  }

  /** @param key as `bindingKey` makes it */
  find(aor: string, key: string): Binding | undefined {
    return this.#find(aor, key);
  }

  /**
   * Adds or refreshes; returns the binding and what it took the place of.
   * @param key as `bindingKey` makes it, where that is known
   */
  put(
    made: NewBinding,
    key: string = keyOf(made),
  ): { binding: Binding; previous: Binding | undefined } {
    const existing = this.#find(made.aor, key);
    // The text of any binding of this AoR will do; a new one is cut loose from its message.
    const aor = this.#aors.firstOf(made.aor)?.aor ?? copyText(made.aor);
    if (existing) this.#unlink(existing);
    const sequenceNumber = existing?.sequenceNumber ?? ++this.#sequence;
    const binding = new StoredBinding(made, aor, key, sequenceNumber);
    binding.timer = this.#queue.add(binding.expiresAt, binding);
    this.#aors.add(aor, binding);
    this.#flows.add(binding.flow.id, binding);
    // A refresh keeps its place: a map keeps the order of its keys.
    this.#inOrder.set(sequenceNumber, binding);
    return { binding, previous: existing };
  }

  /** Takes one binding away; whether it was there. */
  remove(binding: Binding): boolean {
    const key = binding instanceof StoredBinding ? binding.key : keyOf(binding);
    const stored = this.#find(binding.aor, key);
    if (stored) this.#remove(stored);
    return stored !== undefined;
  }

  /** Bindings reached over a flow; expired ones that are still about, too. */
  onFlow(flow: FlowId): Binding[] {
    return this.#flows.valuesOf(flow);
  }

  removeFlow(flow: FlowId): Binding[] {
    const removed = this.#flows.valuesOf(flow);
    for (const stored of removed) this.#remove(stored);
    return removed;
  }

  /** Takes away the next binding that has expired by `now`. */
  expire(now: Instant): Binding | undefined {
    const stored = this.#queue.takeDue(now);
    if (stored) this.#remove(stored);
    return stored;
  }

  /** Bindings in order of arrival, those after the cursor `after`, at most `limit`. */
  page(options: { after?: number; limit: number; aor?: string }): BindingPage {
    const after = options.after ?? 0;
    const found: Binding[] = [];
    for (const binding of this.#ordered(options.aor)) {
      if (binding.sequenceNumber <= after) continue;
      if (found.length === options.limit) {
        return { bindings: found, next: found.at(-1)?.sequenceNumber ?? null };
      }
      found.push(binding);
    }
    return { bindings: found, next: null };
  }

  #find(aor: string, key: string): StoredBinding | undefined {
    const first = this.#aors.firstOf(aor);
    if (!first || first.hasKey(key)) return first;
    if (this.#aors.countOf(aor) === 1) return undefined;
    return this.#aors.valuesOf(aor).find((binding) => binding.hasKey(key));
  }

  #ordered(aor: string | undefined): Iterable<StoredBinding> {
    if (aor === undefined) return this.#inOrder.values();
    return this.#aors.valuesOf(aor).sort((a, b) => a.sequenceNumber - b.sequenceNumber);
  }

  #remove(stored: StoredBinding): void {
    this.#inOrder.delete(stored.sequenceNumber);
    this.#unlink(stored);
  }

  #unlink(stored: StoredBinding): void {
    if (stored.timer) this.#queue.remove(stored.timer);
    this.#aors.delete(stored.aor, stored);
    this.#flows.delete(stored.flow.id, stored);
  }
}

function keyOf({ contact, instance, regId }: NewBinding): string {
  const parsed = parseUri(contact);
  return parsed.ok ? bindingKey(parsed.value, instance, regId) : contact;
}
