import type { Termination } from "../core/termination.ts";
import type { DtlsState, EndpointStatistics, IceState } from "../rtp/media_port.ts";

/** A call as REST and the pages see it, and its messages. */

/** Glossary words; `docs/glossary.md`. */
export type CallState = "trying" | "ringing" | "active" | "held" | "ending" | "ended";

/** `transit`: between two wire sides; no session has part in it. */
export type Direction = "inbound" | "outbound" | "transit";

export interface CallSummary {
  readonly id: string;
  /** Empty for a transit call. */
  readonly sessionId: string;
  readonly direction: Direction;
  readonly caller: string;
  readonly callee: string;
  readonly state: CallState;
  /** When the present state began, ISO 8601. */
  readonly since: string;
  /** When the call began, ISO 8601. */
  readonly startedAt: string;
  readonly sipCallId: string;
  /** Negotiated codec names, audio first; empty before the answer. */
  readonly codecs: readonly string[];
  /** The other client's call of the same conversation, where it is ours. */
  readonly peerCallId: string | null;
  /** Packets missing in what this client sent, percent of what was expected. */
  readonly lossPercent: number;
  readonly termination: Termination | null;
}

export interface WebrtcLegView {
  readonly kind: "webrtc";
  readonly codecs: readonly string[];
  /** `closed`: the call is over; what had not come up or was lost says so still. */
  readonly ice: IceState | "closed";
  readonly dtls: DtlsState;
  readonly remoteAddress: string | null;
  readonly worker: number | null;
  /** Null: audio passes as it is. */
  readonly transcoding: TranscodingView | null;
  readonly statistics: EndpointStatistics | null;
}

export interface SipLegView {
  readonly kind: "sip";
  /** RFC 3261 12: early, confirmed; before and after: none, terminated. */
  readonly dialogState: "none" | "early" | "confirmed" | "terminated";
  readonly localTag: string;
  readonly remoteTag: string | null;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly nextHop: string;
  readonly codecs: readonly string[];
  /** Where the dialog crosses a wire and media is ours or passes by us; null before it is known. */
  readonly media?: SipMediaView | null;
}

/** The media of a SIP leg: RTP, WebRTC, or past us from wire side to wire side. */
export interface SipMediaView {
  readonly kind: "rtp" | "webrtc" | "direct";
  readonly codecs: readonly string[];
  /** `address:port`. */
  readonly remoteAddress: string | null;
  readonly localAddress: string | null;
  readonly worker: number | null;
  readonly isSecure: boolean;
  /** Null: audio passes as it is. */
  readonly transcoding: TranscodingView | null;
  readonly statistics: EndpointStatistics | null;
}

/** A transcoder between a leg and whoever it talks with. */
export interface TranscodingView {
  /** What the leg's phone or browser sends and hears. */
  readonly from: string;
  /** What the other side does. */
  readonly to: string;
  /** Name of the codec worker that does it, as in the log; null before it is known. */
  readonly worker: string | null;
  /** How long audio waits in the jitter buffer, either way, ms; null before it is known. */
  readonly delayMs: number | null;
  /** Audio that was made up for what was lost or late, both ways, ms. */
  readonly concealedMs: number;
  /** Lost packets that forward error correction brought back. */
  readonly recovered: number;
}

/** A digit that was pressed on either side (RFC 4733 event, or INFO). */
export interface DtmfView {
  readonly digit: string;
  /** ISO 8601. */
  readonly at: string;
  /** Who pressed it, as in `caller` and `callee`. */
  readonly from: string;
  readonly method: DtmfMethod;
}

/** The Web SDK's words: telephone-event, `application/dtmf`, `application/dtmf-relay`. */
export type DtmfMethod = "RFC2833" | "INFO" | "INFO_RELAY";

/** A transfer that this call asked for, or that was asked of it. */
export interface TransferView {
  /**
   * `requested`: the far party is to call `target`; `dialling`: this call's user is joined with it;
   * `replacing`: `target` has called in the place of the far party (RFC 3891); `bridging`: the far
   * party knows no REFER, so the server itself joins it with `target`.
   */
  readonly role: "requested" | "dialling" | "replacing" | "bridging";
  readonly target: string;
  readonly status: "trying" | "ringing" | "completed" | "failed";
  /** Of the call to `target`; null before it has one. */
  readonly sipStatus: number | null;
}

export interface CallView extends CallSummary {
  /** All SIP Call-IDs that this call has had, oldest first: one more with each transfer. */
  readonly sipCallIds: readonly string[];
  /** What the far side pressed, the last 64. */
  readonly dtmf: readonly DtmfView[];
  /** The latest one; null for none. */
  readonly transfer: TransferView | null;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly visibleName: string;
  /** Hold is two bits, one a side. */
  readonly hold: { readonly local: boolean; readonly remote: boolean };
  readonly answeredAt: string | null;
  readonly endedAt: string | null;
  readonly legs: readonly [WebrtcLegView | SipLegView, SipLegView];
  /**
   * What is wrong, in words, where something is (no packets from this side, ICE not connected ...).
   */
  readonly warnings: readonly string[];
  readonly custom: unknown;
  readonly inviteParameters: Readonly<Record<string, string>> | null;
}

/** One column of a call's ladder. */
export interface LadderPartyView {
  readonly id: string;
  readonly kind: "session" | "wire" | "server";
  readonly name: string;
  /** Null: the server. */
  readonly transport: string | null;
  readonly address: string;
}

/** One SIP message of a call, on the hop inside the process or on the wire. */
export interface LadderMessage {
  /** Counts all messages of the process: the true order. */
  readonly sequence: number;
  readonly at: string;
  /** Since the first message of the call, ms. */
  readonly offsetMs: number;
  /** As the server sees it. */
  readonly direction: "send" | "receive";
  /** Ids of parties. */
  readonly from: string;
  readonly to: string;
  readonly transport: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Of a response: what it answers. */
  readonly method: string;
  readonly cseq: number | null;
  /** Null: a request. */
  readonly status: number | null;
  /** `INVITE`, or `180 Ringing`. */
  readonly summary: string;
  readonly hasSdp: boolean;
  /** What its session description means for the call, in words, where that is worth saying. */
  readonly note?: string;
  /** The whole message; secrets are asterisks. */
  readonly text: string;
}

export interface LadderView {
  readonly callId: string;
  readonly sipCallIds: readonly string[];
  /** Messages that had to make room. */
  readonly dropped: number;
  readonly parties: readonly LadderPartyView[];
  readonly messages: readonly LadderMessage[];
}
