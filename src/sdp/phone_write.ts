import { codecsFor } from "./phone_codecs.ts";
import { NO_TIMES, type PhoneSection } from "./phone_section.ts";
import { isPassed } from "./phone_transcoding.ts";
import { writeCrypto } from "./phone_transport.ts";

/** Our side of one m-line; the shape of the media port's type of this name. */
export interface LocalRtp {
  readonly kind: "audio" | "video";
  readonly address: string;
  /** Even; RTCP is the next one, unless it is muxed. */
  readonly port: number;
}

export interface PhoneDescription {
  readonly sessionId: string;
  readonly version: number;
  readonly sections: readonly PhoneSection[];
  readonly local: readonly LocalRtp[];
  /** Lines that the application added, checked by `checkSipSdp`. */
  readonly extraLines?: readonly string[];
}

/** A description as a phone reads it: CRLF line ends, final CRLF (RFC 8866 5). */
export function writePhone(description: PhoneDescription): string {
  const { sections, local, extraLines = [] } = description;
  const address = local[0]?.address ?? "0.0.0.0";
  const lines = [
    "v=0",
    `o=- ${description.sessionId} ${description.version} ${inAddress(address)}`,
    "s=-",
    `c=${inAddress(address)}`,
    ...extraLines.filter((line) => line.startsWith("b=")),
    "t=0 0",
    ...extraLines.filter((line) => line.startsWith("a=")),
    ...sections.flatMap((section) => {
      const own = local.find(({ kind }) => kind === section.kind);
      return section.rejected || !own ? [rejectedLine(section)] : liveLines(section, own, address);
    }),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** The same description under another version (RFC 3264 8: a changed one counts up). */
export function withVersion(text: string, version: number): string {
  return text.replace(/^(o=\S+ \S+ )\d+/m, `$1${version}`);
}

function rejectedLine(section: PhoneSection): string {
  const formats = section.formats.trim() === "" ? "0" : section.formats;
  return `m=${section.type} 0 ${section.protocol} ${formats}`;
}

function liveLines(section: PhoneSection, own: LocalRtp, session: string): string[] {
  const codecs = codecsFor(section.pairs, "wire");
  // A transcoder takes packets of any length.
  const { ptime, maxptime } = isPassed(section.pairs) ? section.times.inner : NO_TIMES;
  const types = codecs.map((codec) => codec.payloadType).join(" ");
  const lines = [`m=${section.type} ${own.port} ${section.protocol} ${types}`];
  if (own.address !== session) lines.push(`c=${inAddress(own.address)}`);
  for (const { type, limit } of section.bandwidth) lines.push(`b=${type}:${limit}`);
  for (const codec of codecs) {
    const channels = codec.channels === undefined ? "" : `/${codec.channels}`;
    lines.push(`a=rtpmap:${codec.payloadType} ${codec.name}/${codec.clockRate}${channels}`);
    for (const config of codec.fmtp) lines.push(`a=fmtp:${codec.payloadType} ${config}`);
    for (const feedback of codec.feedback) {
      lines.push(`a=rtcp-fb:${codec.payloadType} ${feedback}`);
    }
  }
  if (ptime !== undefined) lines.push(`a=ptime:${ptime}`);
  if (maxptime !== undefined) lines.push(`a=maxptime:${maxptime}`);
  for (const crypto of section.ours) lines.push(`a=crypto:${writeCrypto(crypto)}`);
  if (section.rtcpMux) lines.push("a=rtcp-mux", `a=rtcp:${own.port}`);
  else lines.push(`a=rtcp:${own.port + 1}`);
  lines.push(`a=${section.direction}`);
  return lines;
}

function inAddress(address: string): string {
  return `IN IP${address.includes(":") ? 6 : 4} ${address}`;
}
