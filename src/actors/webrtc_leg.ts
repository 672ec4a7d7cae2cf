import { assign, sendParent, setup } from "xstate";
import type { DtlsState, EndpointEvent, IceState } from "../rtp/media_port.ts";
import type { CallPorts } from "./call_ports.ts";

export interface WebrtcLegInput {
  readonly ports: CallPorts;
}

export interface WebrtcLegContext extends WebrtcLegInput {
  readonly ice: IceState;
  readonly dtls: DtlsState;
  readonly remoteAddress: string | null;
  readonly received: { readonly audio: boolean; readonly video: boolean };
}

export type WebrtcLegEvent =
  /** The browser has both descriptions and will connect now. */
  | { readonly type: "negotiated" }
  | {
    readonly type: "transport";
    readonly event: Extract<EndpointEvent, { type: "ice" | "dtls" | "media" }>;
  }
  | { readonly type: "terminate" };

export type WebrtcLegNotice =
  | { readonly type: "leg.connected" }
  | {
    readonly type: "leg.failed";
    readonly reason: "setup_timeout" | "dtls" | "consent_lost" | "closed";
    readonly text: string;
  };

/** How long a hang-up may come after the DTLS close that it caused. */
const CLOSE_GRACE_MS = 3_000;

/**
 * The browser's side of a call: descriptions exchanged, ICE and DTLS coming up, then consent. The
 * browser never reports a failure of its own (it may have no microphone, or be gone), so time
 * decides.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> negotiating
 *   negotiating --> connecting : negotiated
 *   negotiating --> early : transport [dtlsIs connected]
 *   note right of negotiating : stays on transport
 *   early --> connected : negotiated
 *   note right of early : stays on transport
 *   connecting --> connected : transport [dtlsIs connected]
 *   connecting --> failed : transport [dtlsIs failed], after setupTimeout
 *   note right of connecting : stays on transport
 *   connected --> failed : transport [iceLost]
 *   connected --> closing : transport [dtlsIs closed]
 *   note right of connected : stays on transport
 *   closing --> failed : after closeGrace 3 s
 *   note right of closing : stays on transport
 *   note right of failed : stays on transport
 *   closed --> [*]
 *   note right of negotiating : every state to closed on terminate
 * ```
 */
export const webrtcLegMachine = setup({
  types: {
    input: {} as WebrtcLegInput,
    context: {} as WebrtcLegContext,
    events: {} as WebrtcLegEvent,
  },
  actions: {
    entered: ({ context }, params: { state: string }) =>
      context.ports.trace?.("webrtc_leg", params.state),
    keep: assign(({ context, event }) => {
      if (event.type !== "transport") return {};
      const { event: change } = event;
      if (change.type === "ice") {
        return { ice: change.state, remoteAddress: change.remoteAddress ?? context.remoteAddress };
      }
      if (change.type === "dtls") return { dtls: change.state };
      return { received: { ...context.received, [change.kind]: true } };
    }),
    tellConnected: sendParent({ type: "leg.connected" }),
    tellFailed: sendParent((_, params: { reason: string; text: string }) => ({
      type: "leg.failed",
      ...params,
    })),
  },
  guards: {
    dtlsIs: ({ event }, params: { state: DtlsState }) =>
      event.type === "transport" && event.event.type === "dtls" &&
      event.event.state === params.state,
    iceLost: ({ event }) =>
      event.type === "transport" && event.event.type === "ice" &&
      event.event.state === "disconnected",
  },
  delays: {
    setupTimeout: ({ context }) => context.ports.options.setupTimeoutMs,
    closeGrace: CLOSE_GRACE_MS,
  },
}).createMachine({
  id: "webrtc_leg",
  context: ({ input }) => ({
    ...input,
    ice: "new",
    dtls: "new",
    remoteAddress: null,
    received: { audio: false, video: false },
  }),
  initial: "negotiating",
  on: { terminate: ".closed" },
  states: {
    negotiating: {
      entry: { type: "entered", params: { state: "negotiating" } },
      on: {
        negotiated: "connecting",
        // A callee's browser may be up before its answer is: the packets overtake the frame.
        transport: [
          {
            guard: { type: "dtlsIs", params: { state: "connected" } },
            target: "early",
            actions: "keep",
          },
          { actions: "keep" },
        ],
      },
    },
    early: {
      entry: { type: "entered", params: { state: "early" } },
      on: {
        negotiated: { target: "connected", actions: "tellConnected" },
        transport: { actions: "keep" },
      },
    },
    connecting: {
      entry: { type: "entered", params: { state: "connecting" } },
      on: {
        transport: [
          {
            guard: { type: "dtlsIs", params: { state: "connected" } },
            target: "connected",
            actions: ["keep", "tellConnected"],
          },
          {
            guard: { type: "dtlsIs", params: { state: "failed" } },
            target: "failed",
            actions: [
              "keep",
              {
                type: "tellFailed",
                params: { reason: "dtls", text: "The DTLS handshake with the browser failed" },
              },
            ],
          },
          { actions: "keep" },
        ],
      },
      after: {
        setupTimeout: {
          target: "failed",
          actions: {
            type: "tellFailed",
            params: ({ context }) => ({
              reason: "setup_timeout",
              text: context.ice === "connected"
                ? "The browser was reached, but its DTLS handshake did not finish in time"
                : "The browser was not reached in time: check its microphone and the way to our media ports",
            }),
          },
        },
      },
    },
    connected: {
      entry: { type: "entered", params: { state: "connected" } },
      on: {
        transport: [
          {
            guard: "iceLost",
            target: "failed",
            actions: [
              "keep",
              {
                type: "tellFailed",
                params: { reason: "consent_lost", text: "The browser stopped answering" },
              },
            ],
          },
          {
            guard: { type: "dtlsIs", params: { state: "closed" } },
            target: "closing",
            actions: "keep",
          },
          { actions: "keep" },
        ],
      },
    },
    // The browser's close overtakes the hang-up or the end of its socket: these say it better.
    closing: {
      entry: { type: "entered", params: { state: "closing" } },
      on: { transport: { actions: "keep" } },
      after: {
        closeGrace: {
          target: "failed",
          actions: {
            type: "tellFailed",
            params: { reason: "closed", text: "The browser closed its media connection" },
          },
        },
      },
    },
    failed: {
      entry: { type: "entered", params: { state: "failed" } },
      on: { transport: { actions: "keep" } },
    },
    closed: {
      type: "final",
      entry: { type: "entered", params: { state: "closed" } },
    },
  },
});
