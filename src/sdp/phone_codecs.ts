import { type Codec, isMediaCodec } from "./model.ts";
import { freeNumber } from "./payload_numbers.ts";
import { isTranscoded, settled } from "./phone_transcoding.ts";

/**
 * Codecs between the two sides of an anchor. Inside the process a dialog keeps the payload types of
 * who offered first (a browser can never renegotiate them); a phone may call the same codec
 * otherwise (RFC 3264 6.1), so each codec is a pair.
 */
export interface CodecPair {
  /** As said inside the process. */
  readonly inner: Codec;
  /** As said on the wire. */
  readonly wire: Codec;
  /**
   * Said on this side alone, because a transcoder ends it there (comfort noise); absent: on both.
   * The other side then names the same codec, and nobody is told.
   */
  readonly only?: "inner" | "wire";
}

/** What one side is told of these pairs. */
export function codecsFor(pairs: readonly CodecPair[], side: "inner" | "wire"): Codec[] {
  return pairs.filter(({ only = side }) => only === side).map((pair) => pair[side]);
}

/** What plain phones can be offered; repair and redundancy formats only confuse them. */
const AUDIO = new Set([
  "opus",
  "g722",
  "pcmu",
  "pcma",
  "g729",
  "gsm",
  "ilbc",
  "speex",
  "amr",
  "amr-wb",
  "l16",
  "telephone-event",
  "cn",
]);
const VIDEO = new Set(["h264", "vp8", "h263", "h263-1998"]);
/** Profiles of one codec that a phone is offered; browsers list eight of H264. */
const MAX_OF_ONE_CODEC = 4;
/** Feedback that means the same to phones and browsers; congestion control is ended at the edge. */
const PHONE_FEEDBACK = new Set(["nack", "nack pli", "ccm fir"]);
/**
 * What the edge takes from the inner side whatever the phone can do: key frame requests, which it
 * says by INFO, wishes for lost packets, which the media engine keeps for a while, and
 * transport-wide numbers, on which the engine reports itself.
 */
const INNER_FEEDBACK = ["ccm fir", "nack", "nack pli", "transport-cc"];
/** Numbers that other m-lines have. */
const NONE: readonly number[] = [];

/** The codecs of an inner description that a phone may hear of. */
export function phoneCodecs(kind: "audio" | "video", codecs: readonly Codec[]): Codec[] {
  const known = kind === "audio" ? AUDIO : VIDEO;
  const counts = new Map<string, number>();
  return codecs.filter((codec) => {
    const name = codec.name.toLowerCase();
    // Telephone events come once a clock rate.
    const key = name === "telephone-event" ? `${name}/${codec.clockRate}` : name;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return known.has(name) && count <= (name === "telephone-event" ? 1 : MAX_OF_ONE_CODEC);
  });
}

/**
 * An inner offer's codecs paired with what the phone calls them, by what was agreed before.
 * `others`: numbers of other m-lines.
 */
export function pairInner(
  codecs: readonly Codec[],
  agreed: readonly CodecPair[],
  others: readonly number[] = NONE,
): CodecPair[] {
  const taken = new Set<number>();
  const reserved = [...agreed.map((pair) => pair.wire.payloadType), ...others];
  const pairs: CodecPair[] = [];
  for (const inner of codecs) {
    const known = agreed.find((pair) =>
      pair.inner.payloadType === inner.payloadType && sameCodec(pair.inner, inner)
    );
    if (known?.only === "inner") {
      pairs.push({ inner, wire: inner, only: "inner" });
      continue;
    }
    const onWire = known ?? agreed.find((pair) => sameCodec(pair.wire, inner));
    const payloadType = onWire?.wire.payloadType ??
      freeNumber(inner.payloadType, (type) => taken.has(type) || reserved.includes(type));
    if (payloadType === undefined || taken.has(payloadType)) continue;
    taken.add(payloadType);
    if (known && isTranscoded(known)) {
      pairs.push({ inner, wire: known.wire });
      continue;
    }
    const feedback = inner.feedback.filter((one) => PHONE_FEEDBACK.has(one));
    pairs.push({ inner, wire: { ...inner, payloadType, feedback } });
  }
  return [...pairs, ...aside(agreed, pairs, "wire")];
}

/**
 * A phone's offered codecs paired with what they are called inside, by what was agreed before.
 * `others`: numbers of other m-lines, which a browser will have in one bundle with this (RFC 8843
 * 9.1).
 */
export function pairWire(
  kind: "audio" | "video",
  codecs: readonly Codec[],
  agreed: readonly CodecPair[],
  others: readonly number[] = NONE,
): CodecPair[] {
  const taken = new Set<number>();
  const reserved = [...agreed.map((pair) => pair.inner.payloadType), ...others];
  const pairs: CodecPair[] = [];
  for (const wire of codecs) {
    const known = agreed.find((pair) =>
      pair.wire.payloadType === wire.payloadType && sameCodec(pair.wire, wire)
    ) ?? agreed.find((pair) =>
      sameCodec(pair.wire, wire)
    ) ?? agreed.find((pair) =>
      // The phone changes to what the inner side has had all along.
      sameCodec(pair.inner, wire)
    );
    if (known?.only === "wire") {
      pairs.push({ inner: wire, wire, only: "wire" });
      continue;
    }
    const payloadType = known?.inner.payloadType ??
      freeNumber(wire.payloadType, (type) => taken.has(type) || reserved.includes(type));
    if (payloadType === undefined || taken.has(payloadType)) continue;
    taken.add(payloadType);
    const inner = known && isTranscoded(known)
      ? known.inner
      : toInner(kind, wire, payloadType, known?.inner);
    pairs.push({ wire, inner });
  }
  return [...pairs, ...aside(agreed, pairs, "inner")];
}

/** What was agreed on with `side` alone stays, as long as a transcoder does. */
function aside(
  agreed: readonly CodecPair[],
  pairs: readonly CodecPair[],
  side: "inner" | "wire",
): CodecPair[] {
  if (!pairs.some(isTranscoded)) return [];
  return agreed.filter((pair) => pair.only === side && !pairs.some((one) => one.only === side));
}

/** A phone's answer matched with the pairs that it was offered; in the answer's order. */
export function matchWire(
  kind: "audio" | "video",
  offered: readonly CodecPair[],
  answer: readonly Codec[],
): CodecPair[] {
  const pairs: CodecPair[] = [];
  const said = offered.filter(({ only }) => only !== "inner");
  for (const wire of answer) {
    const found = said.find(({ wire: mine }) =>
      mine.payloadType === wire.payloadType && sameName(mine, wire)
    ) ?? said.find(({ wire: mine }) =>
      sameCodec(mine, wire)
    );
    if (!found) continue;
    const { inner } = found;
    pairs.push({
      ...found,
      wire,
      inner: isTranscoded(found) ? inner : toInner(kind, wire, inner.payloadType, inner),
    });
  }
  return settled(pairs, offered, "wire");
}

/**
 * An inner answer matched with the pairs that a phone offered; in the answer's order. Who has
 * negotiated before answers by numbers of its own.
 */
export function matchInner(offered: readonly CodecPair[], answer: readonly Codec[]): CodecPair[] {
  const pairs: CodecPair[] = [];
  const said = offered.filter(({ only }) => only !== "wire");
  for (const inner of answer) {
    const found = said.find((pair) =>
      pair.inner.payloadType === inner.payloadType && sameName(pair.inner, inner)
    ) ?? said.find((pair) =>
      sameCodec(pair.inner, inner)
    );
    if (!found) continue;
    if (isTranscoded(found) || found.only) {
      pairs.push({ ...found, inner });
      continue;
    }
    const { payloadType, feedback } = found.wire;
    const both = inner.feedback.filter((one) => PHONE_FEEDBACK.has(one) && feedback.includes(one));
    pairs.push({ inner, wire: { ...inner, payloadType, feedback: both } });
  }
  return settled(pairs, offered, "inner");
}

/** Whether these can be the codecs of a call. */
export function carriesMedia(pairs: readonly CodecPair[]): boolean {
  return pairs.some((pair) => isMediaCodec(pair.wire));
}

function toInner(
  kind: "audio" | "video",
  wire: Codec,
  payloadType: number,
  known: Codec | undefined,
): Codec {
  // Absent parameters of H264 mean a profile that no browser would take (RFC 6184 8.1).
  const isBare = wire.name.toLowerCase() === "h264" && wire.fmtp.length === 0;
  const fmtp = isBare ? known?.fmtp ?? [DEFAULT_H264] : wire.fmtp;
  const kept = wire.feedback.filter((one) => PHONE_FEEDBACK.has(one));
  const feedback = kind === "video" ? [...new Set([...kept, ...INNER_FEEDBACK])] : [];
  return { ...wire, payloadType, fmtp, feedback };
}

const DEFAULT_H264 = "profile-level-id=42e01f;packetization-mode=0;level-asymmetry-allowed=1";

function sameName(a: Codec, b: Codec): boolean {
  return a.clockRate === b.clockRate && a.name.toLowerCase() === b.name.toLowerCase();
}

/** The same payload by what is said about it, whatever its number. */
export function sameCodec(a: Codec, b: Codec): boolean {
  if (!sameName(a, b) || (a.channels ?? "1") !== (b.channels ?? "1")) return false;
  return a.name.toLowerCase() !== "h264" || h264Key(a) === h264Key(b);
}

/** Packetization mode and profile, which both sides must share (RFC 6184 8.2.2). */
function h264Key(codec: Codec): string {
  const text = codec.fmtp.join(";");
  const mode = /packetization-mode=(\d)/i.exec(text)?.[1] ?? "0";
  const profile = /profile-level-id=([0-9a-f]{4})/i.exec(text)?.[1]?.toLowerCase() ?? "4200";
  return `${mode} ${profile}`;
}
