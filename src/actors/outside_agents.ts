import type { Clock, Timer } from "../core/clock.ts";
import type { FlowId } from "../core/ids.ts";
import type { Flow } from "../sip/flow.ts";
import type { SipUri } from "../sip/message/mod.ts";
import type { Target } from "../sip/resolve/target.ts";
import { OutsideWay } from "../sip/user_agent/outside_way.ts";
import type {
  AgentHooks,
  IncomingInvite,
  UserAgent,
  UserAgents,
} from "../sip/user_agent/user_agents.ts";
import type { WirePort } from "../sip/wire.ts";

/** A user agent at a server of others. */
export interface OutsideOptions {
  /** Unique among the open ones: a session, a trunk. */
  readonly id: string;
  /** The outbound proxy, or the domain. */
  readonly server: SipUri;
  /** Whether its dialogs may lead to this host. */
  readonly mayReach: (host: string) => boolean;
  /** User part of Contact; absent: random. */
  readonly contactUser?: string;
  /** Absent: INVITEs from there are the proxy's. */
  readonly onInvite?: (invite: IncomingInvite) => void;
  readonly hooks?: AgentHooks;
}

export interface OutsideAgentsPorts {
  readonly clock: Clock;
  readonly wire: Pick<WirePort, "resolve" | "connect"> & Partial<Pick<WirePort, "send">>;
  /** Between two keep-alives on UDP, ms; 0: none. */
  readonly keepAliveMs: number;
}

interface Entry {
  readonly agent: UserAgent;
  readonly way: OutsideWay;
  /** The flow used last: kept open for it. */
  flow: Flow | null;
}

/**
 * Two line ends, as on streams: servers pass over them, and a NAT sees that the way is in use.
 * RFC 5626 4.4.2 would have STUN, which a server must have asked for.
 */
const KEEP_ALIVE = new TextEncoder().encode("\r\n\r\n");

/** The user agents that are clients of other servers, and the flows that they need. */
export class OutsideAgents {
  readonly #agents: UserAgents;
  readonly #ports: OutsideAgentsPorts;
  readonly #open = new Map<FlowId, Entry>();
  /** Flows in use, and by how many. */
  readonly #flows = new Map<FlowId, number>();
  #timer: Timer | undefined;

  constructor(agents: UserAgents, ports: OutsideAgentsPorts) {
    this.#agents = agents;
    this.#ports = ports;
  }

  get size(): number {
    return this.#open.size;
  }

  open(options: OutsideOptions): UserAgent {
    const { id, server, mayReach, contactUser, onInvite, hooks } = options;
    const name = `outside:${id}` as FlowId;
    const way = new OutsideWay({
      wire: this.#ports.wire,
      server,
      mayReach,
      onFlow: (flow) => this.#use(name, flow),
    });
    const flow: Flow = { id: name, transport: "UDP", remote: way.remote };
    const agent = this.#agents.openOutside({
      flow,
      way,
      ...(contactUser === undefined ? {} : { contactUser }),
      ...(onInvite ? { onInvite } : {}),
      ...(hooks ? { hooks } : {}),
    });
    this.#open.set(name, { agent, way, flow: null });
    // Its requests may come before ours go.
    way.prepare();
    return agent;
  }

  /** False where the agent is none of these. */
  close(agent: UserAgent): boolean {
    const entry = this.#open.get(agent.flow.id);
    if (!entry) return false;
    this.#open.delete(agent.flow.id);
    this.#release(entry.flow);
    entry.way.close();
    this.#agents.close(agent);
    return true;
  }

  /** Where an agent's server is, as somebody else has looked it up. */
  learn(agent: UserAgent, targets: readonly Target[]): void {
    this.#open.get(agent.flow.id)?.way.learn(targets);
  }

  isFlowUsed(flow: FlowId): boolean {
    return this.#flows.has(flow);
  }

  /** Whether a flow comes from the very place, address and port, of this agent's server. */
  isAt(agent: UserAgent, flow: Flow): boolean {
    return this.#open.get(agent.flow.id)?.way.isAt(flow) ?? false;
  }

  #use(name: FlowId, flow: Flow): void {
    const entry = this.#open.get(name);
    if (!entry || entry.flow?.id === flow.id) return;
    this.#release(entry.flow);
    entry.flow = flow;
    this.#flows.set(flow.id, (this.#flows.get(flow.id) ?? 0) + 1);
    this.#timer ??= this.#waitToKeepAlive();
  }

  #release(flow: Flow | null): void {
    if (flow === null) return;
    const users = (this.#flows.get(flow.id) ?? 0) - 1;
    if (users > 0) return void this.#flows.set(flow.id, users);
    this.#flows.delete(flow.id);
    if (this.#flows.size > 0 || this.#timer === undefined) return;
    this.#ports.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #waitToKeepAlive(): Timer | undefined {
    const { clock, keepAliveMs } = this.#ports;
    if (keepAliveMs === 0) return undefined;
    return clock.setTimeout(() => {
      this.#keepAlive();
      this.#timer = this.#waitToKeepAlive();
    }, keepAliveMs);
  }

  /** Streams keep themselves alive. */
  #keepAlive(): void {
    const told = new Set<FlowId>();
    for (const { flow } of this.#open.values()) {
      if (flow?.transport !== "UDP" || told.has(flow.id)) continue;
      told.add(flow.id);
      this.#ports.wire.send?.(flow, KEEP_ALIVE);
    }
  }
}
