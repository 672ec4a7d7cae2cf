import { isMediaCodec, type MediaSection, type Sdp } from "./model.ts";
import { commonSection } from "./negotiate.ts";

/**
 * Why a call goes on without the video that was offered for it, in words; null where nothing is
 * missing. Video is never transcoded. A browser that can do none of the codecs names none, whoever
 * just doesn't want video names those that were offered (RFC 3264 6).
 */
export function audioOnly(offer: Sdp, answer: Sdp): string | null {
  const common = offer.media.map((section, index) => commonSection(section, answer.media[index]));
  const isLive = (kind: string) => common.some((one) => one.kind === kind && !one.rejected);
  const at = offer.media.findIndex(({ kind, rejected }) => kind === "video" && !rejected);
  if (at < 0 || isLive("video") || !isLive("audio")) return null;
  const offered = namesOf(offer.media[at]);
  const theirs = namesOf(answer.media[at]);
  const names = offered.join(", ") || "none known";
  return theirs.some((name) => offered.includes(name))
    ? `audio only: video was offered (${names}) and not taken`
    : `audio only: no common video codec (${names} | ${theirs.join(", ") || "none of them"})`;
}

function namesOf(section: MediaSection | undefined): string[] {
  // A refused m-line has to name a format; browsers that have none write 0, which is no video.
  const codecs = (section?.codecs ?? []).filter((codec) =>
    isMediaCodec(codec) && codec.payloadType > 0
  );
  return [...new Set(codecs.map(({ name }) => name))];
}
