import { Groups } from "../../core/groups.ts";
import type { FlowId } from "../../core/ids.ts";
import type { Flow } from "../flow.ts";
import { copyText, type NameAddr, type SipUri } from "../message/mod.ts";
import { contactKey } from "../registrar/location.ts";

/** Contacts that one flow may have; the oldest goes first. */
export const MAX_CONTACTS_PER_FLOW = 256;

interface Route {
  /** A text that belongs to no message. */
  readonly key: string;
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
  readonly #ofFlow = new Groups<FlowId, string>();

  get size(): number {
    return this.#routes.size;
  }

  /** A contact seen on a flow. Another's contact is not taken over while its flow is open. */
  learn(contact: SipUri, flow: Flow, owner: string | null): void {
    const seen = contactKey(contact);
    const existing = this.#routes.get(seen);
    if (existing && existing.flow.id !== flow.id) {
      if (owner === null || existing.owner !== owner) return;
      this.#ofFlow.delete(existing.flow.id, existing.key);
    }
    const key = existing?.key ?? copyText(seen);
    if (existing?.flow !== flow || (owner !== null && existing.owner !== owner)) {
      const known = owner ?? existing?.owner;
      this.#routes.set(key, { key, flow, owner: known === undefined ? null : known });
    }
    // Anew at the end: a contact in use is not the oldest.
    this.#ofFlow.add(flow.id, key);
    if (this.#ofFlow.countOf(flow.id) > MAX_CONTACTS_PER_FLOW) this.#forgetOldest(flow.id);
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
    for (const key of this.#ofFlow.deleteAll(flow)) this.#routes.delete(key);
  }

  #forgetOldest(flow: FlowId): void {
    const oldest = this.#ofFlow.firstOf(flow);
    if (oldest === undefined) return;
    this.#ofFlow.delete(flow, oldest);
    this.#routes.delete(oldest);
  }
}
