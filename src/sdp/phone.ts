import { err, ok, type Result } from "../core/result.ts";
import { intersect, reverse } from "./direction.ts";
import {
  type Direction,
  isMediaCodec,
  type MediaSection,
  type Sdp,
  type SdpFault,
} from "./model.ts";
import { parseSdp, scanSdp } from "./parse.ts";
import {
  carriesMedia,
  type CodecPair,
  matchInner,
  matchWire,
  pairInner,
  phoneCodecs,
} from "./phone_codecs.ts";
import {
  baseOf,
  hasFeedback,
  isSecure,
  type OfferRules,
  type PhoneMeans,
  type PhoneProfile,
  type PhoneSection,
  rejected,
  timesOf,
} from "./phone_section.ts";
import { innerBeside, numbersOf, sharedPairs } from "./phone_numbers.ts";
import { widened } from "./phone_transcoding.ts";
import { type Crypto, isNowhere, phoneTransports, SDES_SUITES } from "./phone_transport.ts";

/**
 * Descriptions between us and a plain SIP party (RTP or SRTP by SDES, RFC 3551, 3711, 4568): what
 * is abstract inside the process becomes concrete, and the other way round. Pure; the transport of
 * our side and fresh keys come in.
 */

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
  const numbersBeside = (index: number) =>
    abstract.media.flatMap(({ codecs }, at) => at === index ? [] : numbersOf(codecs));
  const sections = abstract.media.map((section, index): PhoneSection => {
    const { kind } = section;
    const old = before[index];
    const base = baseOf(section, profileName(profile), "inner");
    if (kind === "other" || section.rejected || used.has(kind) || !means.kinds.includes(kind)) {
      return rejected(base);
    }
    const codecs = phoneCodecs(kind, section.codecs);
    const others = numbersBeside(index);
    const shared = pairInner(codecs, old?.pairs ?? [], others);
    // What was agreed stands; a browser can never renegotiate it.
    const isNew = kind === "audio" && !carriesMedia(old?.pairs ?? []);
    // Video passes a transcoder's sockets by its inner numbers, beside audio by those of the wire.
    const wide = isNew
      ? widened(shared, "wire", codecs, means.transcodable ?? NOTHING, new Set(others))
      : shared;
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
      times: { ...mine.times, wire: timesOf(section) },
      bandwidth: section.bandwidth,
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
  const chosen = kinds.map((kind) => choose(kind, media, transports));
  const shared = sharedPairs(media, chosen, before);
  const sections = media.map((section, index): PhoneSection => {
    const transport = transports[index];
    const base = baseOf(section, section.protocol, "wire");
    const own = shared.get(index);
    if (section.kind === "other" || !transport || !own) return rejected(base);
    const isNew = section.kind === "audio" && !carriesMedia(before[index]?.pairs ?? []);
    const codecs = phoneCodecs(section.kind, section.codecs);
    const wide = isNew
      ? widened(own, "inner", codecs, transcodable, new Set(innerBeside(index, before, shared)))
      : own;
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
      times: { ...offered.times, inner: timesOf(section) },
      bandwidth: section.bandwidth,
      pairs: plain(pairs, offered.protocol, offered),
      direction: intersect(section.direction, reverse(offered.direction)),
      ours: theirs ? [{ tag: theirs.tag, ...means.key(kind, theirs.suite) }] : [],
    };
  });
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
  return pairs.map((pair) => ({ ...pair, wire: { ...pair.wire, feedback: [] } }));
}

/** Whoever names no address receives nothing (RFC 3264 8.4). */
function receivable(direction: Direction, address: string): Direction {
  return isNowhere(address) ? intersect(direction, "sendonly") : direction;
}

function profileName({ srtp, avpf }: PhoneProfile): string {
  return `RTP/${srtp ? "S" : ""}AVP${avpf ? "F" : ""}`;
}

function noCommonCodec(sdp: Sdp, why: string): Result<never, SdpFault> {
  const names = sdp.media.flatMap((section) => section.codecs.map((codec) => codec.name));
  const list = [...new Set(names)].join(", ") || "none";
  return err({
    reason: "no_common_codec",
    text: `no codec in common; offered were ${list}: ${why}`,
  });
}
