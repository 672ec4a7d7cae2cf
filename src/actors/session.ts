import { type ActorRefFrom, assign, setup } from "xstate";
import type { Clock } from "../core/clock.ts";
import type { SessionId } from "../core/ids.ts";
import { type Termination, termination } from "../core/termination.ts";
import type { Credentials } from "../sip/user_agent/credentials.ts";
import type { UserAgent } from "../sip/user_agent/user_agent.ts";
import type { ClientNotice, DisconnectReason, SessionProfile } from "./client.ts";
import type { DomainEvent } from "./control_plane.ts";
import { registrationMachine, type RegistrationNotice } from "./outbound_registration.ts";

/** Times of a session, ms unless the name says otherwise. */
export interface SessionOptions {
  /** How long a session without a connection can still be called. */
  readonly reachableMs: number;
  /** The same for an app that a push message wakes. */
  readonly pushReachableMs: number;
  /** How long its token is good. */
  readonly tokenMs: number;
  readonly registrationSeconds: number;
  /** A server of others has this long to answer the first REGISTER. */
  readonly outsideAnswerMs: number;
}

/** What a session may do to the world. */
export interface SessionPorts {
  readonly clock: Clock;
  readonly options: SessionOptions;
  notify(notice: ClientNotice): void;
  disconnect(reason: DisconnectReason): void;
  endCalls(termination: Termination): void;
  /** Tells a client that came back of the calls that ring for it. */
  attachCalls(): void;
  callCount(): number;
  publish(type: DomainEvent["type"], data: DomainEvent["data"]): void;
  trace?(machine: string, state: string): void;
}

export interface SessionInput {
  readonly id: SessionId;
  readonly ports: SessionPorts;
  readonly profile: SessionProfile;
  readonly agent: UserAgent;
  /** AoR as a URI. */
  readonly aor: string;
  readonly registrar: string;
  readonly credentials: Credentials | null;
}

export interface SessionContext extends SessionInput {
  readonly registration: ActorRefFrom<typeof registrationMachine> | null;
  readonly registered: boolean;
  /** The client has its `getUserData`. */
  readonly ready: boolean;
  /** Wall clock, ms since 1970. */
  readonly since: number;
  readonly farewell: DisconnectReason | null;
}

export type SessionEvent =
  | { readonly type: "ready" }
  | { readonly type: "attached" }
  | { readonly type: "detached" }
  | { readonly type: "callGone" }
  | {
    readonly type: "terminate";
    readonly termination: Termination;
    readonly farewell: DisconnectReason | null;
  }
  | RegistrationNotice;

export type SessionActor = ActorRefFrom<typeof sessionMachine>;

/** Beyond the longest transaction with our own registrar. */
const OWN_ANSWER_MS = 40_000;
/** Beyond the longest end of a call. */
const ENDING_LIMIT_MS = 45_000;

/**
 * One client's session: a SIP user agent that outlives its connection. A lost connection ends the
 * calls at once (the client can't resume them); the session stays for its token, and for a short
 * while it can still be called.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> connecting
 *   connecting --> online : ready
 *   connecting --> detached : detached [keepsAlive]
 *   connecting --> ending : detached
 *   online --> connecting : attached
 *   online --> detached : detached [keepsAlive]
 *   online --> ending : detached
 *   detached --> connecting : attached
 *   detached --> unreachable : after reachable
 *   unreachable --> connecting : attached
 *   unreachable --> ending : after token
 *   ending --> ended : [isOver], after endingLimit 45 s
 *   note right of ending : stays on registration.gone, registration.failed
 *   ended --> [*]
 *   note right of connecting
 *     every state stays on registration.registered, registration.gone
 *     every state to ending on registration.failed, fault of a child, terminate
 *   end note
 * ```
 */
export const sessionMachine = setup({
  types: {
    input: {} as SessionInput,
    context: {} as SessionContext,
    events: {} as SessionEvent,
    children: {} as { registration: "registration" },
  },
  actors: { registration: registrationMachine },
  actions: {
    entered: assign(({ context }, params: { state: string }) => {
      context.ports.trace?.("session", params.state);
      return { since: context.ports.clock.epoch() };
    }),
    register: assign(({ context, spawn }) => {
      const { ports, profile, agent, aor, registrar, credentials } = context;
      const isNeeded = profile.port === 0 || profile.registerRequired;
      if (!isNeeded || context.registration !== null) return {};
      const input = {
        clock: ports.clock,
        agent,
        aor,
        registrar,
        credentials,
        expiresSeconds: ports.options.registrationSeconds,
        answerLimitMs: profile.isOutside ? ports.options.outsideAnswerMs : OWN_ANSWER_MS,
        trace: ports.trace,
      };
      return { registration: spawn("registration", { id: "registration", input }) };
    }),
    unregister: ({ context }) => context.registration?.send({ type: "unregister" }),
    keepReady: assign({ ready: true }),
    keepRegistered: assign(({ context }) => {
      context.ports.publish("session.registered", sessionData(context));
      return { registered: true };
    }),
    keepUnregistered: assign({ registered: false, registration: null }),
    /** On SIP Port 0 a client that did not ask to be registered is not told that it is. */
    tellRegistered: ({ context }) => {
      if (context.registered && context.ready && context.profile.registerRequired) {
        context.ports.notify({ type: "registered" });
      }
    },
    tellRegistrationFailed: ({ context, event }) => {
      if (event.type !== "registration.failed") return;
      const { status, reason, authentication } = event;
      context.ports.notify({
        type: "registrationFailed",
        sipStatus: status,
        authentication,
        text: authentication
          ? `${status} ${reason}: wrong name or password`
          : `${status} ${reason}`,
      });
    },
    attachCalls: ({ context }) => context.ports.attachCalls(),
    loseCalls: ({ context }) => context.ports.endCalls(termination("session_lost")),
    loseRinging: ({ context }) => context.ports.endCalls(termination("unavailable")),
    forgetConnection: assign({ ready: false }),
    publish: ({ context }, params: { type: "session.detached" | "session.ended" }) =>
      context.ports.publish(params.type, sessionData(context)),
    endCalls: ({ context, event }) =>
      context.ports.endCalls(
        event.type === "terminate" ? event.termination : termination("session_lost"),
      ),
    sayFarewell: ({ context, event }) => {
      const reason = event.type === "terminate"
        ? event.farewell
        : event.type === "registration.failed"
        ? "registration_failed"
        : null;
      if (reason) context.ports.disconnect(reason);
    },
  },
  guards: {
    keepsAlive: ({ context }) => context.profile.keepAlive,
    isOver: ({ context }) =>
      context.ports.callCount() === 0 &&
      (!context.registration || context.registration.getSnapshot().status !== "active"),
  },
  delays: {
    reachable: ({ context }) => reachableMs(context),
    token: ({ context }) => Math.max(0, context.ports.options.tokenMs - reachableMs(context)),
    endingLimit: ENDING_LIMIT_MS,
  },
}).createMachine({
  id: "session",
  context: ({ input }) => ({
    ...input,
    registration: null,
    registered: false,
    ready: false,
    since: input.ports.clock.epoch(),
    farewell: null,
  }),
  initial: "connecting",
  on: {
    "registration.registered": { actions: ["keepRegistered", "tellRegistered"] },
    "registration.gone": { actions: "keepUnregistered" },
    "registration.failed": {
      target: ".ending",
      actions: ["keepUnregistered", "tellRegistrationFailed"],
    },
    "xstate.error.actor.*": { target: ".ending" },
    terminate: { target: ".ending" },
  },
  states: {
    connecting: {
      entry: ["register", { type: "entered", params: { state: "connecting" } }],
      on: {
        ready: "online",
        detached: [{ guard: "keepsAlive", target: "detached" }, { target: "ending" }],
      },
    },
    online: {
      entry: [
        "keepReady",
        "tellRegistered",
        "attachCalls",
        { type: "entered", params: { state: "online" } },
      ],
      on: {
        // A newer connection took over; it wants to be told everything anew.
        attached: "connecting",
        detached: [{ guard: "keepsAlive", target: "detached" }, { target: "ending" }],
      },
    },
    detached: {
      entry: [
        "forgetConnection",
        "loseCalls",
        { type: "entered", params: { state: "detached" } },
        { type: "publish", params: { type: "session.detached" } },
      ],
      on: { attached: "connecting" },
      after: { reachable: "unreachable" },
    },
    unreachable: {
      entry: ["unregister", "loseRinging", { type: "entered", params: { state: "unreachable" } }],
      on: { attached: "connecting" },
      after: { token: "ending" },
    },
    ending: {
      entry: [
        "endCalls",
        "sayFarewell",
        "unregister",
        { type: "entered", params: { state: "ending" } },
      ],
      always: { guard: "isOver", target: "ended" },
      on: {
        callGone: {},
        "registration.gone": { actions: "keepUnregistered" },
        "registration.failed": { actions: "keepUnregistered" },
        "registration.registered": {},
        "xstate.error.actor.*": {},
        "xstate.done.actor.*": {},
        terminate: {},
      },
      after: { endingLimit: "ended" },
    },
    ended: {
      type: "final",
      entry: [
        { type: "entered", params: { state: "ended" } },
        { type: "publish", params: { type: "session.ended" } },
      ],
    },
  },
});

export function sessionData(context: SessionContext): Readonly<Record<string, unknown>> {
  const { id, profile } = context;
  return { id, login: profile.login, domain: profile.domain, port: profile.port };
}

/** Wire names under which the native SDKs have said where to send a push message. */
const PUSH_FIELD = /^(push|notice|notification|device)token$/i;

function reachableMs({ ports, profile }: SessionContext): number {
  const isPushed = Object.entries(profile.echo).some(([name, value]) =>
    PUSH_FIELD.test(name) && typeof value === "string" && value !== ""
  );
  return isPushed ? ports.options.pushReachableMs : ports.options.reachableMs;
}
