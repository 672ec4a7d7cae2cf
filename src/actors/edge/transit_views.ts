import type {
  CallState,
  CallSummary,
  CallView,
  SipLegView,
  SipMediaView,
} from "../control_plane.ts";
import { termination } from "../../core/termination.ts";
import { closedLegs } from "../views.ts";
import type { AnchorView, Transit, TransitEnd } from "./contract.ts";

/** Calls between two wire sides as operators read them. Pure. */

export function toTransitSummary([caller, callee]: Transit): CallSummary {
  const answeredAt = caller.answeredAt;
  return {
    id: caller.id,
    sessionId: "",
    direction: "transit",
    caller: userOf(caller.remoteUri),
    callee: userOf(caller.localUri),
    state: stateOf([caller, callee]),
    since: iso(answeredAt ?? caller.startedAt),
    startedAt: iso(caller.startedAt),
    sipCallId: caller.dialog.callId,
    codecs: caller.media?.codecs ?? [],
    peerCallId: null,
    lossPercent: lossOf(caller),
    termination: null,
  };
}

export function toTransitView(transit: Transit): CallView {
  const [caller, callee] = transit;
  const { answeredAt, media } = caller;
  const statistics = media?.statistics;
  const legs: CallView["legs"] = [toLeg(caller), toLeg(callee)];
  const view = {
    ...toTransitSummary(transit),
    sipCallIds: [caller.dialog.callId],
    dtmf: [],
    transfer: null,
    hasAudio: true,
    hasVideo: media?.statistics?.videoCodec != null || (media?.codecs.length ?? 0) > 1,
    visibleName: userOf(caller.remoteUri),
    hold: { local: media?.isHeld ?? false, remote: callee.media?.isHeld ?? false },
    answeredAt: answeredAt === null ? null : iso(answeredAt),
    endedAt: null,
    legs,
    warnings: [
      ...answeredAt !== null && statistics?.receivePackets === 0
        ? ["No media packet has come from the caller"]
        : [],
      ...[caller.missing ?? callee.missing ?? []].flat(),
    ],
    custom: null,
    inviteParameters: null,
  };
  return view;
}

/** A call between two wire sides that is over. @param endedAt wall clock, ms since 1970 */
export function toEndedTransit(transit: Transit, reason: TransitEnd, endedAt: number): CallView {
  const view = toTransitView(transit);
  return {
    ...view,
    legs: closedLegs(view.legs),
    state: "ended",
    endedAt: iso(endedAt),
    termination: reason === "hangup"
      ? termination("hangup", { text: "One of the two sides hung up" })
      : termination(reason),
  };
}

/** What is said of a wire side's media beside its dialog. */
export function toSipMedia(anchor: AnchorView): SipMediaView | null {
  if (!anchor.media) return null;
  const { isHeld: _, ...media } = anchor.media;
  return media;
}

function toLeg(anchor: AnchorView): SipLegView {
  const { dialog, media } = anchor;
  return {
    kind: "sip",
    dialogState: anchor.answeredAt === null ? "early" : "confirmed",
    localTag: dialog.localTag,
    remoteTag: dialog.remoteTag,
    localUri: anchor.localUri,
    remoteUri: anchor.remoteUri,
    nextHop: anchor.remote,
    codecs: media?.codecs ?? [],
    media: toSipMedia(anchor),
  };
}

function stateOf([caller, callee]: Transit): CallState {
  if (caller.state === "closing" || callee.state === "closing") return "ending";
  if (caller.answeredAt === null) return "ringing";
  return caller.media?.isHeld || callee.media?.isHeld ? "held" : "active";
}

function lossOf({ media }: AnchorView): number {
  const statistics = media?.statistics;
  const lost = Math.max(0, statistics?.receiveLost ?? 0);
  const expected = (statistics?.receivePackets ?? 0) + lost;
  return expected === 0 ? 0 : Math.round(1000 * lost / expected) / 10;
}

function userOf(uri: string): string {
  const user = uri.replace(/^[a-z]+:/i, "").split("@")[0] ?? "";
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}

function iso(epoch: number): string {
  return new Date(epoch).toISOString();
}
