import { assign, sendParent, setup } from "xstate";
import type { EndpointToken, WorkerId } from "../core/ids.ts";
import type {
  EndpointEvent,
  EndpointStatistics,
  LocalTransport,
  RemoteTransport,
} from "../rtp/media_port.ts";
import type { TranscodedSides, TranscodingStatistics } from "../rtp/rtp_media_port.ts";
import type { CallPorts, CallResources } from "./call_ports.ts";

export interface MediaSessionInput {
  readonly ports: CallPorts;
  readonly resources: CallResources;
  /** Endpoint that this one will be joined with, where it is known: same worker. */
  readonly near: EndpointToken | null;
  readonly label: string;
}

export interface MediaSessionContext extends MediaSessionInput {
  readonly worker: WorkerId | null;
  readonly statistics: EndpointStatistics | null;
  readonly transcoding: TranscodingStatistics | null;
}

export type MediaSessionCommand =
  | { readonly type: "setRemote"; readonly remote: RemoteTransport }
  | { readonly type: "connect"; readonly peer: EndpointToken }
  | { readonly type: "setFlowing"; readonly flowing: boolean }
  | { readonly type: "requestKeyFrame" }
  | { readonly type: "transcode"; readonly sides: TranscodedSides | null }
  | { readonly type: "terminate" };

/** What the call hears of its media. */
export type MediaSessionNotice =
  | { readonly type: "media.opened"; readonly local: LocalTransport; readonly token: EndpointToken }
  | { readonly type: "media.failed"; readonly text: string }
  | { readonly type: "media.lost"; readonly text: string }
  | { readonly type: "media.silent"; readonly ms: number }
  | {
    readonly type: "media.transport";
    readonly event: Extract<EndpointEvent, { type: "ice" | "dtls" | "media" }>;
  };

type EndpointSignal = { readonly type: "endpoint"; readonly event: EndpointEvent };

/**
 * What the media workers hold for a call: one endpoint, from `opening` to `closed`. Whoever ends
 * first, the endpoint is closed exactly once.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> opening
 *   opening --> open : endpoint [is opened]
 *   opening --> closed : endpoint [is failed or lost], terminate
 *   open --> closed : endpoint [is failed or lost], terminate
 *   note right of open
 *     stays on endpoint [is statistics or transcoding],
 *     endpoint [is ice or dtls or media or silent], setRemote, connect, setFlowing,
 *     requestKeyFrame, transcode
 *   end note
 *   closed --> [*]
 * ```
 */
export const mediaSessionMachine = setup({
  types: {
    input: {} as MediaSessionInput,
    context: {} as MediaSessionContext,
    events: {} as MediaSessionCommand | EndpointSignal,
  },
  actions: {
    entered: ({ context }, params: { state: string }) =>
      context.ports.trace?.("media_session", params.state),
    open: ({ context, self }) => {
      const { near, label } = context;
      context.resources.endpoint = context.ports.media.open(
        near === null ? { kind: "webrtc", label } : { kind: "webrtc", label, near },
        (event) => self.send({ type: "endpoint", event }),
      );
    },
    command: ({ context, event }) => {
      const endpoint = context.resources.endpoint;
      switch (event.type) {
        case "setRemote":
          return endpoint?.setRemote(event.remote);
        case "connect":
          return endpoint?.connect(event.peer);
        case "setFlowing":
          return endpoint?.setFlowing(event.flowing);
        case "requestKeyFrame":
          return endpoint?.requestKeyFrame();
        case "transcode":
          return endpoint?.transcode(event.sides);
      }
    },
    close: ({ context }) => {
      context.resources.endpoint?.close();
      context.resources.endpoint = null;
    },
    keepWorker: assign({
      worker: ({ context, event }) =>
        event.type === "endpoint" && event.event.type === "opened"
          ? event.event.worker
          : context.worker,
    }),
    keepStatistics: assign({
      statistics: ({ context, event }) =>
        event.type === "endpoint" && event.event.type === "statistics"
          ? event.event.statistics
          : context.statistics,
      transcoding: ({ context, event }) =>
        event.type === "endpoint" && event.event.type === "transcoding"
          ? event.event.statistics
          : context.transcoding,
    }),
    tellParent: sendParent(({ context, event }) => toNotice(context, event as EndpointSignal)),
  },
  guards: {
    is: ({ event }, params: { types: readonly EndpointEvent["type"][] }) =>
      event.type === "endpoint" && params.types.includes(event.event.type),
  },
}).createMachine({
  id: "media_session",
  context: ({ input }) => ({ ...input, worker: null, statistics: null, transcoding: null }),
  initial: "opening",
  states: {
    opening: {
      entry: ["open", { type: "entered", params: { state: "opening" } }],
      on: {
        endpoint: [
          {
            guard: { type: "is", params: { types: ["opened"] } },
            target: "open",
            actions: ["keepWorker", "tellParent"],
          },
          {
            guard: { type: "is", params: { types: ["failed", "lost"] } },
            target: "closed",
            actions: "tellParent",
          },
        ],
        terminate: "closed",
      },
    },
    open: {
      entry: { type: "entered", params: { state: "open" } },
      on: {
        endpoint: [
          {
            guard: { type: "is", params: { types: ["statistics", "transcoding"] } },
            actions: "keepStatistics",
          },
          {
            guard: { type: "is", params: { types: ["ice", "dtls", "media", "silent"] } },
            actions: "tellParent",
          },
          {
            guard: { type: "is", params: { types: ["failed", "lost"] } },
            target: "closed",
            actions: "tellParent",
          },
        ],
        setRemote: { actions: "command" },
        connect: { actions: "command" },
        setFlowing: { actions: "command" },
        requestKeyFrame: { actions: "command" },
        transcode: { actions: "command" },
        terminate: "closed",
      },
    },
    closed: {
      type: "final",
      entry: ["close", { type: "entered", params: { state: "closed" } }],
    },
  },
});

function toNotice(context: MediaSessionContext, { event }: EndpointSignal): MediaSessionNotice {
  switch (event.type) {
    case "opened":
      return {
        type: "media.opened",
        local: event.local,
        token: context.resources.endpoint!.token,
      };
    case "failed":
      return { type: "media.failed", text: event.text };
    case "lost":
      return { type: "media.lost", text: event.text };
    case "silent":
      return { type: "media.silent", ms: event.ms };
    case "ice":
    case "dtls":
    case "media":
      return { type: "media.transport", event };
    case "statistics":
    case "transcoding":
      throw new Error("statistics stay with the media session");
  }
}
