import { type ActorRefFrom, assign, setup } from "xstate";
import type { Clock, Instant } from "../core/clock.ts";
import { createRequest } from "../sip/dialog/requests.ts";
import type { Credentials } from "../sip/user_agent/credentials.ts";
import { type RegisterEvent, RegisterUsage } from "../sip/user_agent/register_usage.ts";
import type { UserAgent } from "../sip/user_agent/user_agent.ts";

export interface TrunkInput {
  readonly name: string;
  readonly clock: Clock;
  readonly agent: UserAgent;
  /** Request-URI of pings and REGISTER: the carrier. */
  readonly uri: string;
  /** AoR and proof; null: the carrier knows us by address. */
  readonly register: { readonly aor: string; readonly credentials: Credentials } | null;
  /** Between two OPTIONS, ms; 0: none, the trunk counts as up. */
  readonly pingMs: number;
  tell(type: "trunk.up" | "trunk.down", reason: string | null): void;
  trace?(machine: string, state: string): void;
}

export interface TrunkContext extends TrunkInput {
  /**
   * The usage under way, and which ping counts; plain objects, like the flow that they speak on.
   */
  readonly box: { usage: RegisterUsage | null; ping: number };
  readonly isUp: boolean;
  /** Why it is down, in words. */
  readonly reason: string | null;
  /** When the binding at the carrier is to be refreshed; null without one. */
  readonly refreshAt: Instant | null;
  readonly failures: number;
  /** Wall clock of the last change between up and down, ms since 1970. */
  readonly since: number;
}

export type TrunkEvent =
  | { readonly type: "stop" }
  | { readonly type: "ping.answered"; readonly ping: number }
  | { readonly type: "ping.failed"; readonly ping: number; readonly reason: string }
  | RegisterEvent;

export type TrunkActor = ActorRefFrom<typeof trunkMachine>;

const REGISTER_SECONDS = 600;
const ANSWER_LIMIT_MS = 10_000;
const PING_LIMIT_MS = 5_000;
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 30_000;
const LEAVE_LIMIT_MS = 2_000;
/** Where nothing is to be done for a trunk: looked at anew now and then all the same. */
const IDLE_MS = 3_600_000;

/**
 * One trunk to a carrier or a gateway: registered where the carrier wants it, up while it answers
 * OPTIONS (RFC 3261 11), tried again while it does not.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> starting
 *   starting --> registering : [registers]
 *   starting --> probing : [pings]
 *   starting --> up
 *   registering --> probing : register.accepted [pings]
 *   registering --> up : register.accepted
 *   registering --> down : register.refused, after answerLimit 10 s
 *   probing --> up : ping.answered [isThisPing]
 *   probing --> down : ping.failed [isThisPing], after pingLimit 5 s
 *   up --> refreshing : after next [isRefreshDue]
 *   up --> checking : after next [pings]
 *   up --> up : after next
 *   refreshing --> up : register.accepted
 *   refreshing --> down : register.refused, after answerLimit 10 s
 *   checking --> up : ping.answered [isThisPing]
 *   checking --> probing : ping.failed [isThisPing], after pingLimit 5 s
 *   down --> starting : after retry
 *   leaving --> gone : register.accepted, register.refused, after leaveLimit 2 s
 *   gone --> [*]
 *   note right of starting
 *     every state to leaving on stop [isRegistered]
 *     every state to gone on stop
 *   end note
 * ```
 */
export const trunkMachine = setup({
  types: {
    input: {} as TrunkInput,
    context: {} as TrunkContext,
    events: {} as TrunkEvent,
  },
  actions: {
    entered: ({ context }, params: { state: string }) => context.trace?.("trunk", params.state),
    begin: ({ context, self }) => {
      const { agent, register, uri } = context;
      if (!register) return;
      const options = { agent, registrar: uri, ...register };
      context.box.usage ??= new RegisterUsage(options, (event) => self.send(event));
    },
    register: ({ context }) => context.box.usage?.send(REGISTER_SECONDS),
    unregister: ({ context }) => context.box.usage?.send(0),
    dispose: ({ context }) => context.box.usage?.dispose(),
    ping: ({ context, self }) => {
      const { agent, uri, box } = context;
      const ping = ++box.ping;
      const request = createRequest({
        method: "OPTIONS",
        requestUri: uri,
        from: `<${agent.contact}>;tag=${agent.token(64)}`,
        to: `<${uri}>`,
        callId: agent.token(128),
        sequence: ping,
        contact: `<${agent.contact}>`,
        headers: [["Accept", "application/sdp"]],
      });
      agent.request(request, (event) => {
        if (event.type === "failed") {
          const reason = event.text ?? "It does not answer";
          return self.send({ type: "ping.failed", ping, reason });
        }
        const { status, reason } = event.response;
        if (status < 200) return;
        // Whoever refuses is there; 408 and 503 say that he can't serve.
        if (status !== 408 && status !== 503) return self.send({ type: "ping.answered", ping });
        self.send({ type: "ping.failed", ping, reason: `${status} ${reason}` });
      });
    },
    keepRegistered: assign(({ context, event }) => {
      if (event.type !== "register.accepted") return {};
      return { refreshAt: context.clock.now() + event.expiresSeconds * 500 };
    }),
    keepUnregistered: assign({ refreshAt: null }),
    keepUp: assign(({ context }) => {
      if (context.isUp) return { failures: 0 };
      context.tell("trunk.up", null);
      return { isUp: true, reason: null, failures: 0, since: context.clock.epoch() };
    }),
    keepDown: assign(({ context, event }) => {
      const reason = reasonOf(context, event);
      const failures = context.failures + 1;
      if (!context.isUp && context.reason !== null) return { reason, failures };
      context.tell("trunk.down", reason);
      return { isUp: false, reason, failures, since: context.clock.epoch() };
    }),
  },
  guards: {
    registers: ({ context }) =>
      context.register !== null &&
      (context.refreshAt === null || context.refreshAt <= context.clock.now()),
    isRegistered: ({ context }) => context.refreshAt !== null,
    pings: ({ context }) => context.pingMs > 0,
    isRefreshDue: ({ context }) =>
      context.refreshAt !== null && context.refreshAt <= context.clock.now(),
    isThisPing: ({ context, event }) => "ping" in event && event.ping === context.box.ping,
  },
  delays: {
    next: ({ context }) => {
      const { refreshAt, pingMs, clock } = context;
      const refresh = refreshAt === null ? IDLE_MS : Math.max(0, refreshAt - clock.now());
      return Math.min(refresh, pingMs > 0 ? pingMs : IDLE_MS);
    },
    retry: ({ context }) => Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** context.failures),
    answerLimit: ANSWER_LIMIT_MS,
    pingLimit: PING_LIMIT_MS,
    leaveLimit: LEAVE_LIMIT_MS,
  },
}).createMachine({
  id: "trunk",
  context: ({ input }) => ({
    ...input,
    box: { usage: null, ping: 0 },
    isUp: false,
    reason: null,
    refreshAt: null,
    failures: 0,
    since: input.clock.epoch(),
  }),
  initial: "starting",
  entry: "begin",
  on: {
    stop: [{ guard: "isRegistered", target: ".leaving" }, { target: ".gone" }],
  },
  states: {
    starting: {
      entry: { type: "entered", params: { state: "starting" } },
      always: [
        { guard: "registers", target: "registering" },
        { guard: "pings", target: "probing" },
        { target: "up" },
      ],
    },
    registering: {
      entry: ["register", { type: "entered", params: { state: "registering" } }],
      on: {
        "register.accepted": [
          { guard: "pings", target: "probing", actions: "keepRegistered" },
          { target: "up", actions: "keepRegistered" },
        ],
        "register.refused": { target: "down", actions: ["keepUnregistered", "keepDown"] },
      },
      after: { answerLimit: { target: "down", actions: ["keepUnregistered", "keepDown"] } },
    },
    probing: {
      entry: ["ping", { type: "entered", params: { state: "probing" } }],
      on: {
        "ping.answered": { guard: "isThisPing", target: "up" },
        "ping.failed": { guard: "isThisPing", target: "down", actions: "keepDown" },
      },
      after: { pingLimit: { target: "down", actions: "keepDown" } },
    },
    up: {
      entry: ["keepUp", { type: "entered", params: { state: "up" } }],
      after: {
        next: [
          { guard: "isRefreshDue", target: "refreshing" },
          { guard: "pings", target: "checking" },
          { target: "up", reenter: true },
        ],
      },
    },
    refreshing: {
      entry: ["register", { type: "entered", params: { state: "refreshing" } }],
      on: {
        "register.accepted": { target: "up", actions: "keepRegistered" },
        "register.refused": { target: "down", actions: ["keepUnregistered", "keepDown"] },
      },
      after: { answerLimit: { target: "down", actions: ["keepUnregistered", "keepDown"] } },
    },
    // One lost ping is not yet a lost trunk: `probing` asks once more.
    checking: {
      entry: ["ping", { type: "entered", params: { state: "checking" } }],
      on: {
        "ping.answered": { guard: "isThisPing", target: "up" },
        "ping.failed": { guard: "isThisPing", target: "probing" },
      },
      after: { pingLimit: "probing" },
    },
    down: {
      entry: { type: "entered", params: { state: "down" } },
      after: { retry: "starting" },
    },
    leaving: {
      entry: ["unregister", { type: "entered", params: { state: "leaving" } }],
      on: {
        "register.accepted": "gone",
        "register.refused": "gone",
        stop: {},
      },
      after: { leaveLimit: "gone" },
    },
    gone: {
      type: "final",
      entry: ["dispose", { type: "entered", params: { state: "gone" } }],
    },
  },
});

function reasonOf(context: TrunkContext, event: TrunkEvent): string {
  switch (event.type) {
    case "register.refused":
      return event.authentication
        ? `The carrier refuses our credentials: ${event.status} ${event.reason}`
        : `The carrier refuses our registration: ${event.status} ${event.reason}`;
    case "ping.failed":
      return event.reason;
    default:
      return `${context.agent.flow.remote} does not answer`;
  }
}
