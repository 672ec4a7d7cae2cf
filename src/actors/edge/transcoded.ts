import { CODEC_NAMES, type CodecName } from "../../rtp/codec/codec.ts";
import type {
  TranscodedSide,
  TranscodedSides,
  TranscodingStatistics,
} from "../../rtp/rtp_media_port.ts";
import * as sdp from "../../sdp/mod.ts";
import type { TranscodingView } from "../control_plane.ts";

/** What a transcoder has to do, by what was agreed with a phone or a browser. Pure. */

type Codec = sdp.CodecPair["inner"];

/** Packets that a transcoder sends hold so much audio where nobody asked for another length, ms. */
const USUAL_PACKET_MS = 20;
/** Packets that the encoders make, ms; `PACKETS_MS` of those with frames of their own. */
const EVERY_10_MS: readonly number[] = [10, 20, 30, 40, 50, 60];
const PACKETS_MS: Partial<Record<CodecName, readonly number[]>> = {
  "OPUS": [10, 20, 40, 60],
  "SPEEX/8000": [20, 40, 60],
  "SPEEX/16000": [20, 40, 60],
};
/**
 * What Opus spends on speech, bits per second (RFC 7587 3.1.1), by what the other codec leaves of
 * it; and the least that may be asked for (6.1).
 */
const WIDE_BITRATE = 24_000;
const NARROW_BITRATE = 16_000;
/** With less, libopus leaves out all redundancy, whatever loss it is told of. */
const NARROW_FEC_BITRATE = 20_000;
const LEAST_BITRATE = 6_000;
const WIDE: readonly CodecName[] = ["G722", "SPEEX/16000"];

/** Null where audio passes as it is. */
export function transcodedSides(sections: readonly sdp.PhoneSection[]): TranscodedSides | null {
  const audio = sections.find(({ kind, rejected }) => kind === "audio" && !rejected);
  const video = sections.find(({ kind, rejected }) => kind === "video" && !rejected);
  return audio
    ? sidesOfPairs(
      audio.pairs,
      { own: audio.times.wire, peer: audio.times.inner },
      (video?.pairs ?? []).map(({ inner }) => inner),
    )
    : null;
}

/**
 * The same of one leg's audio, whatever kind of leg it is. `wire` of a pair is what the leg itself
 * speaks; `times`: what each side asks of its packets; `video`: what passes beside it.
 */
export function sidesOfPairs(
  pairs: readonly sdp.CodecPair[],
  times: { readonly own: sdp.PacketTimes; readonly peer: sdp.PacketTimes },
  video: readonly Codec[],
): TranscodedSides | null {
  const main = sdp.transcodedPair(pairs);
  if (!main) return null;
  const own = sideOf(main.wire, sdp.codecsFor(pairs, "wire"), times.own);
  const peer = sideOf(main.inner, sdp.codecsFor(pairs, "inner"), times.peer);
  if (!own || !peer) return null;
  return {
    own: { ...own, bitrate: bitrateOf(main.wire, peer.codec) },
    peer: { ...peer, bitrate: bitrateOf(main.inner, own.codec) },
    passed: video.map((codec) => payloadOf("video", codec)),
  };
}

/**
 * The transcoder that a browser's answer needs, to an offer with more than its caller has; `body`:
 * what the caller is told of it. A browser that was offered the caller's codec may send it though
 * its answer has another (a page can change what an answer says, and not what is sent): that passes
 * as it is.
 */
export function sidesOfBrowser(
  pairs: readonly sdp.CodecPair[],
  offer: sdp.Sdp,
  answer: sdp.Sdp,
  body: string,
): TranscodedSides | null {
  const said = sdp.parseSdp(body);
  const expected = (of: sdp.Sdp) => {
    const [first] = live(of, "audio")?.ssrcs ?? [];
    return first ? { ssrc: Number(first.id) } : {};
  };
  const live = (of: sdp.Sdp, kind: "audio" | "video") =>
    of.media.find((section) => section.kind === kind && !section.rejected);
  const video = said.ok ? live(said.value, "video")?.codecs ?? [] : [];
  const timesIn = (of: sdp.Sdp) => live(of, "audio") ?? sdp.NO_TIMES;
  const times = { own: timesIn(answer), peer: timesIn(offer) };
  const sides = sidesOfPairs(pairs, times, video);
  const main = sdp.transcodedPair(pairs);
  if (!sides || !main) return null;
  return {
    own: { ...sides.own, ...expected(offer) },
    peer: { ...sides.peer, ...expected(answer) },
    passed: [...sides.passed, payloadOf("audio", main.inner)],
  };
}

function payloadOf(kind: "audio" | "video", codec: Codec) {
  const { payloadType, name, clockRate } = codec;
  return { payloadType, kind, codec: name, clockRate };
}

export function transcodingView(
  { own, peer }: TranscodedSides,
  statistics: TranscodingStatistics | null,
): TranscodingView {
  const ways = statistics ? [statistics.fromOwn, statistics.fromPeer] : [];
  return {
    from: own.codec,
    to: peer.codec,
    worker: statistics?.worker ?? null,
    delayMs: ways.length === 0 ? null : Math.round(Math.max(...ways.map((way) => way.delayMs))),
    concealedMs: Math.round(ways.reduce((sum, way) => sum + way.concealedMs, 0)),
    recovered: ways.reduce((sum, way) => sum + way.recovered, 0),
  };
}

function sideOf(
  main: Codec,
  codecs: readonly Codec[],
  times: sdp.PacketTimes,
): Omit<TranscodedSide, "bitrate"> | undefined {
  const codec = nameOf(main);
  if (!codec) return undefined;
  const event = codecs.find(({ name }) => name.toLowerCase() === "telephone-event");
  const noise = codecs.find(({ name }) => name.toLowerCase() === "cn");
  return {
    codec,
    payloadType: main.payloadType,
    packetMs: packetMsOf(codec, main, times),
    telephoneEvent: event ? { payloadType: event.payloadType, clockRate: event.clockRate } : null,
    comfortNoise: noise?.payloadType ?? null,
    dtx: mayPause(codec, main, noise !== undefined),
    fec: hasFec(main),
  };
}

/**
 * The longest packets that the codec makes and that are no longer than asked for (RFC 8866 6.4),
 * nor than what can be taken (6.5); an Opus decoder may also want them no shorter than so (RFC 7587
 * 6.1). Nothing that makes sense asked for: the usual ones.
 */
function packetMsOf(codec: CodecName, main: Codec, { ptime, maxptime }: sdp.PacketTimes): number {
  const numberOf = (text: string | undefined) => Number(text) > 0 ? Number(text) : undefined;
  const possible = PACKETS_MS[codec] ?? EVERY_10_MS;
  const shortest = possible[0] ?? USUAL_PACKET_MS;
  const least = codec === "OPUS" ? numberOf(parameter(main, "minptime")) ?? shortest : shortest;
  const asked = Math.max(numberOf(ptime) ?? USUAL_PACKET_MS, least);
  const most = Math.min(asked, numberOf(maxptime) ?? Infinity);
  return possible.findLast((ms) => ms <= most) ?? shortest;
}

/**
 * What `maxaveragebitrate` leaves of what we would spend (RFC 7587 6.1); null: what the encoder
 * spends by itself.
 */
function bitrateOf(main: Codec, other: CodecName): number | null {
  if (nameOf(main) !== "OPUS") return null;
  const usual = WIDE.includes(other) ? WIDE_BITRATE : NARROW_BITRATE;
  const ours = hasFec(main) ? Math.max(usual, NARROW_FEC_BITRATE) : usual;
  const asked = Number(parameter(main, "maxaveragebitrate"));
  const bitrate = asked >= LEAST_BITRATE ? Math.min(asked, ours) : ours;
  return bitrate === usual ? null : bitrate;
}

/** This side hears redundancy (RFC 7587 6.1). */
function hasFec(main: Codec): boolean {
  return parameter(main, "useinbandfec") === "1";
}

/**
 * Whether this side allows silence to be left out (RFC 7587 6.1, RFC 4856 2.1.10, RFC 5574 3.3).
 */
function mayPause(codec: CodecName, main: Codec, hasNoise: boolean): boolean {
  switch (codec) {
    case "OPUS":
      return parameter(main, "usedtx") === "1";
    case "G729":
      return parameter(main, "annexb") !== "no";
    case "SPEEX/8000":
    case "SPEEX/16000":
      return parameter(main, "vbr") === "vad" || parameter(main, "vbr") === "on";
    default:
      return hasNoise;
  }
}

function parameter({ fmtp }: Codec, name: string): string | undefined {
  const found = new RegExp(`(?:^|[;\\s])${name}=([^;\\s]+)`, "i").exec(fmtp.join(";"));
  return found?.[1]?.toLowerCase().replaceAll('"', "");
}

function nameOf(codec: Codec): CodecName | undefined {
  const name = sdp.transcodableName(codec);
  return CODEC_NAMES.find((one) => one === name);
}
