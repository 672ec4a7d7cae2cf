import type { FlowId } from "../../src/core/ids.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import type { Flow } from "../../src/sip/flow.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../src/sip/message/mod.ts";
import {
  InviteUsage,
  type OutboundInvite,
  type UsageEvent,
} from "../../src/sip/user_agent/invite_usage.ts";
import {
  type AgentHooks,
  type IncomingInvite,
  type UserAgent,
  UserAgents,
} from "../../src/sip/user_agent/user_agents.ts";

/** Two elements of user agents with a wire between them, on a clock that a test moves. */

export interface Side {
  readonly element: UserAgents;
  readonly agent: UserAgent;
  /** INVITEs that wait for somebody to take them. */
  readonly invites: IncomingInvite[];
  readonly log: string[];
}

/** Milliseconds that a message is under way. */
export const TRANSIT_MS = 5;

export class Pair {
  readonly clock = new ManualClock();
  readonly entropy: SeededEntropy;
  readonly messages: { readonly from: "alice" | "bob"; readonly message: SipMessage }[] = [];
  readonly alice: Side;
  readonly bob: Side;
  /** Says true where a message is lost. */
  lose: (message: SipMessage) => boolean = () => false;
  /** How long this message is under way, ms. */
  delay: () => number = () => TRANSIT_MS;

  constructor(hooks: { alice?: AgentHooks; bob?: AgentHooks } = {}, seed = 7) {
    this.entropy = new SeededEntropy(seed);
    this.alice = this.#side("alice", hooks.alice);
    this.bob = this.#side("bob", hooks.bob);
  }

  /** Bytes that Bob receives, as they are. */
  toBob(bytes: Uint8Array): void {
    this.bob.element.receive(this.bob.agent.flow, bytes);
  }

  call(
    options: Partial<OutboundInvite>,
    events: UsageEvent[] | ((event: UsageEvent) => void),
    callId = `call-${this.messages.length}`,
  ): InviteUsage {
    const { agent } = this.alice;
    return InviteUsage.outbound({
      agent,
      clock: this.clock,
      local: { uri: "sip:alice@portzero.test", displayName: null },
      target: this.bob.agent.contact,
      callId,
      body: "offer",
      headers: {},
      credentials: null,
      ...options,
    }, (event) => typeof events === "function" ? events(event) : events.push(event));
  }

  requests(method: string): SipRequest[] {
    return this.messages.flatMap(({ message }) =>
      message.kind === "request" && message.method === method ? [message] : []
    );
  }

  responses(method: string): SipResponse[] {
    return this.messages.flatMap(({ message }) =>
      message.kind === "response" && message.cseq.method === method ? [message] : []
    );
  }

  #side(name: "alice" | "bob", hooks: AgentHooks = {}): Side {
    const { clock, entropy } = this;
    const log: string[] = [];
    const invites: IncomingInvite[] = [];
    const element = new UserAgents({
      clock,
      entropy,
      sentBy: `${name}.test:5060`,
      log: {
        debug: () => {},
        info: () => {},
        warn: (text) => log.push(text),
        error: (text) => log.push(text),
      },
      send: (_flow, bytes, message) => {
        this.messages.push({ from: name, message });
        if (this.lose(message)) return;
        const to = name === "alice" ? this.bob : this.alice;
        clock.setTimeout(() => to.element.receive(to.agent.flow, bytes), this.delay());
      },
    });
    const flow: Flow = { id: `${name}` as FlowId, transport: "UDP", remote: name };
    const agent = element.open(flow, (invite) => {
      agent.watch(invite.id, () => {});
      invites.push(invite);
    }, hooks);
    return { element, agent, invites, log };
  }
}
