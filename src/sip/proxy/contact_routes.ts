import type { FlowId } from "../../core/ids.ts";
import type { Flow } from "../flow.ts";
import type { NameAddr, SipUri } from "../message/mod.ts";
import { contactKey } from "../registrar/location.ts";

/** Contacts that one flow may have; the oldest goes first. */
export const MAX_CONTACTS_PER_FLOW = 256;

interface Route {
  readonly flow: Flow;
  /** Who said so: the identity behind the flow, null where none was asked for. */
  readonly owner: string | null;
}

/**
 * Which flow leads to which contact, as long as the flow is open: requests inside dialogs find
 * their way even after the binding has expired, and to callers that never registered.
 */
export class ContactRoutes {
  readonly #routes = new Map<string, Route>();
  readonly #ofFlow = new Map<FlowId, Set<string>>();

  get size(): number {
    return this.#routes.size;
  }

  /** A contact seen on a flow. Another's contact is not taken over while its flow is open. */
  learn(contact: SipUri, flow: Flow, owner: string | null): void {
    const key = contactKey(contact);
    const existing = this.#routes.get(key);
    if (existing && existing.flow.id !== flow.id) {
      if (owner === null || existing.owner !== owner) return;
      this.#ofFlow.get(existing.flow.id)?.delete(key);
    }
    this.#routes.set(key, { flow, owner: owner ?? existing?.owner ?? null });
    let keys = this.#ofFlow.get(flow.id);
    if (!keys) this.#ofFlow.set(flow.id, keys = new Set());
    // Anew at the end: a contact in use is not the oldest.
    keys.delete(key);
    keys.add(key);
    if (keys.size > MAX_CONTACTS_PER_FLOW) this.#forgetOldest(keys);
  }

  /** The first contact of a message, if it has one that can be routed. */
  learnFrom(contacts: NameAddr[] | "*", flow: Flow, owner: string | null): void {
    if (contacts === "*") return;
    const uri = contacts[0]?.uri;
    if (uri?.isSip) this.learn(uri, flow, owner);
  }

  find(contact: SipUri): Flow | undefined {
    return this.#routes.get(contactKey(contact))?.flow;
  }

  /** Whether any contact is behind this flow. */
  hasFlow(flow: FlowId): boolean {
    return this.#ofFlow.has(flow);
  }

  closeFlow(flow: FlowId): void {
    for (const key of this.#ofFlow.get(flow) ?? []) this.#routes.delete(key);
    this.#ofFlow.delete(flow);
  }

  #forgetOldest(keys: Set<string>): void {
    for (const oldest of keys) {
      keys.delete(oldest);
      this.#routes.delete(oldest);
      return;
    }
  }
}
