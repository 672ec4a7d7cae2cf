import type { EndpointToken } from "../core/ids.ts";
import { type MediaSection, NO_TRANSPORT, SECURE_PROFILE, TRANSPORT_WIDE } from "./model.ts";
import { scanSdp } from "./parse.ts";
import { codecsFor } from "./phone_codecs.ts";
import { baseOf, NO_TIMES, type PhoneSection } from "./phone_section.ts";
import { isPassed } from "./phone_transcoding.ts";
import { writeSdp } from "./write.ts";
import { writePlain } from "./write_plain.ts";

/** What stands for a phone's description inside the process. */

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
    ...toInner(baseOf(section, section.protocol, "wire")),
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

function toInner(section: PhoneSection): MediaSection {
  // Packets of a transcoder have a length of their own on each side.
  const { ptime, maxptime } = isPassed(section.pairs) ? section.times.wire : NO_TIMES;
  return {
    kind: section.kind,
    type: section.type,
    protocol: section.kind === "other" ? section.protocol : SECURE_PROFILE,
    formats: section.formats,
    rejected: section.rejected,
    mid: undefined,
    direction: section.direction,
    ownDirection: undefined,
    codecs: section.refusedWith ?? codecsFor(section.pairs, "inner"),
    extensions: section.rejected || section.wideId === undefined
      ? []
      : [{ id: section.wideId, direction: undefined, uri: TRANSPORT_WIDE, config: undefined }],
    extmapAllowMixed: false,
    rtcpMux: true,
    rtcpRsize: false,
    rtcpXr: undefined,
    ptime,
    maxptime,
    bandwidth: section.bandwidth,
    ssrcs: [],
    ssrcGroups: [],
    rids: [],
    simulcast: undefined,
    transport: NO_TRANSPORT,
  };
}
