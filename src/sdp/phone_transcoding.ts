import { type Codec, isMediaCodec } from "./model.ts";
import { freeNumber } from "./payload_numbers.ts";
import type { CodecPair } from "./phone_codecs.ts";

/**
 * Codecs that the two sides of an anchor don't share: each side is offered what our transcoders can
 * make of the other's. Such a pair has two codecs. What both sides have comes first and wins: RFC
 * 3264 6.1 wants the order of an offer kept by its answer.
 */

/** A codec that our transcoders know, with what we offer of it. */
interface Known {
  /** As the transcoders call it. */
  readonly name: string;
  readonly codec: Codec;
}

function known(
  name: string,
  payloadType: number,
  clockRate: number,
  more: { channels?: string; fmtp?: readonly string[] } = {},
): Known {
  const { channels, fmtp = [] } = more;
  const [encoding = name] = name.split("/");
  const spelled = name === "OPUS" || name.startsWith("SPEEX") ? encoding.toLowerCase() : encoding;
  const codec = { payloadType, name: spelled, clockRate, channels, fmtp, feedback: [] };
  return { name, codec };
}

const OPUS = known("OPUS", 111, 48_000, { channels: "2", fmtp: ["minptime=10;useinbandfec=1"] });
const KNOWN: readonly Known[] = [
  OPUS,
  known("G722", 9, 8_000),
  known("PCMA", 8, 8_000),
  known("PCMU", 0, 8_000),
  known("G729", 18, 8_000),
  known("SPEEX/16000", 97, 16_000),
  known("SPEEX/8000", 98, 8_000),
];
/**
 * Phones are offered the cheapest first, and what only few have; browsers what bears the Internet.
 */
const FOR_PHONES: readonly Known[] = [...KNOWN.slice(1), OPUS];
/** What browsers have (RFC 7874 3) or most of them do. */
export const FOR_BROWSERS: readonly Known[] = KNOWN.slice(0, 4);
const EVENT = "telephone-event";
/** What phones like to call telephone events. */
const EVENT_TYPE = 101;
/** Comfort noise beside codecs that have none of their own (RFC 3389 4, RFC 3551 6). */
const NOISE: Codec = {
  payloadType: 13,
  name: "CN",
  clockRate: 8_000,
  channels: undefined,
  fmtp: [],
  feedback: [],
};
const WITHOUT_NOISE = new Set(["G722", "PCMA", "PCMU"]);

/** What the transcoders call this codec; undefined where they don't know it. */
export function transcodableName(codec: Codec): string | undefined {
  const name = codec.name.toUpperCase();
  return KNOWN.find((one) =>
    one.codec.name.toUpperCase() === name && one.codec.clockRate === codec.clockRate
  )?.name;
}

/** Whether its two sides speak different codecs. */
export function isTranscoded({ inner, wire }: CodecPair): boolean {
  return inner.clockRate !== wire.clockRate ||
    inner.name.toLowerCase() !== wire.name.toLowerCase();
}

/** The pair of audio codecs that a transcoder stands between, where that is so. */
export function transcodedPair(pairs: readonly CodecPair[]): CodecPair | undefined {
  return pairs.find((pair) => isMediaCodec(pair.wire) && isTranscoded(pair));
}

/** Whether media passes as it is, or may still: what is preferred is the same on both sides. */
export function isPassed(pairs: readonly CodecPair[]): boolean {
  const main = pairs.find((pair) => isMediaCodec(pair.wire));
  return main === undefined || !isTranscoded(main);
}

/**
 * What `side` is offered beyond the codecs in `pairs`. `able`: what the transcoders can do here;
 * `others`: numbers of other m-lines, which nothing that is added may have; `more`: what is worth
 * offering.
 */
export function widened(
  pairs: readonly CodecPair[],
  side: "inner" | "wire",
  offered: readonly Codec[],
  able: ReadonlySet<string>,
  others: ReadonlySet<number>,
  more: readonly Known[] = side === "wire" ? FOR_PHONES : KNOWN,
): CodecPair[] {
  const source = offered.find((codec) => able.has(transcodableName(codec) ?? ""));
  if (!source) return [...pairs];
  const all = [...pairs];
  const add = (codec: Codec, from: Codec) => {
    const payloadType = freeNumber(
      codec.payloadType,
      (type) => others.has(type) || all.some((pair) => pair[side].payloadType === type),
    );
    if (payloadType === undefined) return;
    const other = { ...codec, payloadType };
    all.push(side === "wire" ? { inner: from, wire: other } : { inner: other, wire: from });
  };
  for (const { name, codec } of more) {
    if (!able.has(name) || all.some((pair) => transcodableName(pair[side]) === name)) continue;
    add(codec, source);
  }
  if (all.length === pairs.length) return all;
  const events = offered.filter(isEvent);
  for (const clockRate of side === "wire" ? [8_000] : [8_000, 48_000]) {
    const hasOne = all.some((pair) => isEvent(pair[side]) && pair[side].clockRate === clockRate);
    const like = events[0];
    if (!like || hasOne) continue;
    const codec = { ...like, payloadType: EVENT_TYPE, clockRate, fmtp: ["0-16"], feedback: [] };
    add(codec, byClock(events, source.clockRate) ?? like);
  }
  if (
    wantsNoise(pairs, all, side) &&
    !all.some((pair) => pair[side].payloadType === NOISE.payloadType)
  ) {
    all.push({ inner: NOISE, wire: NOISE, only: side });
  }
  return all;
}

/**
 * Whether comfort noise is worth offering with what was added: only a transcoder would understand
 * it, so nothing that may pass as it is has the clock that it is for.
 */
function wantsNoise(
  passed: readonly CodecPair[],
  all: readonly CodecPair[],
  side: "inner" | "wire",
): boolean {
  const { clockRate } = NOISE;
  return !all.some((pair) => isNoise(pair[side]) && pair[side].clockRate === clockRate) &&
    !passed.some((pair) => isMediaCodec(pair[side]) && pair[side].clockRate === clockRate) &&
    all.some((pair) => WITHOUT_NOISE.has(transcodableName(pair[side]) ?? ""));
}

/**
 * What an answer has agreed on: its first codec decides whether a transcoder is needed. `matched`
 * in the answer's order; `answerer`: whose answer it was. Comfort noise ends at the transcoder, so
 * each side has its own or none, by the clock of its codec (RFC 3389 4).
 */
export function settled(
  matched: readonly CodecPair[],
  offered: readonly CodecPair[],
  answerer: "inner" | "wire",
): CodecPair[] {
  const main = matched.find((pair) => isMediaCodec(pair.wire));
  if (!main || !isTranscoded(main)) {
    return unique(matched.filter((pair) => !isTranscoded(pair) && !pair.only));
  }
  const events = matched.filter((pair) => isEvent(pair.wire));
  const choice = (side: "inner" | "wire") =>
    byClock(
      (side === answerer || events.length === 0 ? events : offered)
        .map((pair) => pair[side]).filter(isEvent),
      main[side].clockRate,
    );
  const [inner, wire] = [choice("inner"), choice("wire")];
  const said = (side: "inner" | "wire") =>
    (side === answerer ? matched : offered).filter(({ only = side }) => only === side);
  const noise = (["inner", "wire"] as const).flatMap((side): CodecPair[] => {
    const found = said(side).map((pair) => pair[side])
      .find((codec) => isNoise(codec) && codec.clockRate === main[side].clockRate);
    return found ? [{ inner: found, wire: found, only: side }] : [];
  });
  return [main, ...noise, ...(inner && wire ? [{ inner, wire }] : [])];
}

/** Each payload type of either side once. */
function unique(pairs: readonly CodecPair[]): CodecPair[] {
  const kept: CodecPair[] = [];
  for (const pair of pairs) {
    const isTaken = kept.some(({ inner, wire }) =>
      inner.payloadType === pair.inner.payloadType || wire.payloadType === pair.wire.payloadType
    );
    if (!isTaken) kept.push(pair);
  }
  return kept;
}

function byClock(codecs: readonly Codec[], clockRate: number): Codec | undefined {
  return codecs.find((codec) => codec.clockRate === clockRate) ?? codecs[0];
}

function isEvent(codec: Codec): boolean {
  return codec.name.toLowerCase() === EVENT;
}

function isNoise(codec: Codec): boolean {
  return codec.name.toLowerCase() === "cn";
}
