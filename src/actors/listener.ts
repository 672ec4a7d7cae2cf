import { assign, setup } from "xstate";
import type { Log } from "../core/log.ts";

/** One thing that listens: a SIP socket, a web server. What it tells comes back as events. */
export interface ListenerPort {
  /** Opens; `tell` hears how it went, and later `lost` where it ends by itself. */
  open(tell: (event: ListenerEvent) => void): void;
  /** Takes no more and ends what is under way, `deadlineMs` at most; then `done`. */
  close(deadlineMs: number, done: () => void): void;
}

export type ListenerEvent =
  | { readonly type: "opened" }
  | { readonly type: "open.failed"; readonly why: string }
  | { readonly type: "lost"; readonly why: string }
  | { readonly type: "close"; readonly deadlineMs: number }
  | { readonly type: "closed" };

export interface ListenerInput {
  /** For logs: `http`, `sip udp` ... */
  readonly name: string;
  readonly port: ListenerPort;
  readonly log: Log;
  readonly trace?: ((machine: string, state: string) => void) | undefined;
}

interface ListenerContext extends ListenerInput {
  /** Failed openings in a row since it was lost. */
  readonly failures: number;
  /** Why it is not listening; a sentence. */
  readonly fault: string | null;
  readonly deadlineMs: number;
}

const REOPEN_BASE_MS = 250;
const REOPEN_MAX_MS = 30_000;
/** A port that does not say `closed` in its time is left alone after this much more, ms. */
const CLOSE_MARGIN_MS = 1_000;

/**
 * The life of a listener. What can't be opened at the start has failed, for whoever configured it
 * to see; what is lost later is opened again, more and more patiently, until it is there or closed.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> opening
 *   opening --> listening : opened
 *   opening --> failed : open.failed
 *   opening --> closing : close
 *   listening --> lost : lost
 *   listening --> closing : close
 *   lost --> closing : close
 *   lost --> reopening : after reopen
 *   reopening --> listening : opened
 *   reopening --> lost : open.failed
 *   reopening --> closing : close
 *   closing --> closed : closed, after closeLimit
 *   closed --> [*]
 *   failed --> [*]
 * ```
 */
export const listenerMachine = setup({
  types: {
    input: {} as ListenerInput,
    context: {} as ListenerContext,
    events: {} as ListenerEvent,
  },
  actions: {
    entered: ({ context }, params: { state: string }) => context.trace?.("listener", params.state),
    open: ({ context, self }) => context.port.open((event) => self.send(event)),
    close: ({ context, self }) =>
      context.port.close(context.deadlineMs, () => self.send({ type: "closed" })),
    keepFault: assign(({ event }) => ({
      fault: event.type === "open.failed" || event.type === "lost" ? event.why : null,
    })),
    keepDeadline: assign(({ context, event }) => ({
      deadlineMs: event.type === "close" ? event.deadlineMs : context.deadlineMs,
    })),
    countFailure: assign(({ context }) => ({ failures: context.failures + 1 })),
    forgetFailures: assign({ failures: 0, fault: null }),
    sayLost: ({ context }) =>
      context.log.error("a listener was lost and is opened again", {
        listener: context.name,
        why: context.fault,
      }),
    sayBack: ({ context }) => context.log.info("a listener is back", { listener: context.name }),
  },
  delays: {
    reopen: ({ context }) => Math.min(REOPEN_MAX_MS, REOPEN_BASE_MS * 2 ** context.failures),
    closeLimit: ({ context }) => context.deadlineMs + CLOSE_MARGIN_MS,
  },
}).createMachine({
  id: "listener",
  context: ({ input }) => ({ ...input, failures: 0, fault: null, deadlineMs: 0 }),
  initial: "opening",
  states: {
    opening: {
      entry: ["open", { type: "entered", params: { state: "opening" } }],
      on: {
        opened: "listening",
        "open.failed": { target: "failed", actions: "keepFault" },
        close: { target: "closing", actions: "keepDeadline" },
      },
    },
    listening: {
      entry: ["forgetFailures", { type: "entered", params: { state: "listening" } }],
      on: {
        lost: { target: "lost", actions: ["keepFault", "sayLost"] },
        close: { target: "closing", actions: "keepDeadline" },
      },
    },
    lost: {
      entry: { type: "entered", params: { state: "lost" } },
      on: { close: { target: "closing", actions: "keepDeadline" } },
      after: { reopen: "reopening" },
    },
    reopening: {
      entry: ["open", { type: "entered", params: { state: "reopening" } }],
      on: {
        opened: { target: "listening", actions: "sayBack" },
        "open.failed": { target: "lost", actions: ["keepFault", "countFailure"] },
        close: { target: "closing", actions: "keepDeadline" },
      },
    },
    closing: {
      entry: ["close", { type: "entered", params: { state: "closing" } }],
      on: { closed: "closed" },
      after: { closeLimit: "closed" },
    },
    closed: {
      type: "final",
      entry: { type: "entered", params: { state: "closed" } },
    },
    failed: {
      type: "final",
      entry: { type: "entered", params: { state: "failed" } },
    },
  },
});
