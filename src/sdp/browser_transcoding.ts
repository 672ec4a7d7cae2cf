import { isMediaCodec, type MediaSection, samePayload, type Sdp } from "./model.ts";
import { type CodecPair, codecsFor, matchWire } from "./phone_codecs.ts";
import { FOR_BROWSERS, isTranscoded, widened } from "./phone_transcoding.ts";

/**
 * A browser that shares no audio codec with whoever calls it is offered what our transcoders make
 * of the caller's. What the caller has stands first, so that nothing is transcoded without need.
 */

/** Codec pairs of each m-line; none where nothing was added. `inner` is the caller's. */
export type WidenedPairs = readonly (readonly CodecPair[])[];

/**
 * The caller's offer with more audio codecs. Audio that may pass a transcoder has no header
 * extensions: whoever reports on transport-wide numbers would miss those of packets that have ended
 * at the transcoder. SSRCs stay, for the transcoder speaks by that of whom it speaks for: browsers
 * drop audio of another beside video that has extensions.
 * @param able codecs that the transcoders know here
 */
export function widenedForBrowser(
  abstract: Sdp,
  able: ReadonlySet<string>,
): { readonly offer: Sdp; readonly pairs: WidenedPairs } {
  const pairs = abstract.media.map((section, index): readonly CodecPair[] => {
    if (section.kind !== "audio" || section.rejected) return [];
    const shared = section.codecs.map((codec) => ({ inner: codec, wire: codec }));
    // Bundled m-lines have one space of numbers (RFC 8843 9.1).
    const others = abstract.media.flatMap(({ codecs }, at) =>
      at === index ? [] : codecs.map(({ payloadType }) => payloadType)
    );
    const all = widened(shared, "wire", section.codecs, able, new Set(others), FOR_BROWSERS);
    return all.length > shared.length ? all : [];
  });
  const media = abstract.media.map((section, index) => {
    const wide = pairs[index] ?? [];
    return wide.length === 0
      ? section
      : { ...section, codecs: codecsFor(wide, "wire"), extensions: [] };
  });
  return { offer: { ...abstract, media }, pairs };
}

/**
 * What the browser's answer to such an offer says to the caller, and the codecs that a transcoder
 * stands between; null where both sides have one that is the same.
 */
export function settledByBrowser(
  offered: WidenedPairs,
  answer: Sdp,
): { readonly answer: Sdp; readonly pairs: readonly CodecPair[] | null } {
  let transcoded: readonly CodecPair[] | null = null;
  const media = answer.media.map((section, index) => {
    const pairs = offered[index] ?? [];
    if (pairs.length === 0 || section.rejected || isShared(section, pairs)) return section;
    const matched = matchWire("audio", pairs, section.codecs);
    if (!matched.some(isTranscoded)) return section;
    transcoded = matched;
    // Packets of a transcoder have lengths of their own.
    const codecs = codecsFor(matched, "inner");
    return { ...section, codecs, extensions: [], ptime: undefined, maxptime: undefined };
  });
  return { answer: { ...answer, media }, pairs: transcoded };
}

/** Whether the browser takes a codec that the caller has, wherever in its answer. */
function isShared(section: MediaSection, pairs: readonly CodecPair[]): boolean {
  return section.codecs.some((codec) =>
    isMediaCodec(codec) &&
    pairs.some((pair) => !isTranscoded(pair) && samePayload(pair.wire, codec))
  );
}
