import type { EndpointToken } from "../core/ids.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Termination, termination } from "../core/termination.ts";
import type { RemoteTransport } from "../rtp/media_port.ts";
import type { TranscodedSides } from "../rtp/rtp_media_port.ts";
import * as sdp from "../sdp/mod.ts";
import type { CallContext, DialogFacts } from "./call_context.ts";
import { sidesOfBrowser } from "./edge/transcoded.ts";

/**
 * What each step of offer and answer (RFC 3264) means for a call: pure functions from what the call
 * knows to what it says and knows next. A fault is the termination that the call ends with.
 */
type Change = Partial<CallContext>;

function fault(what: string, { reason, text }: sdp.SdpFault): Termination {
  return reason === "no_common_codec"
    ? termination("no_common_codec", { text })
    : termination("no_common_codec", { text: `${what} can't be used: ${text}` });
}

/** A calling browser has offered: the INVITE's body. */
export function offerFromBrowser(
  context: CallContext,
): Result<{ remote: RemoteTransport; change: Change }, Termination> {
  const parsed = sdp.parseSdp(context.offer ?? "");
  if (!parsed.ok) return err(fault("The browser's offer", parsed.error));
  const remote = sdp.checkBrowserDescription(parsed.value);
  if (!remote.ok) return err(fault("The browser's offer", remote.error));
  const sipSdp = context.origin.type === "client" ? context.origin.sipSdp : [];
  const localSdp = sdp.abstractOffer(parsed.value, context.token!, { sipSdp });
  return ok({ remote: remote.value, change: { localSdp } });
}

/**
 * What a browser that is called is offered: the caller's offer, or our own for an operator's call.
 */
export function offerToBrowser(context: CallContext): Change {
  const local = context.local!;
  if (context.origin.type === "startup") {
    return { offer: sdp.serverOffer(local, { audio: true, video: context.hasVideo }) };
  }
  const parsed = sdp.parseSdp(context.remoteSdp ?? "");
  if (!parsed.ok) return { fault: fault("The caller's offer", parsed.error) };
  const able = context.ports.transcodable?.() ?? new Set();
  const wide = sdp.widenedForBrowser(parsed.value, able);
  const offer = sdp.browserOffer(wide.offer, local);
  return offer.ok
    ? { offer: offer.value, widened: wide.pairs }
    : { fault: fault("The caller's offer", offer.error) };
}

/** A called browser has answered: the 200's body. */
export function answerFromBrowser(
  context: CallContext,
  text: string,
): Result<
  {
    body: string;
    remote: RemoteTransport;
    peer: EndpointToken | undefined;
    transcoded: TranscodedSides | null;
    change: Change;
  },
  Termination
> {
  const answer = sdp.parseSdp(text);
  if (!answer.ok) return err(fault("The browser's answer", answer.error));
  const remote = sdp.checkBrowserDescription(answer.value);
  if (!remote.ok) return err(fault("The browser's answer", remote.error));
  const offer = sdp.parseSdp(context.remoteSdp ?? "");
  if (!offer.ok) return err(fault("The caller's offer", offer.error));
  const settled = sdp.settledByBrowser(context.widened, answer.value);
  const body = sdp.abstractAnswer(offer.value, settled.answer, context.token!);
  if (!body.ok) return err(fault("The browser's answer", body.error));
  const transcoded = settled.pairs &&
    sidesOfBrowser(settled.pairs, offer.value, answer.value, body.value);
  const payloads = [...remote.value.payloads, ...transcoded?.passed ?? []];
  return ok({
    body: body.value,
    remote: { ...remote.value, payloads },
    peer: sdp.endpointToken(offer.value),
    transcoded,
    change: {
      localSdp: body.value,
      ...agreed(body.value),
      ...answered(context),
      transcoded,
      missing: sdp.audioOnly(offer.value, answer.value),
    },
  });
}

/** The browser that rang first in an operator's call has answered: the offer to the callee. */
export function startupAnswer(
  context: CallContext,
  text: string,
): Result<{ remote: RemoteTransport; change: Change }, Termination> {
  const answer = sdp.parseSdp(text);
  if (!answer.ok) return err(fault("The browser's answer", answer.error));
  const remote = sdp.checkBrowserDescription(answer.value);
  if (!remote.ok) return err(fault("The browser's answer", remote.error));
  const offer = sdp.parseSdp(context.offer ?? "");
  if (!offer.ok) throw new Error(`our own offer can't be read: ${offer.error.text}`);
  const body = sdp.abstractOfferOfAnswer(offer.value, answer.value, context.token!);
  if (!body.ok) return err(fault("The browser's answer", body.error));
  return ok({
    remote: remote.value,
    change: { localSdp: body.value, ...agreed(body.value), ...answered(context) },
  });
}

/** The SIP leg has answered: what the calling browser is told, once. */
export function answerToBrowser(
  context: CallContext,
  body: string,
): Result<
  { browser: string | null; peer: EndpointToken | undefined; change: Change },
  Termination
> {
  const answer = sdp.parseSdp(body);
  if (!answer.ok) return err(fault("The callee's answer", answer.error));
  const peer = sdp.endpointToken(answer.value);
  const change: Change = {
    localSdp: sdp.settledOffer(context.localSdp ?? "", answer.value),
    remoteSdp: body,
    ...agreed(body),
    ...answered(context),
  };
  // The first side of an operator's call was negotiated before; it takes no second description.
  if (context.origin.type === "startup") {
    const mine = sdp.parseSdp(context.localSdp ?? "");
    const first = mine.ok ? sdp.firstCodecs(mine.value) : [];
    const theirs = sdp.codecsOf(answer.value);
    if (first[0] !== undefined && !theirs.audio.includes(first[0])) {
      return err(termination("no_common_codec", {
        text: `The callee can't receive ${first[0]}, which the first side was promised`,
      }));
    }
    return ok({ browser: null, peer, change });
  }
  const offer = sdp.parseSdp(context.offer ?? "");
  if (!offer.ok) return err(fault("The browser's offer", offer.error));
  const browser = sdp.browserAnswer(offer.value, answer.value, context.local!);
  if (!browser.ok) return err(fault("The callee's answer", browser.error));
  const missing = sdp.audioOnly(offer.value, answer.value);
  return ok({ browser: browser.value, peer, change: { ...change, missing } });
}

/** What the target of a transfer is offered: exactly what this browser has negotiated. */
export function offerToTarget(context: CallContext): Result<string, sdp.SdpFault> {
  const theirs = sdp.parseSdp(context.remoteSdp ?? "");
  if (!theirs.ok) return theirs;
  return sdp.continuingOffer(context.localSdp ?? "", theirs.value);
}

/** What the far party has said of its media, as an offer to somebody whom it will talk with. */
export function offerOfFarParty(context: CallContext): Result<string, sdp.SdpFault> {
  const theirs = sdp.parseSdp(context.remoteSdp ?? "");
  return theirs.ok ? sdp.handedOn(theirs.value) : theirs;
}

/** Somebody offers to take the far party's place: the browser stays with what it has negotiated. */
export function answerToNewcomer(
  context: CallContext,
  body: string,
): Result<string, sdp.SdpFault> {
  const theirs = sdp.parseSdp(context.remoteSdp ?? "");
  if (!theirs.ok) return theirs;
  const offer = sdp.parseSdp(body);
  if (!offer.ok) return offer;
  return sdp.continuingAnswer(context.localSdp ?? "", theirs.value, offer.value);
}

/** A newcomer whose offer was answered by `answer` is in the far party's place. */
export function joinNewcomer(
  answer: string,
  body: string,
): { peer: EndpointToken | undefined; change: Change } {
  const offer = sdp.parseSdp(body);
  const direction = offer.ok ? sdp.directionOf(offer.value) : "inactive";
  return {
    peer: offer.ok ? sdp.endpointToken(offer.value) : undefined,
    change: {
      localSdp: answer,
      remoteSdp: body,
      ...agreed(answer),
      hold: { local: false, remote: direction === "sendonly" || direction === "inactive" },
      reofferTries: 0,
    },
  };
}

/** The target of a transfer has answered `offer`: the browser stays as it is. */
export function joinTarget(
  offer: string,
  body: string,
): Result<{ peer: EndpointToken | undefined; change: Change }, Termination> {
  const answer = sdp.parseSdp(body);
  if (!answer.ok) return err(fault("The target's answer", answer.error));
  const offered = sdp.parseSdp(offer);
  const [promised] = offered.ok ? sdp.codecsOf(offered.value).audio : [];
  if (promised !== undefined && !sdp.codecsOf(answer.value).audio.includes(promised)) {
    return err(termination("no_common_codec", {
      text: `The target can't receive ${promised}, which this side was promised`,
    }));
  }
  const direction = sdp.directionOf(answer.value);
  return ok({
    peer: sdp.endpointToken(answer.value),
    change: {
      localSdp: sdp.settledOffer(offer, answer.value),
      remoteSdp: body,
      ...agreed(body),
      hold: { local: false, remote: direction === "sendonly" || direction === "inactive" },
      reofferTries: 0,
    },
  });
}

/** The endpoint that our packets go to. */
export function peerOf(context: CallContext): EndpointToken | undefined {
  const parsed = sdp.parseSdp(context.remoteSdp ?? "");
  return parsed.ok ? sdp.endpointToken(parsed.value) : undefined;
}

/** The offer that asks for the hold state wanted (RFC 3264 8.4). */
export function holdOffer(context: CallContext): { body: string; change: Change } {
  const body = sdp.reoffer(
    context.localSdp ?? "",
    directionFor(context.wantsHold, context.hold.remote),
  );
  return { body, change: { localSdp: body } };
}

/** The other side offers anew: our answer, and whether it holds us. */
export function answerReoffer(
  context: CallContext,
  body: string,
): Result<{ body: string; change: Change }, sdp.SdpFault> {
  const offer = sdp.parseSdp(body);
  if (!offer.ok) return offer;
  const direction = sdp.directionOf(offer.value);
  const remote = direction === "sendonly" || direction === "inactive";
  const allowed = context.hold.local ? "sendonly" : "sendrecv";
  const answer = sdp.answerReoffer(context.localSdp ?? "", offer.value, allowed);
  if (!answer.ok) return answer;
  return ok({
    body: answer.value,
    change: {
      localSdp: answer.value,
      remoteSdp: body,
      hold: { ...context.hold, remote },
      since: remote === context.hold.remote ? context.since : context.ports.clock.epoch(),
    },
  });
}

/** What the view says of the dialog, also after it is gone. */
export function dialogFacts(context: CallContext): Change {
  const { usage } = context.resources.dialog;
  return usage ? namesOf(usage) : {};
}

/** What of a dialog outlives it. */
export function namesOf({ localTag, remoteTag, localUri, remoteUri }: DialogFacts): DialogFacts {
  return { localTag, remoteTag, localUri, remoteUri };
}

function agreed(body: string): Change {
  const parsed = sdp.parseSdp(body);
  if (!parsed.ok) return {};
  const { audio, video } = sdp.mediaOf(parsed.value);
  return { codecs: sdp.firstCodecs(parsed.value), hasAudio: audio, hasVideo: video };
}

function answered(context: CallContext): Change {
  return { answeredAt: context.ports.clock.epoch() };
}

function directionFor(local: boolean, remote: boolean): sdp.Direction {
  if (local) return remote ? "inactive" : "sendonly";
  return remote ? "recvonly" : "sendrecv";
}
