import { sessionIdOf } from "./abstract.ts";
import {
  type Codec,
  type Extension,
  type MediaSection,
  NO_TRANSPORT,
  SECURE_PROFILE,
} from "./model.ts";
import { type LocalTransportLike, writeSdp } from "./write.ts";

/** What to offer; at least one is true. */
export interface OfferedMedia {
  readonly audio: boolean;
  readonly video: boolean;
}

function codec(
  payloadType: number,
  name: string,
  clockRate: number,
  more: { channels?: string; fmtp?: readonly string[]; feedback?: readonly string[] } = {},
): Codec {
  const { channels, fmtp = [], feedback = [] } = more;
  return { payloadType, name, clockRate, channels, fmtp, feedback };
}

const VIDEO_FEEDBACK = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];

const AUDIO: readonly Codec[] = [
  codec(111, "opus", 48_000, {
    channels: "2",
    fmtp: ["minptime=10;useinbandfec=1"],
    feedback: ["transport-cc"],
  }),
  codec(9, "G722", 8_000),
  codec(0, "PCMU", 8_000),
  codec(8, "PCMA", 8_000),
  codec(110, "telephone-event", 48_000, { fmtp: ["0-16"] }),
  codec(126, "telephone-event", 8_000, { fmtp: ["0-16"] }),
];

const VIDEO: readonly Codec[] = [
  codec(96, "VP8", 90_000, { feedback: VIDEO_FEEDBACK }),
  codec(97, "rtx", 90_000, { fmtp: ["apt=96"] }),
  codec(102, "H264", 90_000, {
    fmtp: ["level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"],
    feedback: VIDEO_FEEDBACK,
  }),
  codec(103, "rtx", 90_000, { fmtp: ["apt=102"] }),
];

/** Ids are one space over all bundled sections (RFC 8843 9.1); these are the ones Chromium uses. */
const COMMON_EXTENSIONS: readonly Extension[] = [
  extension(2, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
  extension(
    3,
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
  ),
  extension(4, "urn:ietf:params:rtp-hdrext:sdes:mid"),
];
const AUDIO_EXTENSIONS = [extension(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")];
const VIDEO_EXTENSIONS = [
  extension(13, "urn:3gpp:video-orientation"),
  extension(14, "urn:ietf:params:rtp-hdrext:toffset"),
];

function extension(id: number, uri: string): Extension {
  return { id, uri, direction: undefined, config: undefined };
}

/**
 * An offer of our own, for a call that starts here (REST): nobody else is in it yet, so it lists
 * what browsers share. SSRCs are unknown; the receiver tells streams apart by mid and payload type.
 */
export function serverOffer(local: LocalTransportLike, media: OfferedMedia): string {
  const sections: MediaSection[] = [];
  if (media.audio) sections.push(section("audio", "0", AUDIO, AUDIO_EXTENSIONS));
  if (media.video) {
    sections.push(section("video", String(sections.length), VIDEO, VIDEO_EXTENSIONS));
  }
  if (sections.length === 0) throw new Error("an offer needs audio or video");
  return writeSdp({
    sessionId: sessionIdOf(local.iceUfrag),
    version: 1,
    media: sections,
    extmapAllowMixed: true,
    local: { transport: local, setup: "actpass" },
  });
}

function section(
  kind: "audio" | "video",
  mid: string,
  codecs: readonly Codec[],
  extensions: readonly Extension[],
): MediaSection {
  return {
    kind,
    type: kind,
    protocol: SECURE_PROFILE,
    formats: "",
    rejected: false,
    mid,
    direction: "sendrecv",
    ownDirection: undefined,
    codecs,
    extensions: [...extensions, ...COMMON_EXTENSIONS],
    extmapAllowMixed: false,
    rtcpMux: true,
    rtcpRsize: kind === "video",
    rtcpXr: undefined,
    ptime: undefined,
    maxptime: undefined,
    bandwidth: [],
    ssrcs: [],
    ssrcGroups: [],
    rids: [],
    simulcast: undefined,
    transport: NO_TRANSPORT,
  };
}
