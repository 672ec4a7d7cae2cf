import type { Instant } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { FlowId } from "../../core/ids.ts";
import { ok, type Result } from "../../core/result.ts";
import type { Deadline, SansIo } from "../../core/sans_io.ts";
import { NonceStore } from "../auth/mod.ts";
import type { Flow } from "../flow.ts";
import { createResponse, type SipRequest, type SipResponse, type SipUri } from "../message/mod.ts";
import { OutputQueue } from "../output_queue.ts";
import type { Location } from "../registrar/location.ts";
import type { RegistrarLimits } from "../registrar/registrar.ts";
import { SipStack } from "../stack.ts";
import type { StackInput, StackOutput } from "../stack_io.ts";
import type { ClientTransactionId, ServerTransactionId } from "../transaction/ids.ts";
import type { TransactionShares } from "../transaction/shares.ts";
import { DEFAULT_TIMERS, type SipTimers } from "../transaction/timers.ts";
import { Authenticator } from "./authenticator.ts";
import { Branches } from "./branches.ts";
import { ContactRoutes } from "./contact_routes.ts";
import { ContextTable } from "./context_table.ts";
import { DialogTable } from "./dialog_table.ts";
import {
  breadthOf,
  checkRequest,
  createForward,
  preprocessRoute,
  recordRoutes,
} from "./forwarding.ts";
import { Gate, type Sender } from "./gate.ts";
import { OutsideBranches } from "./outside.ts";
import { OwnAnswers } from "./own_answers.ts";
import type { ProxyInput, ProxyOutput, ProxyPolicy, Refusal } from "./proxy_io.ts";
import { Registrations } from "./registrations.ts";
import { ResponseContext } from "./response_context.ts";
import { nextUri, Router } from "./router.ts";
import { limitBreadth, type Target, type TargetGroups } from "./target.ts";

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
  readonly shares?: TransactionShares;
  /** How long the bindings of one q ring while others wait behind them, ms; default 20 s. */
  readonly groupRingMs?: number;
  /** Server header of our own answers; absent: none. */
  readonly product?: string;
  /** How many 3xx of one request are followed by us; default 0: they go to the caller. */
  readonly redirections?: number;
}

const GROUP_RING_MS = 20_000;

/**
 * Registrar and stateful proxy in one element (RFC 3261 10, 16; RFC 6026; RFC 5393): what comes in
 * on a flow goes out on the flows of the bindings that it names, and the best answer comes back.
 */
export class ProxyCore implements SansIo<ProxyInput, ProxyOutput> {
  readonly #policy: ProxyPolicy;
  readonly #sentBy: string;
  readonly #stack: SipStack;
  readonly #registrations: Registrations;
  readonly #answers: OwnAnswers;
  readonly #gate: Gate;
  readonly #contacts = new ContactRoutes();
  readonly #contexts: ContextTable;
  readonly #dialogs = new DialogTable();
  readonly #router: Router;
  readonly #outside: OutsideBranches;
  readonly #branches: Branches;
  readonly #groupRingMs: number;
  readonly #redirections: number;
  readonly #outputs = new OutputQueue<ProxyOutput>();
  #draining = false;
  #now: Instant = 0;

  constructor(options: ProxyOptions) {
    this.#policy = options.policy;
    this.#sentBy = options.sentBy.toLowerCase();
    this.#stack = new SipStack(options);
    this.#registrations = new Registrations(
      options.policy,
      this.#contacts,
      this.#outputs,
      options.limits,
    );
    const tell = (input: StackInput) => this.#tell(input);
    this.#answers = new OwnAnswers(options.entropy, options.product, tell);
    this.#gate = new Gate(options.policy, new Authenticator(new NonceStore(options.entropy)));
    const timerC = options.timers?.c ?? DEFAULT_TIMERS.c;
    this.#contexts = new ContextTable({
      timerC,
      tell: (input) => {
        if (input.type !== "cancel" || !this.#outside.cancel(input)) this.#tell(input);
      },
      fork: (context, targets) => this.#branches.start(context, targets, this.#now),
      redirect: (context, response) => this.#redirect(context, response),
    });
    this.#router = new Router(options.policy, this.location, this.#contacts);
    this.#outside = new OutsideBranches({
      effect: (effect) => this.#outputs.push(effect),
      tell,
      failed: (branch) => {
        this.#hear({ type: "failed", id: branch, reason: "transport" });
        this.#hear({ type: "terminated", id: branch });
      },
    });
    this.#branches = new Branches({
      sentBy: this.#sentBy,
      contexts: this.#contexts,
      dialogs: this.#dialogs,
      outside: this.#outside,
      tell,
    });
    this.#groupRingMs = options.groupRingMs ?? GROUP_RING_MS;
    this.#redirections = options.redirections ?? 0;
  }

  /** The registrar's bindings, to read. */
  get location(): Location {
    return this.#registrations.location;
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

  /** Dialogs under way through this proxy. */
  get dialogCount(): number {
    return this.#dialogs.size;
  }

  /** Contacts with a known flow; zero once all flows are closed. */
  get contactCount(): number {
    return this.#contacts.size;
  }

  /** Whether a binding or a contact is behind this flow: the network keeps it open then. */
  isFlowUsed(flow: FlowId): boolean {
    return this.#contacts.hasFlow(flow);
  }

  handle(input: ProxyInput, now: Instant): void {
    this.#now = now;
    switch (input.type) {
      case "receive":
      case "receive-framed":
        return this.#tell(input);
      case "flow-closed":
        return this.#closeFlow(input.flow);
      case "restore":
        return this.#registrations.restore(input.binding);
      case "resolved":
      case "connected":
        return this.#outside.handle(input);
      case "unregister":
        return this.#registrations.unregister(input.aor, input.contact, now);
    }
  }

  wake(now: Instant): void {
    this.#now = now;
    this.#registrations.expire(now);
    this.#contexts.wake(now);
    this.#dialogs.wake(now);
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
    const dialog = this.#dialogs.nextTimer;
    if (dialog !== undefined && dialog < (first?.at ?? Infinity)) {
      first = { at: dialog, reason: "dialog is forgotten" };
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
      for (let out = this.#stack.poll(); out; out = this.#stack.poll()) {
        const heard = this.#outside.translate(out);
        if (heard) this.#hear(heard);
      }
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
        return this.#receiveAck(output.request, output.flow);
      case "cancelled":
        return this.#contexts.withServer(output.id, now, (c, o) => c.cancel(output.reason, o));
      case "response":
        this.#learnFromResponse(output.id, output.response, output.flow);
        return this.#contexts.withBranch(
          output.id,
          now,
          (c, o) => c.response(output.id, output.response, o),
        );
      case "failed": {
        const { id, reason } = output;
        const request = this.#contexts.ofBranch(id)?.request;
        if (request?.method === "BYE") this.#dialogs.end(request, now);
        return this.#contexts.withBranch(id, now, (c, o) => c.failed(id, reason, o));
      }
      case "server-failed":
        return this.#contexts.withServer(output.id, now, (c, o) => c.abandoned(o));
      case "terminated": {
        const over = this.#contexts.terminated(output.id);
        if (!over) return;
        this.#dialogs.transactionOver(over.id);
        if (over.request.method === "NOTIFY") this.#dialogs.notified(over.request, now);
        return;
      }
    }
  }

  #learnFromResponse(id: ClientTransactionId, response: SipResponse, flow: Flow): void {
    const { status } = response;
    const context = this.#contexts.ofBranch(id);
    if (!context || status === 100) return;
    const { request } = context;
    this.#dialogs.answered(context.id, request, response, context.flow, flow, this.#now);
    if (request.method === "INVITE" && status < 300) {
      this.#contacts.learnFrom(response.contacts, flow, null);
    }
  }

  // --- requests ---

  #receiveRequest(id: ServerTransactionId, request: SipRequest, flow: Flow): void {
    preprocessRoute(request, this.#policy);
    const uri = nextUri(request);
    if (!uri) return this.#answers.refuse(id, request, { status: 416 });
    const isForUs = this.#router.isServer(uri);
    const fault = checkRequest(request, this.#sentBy, isForUs);
    if (fault) return this.#answers.refuse(id, request, fault);
    if (request.method === "REGISTER" && this.#policy.isOurs(uri.host, uri.port)) {
      return this.#register(id, request, flow);
    }
    if (request.to.tag !== undefined) return this.#receiveInDialog(id, request, flow, uri);
    const isTranslated = this.#policy.translate ?? this.#policy.route;
    if (!uri.isSip && isTranslated === undefined) {
      return this.#answers.refuse(id, request, { status: 416 });
    }
    const sender = this.#admit(id, request, flow);
    if (!sender) return;
    if (isForUs) return this.#answers.refuse(id, request, this.#router.ownAnswer(request));
    const groups = this.#groupsFor(request, uri, sender.identity, flow);
    if (!groups.ok) return this.#answers.refuse(id, request, groups.error);
    if (request.method === "INVITE") {
      this.#contacts.learnFrom(request.contacts, flow, sender.identity);
    }
    this.#fork(id, request, flow, groups.value);
  }

  /** Where a new request goes: by the dial plan, else by the registrar, else out. */
  #groupsFor(
    request: SipRequest,
    uri: SipUri,
    identity: string | null,
    flow: Flow,
  ): Result<TargetGroups, Refusal> {
    const routed = this.#policy.route?.(request, uri, identity, flow);
    if (routed && !routed.ok) return routed;
    const route = routed?.value;
    if (route?.kind === "targets") return ok(route.groups);
    const translated = this.#router.translate(request, route?.uri ?? uri, identity);
    if (!translated.ok) return translated;
    return this.#router.targets(
      translated.value,
      this.#now,
      () => this.#policy.mayRelay?.(request, translated.value, identity, flow) ?? false,
    );
  }

  /**
   * Inside a dialog that was made through us: by its two tags, from the addresses that it was made
   * from (a carrier may open a connection of its own). From any other its sender proves who he is,
   * as for a new request. 481 tells a sender to end what we do not know (12.2.1.2).
   */
  #receiveInDialog(
    id: ServerTransactionId,
    request: SipRequest,
    flow: Flow,
    uri: SipUri,
  ): void {
    const match = this.#dialogs.find(request, flow);
    if (!match) return this.#answers.refuse(id, request, { status: 481 });
    if (!match.isFamiliar) {
      if (!match.isNear && !this.#admit(id, request, flow)) return;
      // A trunk is reached where it is configured, wherever it speaks from.
      const isFixed = match.own !== null && this.#policy.isGuarded?.(match.own) === true;
      if (!match.isNear || !isFixed) this.#dialogs.moved(request, flow);
    }
    const peer = match.peer ?? this.#contacts.find(uri);
    if (!peer) {
      this.#dialogs.end(request, this.#now);
      return this.#answers.refuse(id, request, { status: 481 });
    }
    if (request.method === "INVITE") this.#contacts.learnFrom(request.contacts, flow, null);
    this.#fork(id, request, flow, [[{ uri: request.uri, flow: peer }]]);
  }

  /** Who sends it; undefined where it was refused, which is done here. */
  #admit(id: ServerTransactionId, request: SipRequest, flow: Flow): Sender | undefined {
    const registered = this.#registrations.identityOf(flow);
    const admitted = this.#gate.admit(request, flow, registered, this.#now);
    if (admitted.ok) return admitted.value;
    const username = admitted.error.failedUsername;
    if (username !== undefined) {
      const { method } = request;
      this.#outputs.push({ type: "authentication-failed", flow, username, method });
    }
    this.#answers.refuse(id, request, admitted.error);
    return undefined;
  }

  #fork(
    id: ServerTransactionId,
    request: SipRequest,
    flow: Flow,
    targets: TargetGroups,
  ): void {
    const isInvite = request.method === "INVITE";
    const breadth = breadthOf(request);
    if (breadth === 0) return this.#answers.refuse(id, request, { status: 440 });
    // A request that can't wait asks all at once, whatever their q.
    const groups = limitBreadth(isInvite ? targets : [targets.flat()], breadth);
    const context = new ResponseContext({
      id,
      request,
      flow,
      localTag: this.#answers.newTag(),
      groups,
      groupRingMs: this.#groupRingMs,
      redirections: this.#redirections,
    });
    if (isInvite) this.#tell({ type: "respond", id, response: createResponse(request, 100) });
    this.#contexts.start(context, this.#now);
  }

  /** Where a 3xx points to, as far as that is with us (16.5, 16.7 step 4). */
  #redirect(context: ResponseContext, response: SipResponse): readonly Target[] {
    const { contacts } = response;
    if (contacts === "*") return [];
    return contacts.flatMap(({ uri }) => {
      if (!uri.isSip || uri.toString() === context.request.uri) return [];
      const groups = this.#router.targets(uri.withoutHeaders(), this.#now);
      return groups.ok ? groups.value.flat() : [];
    });
  }

  /** An ACK to a 2xx goes on without state, and without an answer where it can't (16.11). */
  #receiveAck(ack: SipRequest, from: Flow): void {
    preprocessRoute(ack, this.#policy);
    const uri = nextUri(ack);
    const match = this.#dialogs.find(ack, from);
    const flow = match && uri && (match.peer ?? this.#contacts.find(uri));
    if (!flow || ack.maxForwards === 0) return;
    const routes = recordRoutes(from, flow, this.#sentBy);
    const request = createForward(ack, { uri: ack.uri, recordRoutes: routes });
    this.#tell({ type: "ack", request, flow });
  }

  #register(id: ServerTransactionId, request: SipRequest, flow: Flow): void {
    const fault = this.#registrations.inspect(request);
    if (fault) return this.#answers.refuse(id, request, fault);
    if (!this.#admit(id, request, flow)) return;
    const tag = this.#answers.newTag();
    const made = this.#registrations.register(request, flow, this.#now, tag);
    if (made.ok) this.#answers.respond(id, made.value);
    else this.#answers.refuse(id, request, made.error);
  }

  #closeFlow(flow: FlowId): void {
    this.#registrations.closeFlow(flow);
    this.#contacts.closeFlow(flow);
    this.#dialogs.closeFlow(flow);
    this.#tell({ type: "flow-closed", flow });
  }
}
