import type { CallContext } from "./call_context.ts";
import type {
  CallState,
  CallSummary,
  CallView,
  OutsideView,
  SessionView,
  SipLegView,
  WebrtcLegView,
} from "./control_plane.ts";
import type { CallPorts } from "./call_ports.ts";
import type { SessionContext } from "./session.ts";
import { directionOf, firstCodecs, parseSdp } from "../sdp/mod.ts";
import { transcodingView } from "./edge/transcoded.ts";

/** From snapshots to what operators read. Pure: the same snapshot gives the same view. */

/** Glossary word of a call machine's state. */
export function toCallState(value: unknown, context: CallContext): CallState {
  const state = typeof value === "string" ? value : "active";
  switch (state) {
    case "preparing":
    case "offering":
    case "inviting":
    case "calling":
      return context.isRinging ? "ringing" : "trying";
    case "ringing":
    case "alerting":
    case "alerted":
    case "answering":
    case "answered":
      return "ringing";
    case "ending":
      return "ending";
    case "ended":
      return "ended";
    default:
      return context.hold.local || context.hold.remote ? "held" : "active";
  }
}

export function toCallSummary(
  context: CallContext,
  state: CallState,
  peerCallId: string | null,
): CallSummary {
  return {
    id: context.callId,
    sessionId: context.party.sessionId,
    direction: context.direction,
    caller: context.caller,
    callee: context.callee,
    state,
    since: iso(state === "ended" ? context.endedAt ?? context.since : context.since),
    startedAt: iso(context.startedAt),
    sipCallId: context.sipCallId,
    codecs: context.codecs,
    peerCallId,
    lossPercent: lossOf(context),
    termination: context.termination,
  };
}

export function toCallView(
  context: CallContext,
  state: CallState,
  peerCallId: string | null,
  ports: LegPorts = {},
): CallView {
  const legs = context.lastLegs ?? toLegs(context, ports);
  return {
    ...toCallSummary(context, state, peerCallId),
    hasAudio: context.hasAudio,
    hasVideo: context.hasVideo,
    visibleName: context.visibleName,
    hold: context.hold,
    sipCallIds: context.sipCallIds,
    dtmf: context.dtmf,
    transfer: context.transfer?.view ?? null,
    answeredAt: context.answeredAt === null ? null : iso(context.answeredAt),
    endedAt: context.endedAt === null ? null : iso(context.endedAt),
    legs: state === "ended" ? closedLegs(legs) : legs,
    warnings: state === "ended" || state === "ending" ? [] : warningsOf(context, state),
    custom: context.custom,
    inviteParameters: context.inviteParameters,
  };
}

type Legs = CallView["legs"];
type LegPorts = Pick<CallPorts, "wireMedia">;

/** Both legs, a SIP leg with its media where it goes over a wire of ours. */
export function toLegs(context: CallContext, ports: LegPorts): Legs {
  const withMedia = (leg: SipLegView, callId: string): SipLegView => {
    const { localTag, remoteTag } = leg;
    const media = ports.wireMedia?.({ callId, localTag, remoteTag });
    return media === undefined ? leg : { ...leg, media };
  };
  const bridged = toBridgedLeg(context);
  const { sipCallId, sipCallIds } = context;
  return [
    bridged ? withMedia(bridged, sipCallIds.at(-1) ?? "") : toWebrtcLeg(context),
    withMedia(toSipLeg(context), sipCallId),
  ];
}

/** Legs that are over: what they were is kept, and nothing of it is still open. */
export function closedLegs([first, sip]: Legs): Legs {
  return [first.kind === "sip" ? closedDialog(first) : closedWebrtc(first), closedDialog(sip)];
}

function closedDialog(leg: SipLegView): SipLegView {
  return leg.dialogState === "none" ? leg : { ...leg, dialogState: "terminated" };
}

/** What never began, or failed, says so: it may be why the call is over. */
function closedWebrtc(leg: WebrtcLegView): WebrtcLegView {
  const { ice, dtls } = leg;
  return {
    ...leg,
    ice: ice === "new" || ice === "disconnected" ? ice : "closed",
    dtls: dtls === "new" || dtls === "failed" ? dtls : "closed",
  };
}

function toWebrtcLeg(context: CallContext): WebrtcLegView {
  const leg = context.leg?.getSnapshot().context;
  const media = context.media?.getSnapshot().context;
  return {
    kind: "webrtc",
    codecs: browserCodecs(context),
    ice: leg?.ice ?? "new",
    dtls: leg?.dtls ?? "new",
    remoteAddress: leg?.remoteAddress ?? null,
    worker: media?.worker ?? null,
    transcoding: context.transcoded &&
      transcodingView(context.transcoded, media?.transcoding ?? null),
    statistics: media?.statistics ?? null,
  };
}

/** What the browser itself speaks. */
function browserCodecs({ codecs, transcoded }: CallContext): readonly string[] {
  if (!transcoded) return codecs;
  const [own = transcoded.own.codec] = transcoded.own.codec.split("/");
  return [own === "OPUS" ? "opus" : own, ...codecs.slice(1)];
}

function toSipLeg(context: CallContext): SipLegView {
  const { usage } = context.resources.dialog;
  const parsed = context.remoteSdp === null ? undefined : parseSdp(context.remoteSdp);
  return {
    kind: "sip",
    dialogState: usage?.dialogState ?? (context.localTag === "" ? "none" : "terminated"),
    localTag: usage?.localTag ?? context.localTag,
    remoteTag: usage?.remoteTag ?? context.remoteTag,
    localUri: context.localUri,
    remoteUri: context.remoteUri,
    nextHop: context.party.agent.flow.remote,
    codecs: parsed?.ok ? firstCodecs(parsed.value) : context.codecs,
  };
}

/** Of a call whose browser has left: the dialog that the far party talks with. */
function toBridgedLeg(context: CallContext): SipLegView | undefined {
  const { bridged, resources, party, codecs } = context;
  if (!bridged) return undefined;
  const usage = [...resources.others].find(({ role }) => role === "bridged")?.usage;
  return {
    kind: "sip",
    dialogState: usage?.dialogState ?? "terminated",
    ...bridged,
    nextHop: party.agent.flow.remote,
    codecs,
  };
}

/** What an operator is told is wrong, in words. */
function warningsOf(context: CallContext, state: CallState): string[] {
  const warnings: string[] = [];
  const isTalking = state === "active" || state === "held";
  // Of a browser that has left there is nothing to say.
  if (!isTalking || context.told === "finished") return warnings;
  if (context.missing) warnings.push(context.missing);
  const leg = context.leg?.getSnapshot().context;
  const statistics = context.media?.getSnapshot().context.statistics;
  if (leg && leg.ice !== "connected") {
    warnings.push(
      "The browser has not reached our media port: check the way to it and its microphone",
    );
  } else if (leg && leg.dtls !== "connected") {
    warnings.push("The DTLS handshake with the browser is not done");
  } else if (statistics && statistics.receivePackets === 0) {
    warnings.push("No media packet has come from the browser");
  }
  if (statistics && statistics.sendPackets === 0 && state === "active") {
    warnings.push("No media packet has gone to the browser: the other side sends nothing");
  }
  if (lossOf(context) > 5) warnings.push(`The browser's packets are lost: ${lossOf(context)} %`);
  const remote = context.remoteSdp === null ? undefined : parseSdp(context.remoteSdp);
  if (remote?.ok && state === "active" && directionOf(remote.value) === "inactive") {
    warnings.push("The other side offers no media");
  }
  return warnings;
}

function lossOf(context: CallContext): number {
  const statistics = context.media?.getSnapshot().context.statistics;
  if (!statistics) return 0;
  const expected = statistics.receivePackets + statistics.receiveLost;
  return expected === 0 ? 0 : Math.round(1000 * statistics.receiveLost / expected) / 10;
}

export function toSessionView(
  context: SessionContext,
  value: unknown,
  extra: { readonly remoteAddress: string | null; readonly calls: number },
): SessionView {
  const { id, profile, since } = context;
  return {
    id,
    login: profile.login,
    domain: profile.domain,
    port: profile.port,
    state: sessionState(value, context),
    since: iso(since),
    remoteAddress: extra.remoteAddress,
    client: String(profile.echo["clientBrowserVersion"] ?? profile.echo["clientVersion"] ?? ""),
    calls: extra.calls,
    outside: toOutside(context),
  };
}

function toOutside({ profile, registration }: SessionContext): OutsideView | null {
  if (!profile.isOutside) return null;
  const snapshot = registration?.getSnapshot();
  const server = `${profile.outboundProxy}:${profile.port}`;
  switch (snapshot?.value) {
    case "registering":
      return { server, registration: "registering", reason: null };
    case "registered":
      return { server, registration: "registered", reason: null };
    case "refreshing":
    case "retrying": {
      const { fault } = snapshot.context;
      return { server, registration: fault === null ? "registered" : "failing", reason: fault };
    }
    default:
      return { server, registration: "none", reason: null };
  }
}

function sessionState(value: unknown, context: SessionContext): SessionView["state"] {
  switch (value) {
    case "connecting":
      return "connecting";
    case "online":
      return context.registered && context.profile.registerRequired ? "registered" : "established";
    case "detached":
    case "unreachable":
      return "detached";
    default:
      return "ended";
  }
}

export function iso(epoch: number): string {
  return new Date(epoch).toISOString();
}
