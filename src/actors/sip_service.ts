import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { FlowId, SessionId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import { err } from "../core/result.ts";
import { Driver } from "../core/sans_io.ts";
import type { Target } from "../sip/resolve/target.ts";
import { ProxyCore, type ProxyInput, type ProxyOutput } from "../sip/proxy/proxy.ts";
import { parseMessage, serialize, type SipMessage } from "../sip/message/mod.ts";
import {
  type BindingStore,
  fromRecord,
  recordKey,
  toRecord,
} from "../sip/registrar/binding_record.ts";
import type { Binding, Location } from "../sip/registrar/location.ts";
import { promisesLife } from "../sip/registrar/outbound.ts";
import type { RegistrarEvent } from "../sip/registrar/registrar.ts";
import type { Flow } from "../sip/stack.ts";
import type { WireInput } from "../sip/stack_io.ts";
import type { TransactionShares } from "../sip/transaction/shares.ts";
import type { WirePort } from "../sip/wire.ts";
import {
  type AgentHooks,
  type IncomingInvite,
  type UserAgent,
  UserAgents,
} from "../sip/user_agent/user_agents.ts";
import type { EdgeEffect, EdgePorts, ElementInput } from "./edge/contract.ts";
import { Edge } from "./edge/edge.ts";
import type { Hop, HopMessage } from "./hop.ts";
import { HousePolicy, type Speaker } from "./house_policy.ts";
import type { Ladder, Passed } from "./ladder.ts";
import type { Trunks } from "./trunks.ts";
import { OutsideAgents, type OutsideOptions } from "./outside_agents.ts";
import { RareLog } from "./rare_log.ts";

export { type Hop, type HopMessage, memoryHop } from "./hop.ts";

export interface SipServiceOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly policy: HousePolicy;
  /** `host:port` in Via, Contact and Record-Route. */
  readonly sentBy: string;
  /** User-Agent and Server header; absent: none. */
  readonly product?: string;
  readonly hop: Hop;
  /** The network; absent: nobody but our own user agents is served. */
  readonly wire?: WirePort;
  /** Between two keep-alives towards servers of others on UDP, ms; absent: none. */
  readonly keepAliveMs?: number;
  /** Bindings that outlive the process; absent: none do. */
  readonly bindings?: BindingStore;
  /** Media of wire sides; absent: descriptions pass as they are. */
  readonly edge?: Pick<EdgePorts, "rtp" | "webrtc" | "settings" | "pingMs"> & {
    readonly onEffect: (effect: EdgeEffect) => void;
    readonly trace?: (machine: string, state: string) => void;
  };
  /** Sees every message as it is sent over the hop or to the wire, in true order. */
  readonly observe?: (sent: HopMessage) => void;
  /** What one source may have of the proxy's transactions; absent: all. */
  readonly shares?: TransactionShares;
  /** Records the messages of calls as they are on the hop and on the wire. */
  readonly ladder?: Ladder;
}

/** One binding as the operators read it. */
export interface RegisteredBinding {
  readonly binding: Binding;
  readonly sessionId: SessionId | null;
}

/**
 * The SIP elements of this process: all user agents as one, registrar and proxy as the other, and
 * the hop between them (design section 1).
 */
export class SipService {
  readonly #options: SipServiceOptions;
  readonly #agents: UserAgents;
  readonly #outside: OutsideAgents;
  readonly #proxy: ProxyCore;
  readonly #proxyDriver: Driver<ProxyInput, ProxyOutput>;
  readonly #open = new Map<FlowId, SessionId>();
  /** Logins by flow, for ladders. */
  readonly #names = new Map<FlowId, string>();
  readonly #malformed: RareLog;
  #trunks: Trunks | undefined;
  readonly #edge: Edge | undefined;

  constructor(options: SipServiceOptions) {
    const { clock, entropy, log, sentBy, policy } = options;
    const product = options.product === undefined ? {} : { product: options.product };
    this.#options = options;
    this.#malformed = new RareLog(clock, (fields) => {
      log.warn("dropped a malformed SIP message", fields);
    });
    const shares = options.shares ? { shares: options.shares } : {};
    this.#proxy = new ProxyCore({ entropy, sentBy, policy, ...product, ...shares });
    this.#proxyDriver = new Driver(this.#proxy, clock, (output) => this.#onProxyOutput(output));
    this.#edge = this.#openEdge();
    this.#agents = new UserAgents({
      clock,
      entropy,
      log,
      sentBy,
      ...product,
      send: (flow, bytes, message) => {
        options.observe?.({ flow, sender: "agent", message });
        if (!isHop(flow)) return this.#toWire({ flow, bytes, message });
        this.#note({ flow, direction: "receive", message, bytes });
        this.#carry(flow, () => this.#proxyDriver.feed({ type: "receive", flow, bytes }));
      },
    });
    this.#outside = new OutsideAgents(this.#agents, {
      clock,
      wire: options.wire ?? noNetwork(clock),
      keepAliveMs: options.keepAliveMs ?? 0,
    });
    this.#restoreBindings();
  }

  /** Bindings of an earlier run, on new flows to the addresses that they had. */
  #restoreBindings(): void {
    const { bindings, wire, clock, log } = this.#options;
    if (!bindings || !wire) return;
    for (const record of bindings.load()) {
      const { transport, address, port } = record;
      if (transport !== "UDP") continue;
      wire.connect({ transport, host: address, port, name: address }, (flow) => {
        const binding = flow.ok ? fromRecord(record, flow.value, clock) : undefined;
        if (binding) this.#proxyDriver.feed({ type: "restore", binding });
        else log.debug("a binding of an earlier run is gone", { aor: record.aor });
      });
    }
  }

  /** From now on these trunks stand at the wire; they use `openOutside` and `sendRaw`. */
  bindTrunks(trunks: Trunks): void {
    this.#trunks = trunks;
  }

  /** On the wire as it is, past elements and edge. */
  sendRaw(flow: Flow, bytes: Uint8Array, message: SipMessage): void {
    this.#put(flow, bytes, message);
  }

  /** A user agent that is a client of another server. */
  openOutside(options: OutsideOptions): UserAgent {
    return this.#outside.open(options);
  }

  /** A user agent for a session, on a flow of its own. */
  open(
    session: SessionId,
    speaker: Speaker,
    onInvite: (invite: IncomingInvite) => void,
    hooks: AgentHooks = {},
  ): UserAgent {
    const { hop, policy, sentBy } = this.#options;
    const flow: Flow = {
      id: `${HOP_PREFIX}${session}` as FlowId,
      transport: hop.transport,
      remote: sentBy,
    };
    policy.admit(flow.id, speaker);
    this.#open.set(flow.id, session);
    this.#names.set(flow.id, speaker.user);
    return this.#agents.open(flow, onInvite, hooks);
  }

  /** Where the server of an agent of `openOutside` is. */
  learnServer(agent: UserAgent, targets: readonly Target[]): void {
    this.#outside.learn(agent, targets);
  }

  /** Whether this is the server that an agent of `openOutside` belongs to. */
  isServerOf(agent: UserAgent, flow: Flow): boolean {
    return this.#outside.isAt(agent, flow);
  }

  /** Ends a session's flow: its bindings go, what is still under way on it fails. */
  close(agent: UserAgent): void {
    const { id } = agent.flow;
    if (this.#outside.close(agent)) return;
    if (!this.#open.delete(id)) return;
    this.#agents.close(agent);
    this.#proxyDriver.feed({ type: "flow-closed", flow: id });
    this.#options.policy.dismiss(id);
    this.#names.delete(id);
    this.#options.ladder?.forgetFlow(id);
  }

  /** What came in from the network. */
  receiveWire(input: WireInput): void {
    if (input.type !== "flow-closed") {
      this.#noteReceived(input);
      const inner = this.#fromTrunk(input);
      if (!inner) return;
      return this.#edge ? this.#edge.incoming(inner) : this.#toElement(inner);
    }
    // What is under way on a flow that is gone still ends in order at the elements.
    this.#proxyDriver.feed(input);
    this.#agents.flowClosed(input.flow);
    this.#edge?.flowClosed(input.flow);
    this.#options.ladder?.forgetFlow(input.flow);
  }

  /** Dialogs that cross a wire; undefined where media is not ours. */
  get edge(): Edge | undefined {
    return this.#edge;
  }

  /** Whether a binding or a contact is behind this flow, so that it may be quiet for long. */
  isFlowUsed(flow: FlowId): boolean {
    return this.#proxy.isFlowUsed(flow) || this.#outside.isFlowUsed(flow) ||
      this.#edge?.isFlowUsed(flow) === true;
  }

  /** Whether a device that keeps this flow alive has registered on it (RFC 5626). */
  promisesLife(flow: FlowId): boolean {
    return this.location.onFlow(flow).some(promisesLife);
  }

  /** Live transactions of the proxy, lingering ones included. */
  get proxyTransactions(): number {
    return this.#proxy.transactionCount;
  }

  get location(): Location {
    return this.#proxy.location;
  }

  /** Ends all registrations of an AoR, as `user@domain`. */
  unregister(aor: string): void {
    const { clock, bindings } = this.#options;
    for (const binding of this.location.lookup(aor, clock.now())) {
      this.location.remove(binding);
      bindings?.remove(binding.aor, recordKey(binding));
    }
  }

  sessionOf(flow: FlowId): SessionId | null {
    return this.#open.get(flow) ?? null;
  }

  /** What is alive, for leak checks. */
  get counts(): Readonly<Record<string, number>> {
    const { agents, dialogs, clients, transactions } = this.#agents.counts;
    return {
      agents,
      dialogs,
      clients,
      agentTransactions: transactions,
      proxyTransactions: this.#proxy.transactionCount,
      proxyContexts: this.#proxy.contextCount,
      proxyDialogs: this.#proxy.dialogCount,
      bindings: this.#proxy.bindingCount,
      ...this.#edge?.counts,
    };
  }

  stop(): void {
    this.#edge?.stop();
    this.#agents.stop();
    this.#proxyDriver.close();
  }

  #openEdge(): Edge | undefined {
    const { clock, entropy, log, policy, edge, sentBy } = this.#options;
    if (!edge) return undefined;
    return new Edge({
      ...edge,
      clock,
      entropy,
      log,
      sentBy,
      toElement: (input) => this.#toElement(input),
      toWire: (flow, bytes, message) => this.#send(flow, bytes, message),
      isChallenged: (flow, invite) =>
        !this.#agents.claims(flow, invite) &&
        !invite.headers.has("Proxy-Authorization") && !invite.headers.has("Authorization") &&
        policy.authorize(invite, flow, null).kind === "challenge",
    });
  }

  /** Servers of others speak to the agents that are their clients, everybody else to the proxy. */
  #toElement(input: ElementInput): void {
    const message = this.#outside.size === 0 ? undefined : messageOf(input);
    if (message && this.#agents.claims(input.flow, message)) this.#agents.receiveWire(input);
    else this.#proxyDriver.feed(input);
  }

  #toWire({ flow, message, bytes }: Omit<Extract<ProxyOutput, { type: "send" }>, "type">): void {
    if (this.#edge) this.#edge.outgoing(flow, message, bytes);
    else this.#send(flow, bytes, message);
  }

  /** The last step before the wire: towards a trunk calls look as the carrier wants it. */
  #send(flow: Flow, bytes: Uint8Array, message: SipMessage): void {
    const outer = this.#trunks?.outgoing(flow, message) ?? message;
    this.#put(flow, outer === message ? bytes : serialize(outer), outer);
  }

  /** As it leaves. */
  #put(flow: Flow, bytes: Uint8Array, message: SipMessage): void {
    this.#note({ flow, direction: "send", message, bytes });
    this.#options.wire?.send(flow, bytes);
  }

  /** What a trunk sent, as elements are to hear it; undefined: they are not. */
  #fromTrunk(input: ElementInput): ElementInput | undefined {
    const { flow } = input;
    const trunks = this.#trunks;
    const message = trunks?.trunkAt(flow) === undefined ? undefined : messageOf(input);
    if (!trunks || !message) return input;
    const inner = trunks.incoming(flow, message);
    if (inner === message) return input;
    if (!inner) return undefined;
    return { type: "receive-framed", flow, event: { type: "message", message: inner } };
  }

  #note(passed: Passed): void {
    this.#options.ladder?.record(passed, this.#names.get(passed.flow.id));
  }

  /** As it came, before anybody reads more of it than what call it belongs to. */
  #noteReceived(input: ElementInput): void {
    // Registrations are by far the most of what comes and belong to no call.
    if (!this.#options.ladder || isRegister(input)) return;
    const message = messageOf(input);
    if (!message) return;
    const bytes = input.bytes ? { bytes: input.bytes } : {};
    this.#note({ flow: input.flow, direction: "receive", message, ...bytes });
  }

  #carry(flow: Flow, deliver: () => void): void {
    this.#options.hop.carry(() => {
      if (!this.#open.has(flow.id)) return;
      try {
        deliver();
      } catch (error) {
        this.#options.log.error("a SIP message could not be handled", { flow: flow.id, error });
      }
    });
  }

  #reachOut(effect: Extract<ProxyOutput, { type: "resolve" | "connect" }>): void {
    const wire = this.#options.wire ?? noNetwork(this.#options.clock);
    const { id } = effect;
    const feed = (input: ProxyInput) => this.#proxyDriver.feed(input);
    if (effect.type === "resolve") {
      wire.resolve(effect.uri, (result) => {
        if (result.ok) this.#trunks?.learn(effect.uri, result.value);
        feed({ type: "resolved", id, result });
      });
    } else wire.connect(effect.target, (result) => feed({ type: "connected", id, result }));
  }

  #onProxyOutput(output: ProxyOutput): void {
    const { log } = this.#options;
    switch (output.type) {
      case "send":
        this.#options.observe?.({ flow: output.flow, sender: "proxy", message: output.message });
        if (!isHop(output.flow)) return this.#toWire(output);
        this.#note({ ...output, direction: "send" });
        return this.#carry(output.flow, () => this.#agents.receive(output.flow, output.bytes));
      case "resolve":
      case "connect":
        return this.#reachOut(output);
      case "authentication-failed":
        return log.warn("wrong SIP credentials", {
          username: output.username,
          method: output.method,
        });
      case "malformed":
        return this.#malformed.say({ flow: output.flow, fault: output.fault.text });
      default:
        this.#keepBinding(output);
        log.debug(output.type, { aor: output.binding.aor, contact: output.binding.contact });
    }
  }

  #keepBinding({ type, binding }: RegistrarEvent): void {
    const { bindings, clock } = this.#options;
    if (!bindings) return;
    if (type === "binding-removed") return bindings.remove(binding.aor, recordKey(binding));
    const record = toRecord(binding, clock);
    // A phone that comes back by TCP is not to be looked for at its old UDP address.
    if (record) bindings.put(record);
    else bindings.remove(binding.aor, recordKey(binding));
  }
}

const REGISTER = new TextEncoder().encode("REGISTER ");
const NO_NETWORK = err("There is no network");

function noNetwork(clock: Clock): Pick<WirePort, "resolve" | "connect"> {
  return {
    resolve: (_uri, done) => clock.defer(() => done(NO_NETWORK)),
    connect: (_target, done) => clock.defer(() => done(NO_NETWORK)),
  };
}

function isRegister(input: ElementInput): boolean {
  return input.type === "receive" && REGISTER.every((byte, index) => input.bytes[index] === byte);
}

function messageOf(input: ElementInput): SipMessage | undefined {
  if (input.type === "receive-framed") {
    return input.event.type === "message" ? input.event.message : undefined;
  }
  const parsed = parseMessage(input.bytes);
  return parsed.ok ? parsed.value : undefined;
}

/** Flows of our own user agents; those of the network are named otherwise. */
const HOP_PREFIX = "session:";

function isHop({ id }: Flow): boolean {
  return id.startsWith(HOP_PREFIX);
}
