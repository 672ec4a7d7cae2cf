import type { Clock } from "../../core/clock.ts";
import { type Entropy, randomHex } from "../../core/entropy.ts";
import type { FlowId } from "../../core/ids.ts";
import type { Log } from "../../core/log.ts";
import { Driver } from "../../core/sans_io.ts";
import {
  createResponse,
  escapeUser,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "../message/mod.ts";
import { Dialog } from "../dialog/dialog.ts";
import { ALLOW } from "../dialog/requests.ts";
import {
  type ClientTransactionId,
  type Flow,
  type ServerTransactionId,
  SipStack,
  type StackInput,
  type StackOutput,
} from "../stack.ts";
import { OutsideRequest } from "./outside_request.ts";
import type { Way } from "./outside_way.ts";
import { inspect, type Inspection } from "./inspect.ts";
import { readReplaces, type Replaces } from "./refer.ts";
import { RELIABLE } from "./reliable.ts";

/** What becomes of a request that a user agent sent. */
export type ClientEvent =
  | { readonly type: "response"; readonly response: SipResponse }
  | {
    readonly type: "failed";
    readonly reason: "timeout" | "transport";
    /** A sentence, where more is known than that nobody answered. */
    readonly text?: string;
  };

/** What may befall a request before it is through. */
export type ServerEvent =
  /** CANCEL; a 487 is owed. */
  | { readonly type: "cancelled"; readonly reason: string | undefined }
  /** The ACK to our final response never came, or the flow went away. */
  | { readonly type: "failed" };

/** What arrives inside a dialog. ACK has no transaction and so no id. */
export type DialogRequest =
  | { readonly type: "request"; readonly id: ServerTransactionId; readonly request: SipRequest }
  | { readonly type: "ack"; readonly request: SipRequest };

/** An INVITE that opens a call; it wants a `watch` at once. */
export interface IncomingInvite {
  readonly id: ServerTransactionId;
  readonly request: SipRequest;
}

export interface ClientTransaction {
  /** CANCEL (RFC 3261 9.1); the final response still comes. */
  cancel(reason?: string): void;
}

/** One session's user agent: its flow to the next hop, and its Contact. */
export interface UserAgent {
  readonly flow: Flow;
  /** Contact URI, unique to this user agent. */
  readonly contact: string;
  /** Value of Supported. */
  readonly extensions: string;
  /** What OPTIONS and refreshes say: Allow, Supported, Accept (RFC 3261 11.2). */
  readonly capabilities: readonly (readonly [string, string])[];
  request(request: SipRequest, listener: (event: ClientEvent) => void): ClientTransaction;
  ack(request: SipRequest): void;
  respond(id: ServerTransactionId, response: SipResponse): void;
  /** Hears what befalls a request that is still being answered. */
  watch(id: ServerTransactionId, listener: (event: ServerEvent) => void): void;
  /** Requests of this dialog go to `listener` until the returned function is called. */
  openDialog(
    callId: string,
    localTag: string,
    listener: (request: DialogRequest) => void,
  ): () => void;
  /** Fresh tag, Call-ID or branch material, `bits` long, in hex. */
  token(bits: number): string;
}

export interface UserAgentsOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Host and port of Contact and Via; a listener's, so that nobody sees the hop. */
  readonly sentBy: string;
  readonly maxTransactions?: number;
  /** User-Agent of requests, Server of responses; absent: neither. */
  readonly product?: string;
  /** To the next hop. */
  readonly send: (flow: Flow, bytes: Uint8Array, message: SipMessage) => void;
}

/** Requests outside dialogs that an agent takes beside INVITE and OPTIONS. */
export interface AgentHooks {
  /** An INVITE in place of a dialog of this agent (RFC 3891); it wants a `watch` at once. */
  replace?(invite: IncomingInvite, replaced: Replaces): void;
  /** The status to answer; methods that are absent get 405. */
  readonly requests?: Readonly<Record<string, (request: SipRequest) => number>>;
}

interface PendingClient {
  readonly agent: AgentState;
  readonly request: SipRequest;
  readonly listener: (event: ClientEvent) => void;
}

/** A user agent of a server of others. */
export interface OutsideAgent {
  /** Stands for the agent; no message passes it. */
  readonly flow: Flow;
  readonly way: Way;
  /** User part of Contact; absent: random, so that no two agents have the same. */
  readonly contactUser?: string;
  /** Absent: an INVITE for this Contact is not the agent's. */
  readonly onInvite?: (invite: IncomingInvite) => void;
  readonly hooks?: AgentHooks;
}

interface AgentState {
  readonly agent: UserAgent;
  /** How its requests leave; null: over its flow. */
  readonly way: Way | null;
  readonly onInvite: (invite: IncomingInvite) => void;
  readonly hooks: AgentHooks;
  readonly inspection: Inspection;
  open: boolean;
}

const CONTACT_USER_BITS = 64;

/**
 * All user agents of this process as one SIP element (RFC 3261 8): one transaction layer, requests
 * shared out by Contact and by dialog. A listener that throws harms nobody else's message.
 */
export class UserAgents {
  readonly #options: UserAgentsOptions;
  readonly #driver: Driver<StackInput, StackOutput>;
  readonly #stack: SipStack;
  readonly #agents = new Map<FlowId, AgentState>();
  readonly #byContactUser = new Map<string, AgentState>();
  /** Agents of other servers; several of one name may be at one server, the newest is called. */
  readonly #outside = new Map<string, Set<AgentState>>();
  readonly #clients = new Map<ClientTransactionId, PendingClient>();
  readonly #servers = new Map<ServerTransactionId, (event: ServerEvent) => void>();
  readonly #dialogs = new Map<string, (request: DialogRequest) => void>();
  /** INVITEs that are being answered, by agent, Call-ID, From tag and CSeq (8.2.2.2). */
  readonly #merging = new Map<string, ServerTransactionId>();
  readonly #mergeKeys = new Map<ServerTransactionId, string>();
  #serial = 0;

  constructor(options: UserAgentsOptions) {
    this.#options = options;
    const { entropy, sentBy, maxTransactions } = options;
    this.#stack = new SipStack({
      entropy,
      sentBy,
      userAgent: true,
      ...(maxTransactions === undefined ? {} : { maxTransactions }),
    });
    this.#driver = new Driver(this.#stack, options.clock, (output) => this.#onOutput(output));
  }

  /** What is alive, for leak checks and health. */
  get counts(): { agents: number; dialogs: number; clients: number; transactions: number } {
    return {
      agents: this.#agents.size,
      dialogs: this.#dialogs.size,
      clients: this.#clients.size,
      transactions: this.#stack.transactionCount,
    };
  }

  /** Opens a user agent on a flow of its own. */
  open(
    flow: Flow,
    onInvite: (invite: IncomingInvite) => void,
    hooks: AgentHooks = {},
  ): UserAgent {
    const user = randomHex(this.#options.entropy, CONTACT_USER_BITS);
    const contact = `sip:${user}@${this.#options.sentBy};transport=tcp`;
    const state = this.#add({ flow, way: null, contact, onInvite, hooks });
    this.#byContactUser.set(user, state);
    return state.agent;
  }

  /** Opens a user agent of a server of others, on whatever flows lead there. */
  openOutside({ flow, way, contactUser, onInvite, hooks = {} }: OutsideAgent): UserAgent {
    const user = contactUser ?? randomHex(this.#options.entropy, CONTACT_USER_BITS);
    const contact = `sip:${escapeUser(user)}@${this.#options.sentBy}`;
    const take = onInvite ?? (({ id, request }) => this.#answer(id, request, 404));
    const state = this.#add({ flow, way, contact, onInvite: take, hooks });
    if (onInvite) {
      const same = this.#outside.get(user);
      if (same) same.add(state);
      else this.#outside.set(user, new Set([state]));
    }
    return state.agent;
  }

  #add(
    parts: Omit<AgentState, "agent" | "inspection" | "open"> & {
      readonly flow: Flow;
      readonly contact: string;
    },
  ): AgentState {
    const { flow, contact, way, onInvite, hooks } = parts;
    const extensions = [RELIABLE, "timer", ...(hooks.replace ? ["replaces"] : [])];
    const methods = [...ALLOW, ...Object.keys(hooks.requests ?? {})];
    const agent: UserAgent = {
      flow,
      contact,
      extensions: extensions.join(", "),
      capabilities: [
        ["Allow", methods.join(", ")],
        ["Supported", extensions.join(", ")],
        ["Accept", "application/sdp"],
      ],
      request: (request, listener) => this.#request(state, request, listener),
      ack: (request) => this.#ack(state, request),
      respond: (id, response) => this.#respond(id, response),
      watch: (id, listener) => void this.#servers.set(id, listener),
      openDialog: (callId, localTag, listener) => this.#openDialog(callId, localTag, listener),
      token: (bits) => randomHex(this.#options.entropy, bits),
    };
    const inspection = { methods, extensions: new Set(extensions) };
    const state: AgentState = { agent, way, onInvite, hooks, inspection, open: true };
    this.#agents.set(flow.id, state);
    return state;
  }

  /** Closes a user agent and its flow: what is still under way on it fails. */
  close(agent: UserAgent): void {
    const state = this.#agents.get(agent.flow.id);
    if (!state) return;
    state.open = false;
    this.#agents.delete(agent.flow.id);
    for (const [user, other] of this.#byContactUser) {
      if (other === state) this.#byContactUser.delete(user);
    }
    for (const [user, same] of this.#outside) {
      if (same.delete(state) && same.size === 0) this.#outside.delete(user);
    }
    this.#driver.feed({ type: "flow-closed", flow: agent.flow.id });
  }

  /** Whether what came in on a flow of the network is for an agent of another server. */
  claims(flow: Flow, message: SipMessage): boolean {
    if (message.kind === "response") return this.#stack.expects(message);
    return this.#outsideAgent(flow, message) !== undefined;
  }

  /** A flow of the network is gone: what is under way on it fails. */
  flowClosed(flow: FlowId): void {
    this.#driver.feed({ type: "flow-closed", flow });
  }

  /** Bytes from the next hop. */
  receive(flow: Flow, bytes: Uint8Array): void {
    this.#driver.feed({ type: "receive", flow, bytes });
  }

  /** What came in from the network and is ours (`claims`). */
  receiveWire(input: Extract<StackInput, { type: "receive" | "receive-framed" }>): void {
    this.#driver.feed(input);
  }

  /** Stops all timers; for the end of the process. */
  stop(): void {
    this.#driver.close();
  }

  #request(
    agent: AgentState,
    request: SipRequest,
    listener: (event: ClientEvent) => void,
  ): ClientTransaction {
    const { product } = this.#options;
    if (product !== undefined) request.headers.set("User-Agent", product);
    if (agent.way) return this.#requestOutside(agent, agent.way, request, listener);
    return this.#send(agent, request, agent.agent.flow, listener);
  }

  #requestOutside(
    agent: AgentState,
    way: Way,
    request: SipRequest,
    listener: (event: ClientEvent) => void,
  ): ClientTransaction {
    const guarded = (event: ClientEvent) => this.#guard("failure", () => listener(event));
    return new OutsideRequest(request, {
      clock: this.#options.clock,
      way,
      isOpen: () => agent.open,
      send: (copy, flow, hear) => this.#send(agent, copy, flow, hear),
      refuse: (invite, response) => UserAgents.refuseLateAnswer(agent.agent, invite, response),
    }, guarded);
  }

  #send(
    agent: AgentState,
    request: SipRequest,
    flow: Flow,
    listener: (event: ClientEvent) => void,
  ): ClientTransaction {
    const id = `c${++this.#serial}` as ClientTransactionId;
    this.#clients.set(id, { agent, request, listener });
    this.#driver.feed({ type: "request", id, request, flow });
    return { cancel: (reason) => this.#cancel(id, reason) };
  }

  #cancel(id: ClientTransactionId, reason: string | undefined): void {
    this.#driver.feed(
      reason === undefined ? { type: "cancel", id } : { type: "cancel", id, reason },
    );
  }

  #ack({ agent, way }: AgentState, request: SipRequest): void {
    if (!way) return this.#driver.feed({ type: "ack", request, flow: agent.flow });
    way.connect(request, (connected) => {
      if (connected.ok) this.#driver.feed({ type: "ack", request, flow: connected.value });
    });
  }

  #respond(id: ServerTransactionId, response: SipResponse): void {
    const { product } = this.#options;
    if (product !== undefined) response.headers.set("Server", product);
    this.#driver.feed({ type: "respond", id, response });
  }

  #openDialog(
    callId: string,
    localTag: string,
    listener: (request: DialogRequest) => void,
  ): () => void {
    const key = dialogKey(callId, localTag);
    this.#dialogs.set(key, listener);
    return () => {
      if (this.#dialogs.get(key) === listener) this.#dialogs.delete(key);
    };
  }

  #onOutput(output: StackOutput): void {
    switch (output.type) {
      case "send":
        return this.#options.send(output.flow, output.bytes, output.message);
      case "request":
        return this.#guard(output.request.method, () => this.#onRequest(output));
      case "ack":
        return this.#guard("ACK", () => this.#onAck(output.request));
      case "cancelled":
        return this.#guard("CANCEL", () => {
          this.#servers.get(output.id)?.({ type: "cancelled", reason: output.reason });
        });
      case "server-failed":
        return this.#guard("failure", () => this.#servers.get(output.id)?.({ type: "failed" }));
      case "response":
        return this.#guard("response", () => this.#onResponse(output.id, output.response));
      case "failed":
        return this.#guard("failure", () => {
          const pending = this.#clients.get(output.id);
          pending?.listener({ type: "failed", reason: output.reason });
        });
      case "terminated":
        this.#clients.delete(output.id as ClientTransactionId);
        this.#servers.delete(output.id as ServerTransactionId);
        this.#unmerge(output.id as ServerTransactionId);
        return;
      case "malformed":
        this.#options.log.warn("dropped a malformed SIP message", { flow: output.flow });
    }
  }

  #guard(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.log.error(`a user agent failed on ${what}`, { error });
    }
  }

  #onRequest(output: Extract<StackOutput, { type: "request" }>): void {
    const { id, request, flow } = output;
    const localTag = request.to.tag;
    if (localTag !== undefined) {
      const listener = this.#dialogs.get(dialogKey(request.callId, localTag));
      if (listener) return listener({ type: "request", id, request });
      return this.#answer(id, request, 481);
    }
    const state = this.#agentOf(flow, request);
    if (!state?.open) return this.#answer(id, request, 480);
    if (!state.way && state.agent.flow.id !== flow.id) return this.#answer(id, request, 404);
    const fault = inspect(request, state.inspection);
    if (fault) return this.#answer(id, request, fault.status, fault.headers);
    if (request.method === "INVITE") return this.#onInvite(state, id, request);
    if (request.method === "OPTIONS") {
      return this.#answer(id, request, 200, state.agent.capabilities);
    }
    const take = state.hooks.requests?.[request.method];
    // PRACK, UPDATE and BYE have no meaning outside a dialog.
    this.#answer(id, request, take ? take(request) : 481);
  }

  #onInvite(state: AgentState, id: ServerTransactionId, request: SipRequest): void {
    const { callId, from, cseq } = request;
    // Two windows of one name each get their own copy: merged is what reaches one of them twice.
    const key = [state.agent.flow.id, callId, from.tag ?? "", cseq.sequence].join("\n");
    if (this.#merging.has(key)) return this.#answer(id, request, 482);
    this.#merging.set(key, id);
    this.#mergeKeys.set(id, key);
    const replaces = readReplaces(request);
    if (!replaces.ok) return this.#answer(id, request, 400);
    if (replaces.value === null) return state.onInvite({ id, request });
    const { localTag } = replaces.value;
    const isKnown = this.#dialogs.has(dialogKey(replaces.value.callId, localTag));
    const replace = state.hooks.replace;
    // Who does not know the extension takes it for a new call (RFC 3891 4).
    if (!replace) return state.onInvite({ id, request });
    if (!isKnown) return this.#answer(id, request, 481);
    replace({ id, request }, replaces.value);
  }

  #unmerge(id: ServerTransactionId): void {
    const key = this.#mergeKeys.get(id);
    if (key === undefined) return;
    this.#mergeKeys.delete(id);
    this.#merging.delete(key);
  }

  #agentOf(flow: Flow, request: SipRequest): AgentState | undefined {
    const uri = request.requestUri;
    return this.#outsideAgent(flow, request) ??
      (uri.ok ? this.#byContactUser.get(uri.value.user ?? "") : undefined);
  }

  /** By Contact, and only for the server that the agent belongs to. */
  #outsideAgent(flow: Flow, request: SipRequest): AgentState | undefined {
    if (this.#outside.size === 0) return undefined;
    const uri = request.requestUri;
    const found = uri.ok ? this.#outside.get(uri.value.user ?? "") : undefined;
    return found && [...found].findLast(({ way }) => way?.leadsTo(flow));
  }

  #answer(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    headers: Iterable<readonly [string, string]> = [],
  ): void {
    const response = createResponse(request, status, undefined, {
      toTag: randomHex(this.#options.entropy, 64),
      headers,
    });
    this.#respond(id, response);
  }

  #onAck(request: SipRequest): void {
    const localTag = request.to.tag;
    if (localTag === undefined) return;
    this.#dialogs.get(dialogKey(request.callId, localTag))?.({ type: "ack", request });
  }

  #onResponse(id: ClientTransactionId, response: SipResponse): void {
    const pending = this.#clients.get(id);
    if (pending) pending.listener({ type: "response", response });
  }

  /**
   * Ends a dialog that a late or second 2xx has made and that no call wants: ACK and BYE
   * (RFC 3261 13.2.2.4).
   */
  static refuseLateAnswer(agent: UserAgent, invite: SipRequest, response: SipResponse): void {
    const dialog = Dialog.ofUac(invite, response);
    if (!dialog.ok) return;
    agent.ack(dialog.value.ack(invite.cseq.sequence));
    agent.request(dialog.value.request("BYE"), () => {});
  }
}

function dialogKey(callId: string, localTag: string): string {
  return `${callId}\n${localTag}`;
}
