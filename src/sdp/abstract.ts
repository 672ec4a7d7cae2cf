import { hash } from "node:crypto";
import type { EndpointToken } from "../core/ids.ts";
import { err, ok, type Result } from "../core/result.ts";
import { intersect, reverse } from "./direction.ts";
import { checkSipSdp } from "./extra_lines.ts";
import {
  type Codec,
  type Direction,
  isMediaCodec,
  type MediaSection,
  samePayload,
  type Sdp,
  type SdpFault,
} from "./model.ts";
import { abstractSection, commonSection, rejectedSection, usableCodecs } from "./negotiate.ts";
import { parseSdp } from "./parse.ts";
import { sameCodec } from "./phone_codecs.ts";
import { writeSdp } from "./write.ts";

/**
 * SDP as it travels inside the process (design section 1): codecs, payload types, extension ids,
 * SSRCs, mids and directions of the party that it speaks for, and the token of its endpoint; port
 * 9, no address, no ICE, no DTLS.
 */

export interface AbstractOfferOptions {
  /** Lines the application wants on the SIP leg; those that `checkSipSdp` refuses are left out. */
  readonly sipSdp?: readonly string[];
}

/** What goes into the INVITE for a browser's offer. */
export function abstractOffer(
  browser: Sdp,
  token: EndpointToken,
  options: AbstractOfferOptions = {},
): string {
  const lines = options.sipSdp ?? [];
  return write(browser, browser.media.map(abstractSection), token, {
    extraLines: lines.filter((line) => checkSipSdp([line]).ok),
  });
}

/**
 * The body of the callee's 2xx for its browser's answer. `abstractOffer` is the INVITE's body as
 * parsed.
 */
export function abstractAnswer(
  abstractOffer: Sdp,
  browserAnswer: Sdp,
  token: EndpointToken,
): Result<string, SdpFault> {
  const matched = matchSections(abstractOffer, browserAnswer);
  return matched.ok ? ok(write(browserAnswer, matched.value, token)) : matched;
}

/**
 * The offer of a party that has itself answered an offer of ours: exactly what it negotiated. What
 * it refused is left out, so m-line indices are new; mids stay.
 */
export function abstractOfferOfAnswer(
  serverOffer: Sdp,
  browserAnswer: Sdp,
  token: EndpointToken,
): Result<string, SdpFault> {
  const matched = matchSections(serverOffer, browserAnswer);
  if (!matched.ok) return matched;
  const live = matched.value.filter((section) => !section.rejected);
  return ok(write(browserAnswer, live, token));
}

/**
 * The offer that the side which wrote `last` makes to somebody new after it has negotiated with the
 * side that wrote `theirs`: the very codec that it sends, whatever else it could take, since it
 * can't be told to send another; and all the directions that it could take at first.
 */
export function continuingOffer(last: string, theirs: Sdp): Result<string, SdpFault> {
  const own = parseOwn(last);
  const matched = matchSections(theirs, own);
  if (!matched.ok) return matched;
  const live = matched.value.flatMap((section, index) => {
    const mine = own.media[index];
    if (section.rejected || !mine) return [];
    const direction = mine.ownDirection ?? mine.direction;
    const codecs = sentCodecs(section, theirs.media[index]?.codecs ?? []);
    return [{ ...section, codecs, direction, ownDirection: undefined }];
  });
  return ok(rewrite(own, live));
}

/**
 * What the side of `continuingOffer` answers to somebody new who offers by himself (RFC 3891): the
 * same codec, by the numbers that it has. A phone is told its own by the edge (RFC 3264 6.1);
 * whoever names its m-lines speaks from a browser to a browser, which takes no other numbers.
 */
export function continuingAnswer(last: string, theirs: Sdp, offer: Sdp): Result<string, SdpFault> {
  const continuing = continuingOffer(last, theirs);
  if (!continuing.ok) return continuing;
  const own = parseOwn(continuing.value);
  const left = [...own.media];
  const media = offer.media.map((offered) => {
    const at = left.findIndex(({ kind }) => kind === offered.kind);
    const [mine] = at < 0 ? [] : left.splice(at, 1);
    if (!mine) return rejectedSection(offered);
    const common = commonSection(
      offered.mid === undefined ? renamed(offered, mine) : offered,
      mine,
    );
    return common.rejected ? rejectedSection(offered) : narrow(
      { ...common, direction: mine.direction, ownDirection: undefined },
      "sendrecv",
      reverse(offered.direction),
    );
  });
  return media.every(({ rejected }) => rejected) ? noCommonCodec(offer) : ok(rewrite(own, media));
}

/**
 * What an offer of ours has become by its answer: sections that were refused stay so, because a
 * browser's description stands for ever.
 */
export function settledOffer(offer: string, answer: Sdp): string {
  const own = parseOwn(offer);
  const media = own.media.map((section, index) =>
    answer.media[index]?.rejected === false ? section : rejectedSection(section)
  );
  return media.every((section, index) => section === own.media[index])
    ? offer
    : rewrite(own, media, own.origin.version);
}

/**
 * The offer that says to somebody new what the writer of `theirs` has said of itself: what is left
 * of its media, held by nobody.
 */
export function handedOn(theirs: Sdp): Result<string, SdpFault> {
  const live = theirs.media.filter((section) => !section.rejected).map((section) => ({
    ...section,
    direction: section.ownDirection ?? "sendrecv" as const,
    ownDirection: undefined,
  }));
  return live.length === 0 ? noCommonCodec(theirs) : ok(rewrite(theirs, live));
}

/** The codecs of `section` by the numbers that `own` has for them. */
function renamed(section: MediaSection, own: MediaSection): MediaSection {
  const codecs = section.codecs.map((codec) => {
    const known = own.codecs.find((mine) => sameCodec(mine, codec));
    return known ? { ...codec, payloadType: known.payloadType } : codec;
  });
  return { ...section, codecs };
}

/** The first codec of the other side that this one has, with what belongs to it. */
function sentCodecs({ codecs }: MediaSection, wanted: readonly Codec[]): Codec[] {
  const isShared = (codec: Codec) => codecs.some((own) => samePayload(own, codec));
  const sent = wanted.find((codec) => isMediaCodec(codec) && isShared(codec));
  return usableCodecs(
    codecs.filter((codec) => !isMediaCodec(codec) || sent && samePayload(codec, sent)),
  );
}

/**
 * The next offer of the side that wrote `last`: the same media, narrowed to `direction` (`sendonly`
 * to hold, `sendrecv` to go on with whatever that side could do at first), version one higher
 * (RFC 3264 8).
 */
export function reoffer(last: string, direction: Direction): string {
  const own = parseOwn(last);
  return rewrite(own, own.media.map((section) => narrow(section, direction, "sendrecv")));
}

/**
 * Answers a re-offer for the side that wrote `last`. `direction` is what that side allows of itself
 * (as in `reoffer`); the answer also keeps to what the offer allows.
 */
export function answerReoffer(
  last: string,
  offer: Sdp,
  direction: Direction,
): Result<string, SdpFault> {
  const own = parseOwn(last);
  if (offer.media.length < own.media.length) {
    return err({
      reason: "malformed",
      text: `re-offer has ${offer.media.length} m-lines; ${own.media.length} were there before`,
    });
  }
  const media = offer.media.map((offered, index) => {
    const mine = own.media[index];
    const common = commonSection(offered, mine);
    if (common.rejected || mine === undefined) return common;
    return narrow(
      { ...common, direction: mine.direction, ownDirection: mine.ownDirection },
      direction,
      reverse(offered.direction),
    );
  });
  if (media.every((section) => section.rejected)) return noCommonCodec(offer);
  return ok(rewrite(own, media));
}

/** Pairs the sections of an answer with the offer's; at least one stays. */
export function matchSections(offer: Sdp, answer: Sdp): Result<MediaSection[], SdpFault> {
  if (offer.media.length !== answer.media.length) {
    return err({
      reason: "malformed",
      text: `answer has ${answer.media.length} m-lines; the offer has ${offer.media.length}`,
    });
  }
  const media = offer.media.map((section, index) => {
    const common = commonSection(section, answer.media[index]);
    // What the answerer could do tells whoever reads it why nothing was taken.
    const codecs = answer.media[index]?.codecs ?? [];
    return common.rejected && !section.rejected ? { ...common, codecs } : common;
  });
  return media.some((section) => !section.rejected) ? ok(media) : noCommonCodec(offer);
}

function noCommonCodec(offer: Sdp): Result<never, SdpFault> {
  const names = offer.media.flatMap((section) => section.codecs.map((codec) => codec.name));
  return err({
    reason: "no_common_codec",
    text: `no codec in common; offered were ${[...new Set(names)].join(", ") || "none"}`,
  });
}

/** The section with what its side could do at first, cut down by `direction` and `allowed`. */
function narrow(section: MediaSection, direction: Direction, allowed: Direction): MediaSection {
  if (section.rejected) return rejectedSection(section);
  const own = section.ownDirection ?? section.direction;
  const now = intersect(intersect(own, direction), allowed);
  return { ...section, direction: now, ownDirection: now === own ? undefined : own };
}

function write(
  browser: Sdp,
  media: readonly MediaSection[],
  token: EndpointToken,
  extra: { readonly extraLines?: readonly string[] } = {},
): string {
  return writeSdp({
    sessionId: sessionIdOf(token),
    version: 1,
    media,
    extmapAllowMixed: browser.extmapAllowMixed,
    token,
    ...extra,
  });
}

function rewrite(
  own: Sdp,
  media: readonly MediaSection[],
  version = own.origin.version + 1,
): string {
  return writeSdp({
    sessionId: own.origin.sessionId,
    version,
    media,
    extmapAllowMixed: own.extmapAllowMixed,
    extraLines: own.extraLines,
    ...(own.token === undefined ? {} : { token: own.token }),
  });
}

/** A numeric session id (RFC 8866 5.2) that tells nothing of what it is made from. */
export function sessionIdOf(secret: string): string {
  return String(parseInt(hash("sha256", secret, "hex").slice(0, 12), 16));
}

/** Parses what we wrote ourselves; anything else is our bug. */
function parseOwn(text: string): Sdp {
  const parsed = parseSdp(text);
  if (!parsed.ok) throw new Error(`our own SDP cannot be read: ${parsed.error.text}`);
  return parsed.value;
}
