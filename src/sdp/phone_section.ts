import {
  type Codec,
  type Direction,
  type MediaSection,
  type Sdp,
  TRANSPORT_WIDE,
} from "./model.ts";
import type { CodecPair } from "./phone_codecs.ts";
import type { Crypto, SdesKey, SdesSuite } from "./phone_transport.ts";

/** An m-line between us and a plain SIP party, and what is known of either side of it. */

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
  /** What each side asks of the packets that it receives; nothing, before it has said anything. */
  readonly times: { readonly inner: PacketTimes; readonly wire: PacketTimes };
  readonly bandwidth: MediaSection["bandwidth"];
  /** Id of the inner side's header extension with transport-wide numbers; video only. */
  readonly wideId: number | undefined;
  /** Codecs that whoever refused the m-line has named; undefined: it named what it was offered. */
  readonly refusedWith?: readonly Codec[];
}

/** How much audio a packet may hold, as written, ms (RFC 8866 6.4, 6.5). */
export interface PacketTimes {
  readonly ptime: string | undefined;
  readonly maxptime: string | undefined;
}

export const NO_TIMES: PacketTimes = { ptime: undefined, maxptime: undefined };

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

/** Which kinds of media a description asks ports for, at most one of each. */
export function phoneKinds(sdp: Sdp): ("audio" | "video")[] {
  return (["audio", "video"] as const).filter((kind) =>
    sdp.media.some((section) => section.kind === kind && !section.rejected)
  );
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

/** A section with nothing agreed. `side`: who has said it. */
export function baseOf(
  section: MediaSection,
  protocol: string,
  side: "inner" | "wire",
): PhoneSection {
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
    times: { inner: NO_TIMES, wire: NO_TIMES, [side]: timesOf(section) },
    bandwidth: section.bandwidth,
  };
}

export function timesOf({ ptime, maxptime }: PacketTimes): PacketTimes {
  return { ptime, maxptime };
}

export function rejected(section: PhoneSection): PhoneSection {
  return {
    ...section,
    rejected: true,
    direction: "inactive",
    ours: [],
    theirs: undefined,
    remote: undefined,
  };
}
