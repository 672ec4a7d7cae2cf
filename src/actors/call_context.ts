import type { ActorRefFrom, AnyActorRef } from "xstate";
import type { EndpointToken } from "../core/ids.ts";
import { type Termination, termination } from "../core/termination.ts";
import type { LocalTransport } from "../rtp/media_port.ts";
import type { TranscodedSides } from "../rtp/rtp_media_port.ts";
import { endpointToken, mediaOf, parseSdp, type WidenedPairs } from "../sdp/mod.ts";
import type { CallInput } from "./call_ports.ts";
import type { IncomingInvite } from "../sip/user_agent/user_agent.ts";
import type { CallView, Direction, DtmfMethod, DtmfView } from "./control_plane.ts";
import type { mediaSessionMachine, MediaSessionNotice } from "./media_session.ts";
import type {
  BridgedDialogNotice,
  NextDialogNotice,
  sipDialogMachine,
  SipDialogNotice,
} from "./sip_dialog.ts";
import type { Transfer } from "./transfer.ts";
import type { webrtcLegMachine, WebrtcLegNotice } from "./webrtc_leg.ts";

export type CallEvent =
  | { readonly type: "client.answer"; readonly sdp: string }
  | { readonly type: "client.hangup" }
  | { readonly type: "client.hold" }
  | { readonly type: "client.unhold" }
  | { readonly type: "client.attached" }
  | { readonly type: "client.dtmf"; readonly digits: string; readonly method: DtmfMethod }
  /** The far party is to be joined with whom `target` names. */
  | { readonly type: "client.transfer"; readonly target: string }
  /** Somebody calls in place of the far party (RFC 3891); the INVITE is this call's to answer. */
  | { readonly type: "invite.replacing"; readonly invite: IncomingInvite }
  /** A digit that the media of the far side brought. */
  | { readonly type: "dtmf"; readonly digit: string; readonly method: DtmfMethod }
  /** Nothing has come from the wire side of the far party for this long, and it is not on hold. */
  | { readonly type: "wire.silent"; readonly ms: number }
  | { readonly type: "transfer.completed" }
  | { readonly type: "bridge.completed" }
  | { readonly type: "call.switched" }
  | { readonly type: "former.due" }
  | { readonly type: "terminate"; readonly termination: Termination }
  | SipDialogNotice
  | NextDialogNotice
  | BridgedDialogNotice
  | MediaSessionNotice
  | WebrtcLegNotice;

/** Names of a dialog, which outlive it. */
export interface DialogFacts {
  readonly localTag: string;
  readonly remoteTag: string | null;
  readonly localUri: string;
  readonly remoteUri: string;
}

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
  /** What the called browser was offered beyond the caller's codecs. */
  readonly widened: WidenedPairs;
  /** The transcoder between this browser and whoever it talks with. */
  readonly transcoded: TranscodedSides | null;
  /** What was offered and is not part of the call, and why, in words. */
  readonly missing: string | null;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly hold: { readonly local: boolean; readonly remote: boolean };
  readonly wantsHold: boolean;
  readonly reofferTries: number;
  /** All Call-IDs, oldest first; `sipCallId` is the last one. */
  readonly sipCallIds: readonly string[];
  readonly dtmf: readonly DtmfView[];
  readonly transfer: Transfer | null;
  /** The dialog that the last transfer has replaced. */
  readonly former: ActorRefFrom<typeof sipDialogMachine> | null;
  readonly told: "nothing" | "talking" | "finished";
  readonly isRinging: boolean;
  readonly localTag: string;
  readonly remoteTag: string | null;
  readonly localUri: string;
  readonly remoteUri: string;
  /** The dialog with whom the far party was handed on to, its browser having left. */
  readonly bridged: DialogFacts | null;
  /** What the legs were when the call began to end. */
  readonly lastLegs: CallView["legs"] | null;
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
    widened: [],
    transcoded: null,
    missing: null,
    hasAudio: true,
    hasVideo: false,
    hold: { local: false, remote: false },
    wantsHold: false,
    reofferTries: 0,
    sipCallIds: [input.sipCallId],
    dtmf: [],
    transfer: null,
    former: null,
    told: "nothing",
    isRinging: false,
    localTag: "",
    remoteTag: null,
    localUri: party.identity.uri,
    remoteUri: input.target,
    bridged: null,
    lastLegs: null,
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

/** All machines of a call. */
export function childrenOf(context: CallContext): readonly (AnyActorRef | null)[] {
  const { dialog, leg, media, former, transfer } = context;
  const next = transfer && transfer.role !== "requested" ? transfer.dialog : null;
  return [dialog, leg, media, former, next];
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
