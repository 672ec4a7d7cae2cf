import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { EndpointToken, FlowId } from "../../core/ids.ts";
import type { Log } from "../../core/log.ts";
import type { TerminationReason } from "../../core/termination.ts";
import type { SipMediaView } from "../control_plane.ts";
import type { MediaPort } from "../../rtp/media_port.ts";
import type { RtpMediaPort } from "../../rtp/rtp_media_port.ts";
import type { Flow } from "../../sip/flow.ts";
import type { SipMessage, SipRequest } from "../../sip/message/mod.ts";
import type { StackInput } from "../../sip/stack_io.ts";

/** What an element is told of a wire flow. */
export type ElementInput = Extract<StackInput, { type: "receive" | "receive-framed" }>;

/** How media goes to whoever is at the far end of a wire flow. */
export interface WireSettings {
  /** `webrtc`: SAVPF with ICE and DTLS, as SIP clients in browsers want it (RFC 7118). */
  readonly profile: "rtp" | "webrtc";
  /** Offer RTP/SAVP with SDES keys. Offers of the far end are taken as they come. */
  readonly srtp: boolean;
  /** Refuse offers of the far end without keys. */
  readonly srtpRequired?: boolean;
  /** Offer RTCP feedback. */
  readonly avpf: boolean;
  /** The only audio codecs that are offered, names in lower case, preferred first; absent: all. */
  readonly codecs?: readonly string[];
  /** Offers of the far end are cut down to `codecs` too. */
  readonly takesOnlyCodecs?: boolean;
  /** Digits for the far end are its dialog's to send, by INFO; absent: telephone-events. */
  readonly dtmf?: "rfc2833" | "info";
  /** `direct`: where the other wire side says so too, descriptions pass untouched. */
  readonly media: "relay" | "direct";
}

/** What a flow's transport says by itself. */
export function defaultSettings(flow: Flow): WireSettings {
  const isWeb = flow.transport === "WS" || flow.transport === "WSS";
  return { profile: isWeb ? "webrtc" : "rtp", srtp: false, avpf: false, media: "relay" };
}

/** Names a dialog from our side of the wire. */
export interface AnchorDialog {
  readonly callId: string;
  /** Tag of the party inside. */
  readonly localTag: string;
  /** Tag of the party on the wire; null before it is known. */
  readonly remoteTag: string | null;
}

/** Two anchors that feed each other. */
export type Transit = readonly [caller: AnchorView, callee: AnchorView];

/** Why a call between two wire sides ended, as far as the edge knows. */
export type TransitEnd = Extract<
  TerminationReason,
  "hangup" | "operator" | "media_silent" | "session_expired" | "worker_lost"
>;

/** What the edge wants of its owner. */
export type EdgeEffect =
  /** The inner side wants a key frame and the far end has no RTCP feedback: INFO (RFC 5168). */
  | { readonly type: "key-frame-wanted"; readonly flow: Flow; readonly dialog: AnchorDialog }
  /** The far end asked by INFO for a key frame of an endpoint that is not the edge's own. */
  | { readonly type: "key-frame-request"; readonly endpoint: EndpointToken }
  /** A telephone-event came from the far end. */
  | {
    readonly type: "dtmf";
    readonly dialog: AnchorDialog;
    readonly digit: string;
    readonly durationMs: number;
  }
  /** A call between two wire sides was answered, or is over; `dialog` is the caller's. */
  | {
    readonly type: "transit-connected";
    readonly dialog: AnchorDialog;
    readonly transit: Transit;
  }
  | {
    readonly type: "transit-ended";
    readonly dialog: AnchorDialog;
    readonly transit: Transit;
    readonly reason: TransitEnd;
  }
  /** A far end whose call is a party's inside owes media, and nothing has come for this long. */
  | { readonly type: "silent"; readonly dialog: AnchorDialog; readonly ms: number }
  /** The far end's connection is gone, and it has not come back. */
  | { readonly type: "party-lost"; readonly dialog: AnchorDialog }
  /** Endpoint and anchor are gone while the dialog stands: whoever can, ends it. */
  | { readonly type: "media-lost"; readonly dialog: AnchorDialog; readonly text: string };

export interface EdgePorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** `host:port` of our Vias; absent: every wire flow has an address of its own. */
  readonly sentBy?: string;
  /** How often phones whose media passes by us are asked whether they are there, ms; 0: never. */
  readonly pingMs?: number;
  readonly rtp: RtpMediaPort;
  readonly webrtc: MediaPort;
  /** Codecs between which calls can be transcoded; absent: none. */
  transcodable?(): ReadonlySet<string>;
  /** Asked once a dialog, with the INVITE that makes it. */
  settings(flow: Flow, invite: SipRequest, role: AnchorView["role"]): WireSettings;
  /** Into the SIP element, also from within `outgoing`: inputs must be able to wait their turn. */
  toElement(input: ElementInput): void;
  toWire(flow: Flow, bytes: Uint8Array, message: SipMessage): void;
  onEffect(effect: EdgeEffect): void;
  /**
   * This INVITE will be challenged whatever it offers: no endpoint is opened for it. Absent: none.
   */
  isChallenged?(flow: Flow, invite: SipRequest): boolean;
  /** A test's hook: told of every state that an anchor enters. */
  trace?(machine: string, state: string): void;
}

/** One anchor as operators read it. */
export interface AnchorView {
  readonly id: string;
  readonly flow: FlowId;
  readonly remote: string;
  readonly dialog: AnchorDialog;
  /** The wire party called, or was called. */
  readonly role: "caller" | "callee";
  readonly state: string;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly media: WireMediaView | null;
  /** Why what the party offered is no part of the call, in words. */
  readonly missing: string | null;
  /** Wall clock, ms since 1970. */
  readonly startedAt: number;
  readonly answeredAt: number | null;
}

/** As operators see it; addresses are where the far end's packets come from or are sent to. */
export interface WireMediaView extends SipMediaView {
  readonly isHeld: boolean;
}

/** Times, ms. */
/** An endpoint is open by then, or never. */
export const OPEN_TIMEOUT_MS = 5_000;
/** No response at all: the INVITE's transactions have given up by then (64*T1 and some). */
export const SILENT_INVITE_MS = 40_000;
/** After a provisional response the proxy's timer C decides (RFC 3261 16.6 step 11). */
export const RINGING_MS = 240_000;
/** A 2xx is repeated and waits for its ACK as long (64*T1 and some). */
export const ACK_TIMEOUT_MS = 40_000;
/** A BYE, or a refusal of ours, has its answer by then. */
export const CLOSING_MS = 35_000;
/** Messages that wait for one anchor's endpoint. */
export const MAX_HELD = 32;
/** Anchors whose INVITE is unanswered, of one flow: more are refused 503. */
export const MAX_UNANSWERED_PER_FLOW = 500;
