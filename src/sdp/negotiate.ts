import { intersect, reverse } from "./direction.ts";
import {
  type Codec,
  type Extension,
  isMediaCodec,
  type MediaSection,
  NO_TRANSPORT,
  samePayload,
  SECURE_PROFILE,
} from "./model.ts";

/** RTX names what it repairs (RFC 4588 8.1). */
const APT = /(?:^|;)\s*apt=(\d+)\s*(?:;|$)/;
/** Audio RED lists what it carries (RFC 2198 5). */
const RED_LIST = /^\d+(?:\/\d+)+$/;

/**
 * Drops codecs that cannot work: RTX and RED of a payload type that is not there, and H264 whose
 * format parameters are gone (browsers always write them; the Web SDK's `stripCodecs` loses them,
 * and without them the profile would be another).
 */
export function usableCodecs(codecs: readonly Codec[]): Codec[] {
  const alive = codecs.filter((codec) =>
    codec.name.toLowerCase() !== "h264" || codec.fmtp.length > 0
  );
  const media = new Set(
    alive.filter((codec) => codec.name.toLowerCase() !== "rtx").map((codec) => codec.payloadType),
  );
  return alive.filter((codec) => {
    const name = codec.name.toLowerCase();
    if (name === "rtx") {
      const apt = codec.fmtp.map((config) => APT.exec(config)?.[1]).find((found) => found);
      return apt !== undefined && media.has(Number(apt));
    }
    const carried = name === "red" ? codec.fmtp.find((config) => RED_LIST.test(config)) : undefined;
    return carried === undefined || carried.split("/").every((type) => media.has(Number(type)));
  });
}

/** The section as refused: index, mid and formats kept, nothing else. */
export function rejectedSection(section: MediaSection): MediaSection {
  return {
    ...section,
    rejected: true,
    direction: "inactive",
    ownDirection: undefined,
    extensions: [],
    ssrcs: [],
    ssrcGroups: [],
    rids: [],
    simulcast: undefined,
    rtcpXr: undefined,
    transport: NO_TRANSPORT,
  };
}

/** The section without transport, with the codecs that can work; rejected where none is left. */
export function abstractSection(section: MediaSection): MediaSection {
  const codecs = section.kind === "other" ? [] : usableCodecs(section.codecs);
  if (section.rejected || !codecs.some(isMediaCodec)) return rejectedSection(section);
  return {
    ...section,
    codecs,
    protocol: SECURE_PROFILE,
    ownDirection: undefined,
    transport: NO_TRANSPORT,
  };
}

/**
 * What `answer` accepts of `offer`, from the answerer's view: codecs by payload type, name and
 * clock rate in the answerer's order, extensions by id and URI, feedback and directions that both
 * allow. Rejected where no codec that carries media is left (RFC 3264 6).
 */
export function commonSection(offer: MediaSection, answer: MediaSection | undefined): MediaSection {
  if (
    answer === undefined || offer.rejected || answer.rejected || offer.kind === "other" ||
    offer.kind !== answer.kind
  ) return rejectedSection(offer);
  const codecs = usableCodecs(answer.codecs.flatMap((codec) => {
    const offered = offer.codecs.find((other) => samePayload(other, codec));
    return offered ? [commonCodec(offered, codec)] : [];
  }));
  if (!codecs.some(isMediaCodec)) return rejectedSection(offer);
  const ids = new Set(offer.rids.map((rid) => rid.id));
  return {
    ...answer,
    protocol: SECURE_PROFILE,
    mid: offer.mid,
    direction: intersect(answer.direction, reverse(offer.direction)),
    ownDirection: undefined,
    codecs,
    extensions: answer.extensions.filter((extension) => offered(offer.extensions, extension)),
    extmapAllowMixed: answer.extmapAllowMixed && offer.extmapAllowMixed,
    rtcpRsize: answer.rtcpRsize && offer.rtcpRsize,
    rtcpXr: offer.rtcpXr === undefined ? undefined : answer.rtcpXr,
    rids: answer.rids.filter((rid) => ids.has(rid.id)),
    simulcast: offer.simulcast === undefined ? undefined : answer.simulcast,
    transport: NO_TRANSPORT,
  };
}

function commonCodec(offer: Codec, answer: Codec): Codec {
  return {
    ...answer,
    feedback: answer.feedback.filter((feedback) => offer.feedback.includes(feedback)),
  };
}

function offered(extensions: readonly Extension[], extension: Extension): boolean {
  return extensions.some((other) => other.id === extension.id && other.uri === extension.uri);
}
