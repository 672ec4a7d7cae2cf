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
import { ALLOW } from "../dialog/requests.ts";
import {
  type ClientTransactionId,
  type Flow,
  type ServerTransactionId,
  SipStack,
  type StackInput,
  type StackOutput,
} from "../stack.ts";
import { AgentDirectory, type AgentState } from "./agent_directory.ts";
import { inspect } from "./inspect.ts";
import { refuseLateAnswer } from "./late_answer.ts";
import { MergedRequests } from "./merged_requests.ts";
import { OutsideRequest } from "./outside_request.ts";
import type { Way } from "./outside_way.ts";
import { RELIABLE } from "./reliable.ts";
import { readReplaces } from "./replaces.ts";
import type {
  AgentHooks,
  ClientEvent,
  ClientTransaction,
  DialogRequest,
  IncomingInvite,
  OutsideAgent,
  ServerEvent,
  UserAgent,
} from "./user_agent.ts";

export type { AgentHooks, IncomingInvite, OutsideAgent, UserAgent } from "./user_agent.ts";

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

interface PendingClient {
  readonly agent: AgentState;
  readonly request: SipRequest;
  readonly listener: (event: ClientEvent) => void;
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
  readonly #agents = new AgentDirectory();
  readonly #clients = new Map<ClientTransactionId, PendingClient>();
  readonly #servers = new Map<ServerTransactionId, (event: ServerEvent) => void>();
  readonly #dialogs = new Map<string, (request: DialogRequest) => void>();
  readonly #merged = new MergedRequests();
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
    const state = this.#stateOf({ flow, way: null, contact, onInvite, hooks });
    this.#agents.addInside(user, state);
    return state.agent;
  }

  /** Opens a user agent of a server of others, on whatever flows lead there. */
  openOutside({ flow, way, contactUser, onInvite, hooks = {} }: OutsideAgent): UserAgent {
    const user = contactUser ?? randomHex(this.#options.entropy, CONTACT_USER_BITS);
    const contact = `sip:${escapeUser(user)}@${this.#options.sentBy}`;
    const take = onInvite ?? (({ id, request }) => this.#answer(id, request, 404));
    const state = this.#stateOf({ flow, way, contact, onInvite: take, hooks });
    if (onInvite) this.#agents.addOutside(user, state);
    else this.#agents.add(state);
    return state.agent;
  }

  #stateOf(
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
    return state;
  }

  /** Closes a user agent and its flow: what is still under way on it fails. */
  close(agent: UserAgent): void {
    const state = this.#agents.remove(agent);
    if (!state) return;
    state.open = false;
    this.#driver.feed({ type: "flow-closed", flow: agent.flow.id });
  }

  /** Whether what came in on a flow of the network is for an agent of another server. */
  claims(flow: Flow, message: SipMessage): boolean {
    if (message.kind === "response") return this.#stack.expects(message);
    return this.#agents.findOutside(flow, message) !== undefined;
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
      refuse: (invite, response) => refuseLateAnswer(agent.agent, invite, response),
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
        this.#merged.leave(output.id as ServerTransactionId);
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
    const state = this.#agents.find(flow, request);
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
    if (!this.#merged.enter(state.agent, id, request)) return this.#answer(id, request, 482);
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
}

function dialogKey(callId: string, localTag: string): string {
  return `${callId}\n${localTag}`;
}
