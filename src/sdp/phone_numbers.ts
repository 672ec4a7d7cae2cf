import type { MediaSection } from "./model.ts";
import { type CodecPair, pairWire, phoneCodecs } from "./phone_codecs.ts";
import type { PhoneSection } from "./phone_section.ts";

/** Payload types over all m-lines of a description (RFC 8843 9.1). */

/**
 * What the chosen m-lines of a phone's offer have in common with us, by their indices. A phone's
 * m-lines have numbers of their own each; inside they may be one bundle. Video keeps away from
 * audio's numbers on the wire too, because it passes beside it where that is transcoded.
 */
export function sharedPairs(
  media: readonly MediaSection[],
  chosen: readonly number[],
  before: readonly PhoneSection[],
): Map<number, readonly CodecPair[]> {
  const shared = new Map<number, readonly CodecPair[]>();
  const onWire: number[] = [];
  const audioFirst = chosen.toSorted((a, b) => rank(media[a]) - rank(media[b]));
  for (const index of audioFirst) {
    const section = media[index];
    if (!section || section.kind === "other") continue;
    const codecs = phoneCodecs(section.kind, section.codecs);
    const others = [...innerBeside(index, before, shared), ...onWire];
    shared.set(index, pairWire(section.kind, codecs, before[index]?.pairs ?? [], others));
    onWire.push(...numbersOf(codecs));
  }
  return shared;
}

function rank(section: MediaSection | undefined): number {
  return section?.kind === "audio" ? 0 : 1;
}

/** The numbers that m-lines other than this have inside, now or until now. */
export function innerBeside(
  index: number,
  before: readonly PhoneSection[],
  shared: ReadonlyMap<number, readonly CodecPair[]>,
): number[] {
  const others = [...before.map(({ pairs }, at) => [at, pairs] as const), ...shared]
    .filter(([at]) => at !== index);
  return others.flatMap(([, pairs]) => numbersOf(pairs.map(({ inner }) => inner)));
}

export function numbersOf(codecs: readonly { readonly payloadType: number }[]): number[] {
  return codecs.map(({ payloadType }) => payloadType);
}
