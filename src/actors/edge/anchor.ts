import { type Actor, assign, setup } from "xstate";
import { type FlatLogic, flatLogic } from "../flat_machine.ts";
import {
  ACK_TIMEOUT_MS,
  CLOSING_MS,
  OPEN_TIMEOUT_MS,
  RINGING_MS,
  SILENT_INVITE_MS,
} from "./contract.ts";

/** What the machine asks of whoever holds the anchor's messages and endpoint. */
export interface AnchorHolder {
  /** The endpoint is there: what waited for it goes on. */
  release(): void;
  /** There will be no endpoint: what waits is refused. */
  refuse(): void;
  trace(state: string): void;
}

export type AnchorEvent =
  /** A description needs an endpoint. */
  | { readonly type: "open" }
  | { readonly type: "media.opened" }
  | { readonly type: "media.failed" }
  /** A provisional response to the INVITE passed. */
  | { readonly type: "provisional" }
  | { readonly type: "cancelled" }
  /** The first 2xx to the INVITE passed. */
  | { readonly type: "accepted" }
  | { readonly type: "acknowledged" }
  /** A final refusal of the INVITE passed. */
  | { readonly type: "refused" }
  /** We refused the INVITE ourselves: its ACK, if one comes, ends here. */
  | { readonly type: "rejected" }
  | { readonly type: "bye" }
  /** BYE was answered. */
  | { readonly type: "ended" }
  /** BYE was challenged: the dialog stands. */
  | { readonly type: "resumed" }
  /** Accepted in every state. */
  | { readonly type: "terminate" };

interface AnchorContext {
  readonly holder: AnchorHolder;
  readonly patienceMs: number;
}

/** How an INVITE goes on that has no final answer, in either state before one. */
function unanswered<S extends "waiting" | "offered">(state: S) {
  return {
    open: "opening",
    provisional: { target: state, reenter: true, actions: "waitForAnswer" },
    cancelled: { target: state, reenter: true, actions: "waitForRefusal" },
    accepted: "answered",
    rejected: "closing",
    refused: "closed",
  } as const;
}

/**
 * The wire side of one INVITE dialog: its endpoint, and how far offer and answer have come. A root
 * actor; whatever ends it, its holder lets go of endpoint, keys and waiting messages.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> waiting
 *   waiting --> opening : open
 *   waiting --> waiting : provisional, cancelled
 *   waiting --> answered : accepted
 *   waiting --> closing : rejected
 *   waiting --> closed : refused, after patience
 *   opening --> offered : media.opened
 *   opening --> closing : media.failed, after openTimeout 5 s
 *   opening --> closed : refused
 *   offered --> opening : open
 *   offered --> offered : provisional, cancelled
 *   offered --> answered : accepted
 *   offered --> closing : rejected
 *   offered --> closed : refused, after patience
 *   answered --> confirmed : acknowledged
 *   answered --> closing : bye
 *   answered --> closed : after ackTimeout 40 s
 *   confirmed --> closing : bye
 *   closing --> closed : acknowledged, refused, ended, after closingTimeout 35 s
 *   closing --> confirmed : resumed
 *   closed --> [*]
 *   note right of waiting : every state to closed on terminate
 * ```
 */
export const anchorMachine = setup({
  types: {
    input: {} as { readonly holder: AnchorHolder },
    context: {} as AnchorContext,
    events: {} as AnchorEvent,
  },
  actions: {
    entered: ({ context }, params: { state: string }) => context.holder.trace(params.state),
    release: ({ context }) => context.holder.release(),
    refuse: ({ context }) => context.holder.refuse(),
    waitForAnswer: assign({ patienceMs: RINGING_MS }),
    waitForRefusal: assign({ patienceMs: SILENT_INVITE_MS }),
  },
  delays: {
    openTimeout: OPEN_TIMEOUT_MS,
    patience: ({ context }) => context.patienceMs,
    ackTimeout: ACK_TIMEOUT_MS,
    closingTimeout: CLOSING_MS,
  },
}).createMachine({
  id: "anchor",
  context: ({ input }) => ({ ...input, patienceMs: SILENT_INVITE_MS }),
  initial: "waiting",
  on: { terminate: ".closed" },
  states: {
    // An INVITE without a description: the offer comes with its 2xx.
    waiting: {
      entry: { type: "entered", params: { state: "waiting" } },
      on: unanswered("waiting"),
      after: { patience: "closed" },
    },
    opening: {
      entry: { type: "entered", params: { state: "opening" } },
      on: {
        "media.opened": "offered",
        "media.failed": { target: "closing", actions: "refuse" },
        refused: "closed",
      },
      after: { openTimeout: { target: "closing", actions: "refuse" } },
    },
    offered: {
      entry: [{ type: "entered", params: { state: "offered" } }, "release"],
      // It is opened late where whoever answered can't be reached directly.
      on: unanswered("offered"),
      after: { patience: "closed" },
    },
    answered: {
      entry: { type: "entered", params: { state: "answered" } },
      on: { acknowledged: "confirmed", bye: "closing" },
      after: { ackTimeout: "closed" },
    },
    confirmed: {
      entry: { type: "entered", params: { state: "confirmed" } },
      on: { bye: "closing" },
    },
    closing: {
      entry: { type: "entered", params: { state: "closing" } },
      on: { acknowledged: "closed", refused: "closed", ended: "closed", resumed: "confirmed" },
      after: { closingTimeout: "closed" },
    },
    closed: {
      type: "final",
      entry: { type: "entered", params: { state: "closed" } },
    },
  },
});

/** Two of them a call: what runs them must cost little. */
export const anchorLogic = flatLogic(anchorMachine);

export type AnchorActor = Actor<FlatLogic<typeof anchorMachine>>;
