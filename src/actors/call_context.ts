import type { ActorRefFrom } from "xstate";
import type { EndpointToken } from "../core/ids.ts";
import { type Termination, termination } from "../core/termination.ts";
import type { LocalTransport } from "../rtp/media_port.ts";
import { endpointToken, mediaOf, parseSdp } from "../sdp/mod.ts";
import type { CallInput } from "./call_ports.ts";
import type { Direction } from "./control_plane.ts";
import type { mediaSessionMachine, MediaSessionNotice } from "./media_session.ts";
import type { sipDialogMachine, SipDialogNotice } from "./sip_dialog.ts";
import type { webrtcLegMachine, WebrtcLegNotice } from "./webrtc_leg.ts";

export type CallEvent =
  | { readonly type: "client.answer"; readonly sdp: string }
  | { readonly type: "client.hangup" }
  | { readonly type: "client.hold" }
  | { readonly type: "client.unhold" }
  | { readonly type: "client.attached" }
  /** What this server can't do for the call (yet): its state is told again, so that no page waits. */
  | { readonly type: "client.unsupported" }
  | { readonly type: "terminate"; readonly termination: Termination }
  | SipDialogNotice
  | MediaSessionNotice
  | WebrtcLegNotice;

/** All that a call knows. SDP bodies are kept as text: they are what went over the wire. */
export interface CallContext extends CallInput {
  readonly direction: Direction;
  readonly near: EndpointToken | null;
  readonly dialog: ActorRefFrom<typeof sipDialogMachine> | null;
  readonly leg: ActorRefFrom<typeof webrtcLegMachine> | null;
  readonly media: ActorRefFrom<typeof mediaSessionMachine> | null;
  readonly local: LocalTransport | null;
  readonly token: EndpointToken | null;
  /** What the browser was offered, or has offered. */
  readonly offer: string | null;
  /** Our last description inside the process, and the other side's. */
  readonly localSdp: string | null;
  readonly remoteSdp: string | null;
  readonly codecs: readonly string[];
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly hold: { readonly local: boolean; readonly remote: boolean };
  readonly wantsHold: boolean;
  readonly reofferTries: number;
  readonly told: "nothing" | "talking";
  readonly isRinging: boolean;
  readonly localTag: string;
  readonly remoteTag: string | null;
  readonly localUri: string;
  readonly remoteUri: string;
  /** Wall clock, ms since 1970. */
  readonly startedAt: number;
  readonly since: number;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
  /** What went wrong in a step that has no event of its own. */
  readonly fault: Termination | null;
  readonly termination: Termination | null;
}

const decoder = new TextDecoder();

export function initialCallContext(input: CallInput): CallContext {
  const { origin, ports, party } = input;
  const now = ports.clock.epoch();
  const base: CallContext = {
    ...input,
    direction: origin.type === "invite" ? "inbound" : "outbound",
    near: null,
    dialog: null,
    leg: null,
    media: null,
    local: null,
    token: null,
    offer: null,
    localSdp: null,
    remoteSdp: null,
    codecs: [],
    hasAudio: true,
    hasVideo: false,
    hold: { local: false, remote: false },
    wantsHold: false,
    reofferTries: 0,
    told: "nothing",
    isRinging: false,
    localTag: "",
    remoteTag: null,
    localUri: party.identity.uri,
    remoteUri: input.target,
    startedAt: now,
    since: now,
    answeredAt: null,
    endedAt: null,
    fault: null,
    termination: null,
  };
  switch (origin.type) {
    case "startup":
      return { ...base, hasVideo: origin.hasVideo };
    case "client":
      return ofOffer({ ...base, offer: origin.sdp }, origin.sdp);
    case "invite": {
      const { request } = origin.invite;
      const body = decoder.decode(request.body);
      return ofOffer({ ...base, remoteSdp: body }, body);
    }
  }
}

/** Reads from an offer what must be known before anything else: its media, and its endpoint. */
function ofOffer(context: CallContext, text: string): CallContext {
  const sdp = parseSdp(text);
  if (!sdp.ok) {
    return {
      ...context,
      fault: termination("no_common_codec", {
        text: `The offered session description can't be used: ${sdp.error.text}`,
      }),
    };
  }
  const { audio, video } = mediaOf(sdp.value);
  const near = context.origin.type === "invite" ? endpointToken(sdp.value) ?? null : null;
  return { ...context, hasAudio: audio, hasVideo: video, near };
}
