import type { Instant } from "../../core/clock.ts";
import { type Entropy, randomHex } from "../../core/entropy.ts";
import type { FlowId } from "../../core/ids.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Deadline, SansIo } from "../../core/sans_io.ts";
import { NonceStore } from "../auth/mod.ts";
import type { Flow } from "../flow.ts";
import { createResponse, parseUri, type SipRequest, type SipUri } from "../message/mod.ts";
import { OutputQueue } from "../output_queue.ts";
import type { Binding, Location, RemovalReason } from "../registrar/location.ts";
import { Registrar, type RegistrarLimits } from "../registrar/registrar.ts";
import { SipStack } from "../stack.ts";
import type { StackInput, StackOutput } from "../stack_io.ts";
import type { ServerTransactionId } from "../transaction/ids.ts";
import { DEFAULT_TIMERS, type SipTimers } from "../transaction/timers.ts";
import { Authenticator } from "./authenticator.ts";
import { ContactRoutes } from "./contact_routes.ts";
import { ContextTable } from "./context_table.ts";
import { checkRequest, createForward, loopSuffix, preprocessRoute } from "./forwarding.ts";
import { Gate, type Sender } from "./gate.ts";
import type { ProxyInput, ProxyOutput, ProxyPolicy, Refusal } from "./proxy_io.ts";
import { ResponseContext } from "./response_context.ts";

export type { Account } from "./authenticator.ts";
export type { ProxyInput, ProxyOutput, ProxyPolicy, Verdict } from "./proxy_io.ts";

export interface ProxyOptions {
  readonly entropy: Entropy;
  /** `host:port` of our Vias and Record-Routes: a listener that can be reached. */
  readonly sentBy: string;
  readonly policy: ProxyPolicy;
  readonly timers?: Partial<SipTimers>;
  readonly limits?: Partial<RegistrarLimits>;
  readonly maxTransactions?: number;
}

/** Where a request goes: a URI and the flow that leads there. */
interface Target {
  readonly uri: string;
  readonly flow: Flow;
}

/** What the registrar's domain itself answers. */
const OWN_METHODS: readonly [string, string] = ["Allow", "REGISTER, OPTIONS"];
/** Extensions a REGISTER may require. */
const REGISTRAR_EXTENSIONS = new Set(["outbound"]);

/**
 * Registrar and stateful proxy in one element (RFC 3261 10, 16; RFC 6026; RFC 5393): what comes in
 * on a flow goes out on the flows of the bindings that it names, and the best answer comes back.
 */
export class ProxyCore implements SansIo<ProxyInput, ProxyOutput> {
  readonly #entropy: Entropy;
  readonly #policy: ProxyPolicy;
  readonly #sentBy: string;
  readonly #stack: SipStack;
  readonly #registrar: Registrar;
  readonly #gate: Gate;
  readonly #contacts = new ContactRoutes();
  readonly #contexts: ContextTable;
  /** User parts that open flows have registered. */
  readonly #identities = new Map<FlowId, string>();
  readonly #outputs = new OutputQueue<ProxyOutput>();
  #draining = false;
  #now: Instant = 0;

  constructor(options: ProxyOptions) {
    this.#entropy = options.entropy;
    this.#policy = options.policy;
    this.#sentBy = options.sentBy.toLowerCase();
    this.#stack = new SipStack(options);
    this.#registrar = new Registrar(options.limits);
    this.#gate = new Gate(options.policy, new Authenticator(new NonceStore(options.entropy)));
    const timerC = options.timers?.c ?? DEFAULT_TIMERS.c;
    this.#contexts = new ContextTable(timerC, (input) => this.#tell(input));
  }

  /** The registrar's bindings, to read. */
  get location(): Location {
    return this.#registrar.location;
  }

  get transactionCount(): number {
    return this.#stack.transactionCount;
  }

  /** Requests on their way through, lingering ones included. */
  get contextCount(): number {
    return this.#contexts.size;
  }

  get bindingCount(): number {
    return this.location.bindingCount;
  }

  /** Contacts with a known flow; zero once all flows are closed. */
  get contactCount(): number {
    return this.#contacts.size;
  }

  handle(input: ProxyInput, now: Instant): void {
    this.#now = now;
    switch (input.type) {
      case "receive":
      case "receive-framed":
        return this.#tell(input);
      case "flow-closed":
        return this.#closeFlow(input.flow);
      case "unregister":
        return this.#unregister(input.aor, input.contact);
    }
  }

  wake(now: Instant): void {
    this.#now = now;
    for (let binding = this.location.expire(now); binding; binding = this.location.expire(now)) {
      this.#removed(binding, "expired");
    }
    this.#contexts.wake(now);
    this.#stack.wake(now);
    this.#drainStack();
  }

  poll(): ProxyOutput | undefined {
    return this.#outputs.shift();
  }

  deadline(): Deadline | undefined {
    let first = this.#stack.deadline();
    const expiry = this.location.nextExpiry;
    if (expiry !== undefined && expiry < (first?.at ?? Infinity)) {
      first = { at: expiry, reason: "binding expires" };
    }
    const timerC = this.#contexts.nextTimer;
    if (timerC && timerC.at < (first?.at ?? Infinity)) {
      first = { at: timerC.at, reason: `timer C of ${timerC.value}` };
    }
    return first;
  }

  // --- the stack ---

  #tell(input: StackInput): void {
    this.#stack.handle(input, this.#now);
    this.#drainStack();
  }

  /** Strictly in order: what is told while an output is heard is heard after it. */
  #drainStack(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let out = this.#stack.poll(); out; out = this.#stack.poll()) this.#hear(out);
    } finally {
      this.#draining = false;
    }
  }

  #hear(output: StackOutput): void {
    const now = this.#now;
    switch (output.type) {
      case "send":
      case "malformed":
        this.#outputs.push(output);
        return;
      case "request":
        return this.#receiveRequest(output.id, output.request, output.flow);
      case "ack":
        return this.#receiveAck(output.request);
      case "cancelled":
        return this.#contexts.withServer(output.id, now, (c, o) => c.cancel(output.reason, o));
      case "response": {
        const { id, response, flow } = output;
        if (response.cseq.method === "INVITE" && response.status > 100 && response.status < 300) {
          this.#contacts.learnFrom(response.contacts, flow, null);
        }
        return this.#contexts.withBranch(id, now, (c, o) => c.response(id, response, o));
      }
      case "failed": {
        const { id, reason } = output;
        return this.#contexts.withBranch(id, now, (c, o) => c.failed(id, reason, o));
      }
      case "server-failed":
        return this.#contexts.withServer(output.id, now, (c, o) => c.abandoned(o));
      case "terminated":
        return this.#contexts.terminated(output.id);
    }
  }

  // --- requests ---

  #receiveRequest(id: ServerTransactionId, request: SipRequest, flow: Flow): void {
    preprocessRoute(request, this.#policy);
    const suffix = loopSuffix(request);
    const fault = checkRequest(request, this.#sentBy, suffix);
    if (fault) return this.#refuse(id, request, fault);
    const uri = nextUri(request);
    if (!uri) return this.#refuse(id, request, { status: 416 });
    if (request.method === "REGISTER" && this.#policy.isOurs(uri.host, uri.port)) {
      return this.#register(id, request, flow);
    }
    const isInDialog = request.to.tag !== undefined && this.#contacts.find(uri) !== undefined;
    const sender = isInDialog ? { identity: null } : this.#admit(id, request, flow);
    if (!sender) return;
    const targets = this.#targets(request, uri);
    if (!targets.ok) return this.#refuse(id, request, targets.error);
    if (request.method === "INVITE") {
      this.#contacts.learnFrom(request.contacts, flow, sender.identity);
    }
    this.#fork(id, request, targets.value, suffix);
  }

  /** Who sends it; undefined where it was refused, which is done here. */
  #admit(id: ServerTransactionId, request: SipRequest, flow: Flow): Sender | undefined {
    const registered = this.#identities.get(flow.id) ?? null;
    const admitted = this.#gate.admit(request, flow, registered, this.#now);
    if (admitted.ok) return admitted.value;
    const username = admitted.error.failedUsername;
    if (username !== undefined) {
      const { method } = request;
      this.#outputs.push({ type: "authentication-failed", flow, username, method });
    }
    this.#refuse(id, request, admitted.error);
    return undefined;
  }

  /**
   * Inside a dialog a contact that we know. Outside, names of ours come first: nobody draws
   * another's calls to himself by a Contact that looks like the other's address.
   */
  #targets(request: SipRequest, uri: SipUri): Result<Target[], Refusal> {
    const known = this.#contacts.find(uri);
    const contact: Target[] | undefined = known && [{ uri: request.uri, flow: known }];
    // 481 tells the sender to end the dialog (12.2.1.2).
    if (request.to.tag !== undefined) return contact ? ok(contact) : err({ status: 481 });
    if (!this.#policy.isOurs(uri.host, uri.port)) {
      return contact ? ok(contact) : err({ status: 403, reason: "Relaying Denied" });
    }
    if (uri.user === null) {
      const status = request.method === "OPTIONS" ? 200 : 405;
      return err({ status, headers: [OWN_METHODS] });
    }
    const bindings = this.location.lookup(uri.aorKey(this.#policy.canonicalDomain), this.#now);
    if (bindings.length > 0) return ok(bindings.map((b) => ({ uri: b.contact, flow: b.flow })));
    if (this.#policy.hasAccount(uri.user)) return err({ status: 480 });
    return contact ? ok(contact) : err({ status: 404 });
  }

  #fork(
    id: ServerTransactionId,
    request: SipRequest,
    targets: readonly Target[],
    branchSuffix: string,
  ): void {
    const context = new ResponseContext(id, request, this.#newTag());
    this.#contexts.add(context);
    if (request.method === "INVITE") {
      this.#tell({ type: "respond", id, response: createResponse(request, 100) });
    }
    // All branches first: an answer must not find a context that believes it has no more.
    const branches = targets.map((target) => ({
      branch: this.#contexts.addBranch(context, this.#now),
      ...target,
    }));
    for (const { branch, uri, flow } of branches) {
      const copy = createForward(request, uri, this.#recordRoute(flow));
      this.#tell({ type: "request", id: branch, request: copy, flow, branchSuffix });
    }
  }

  /** An ACK to a 2xx goes on without state, and without an answer where it can't (16.11). */
  #receiveAck(ack: SipRequest): void {
    preprocessRoute(ack, this.#policy);
    const uri = nextUri(ack);
    const flow = uri && this.#contacts.find(uri);
    if (!flow || ack.maxForwards === 0) return;
    const request = createForward(ack, ack.uri, this.#recordRoute(flow));
    this.#tell({ type: "ack", request, flow });
  }

  #refuse(id: ServerTransactionId, request: SipRequest, refusal: Refusal): void {
    const { status, reason, headers = [] } = refusal;
    const response = createResponse(request, status, reason, { toTag: this.#newTag(), headers });
    this.#tell({ type: "respond", id, response });
  }

  #recordRoute(flow: Flow): string {
    const transport = flow.transport === "UDP" ? "" : `;transport=${flow.transport.toLowerCase()}`;
    return `<sip:${this.#sentBy}${transport};lr>`;
  }

  #newTag(): string {
    return randomHex(this.#entropy, 64);
  }

  // --- registrar ---

  #register(id: ServerTransactionId, request: SipRequest, flow: Flow): void {
    const unknown = request.headers.getAll("Require").filter((t) => !REGISTRAR_EXTENSIONS.has(t));
    if (unknown.length > 0) {
      const headers: [string, string][] = [["Unsupported", unknown.join(", ")]];
      return this.#refuse(id, request, { status: 420, headers });
    }
    if (!this.#admit(id, request, flow)) return;
    const { uri } = request.to;
    if (!uri.isSip || uri.user === null || !this.#policy.isOurs(uri.host, uri.port)) {
      return this.#refuse(id, request, { status: 404 });
    }
    const aor = uri.aorKey(this.#policy.canonicalDomain);
    const result = this.#registrar.register(request, aor, flow, this.#now, this.#newTag());
    if (result.response.status < 300) this.#identities.set(flow.id, uri.user);
    for (const event of result.events) {
      if (event.type !== "binding-removed") this.#learnBinding(event.binding);
      this.#outputs.push(event);
    }
    this.#tell({ type: "respond", id, response: result.response });
  }

  #learnBinding(binding: Binding): void {
    const contact = parseUri(binding.contact);
    if (contact.ok) this.#contacts.learn(contact.value, binding.flow, binding.aor);
  }

  #unregister(aor: string, contact: string | undefined): void {
    for (const binding of this.location.lookup(aor, this.#now)) {
      if (contact !== undefined && binding.contact !== contact) continue;
      this.location.remove(aor, binding.contact);
      this.#removed(binding, "unregistered");
    }
  }

  #removed(binding: Binding, reason: RemovalReason): void {
    this.#outputs.push({ type: "binding-removed", binding, reason });
  }

  #closeFlow(flow: FlowId): void {
    for (const binding of this.location.removeFlow(flow)) this.#removed(binding, "flow-closed");
    this.#identities.delete(flow);
    this.#contacts.closeFlow(flow);
    this.#tell({ type: "flow-closed", flow });
  }
}

/** Where the request wants to go next: its topmost route, else its Request-URI. */
function nextUri(request: SipRequest): SipUri | undefined {
  const route = request.routes[0];
  if (route) return route.uri.isSip ? route.uri : undefined;
  const uri = request.requestUri;
  return uri.ok && uri.value.isSip ? uri.value : undefined;
}
