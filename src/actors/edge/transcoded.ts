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
const SHORTEST_PACKET_MS = 10;
const LONGEST_PACKET_MS = 60;

/** Null where audio passes as it is. */
export function transcodedSides(sections: readonly sdp.PhoneSection[]): TranscodedSides | null {
  const audio = sections.find(({ kind, rejected }) => kind === "audio" && !rejected);
  const video = sections.find(({ kind, rejected }) => kind === "video" && !rejected);
  return audio
    ? sidesOfPairs(audio.pairs, audio.ptime, (video?.pairs ?? []).map(({ inner }) => inner))
    : null;
}

/**
 * The same of one leg's audio, whatever kind of leg it is. `wire` of a pair is what the leg itself
 * speaks; `video`: what passes beside it.
 */
export function sidesOfPairs(
  pairs: readonly sdp.CodecPair[],
  ptime: string | undefined,
  video: readonly Codec[],
): TranscodedSides | null {
  const main = sdp.transcodedPair(pairs);
  if (!main) return null;
  const own = sideOf(main.wire, pairs.map(({ wire }) => wire), ptime);
  const peer = sideOf(main.inner, pairs.map(({ inner }) => inner), undefined);
  if (!own || !peer) return null;
  return { own, peer, passed: video.map((codec) => payloadOf("video", codec)) };
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
  const sides = sidesOfPairs(pairs, live(answer, "audio")?.ptime, video);
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
  };
}

function sideOf(
  main: Codec,
  codecs: readonly Codec[],
  ptime: string | undefined,
): TranscodedSide | undefined {
  const codec = nameOf(main);
  if (!codec) return undefined;
  const event = codecs.find(({ name }) => name.toLowerCase() === "telephone-event");
  const noise = codecs.find(({ name }) => name.toLowerCase() === "cn");
  const asked = Number(ptime);
  const isPossible = asked >= SHORTEST_PACKET_MS && asked <= LONGEST_PACKET_MS;
  return {
    codec,
    payloadType: main.payloadType,
    packetMs: isPossible ? asked : USUAL_PACKET_MS,
    telephoneEvent: event ? { payloadType: event.payloadType, clockRate: event.clockRate } : null,
    comfortNoise: noise?.payloadType ?? null,
    dtx: mayPause(codec, main, noise !== undefined),
    fec: parameter(main, "useinbandfec") === "1",
  };
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
