import { assign, sendParent, setup } from "xstate";
import type { Clock } from "../core/clock.ts";
import type { Credentials } from "../sip/user_agent/credentials.ts";
import { type RegisterEvent, RegisterUsage } from "../sip/user_agent/register_usage.ts";
import type { UserAgent } from "../sip/user_agent/user_agent.ts";

export interface RegistrationInput {
  readonly clock: Clock;
  readonly agent: UserAgent;
  readonly aor: string;
  readonly registrar: string;
  readonly credentials: Credentials | null;
  readonly expiresSeconds: number;
  /** The first REGISTER must have its answer by then, ms. */
  readonly answerLimitMs: number;
  readonly trace?: ((machine: string, state: string) => void) | undefined;
}

interface RegistrationContext extends RegistrationInput {
  /** The usage under way; a plain object, like the flow that it speaks on. */
  readonly box: { usage: RegisterUsage | null };
  readonly grantedSeconds: number;
  readonly failures: number;
  /** Why the last attempt failed; null: it has not. */
  readonly fault: string | null;
}

export type RegistrationCommand = { readonly type: "unregister" } | { readonly type: "register" };

export type RegistrationNotice =
  | { readonly type: "registration.registered" }
  | {
    readonly type: "registration.failed";
    readonly status: number;
    readonly reason: string;
    readonly authentication: boolean;
  }
  | { readonly type: "registration.gone" };

const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Refreshed well before it ends (RFC 3261 10.2.4 leaves the moment to the client). */
const REFRESH_SHARE = 0.5;
const UNREGISTER_LIMIT_MS = 5_000;

/**
 * The registration of a session's user agent at its next hop: our own registrar, or an outside one
 * (RFC 3261 10.2). The first refusal is told and ends it; a later one is tried again.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> registering
 *   registering --> registered : register.accepted
 *   registering --> gone : register.refused, after answerLimit
 *   registering --> unregistering : unregister
 *   registered --> unregistering : unregister
 *   registered --> refreshing : after refresh
 *   refreshing --> registered : register.accepted
 *   refreshing --> retrying : register.refused
 *   refreshing --> unregistering : unregister
 *   retrying --> unregistering : unregister
 *   retrying --> refreshing : after retry
 *   unregistering --> gone : register.accepted, register.refused, after unregisterLimit 5 s
 *   gone --> [*]
 * ```
 */
export const registrationMachine = setup({
  types: {
    input: {} as RegistrationInput,
    context: {} as RegistrationContext,
    events: {} as RegistrationCommand | RegisterEvent,
  },
  actions: {
    entered: ({ context }, params: { state: string }) =>
      context.trace?.("outbound_registration", params.state),
    begin: ({ context, self }) => {
      const { agent, aor, registrar, credentials } = context;
      context.box.usage ??= new RegisterUsage(
        { agent, aor, registrar, credentials },
        (event) => self.send(event),
      );
    },
    register: ({ context }) => context.box.usage?.send(context.expiresSeconds),
    unregister: ({ context }) => context.box.usage?.send(0),
    dispose: ({ context }) => context.box.usage?.dispose(),
    keepGranted: assign(({ context, event }) => ({
      failures: 0,
      fault: null,
      grantedSeconds: event.type === "register.accepted"
        ? event.expiresSeconds
        : context.grantedSeconds,
    })),
    countFailure: assign(({ context, event }) => ({
      failures: context.failures + 1,
      fault: event.type === "register.refused" ? `${event.status} ${event.reason}` : context.fault,
    })),
    tellSilent: sendParent(({ context }) => ({
      type: "registration.failed",
      status: 408,
      reason: `${context.agent.flow.remote} does not answer`,
      authentication: false,
    })),
    tellRegistered: sendParent({ type: "registration.registered" }),
    tellGone: sendParent({ type: "registration.gone" }),
    tellFailed: sendParent(({ event }) => {
      if (event.type !== "register.refused") return { type: "registration.gone" };
      const { status, reason, authentication } = event;
      return { type: "registration.failed", status, reason, authentication };
    }),
  },
  delays: {
    refresh: ({ context }) => context.grantedSeconds * 1_000 * REFRESH_SHARE,
    answerLimit: ({ context }) => context.answerLimitMs,
    retry: ({ context }) => Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** context.failures),
    unregisterLimit: UNREGISTER_LIMIT_MS,
  },
}).createMachine({
  id: "outbound_registration",
  context: ({ input }) => ({
    ...input,
    box: { usage: null },
    grantedSeconds: 0,
    failures: 0,
    fault: null,
  }),
  initial: "registering",
  entry: "begin",
  states: {
    registering: {
      entry: ["register", { type: "entered", params: { state: "registering" } }],
      on: {
        "register.accepted": { target: "registered", actions: ["keepGranted", "tellRegistered"] },
        "register.refused": { target: "gone", actions: "tellFailed" },
        unregister: "unregistering",
      },
      after: { answerLimit: { target: "gone", actions: "tellSilent" } },
    },
    registered: {
      entry: { type: "entered", params: { state: "registered" } },
      on: { unregister: "unregistering" },
      after: { refresh: "refreshing" },
    },
    refreshing: {
      entry: ["register", { type: "entered", params: { state: "refreshing" } }],
      on: {
        "register.accepted": { target: "registered", actions: "keepGranted" },
        "register.refused": { target: "retrying", actions: "countFailure" },
        unregister: "unregistering",
      },
    },
    retrying: {
      entry: { type: "entered", params: { state: "retrying" } },
      on: { unregister: "unregistering" },
      after: { retry: "refreshing" },
    },
    unregistering: {
      entry: ["unregister", { type: "entered", params: { state: "unregistering" } }],
      on: {
        "register.accepted": { target: "gone", actions: "tellGone" },
        "register.refused": { target: "gone", actions: "tellGone" },
      },
      after: { unregisterLimit: { target: "gone", actions: "tellGone" } },
    },
    gone: {
      type: "final",
      entry: ["dispose", { type: "entered", params: { state: "gone" } }],
    },
  },
});
