import type { FlowId } from "../../core/ids.ts";
import type { SipRequest } from "../message/mod.ts";
import type { Flow } from "../stack.ts";
import type { Inspection } from "./inspect.ts";
import type { Way } from "./outside_way.ts";
import type { AgentHooks, IncomingInvite, UserAgent } from "./user_agent.ts";

/** What `UserAgents` knows of one of them. */
export interface AgentState {
  readonly agent: UserAgent;
  /** How its requests leave; null: over its flow. */
  readonly way: Way | null;
  readonly onInvite: (invite: IncomingInvite) => void;
  readonly hooks: AgentHooks;
  readonly inspection: Inspection;
  open: boolean;
}

/** Whose a request outside dialogs is: by the user part of its Request-URI, our Contact. */
export class AgentDirectory {
  readonly #byFlow = new Map<FlowId, AgentState>();
  readonly #byContactUser = new Map<string, AgentState>();
  /** Agents of other servers; several of one name may be at one server, the newest is called. */
  readonly #outside = new Map<string, Set<AgentState>>();

  get size(): number {
    return this.#byFlow.size;
  }

  /** One that only sends; nobody finds it. */
  add(state: AgentState): void {
    this.#byFlow.set(state.agent.flow.id, state);
  }

  /** One of our own server, whose contact user is its alone. */
  addInside(user: string, state: AgentState): void {
    this.add(state);
    this.#byContactUser.set(user, state);
  }

  /** One of a server of others, where several may have this contact user. */
  addOutside(user: string, state: AgentState): void {
    this.add(state);
    const same = this.#outside.get(user);
    if (same) same.add(state);
    else this.#outside.set(user, new Set([state]));
  }

  /** What was known of the agent; undefined: it is gone already. */
  remove(agent: UserAgent): AgentState | undefined {
    const state = this.#byFlow.get(agent.flow.id);
    if (!state) return undefined;
    this.#byFlow.delete(agent.flow.id);
    for (const [user, other] of this.#byContactUser) {
      if (other === state) this.#byContactUser.delete(user);
    }
    for (const [user, same] of this.#outside) {
      if (same.delete(state) && same.size === 0) this.#outside.delete(user);
    }
    return state;
  }

  find(flow: Flow, request: SipRequest): AgentState | undefined {
    const uri = request.requestUri;
    return this.findOutside(flow, request) ??
      (uri.ok ? this.#byContactUser.get(uri.value.user ?? "") : undefined);
  }

  /** By Contact, and only for the server that the agent belongs to. */
  findOutside(flow: Flow, request: SipRequest): AgentState | undefined {
    if (this.#outside.size === 0) return undefined;
    const uri = request.requestUri;
    const found = uri.ok ? this.#outside.get(uri.value.user ?? "") : undefined;
    return found && [...found].findLast(({ way }) => way?.leadsTo(flow));
  }
}
