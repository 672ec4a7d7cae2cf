import { type Codec, DISCARD_PORT, ENDPOINT_ATTRIBUTE, type MediaSection } from "./model.ts";
import { codecLines, type Description, formatsOf, writeSdp } from "./write.ts";

/**
 * Descriptions for inside the process that hardly anybody will read, since the party's own words go
 * on: byte for byte what `writeSdp` writes, without its tables. What is not plain it writes itself.
 */
export function writePlain(description: Description): string {
  const { sessionId, version, media, token, local, extraLines = [] } = description;
  const isPlain = !local && !description.extmapAllowMixed && extraLines.length === 0 &&
    media.every(isPlainSection);
  if (!isPlain) return writeSdp(description);
  let text = `v=0\r\no=- ${sessionId} ${version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n`;
  if (token !== undefined) text += `a=${ENDPOINT_ATTRIBUTE}:${token}\r\n`;
  for (const section of media) text += sectionText(section);
  return text;
}

/** Whether there is nothing in it but codecs, direction, bandwidth and packet times. */
function isPlainSection(section: MediaSection): boolean {
  return section.mid === undefined && section.ownDirection === undefined &&
    !section.extmapAllowMixed && !section.rtcpRsize && section.rtcpXr === undefined &&
    section.extensions.length === 0 && section.ssrcs.length === 0 &&
    section.ssrcGroups.length === 0 && section.rids.length === 0 &&
    section.simulcast === undefined;
}

function sectionText(section: MediaSection): string {
  const { type, protocol, codecs, rejected, bandwidth, ptime, maxptime, rtcpMux } = section;
  const port = rejected ? 0 : DISCARD_PORT;
  let text = `m=${type} ${port} ${protocol} ${formatsOf(section)}\r\nc=IN IP4 0.0.0.0\r\n`;
  if (rejected) return `${text}a=inactive\r\n${codecText(codecs)}`;
  for (const { type, limit } of bandwidth) text += `b=${type}:${limit}\r\n`;
  if (ptime !== undefined) text += `a=ptime:${Number(ptime)}\r\n`;
  if (maxptime !== undefined) text += `a=maxptime:${Number(maxptime)}\r\n`;
  text += `a=${section.direction}\r\n`;
  if (rtcpMux) text += "a=rtcp-mux\r\n";
  return text + codecText(codecs);
}

function codecText(codecs: readonly Codec[]): string {
  let text = "";
  for (const codec of codecs) for (const line of codecLines(codec)) text += `a=${line}\r\n`;
  return text;
}
