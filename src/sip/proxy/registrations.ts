import type { Instant } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Flow } from "../flow.ts";
import {
  copyText,
  parseUri,
  type SipRequest,
  type SipResponse,
  type SipUri,
} from "../message/mod.ts";
import type { OutputQueue } from "../output_queue.ts";
import type { Binding, Location, NewBinding, RemovalReason } from "../registrar/location.ts";
import { REGISTRAR_EXTENSIONS } from "../registrar/outbound.ts";
import { Registrar, type RegistrarLimits } from "../registrar/registrar.ts";
import type { ContactRoutes } from "./contact_routes.ts";
import { badExtension } from "./forwarding.ts";
import type { ProxyOutput, ProxyPolicy, Refusal } from "./proxy_io.ts";

/** What registrations mean to the proxy beside it: which contact is on which flow, and whose. */
export class Registrations {
  readonly #policy: ProxyPolicy;
  readonly #registrar: Registrar;
  readonly #contacts: ContactRoutes;
  readonly #outputs: OutputQueue<ProxyOutput>;
  /** User parts that open flows have registered. */
  readonly #identities = new Map<FlowId, string>();

  constructor(
    policy: ProxyPolicy,
    contacts: ContactRoutes,
    outputs: OutputQueue<ProxyOutput>,
    limits: Partial<RegistrarLimits> | undefined,
  ) {
    this.#policy = policy;
    this.#contacts = contacts;
    this.#outputs = outputs;
    this.#registrar = new Registrar(limits);
  }

  get location(): Location {
    return this.#registrar.location;
  }

  /** The user part that was registered on this flow. */
  identityOf(flow: Flow): string | null {
    return this.#identities.get(flow.id) ?? null;
  }

  /** 420 for what a REGISTER requires and the registrar does not know (RFC 3261 10.3 step 2). */
  inspect(request: SipRequest): Refusal | undefined {
    if (!request.headers.has("Require")) return undefined;
    const unknown = request.headers.getAll("Require").filter((t) => !REGISTRAR_EXTENSIONS.has(t));
    return unknown.length > 0 ? badExtension(unknown) : undefined;
  }

  /** A REGISTER whose sender may send it (RFC 3261 10.3, from step 5 on). */
  register(
    request: SipRequest,
    flow: Flow,
    now: Instant,
    localTag: string,
  ): Result<SipResponse, Refusal> {
    const { uri } = request.to;
    if (!uri.isSip || uri.user === null || !this.#policy.isOurs(uri.host, uri.port)) {
      return err({ status: 404 });
    }
    const aor = uri.aorKey(this.#policy.canonicalDomain);
    const { response, events } = this.#registrar.register(request, aor, flow, now, localTag);
    const isKnown = this.#identities.get(flow.id) === uri.user;
    if (response.status < 300 && !isKnown) this.#identities.set(flow.id, copyText(uri.user));
    for (const event of events) {
      if (event.type !== "binding-removed") this.#learn(event.binding, event.uri);
      this.#outputs.push(event);
    }
    return ok(response);
  }

  /** A binding of an earlier life of the process. */
  restore(made: NewBinding): void {
    const { binding } = this.location.put(made);
    const contact = parseUri(binding.contact);
    if (contact.ok) this.#learn(binding, contact.value);
  }

  /** Takes an AoR's bindings away; with a contact, that one. */
  unregister(aor: string, contact: string | undefined, now: Instant): void {
    for (const binding of this.location.lookup(aor, now)) {
      if (contact !== undefined && binding.contact !== contact) continue;
      this.location.remove(binding);
      this.#removed(binding, "unregistered");
    }
  }

  expire(now: Instant): void {
    for (let binding = this.location.expire(now); binding; binding = this.location.expire(now)) {
      this.#removed(binding, "expired");
    }
  }

  closeFlow(flow: FlowId): void {
    for (const binding of this.location.removeFlow(flow)) this.#removed(binding, "flow-closed");
    this.#identities.delete(flow);
  }

  #learn({ flow, aor }: Binding, contact: SipUri): void {
    this.#contacts.learn(contact, flow, aor);
  }

  #removed(binding: Binding, reason: RemovalReason): void {
    this.#outputs.push({ type: "binding-removed", binding, reason });
  }
}
