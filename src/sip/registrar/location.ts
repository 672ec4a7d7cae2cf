import type { Instant } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import { type TimerEntry, TimerQueue } from "../../core/timer_queue.ts";
import type { Flow } from "../flow.ts";
import { parseUri, type SipUri } from "../message/mod.ts";

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

interface Stored {
  binding: Binding;
  readonly key: string;
  timer: TimerEntry<Stored>;
}

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
  readonly #aors = new Map<string, Map<string, Stored>>();
  readonly #flows = new Map<FlowId, Set<Stored>>();
  readonly #inOrder = new Map<number, Stored>();
  readonly #queue = new TimerQueue<Stored>();
  #sequence = 0;

  get bindingCount(): number {
    return this.#inOrder.size;
  }

  get aorCount(): number {
    return this.#aors.size;
  }

  /** When the next binding expires. */
  get nextExpiry(): Instant | undefined {
    return this.#queue.first?.at;
  }

  /** The live bindings of an AoR, best first (by q, then oldest). */
  lookup(aor: string, now: Instant): Binding[] {
    const stored = this.#aors.get(aor);
    if (!stored) return [];
    const live = [...stored.values()].map((s) => s.binding).filter((b) => b.expiresAt > now);
    return live.sort((a, b) => b.q - a.q || a.sequenceNumber - b.sequenceNumber);
  }

  /** @param key as `bindingKey` makes it */
  find(aor: string, key: string): Binding | undefined {
    return this.#aors.get(aor)?.get(key)?.binding;
  }

  /** Adds or refreshes; returns the binding and what it took the place of. */
  put(made: NewBinding): { binding: Binding; previous: Binding | undefined } {
    const key = keyOf(made);
    const existing = this.#aors.get(made.aor)?.get(key);
    if (existing) this.#unlink(existing);
    const sequenceNumber = existing?.binding.sequenceNumber ?? ++this.#sequence;
    const binding: Binding = { ...made, sequenceNumber };
    const stored = { binding, key } as Stored;
    stored.timer = this.#queue.add(binding.expiresAt, stored);
    let ofAor = this.#aors.get(binding.aor);
    if (!ofAor) this.#aors.set(binding.aor, ofAor = new Map());
    ofAor.set(key, stored);
    let onFlow = this.#flows.get(binding.flow.id);
    if (!onFlow) this.#flows.set(binding.flow.id, onFlow = new Set());
    onFlow.add(stored);
    // A refresh keeps its place: a map keeps the order of its keys.
    this.#inOrder.set(sequenceNumber, stored);
    return { binding, previous: existing?.binding };
  }

  /** Takes one binding away; whether it was there. */
  remove(binding: Binding): boolean {
    const stored = this.#aors.get(binding.aor)?.get(keyOf(binding));
    if (stored) this.#remove(stored);
    return stored !== undefined;
  }

  /** Bindings reached over a flow; expired ones that are still about, too. */
  onFlow(flow: FlowId): Binding[] {
    return [...this.#flows.get(flow) ?? []].map(({ binding }) => binding);
  }

  removeFlow(flow: FlowId): Binding[] {
    const removed = [...this.#flows.get(flow) ?? []];
    for (const stored of removed) this.#remove(stored);
    return removed.map((stored) => stored.binding);
  }

  /** Takes away the next binding that has expired by `now`. */
  expire(now: Instant): Binding | undefined {
    const stored = this.#queue.takeDue(now);
    if (stored) this.#remove(stored);
    return stored?.binding;
  }

  /** Bindings in order of arrival, those after the cursor `after`, at most `limit`. */
  page(options: { after?: number; limit: number; aor?: string }): BindingPage {
    const after = options.after ?? 0;
    const found: Binding[] = [];
    for (const { binding } of this.#ordered(options.aor)) {
      if (binding.sequenceNumber <= after) continue;
      if (found.length === options.limit) {
        return { bindings: found, next: found.at(-1)?.sequenceNumber ?? null };
      }
      found.push(binding);
    }
    return { bindings: found, next: null };
  }

  #ordered(aor: string | undefined): Iterable<Stored> {
    if (aor === undefined) return this.#inOrder.values();
    const ofAor = [...this.#aors.get(aor)?.values() ?? []];
    return ofAor.sort((a, b) => a.binding.sequenceNumber - b.binding.sequenceNumber);
  }

  #remove(stored: Stored): void {
    this.#inOrder.delete(stored.binding.sequenceNumber);
    this.#unlink(stored);
  }

  #unlink(stored: Stored): void {
    const { aor, flow } = stored.binding;
    this.#queue.remove(stored.timer);
    const ofAor = this.#aors.get(aor);
    ofAor?.delete(stored.key);
    if (ofAor?.size === 0) this.#aors.delete(aor);
    const onFlow = this.#flows.get(flow.id);
    onFlow?.delete(stored);
    if (onFlow?.size === 0) this.#flows.delete(flow.id);
  }
}

function keyOf({ contact, instance, regId }: NewBinding): string {
  const parsed = parseUri(contact);
  return parsed.ok ? bindingKey(parsed.value, instance, regId) : contact;
}
