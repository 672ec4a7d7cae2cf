import type { EndpointToken } from "../core/ids.ts";
import { err, ok, type Result } from "../core/result.ts";
import { intersect, reverse } from "./direction.ts";
import type { Codec, Direction, MediaSection, Sdp, SdpFault } from "./model.ts";
import { isMediaCodec, NO_TRANSPORT, SECURE_PROFILE, TRANSPORT_WIDE } from "./model.ts";
import { parseSdp, scanSdp } from "./parse.ts";
import {
  carriesMedia,
  type CodecPair,
  matchInner,
  matchWire,
  pairInner,
  pairWire,
  phoneCodecs,
} from "./phone_codecs.ts";
import { transcodedPair, widened } from "./phone_transcoding.ts";
import {
  type Crypto,
  isNowhere,
  phoneTransports,
  SDES_SUITES,
  type SdesKey,
  type SdesSuite,
} from "./phone_transport.ts";
import { writePlain } from "./write_plain.ts";
import { writeSdp } from "./write.ts";

/**
 * Descriptions between us and a plain SIP party (RTP or SRTP by SDES, RFC 3551, 3711, 4568): what
 * is abstract inside the process becomes concrete, and the other way round. Pure; the transport of
 * our side and fresh keys come in.
 */

/** How a phone is offered media. */
export interface PhoneProfile {
  /** RTP/SAVP with SDES keys; nothing else is taken then. */
  readonly srtp: boolean;
  /** RTCP feedback (RFC 4585). */
  readonly avpf: boolean;
  /** Refuse a phone's offer in the clear. */
  readonly srtpRequired?: boolean;
  /** The only audio codecs that the phone is offered, by name in lower case, preferred first. */
  readonly codecs?: readonly string[];
  /** And the only ones that are taken of its offers. */
  readonly takesOnlyCodecs?: boolean;
}

/** One m-line between us and the phone, as offered or as agreed. */
export interface PhoneSection {
  readonly kind: "audio" | "video" | "other";
  /** First word, protocol and formats of the m-line. */
  readonly type: string;
  readonly protocol: string;
  readonly formats: string;
  readonly rejected: boolean;
  readonly pairs: readonly CodecPair[];
  /** From the view of whoever wrote the description. */
  readonly direction: Direction;
  readonly rtcpMux: boolean;
  /** Keys that we say; one, once agreed. */
  readonly ours: readonly Crypto[];
  /** The phone's key; undefined in the clear, and before it answered. */
  readonly theirs: Crypto | undefined;
  /** Where the phone receives; undefined before it said so. */
  readonly remote: PhoneRemote | undefined;
  readonly ptime: string | undefined;
  readonly maxptime: string | undefined;
  readonly bandwidth: MediaSection["bandwidth"];
  /** Id of the inner side's header extension with transport-wide numbers; video only. */
  readonly wideId: number | undefined;
  /** Codecs that whoever refused the m-line has named; undefined: it named what it was offered. */
  readonly refusedWith?: readonly Codec[];
}

export interface PhoneRemote {
  /** As written; see `isNowhere`. */
  readonly address: string;
  readonly port: number;
  readonly rtcpPort: number;
}

/** What a description is made with: kinds that our endpoint has a port for, and our keys. */
export interface PhoneMeans {
  readonly kinds: readonly ("audio" | "video")[];
  /** Our key for an m-line and suite; the same one each time it is asked for. */
  key(kind: "audio" | "video", suite: SdesSuite): SdesKey;
  /** Audio codecs between which we can transcode, as the transcoders call them. */
  readonly transcodable?: ReadonlySet<string>;
}

/** What is taken of a phone's offers, beside their codecs. */
export type OfferRules =
  & Pick<PhoneProfile, "srtpRequired" | "codecs">
  & Pick<PhoneMeans, "transcodable">
  & {
    /** Whoever answers may be told the phone's own words: these are not read more than needed. */
    readonly mayPass?: boolean;
  };

const NOTHING: ReadonlySet<string> = new Set();
/** Transport-wide numbers in offers of ours; no other extension stands beside them. */
const WIDE_ID = 3;

/** What the offerer inside has offered, for a phone. `before`: what was agreed in this dialog. */
export function offerToPhone(
  abstract: Sdp,
  before: readonly PhoneSection[],
  profile: PhoneProfile,
  means: PhoneMeans,
): Result<PhoneSection[], SdpFault> {
  const used = new Set<string>();
  const sections = abstract.media.map((section, index): PhoneSection => {
    const { kind } = section;
    const old = before[index];
    const base = baseOf(section, profileName(profile));
    if (kind === "other" || section.rejected || used.has(kind) || !means.kinds.includes(kind)) {
      return rejected(base);
    }
    const codecs = phoneCodecs(kind, section.codecs);
    const shared = pairInner(codecs, old?.pairs ?? []);
    // What was agreed stands; a browser can never renegotiate it.
    const isNew = kind === "audio" && !carriesMedia(old?.pairs ?? []);
    const wide = isNew ? widened(shared, "wire", codecs, means.transcodable ?? NOTHING) : shared;
    const pairs = kind === "audio" ? allowed(wide, profile.codecs) : wide;
    if (!carriesMedia(pairs)) return rejected(base);
    used.add(kind);
    const protocol = old && !old.rejected ? old.protocol : base.protocol;
    const suites = old?.ours.map(({ suite }) => suite) ?? SDES_SUITES;
    const ours = isSecure(protocol)
      ? suites.map((suite, at) => ({ tag: at + 1, ...means.key(kind, suite) }))
      : [];
    return { ...base, protocol, pairs: plain(pairs, protocol), ours, rejected: false };
  });
  return sections.some((section) => !section.rejected)
    ? ok(sections)
    : noCommonCodec(abstract, "a phone can be offered none of them");
}

/** What a phone's answer makes of `offer`. All m-lines may be rejected: the caller decides. */
export function answerOfPhone(
  offer: readonly PhoneSection[],
  text: string,
): Result<PhoneSection[], SdpFault> {
  const parsed = parseSdp(text);
  if (!parsed.ok) return parsed;
  const { media } = parsed.value;
  if (media.length !== offer.length) {
    return err({
      reason: "malformed",
      text: `answer has ${media.length} m-lines; the offer has ${offer.length}`,
    });
  }
  const transports = phoneTransports(text);
  return ok(offer.map((mine, index) => {
    const section = media[index]!;
    const transport = transports[index];
    if (mine.rejected || section.kind !== mine.kind || mine.kind === "other" || !transport) {
      return rejected(mine);
    }
    const pairs = matchWire(mine.kind, mine.pairs, section.codecs);
    if (section.rejected || !carriesMedia(pairs)) return refused(mine, section, pairs);
    const chosen = transport.cryptos.find((crypto) =>
      mine.ours.some((own) => own.tag === crypto.tag && own.suite === crypto.suite)
    );
    // A phone that answers in the clear where keys were offered is not to be believed.
    if (!carriesMedia(pairs) || mine.ours.length > 0 && !chosen) return rejected(mine);
    const both = intersect(section.direction, reverse(mine.direction));
    return {
      ...mine,
      ...saidBy(section),
      pairs,
      direction: receivable(both, transport.address),
      rtcpMux: mine.rtcpMux && section.rtcpMux,
      ours: mine.ours.filter((own) => own.tag === chosen?.tag),
      theirs: chosen,
      remote: transport,
    };
  }));
}

/** A phone's offer as we can take it. `before`: what was agreed in this dialog. */
export function offerOfPhone(
  text: string,
  before: readonly PhoneSection[],
  kinds: readonly ("audio" | "video")[],
  { srtpRequired = false, transcodable = NOTHING, codecs: taken, mayPass = false }: OfferRules = {},
): Result<PhoneSection[], SdpFault> {
  const parsed = mayPass ? scanSdp(text) : parseSdp(text);
  if (!parsed.ok) return parsed;
  const transports = phoneTransports(text);
  const { media } = parsed.value;
  const chosen = new Set(kinds.map((kind) => choose(kind, media, transports)));
  const sections = media.map((section, index): PhoneSection => {
    const transport = transports[index];
    const base = baseOf(section, section.protocol);
    if (section.kind === "other" || !transport || !chosen.has(index)) return rejected(base);
    const old = before[index]?.pairs ?? [];
    const codecs = phoneCodecs(section.kind, section.codecs);
    const shared = pairWire(section.kind, codecs, old);
    const isNew = section.kind === "audio" && !carriesMedia(old);
    const wide = isNew ? widened(shared, "inner", codecs, transcodable) : shared;
    const pairs = section.kind === "audio" ? allowed(wide, taken) : wide;
    const secure = isSecure(section.protocol);
    if (!carriesMedia(pairs) || srtpRequired && !secure) return rejected(base);
    return {
      ...base,
      // No id ever means another extension in the same session (RFC 8285 5).
      wideId: section.kind === "video" ? before[index]?.wideId ?? WIDE_ID : undefined,
      rejected: false,
      pairs,
      direction: receivable(section.direction, transport.address),
      rtcpMux: section.rtcpMux,
      theirs: secure ? transport.cryptos[0] : undefined,
      remote: transport,
    };
  });
  return sections.some((section) => !section.rejected)
    ? ok(sections)
    : noCommonCodec(parsed.value, "a phone's offer needs one that we know, with keys we can use");
}

/** Which kinds of media a description asks ports for, at most one of each. */
export function phoneKinds(sdp: Sdp): ("audio" | "video")[] {
  return (["audio", "video"] as const).filter((kind) =>
    sdp.media.some((section) => section.kind === kind && !section.rejected)
  );
}

/** Our answer to a phone's `offer`, from the abstract answer. All m-lines may be rejected. */
export function answerToPhone(
  offer: readonly PhoneSection[],
  abstractAnswer: Sdp,
  means: PhoneMeans,
): PhoneSection[] {
  return offer.map((offered, index) => {
    const section = abstractAnswer.media[index];
    const { kind } = offered;
    if (!section || section.rejected || offered.rejected || kind === "other") {
      return rejected(offered);
    }
    const pairs = section.kind === kind ? matchInner(offered.pairs, section.codecs) : [];
    if (!carriesMedia(pairs)) return rejected(offered);
    const { theirs } = offered;
    return {
      ...offered,
      ...saidBy(section),
      pairs: plain(pairs, offered.protocol, offered),
      direction: intersect(section.direction, reverse(offered.direction)),
      ours: theirs ? [{ tag: theirs.tag, ...means.key(kind, theirs.suite) }] : [],
    };
  });
}

/** Whose description it is, and which of them. */
interface AbstractOf {
  readonly token: EndpointToken;
  readonly version: number;
  /** See `OfferRules`: nobody may ever read it. */
  readonly mayPass?: boolean;
}

/** It stands beside the token, inside, and need not hide it. */
function innerSessionId(token: EndpointToken): string {
  return String(parseInt(token.slice(0, 12), 16));
}

/** What the process is told of a phone's description. */
export function abstractOfPhone(
  sections: readonly PhoneSection[],
  said: AbstractOf,
): string {
  return (said.mayPass ? writePlain : writeSdp)({
    sessionId: innerSessionId(said.token),
    version: said.version,
    media: sections.map(toInner),
    extmapAllowMixed: false,
    token: said.token,
  });
}

/** RTCP feedback goes over this section. */
export function hasFeedback(section: PhoneSection): boolean {
  return section.protocol.endsWith("F") ||
    section.pairs.some(({ wire }) => wire.feedback.some((one) => /pli|fir/.test(one)));
}

/** Key frames are asked for by FIR: it was agreed on, and PLI was not (RFC 5104 7.1). */
export function wantsFir(section: PhoneSection): boolean {
  const has = (what: string) =>
    section.pairs.some(({ wire }) => wire.feedback.some((one) => one === what));
  return has("ccm fir") && !has("nack pli");
}

/** Whether media flows at all by this answer. */
export function isFlowing(sections: readonly PhoneSection[]): boolean {
  return sections.some((section) => !section.rejected && section.direction !== "inactive");
}

export function isSecure(protocol: string): boolean {
  return /(^|\/)SAVPF?$/.test(protocol);
}

/** The m-line to take of this kind: with keys first, because who offers both means "if you can". */
function choose(
  kind: "audio" | "video",
  media: readonly MediaSection[],
  transports: readonly { readonly cryptos: readonly Crypto[] }[],
): number {
  const usable = media.map((section, index) => {
    if (section.kind !== kind || section.rejected || section.protocol.startsWith("UDP/TLS")) {
      return 0;
    }
    if (!isSecure(section.protocol)) return 1;
    return transports[index]?.cryptos.length ? 2 : 0;
  });
  const best = Math.max(0, ...usable);
  return best === 0 ? -1 : usable.findIndex((value) => value === best);
}

function baseOf(section: MediaSection, protocol: string): PhoneSection {
  return {
    kind: section.kind,
    type: section.type,
    protocol: section.kind === "other" ? section.protocol : protocol,
    formats: section.formats,
    rejected: true,
    pairs: [],
    direction: section.direction,
    rtcpMux: false,
    ours: [],
    theirs: undefined,
    remote: undefined,
    wideId: section.kind === "video"
      ? section.extensions.find(({ uri }) => uri === TRANSPORT_WIDE)?.id
      : undefined,
    ...saidBy(section),
  };
}

function saidBy({ ptime, maxptime, bandwidth }: MediaSection) {
  return { ptime, maxptime, bandwidth };
}

/** A refusal, with the codecs that stand in it where they are not just those of the offer. */
function refused(
  mine: PhoneSection,
  { codecs, formats }: MediaSection,
  pairs: readonly CodecPair[],
): PhoneSection {
  const types = formats.split(" ");
  const own = codecs.filter((codec) => isMediaCodec(codec) && codec.payloadType > 0);
  const isEcho = carriesMedia(pairs) || own.length === 0 &&
      mine.pairs.some(({ wire }) => types.includes(String(wire.payloadType)));
  return isEcho ? rejected(mine) : { ...rejected(mine), refusedWith: own };
}

function rejected(section: PhoneSection): PhoneSection {
  return {
    ...section,
    rejected: true,
    direction: "inactive",
    ours: [],
    theirs: undefined,
    remote: undefined,
  };
}

/** What is on the list, in its order; all where there is no list. What is no codec stays. */
function allowed(
  pairs: readonly CodecPair[],
  names: readonly string[] | undefined,
): readonly CodecPair[] {
  if (!names) return pairs;
  const media = names.flatMap((name) =>
    pairs.filter(({ wire }) => isMediaCodec(wire) && wire.name.toLowerCase() === name)
  );
  return [...media, ...pairs.filter(({ wire }) => !isMediaCodec(wire))];
}

/** Feedback lines stand only where the profile, or the phone's own offer, knows them. */
function plain(
  pairs: readonly CodecPair[],
  protocol: string,
  offer?: PhoneSection,
): readonly CodecPair[] {
  if (protocol.endsWith("F") || offer && hasFeedback(offer)) return pairs;
  return pairs.map(({ inner, wire }) => ({ inner, wire: { ...wire, feedback: [] } }));
}

/** Whoever names no address receives nothing (RFC 3264 8.4). */
function receivable(direction: Direction, address: string): Direction {
  return isNowhere(address) ? intersect(direction, "sendonly") : direction;
}

function profileName({ srtp, avpf }: PhoneProfile): string {
  return `RTP/${srtp ? "S" : ""}AVP${avpf ? "F" : ""}`;
}

function toInner(section: PhoneSection): MediaSection {
  const isPassed = transcodedPair(section.pairs) === undefined;
  return {
    kind: section.kind,
    type: section.type,
    protocol: section.kind === "other" ? section.protocol : SECURE_PROFILE,
    formats: section.formats,
    rejected: section.rejected,
    mid: undefined,
    direction: section.direction,
    ownDirection: undefined,
    codecs: section.refusedWith ?? section.pairs.map((pair) => pair.inner),
    extensions: section.rejected || section.wideId === undefined
      ? []
      : [{ id: section.wideId, direction: undefined, uri: TRANSPORT_WIDE, config: undefined }],
    extmapAllowMixed: false,
    rtcpMux: true,
    rtcpRsize: false,
    rtcpXr: undefined,
    // Packets of a transcoder have a length of their own on each side.
    ptime: isPassed ? section.ptime : undefined,
    maxptime: isPassed ? section.maxptime : undefined,
    bandwidth: section.bandwidth,
    ssrcs: [],
    ssrcGroups: [],
    rids: [],
    simulcast: undefined,
    transport: NO_TRANSPORT,
  };
}

function noCommonCodec(sdp: Sdp, why: string): Result<never, SdpFault> {
  const names = sdp.media.flatMap((section) => section.codecs.map((codec) => codec.name));
  const list = [...new Set(names)].join(", ") || "none";
  return err({
    reason: "no_common_codec",
    text: `no codec in common; offered were ${list}: ${why}`,
  });
}

/**
 * What the process is told of a description that passes by us: codecs and directions for whoever
 * looks, and the token under which the real one is found. Anything may stand in it.
 */
export function abstractOfAny(
  text: string,
  said: AbstractOf,
): string {
  const parsed = scanSdp(text);
  const sections = parsed.ok ? parsed.value.media : [];
  const media = sections.map((section) => ({
    ...toInner(baseOf(section, section.protocol)),
    rejected: section.rejected,
    direction: section.direction,
    codecs: section.codecs,
  }));
  return writePlain({
    sessionId: innerSessionId(said.token),
    version: said.version,
    media,
    extmapAllowMixed: false,
    token: said.token,
  });
}
