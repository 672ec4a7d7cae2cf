/**
 * Session descriptions in the shape in which the Web SDK sends them, for tests without a browser.
 */
export interface BrowserSdpOptions {
  readonly ufrag?: string;
  readonly setup?: "actpass" | "active";
  readonly video?: boolean;
  /** Payload types and names of the audio section, preferred first. */
  readonly audio?: readonly (readonly [number, string])[];
}

const AUDIO: readonly (readonly [number, string])[] = [
  [111, "opus/48000/2"],
  [9, "G722/8000"],
  [0, "PCMU/8000"],
  [8, "PCMA/8000"],
  [126, "telephone-event/8000"],
];
const FINGERPRINT = Array(32).fill("BB").join(":");

function section(kind: "audio" | "video", mid: number, lines: string[], types: number[]) {
  return [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${types.join(" ")}`,
    "c=IN IP4 0.0.0.0",
    `a=mid:${mid}`,
    "a=sendrecv",
    "a=rtcp-mux",
    `a=msid:stream ${kind}`,
    ...lines,
  ];
}

/** An offer (`actpass`) or an answer (`active`) without candidates. */
export function browserSdp(options: BrowserSdpOptions = {}): string {
  const { ufrag = "abcd", setup = "actpass", video = false, audio = AUDIO } = options;
  const transport = [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${"q".repeat(24)}`,
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    `a=setup:${setup}`,
  ];
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    `a=group:BUNDLE 0${video ? " 1" : ""}`,
    "a=ice-options:trickle",
    ...section(
      "audio",
      0,
      [...transport, ...audio.map(([type, name]) => `a=rtpmap:${type} ${name}`)],
      audio.map(([type]) => type),
    ),
  ];
  if (video) {
    const codecs = ["a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli"];
    lines.push(...section("video", 1, [...transport, ...codecs], [96]));
  }
  return lines.join("\r\n") + "\r\n";
}
