import type { ParsedMedia, ParsedSession } from "./sdp_transform.d.ts";
import { ENDPOINT_ATTRIBUTE, MAX_MEDIA_SECTIONS } from "./model.ts";

/**
 * A scan of plain descriptions, which is what phones send: one pass, and a form for each line that
 * it knows. It gives what the library gives of the same text as far as this folder looks at it, and
 * nothing where a line has any other form: then the library reads.
 */

/** Longer ones are the library's, characters. */
const MAX_PLAIN_LENGTH = 4_096;
const MAX_PLAIN_LINES = 256;
/** What lines may be made of; the library's ideas of blanks and line ends begin beyond. */
const PLAIN = /^[\r\n\x20-\x7e]*$/;
const ORIGIN = /^o=\S+ (\d{1,40}) (\d{1,15}) IN IP[46] \S+$/;
const BANDWIDTH = /^b=(TIAS|AS|CT|RR|RS):(\d{1,12})$/;
const MEDIA = /^m=(\w+) (\d{1,5}) ([\w/]+) (\d{1,3}(?: \d{1,3})*)$/;
const RTPMAP = /^a=rtpmap:(0|[1-9]\d{0,2}) ([\w.-]+)\/(\d{1,9})(?:\/(\d{1,2}))?$/;
const FMTP = /^a=fmtp:(0|[1-9]\d{0,2}) ([\x21-\x7e][\x20-\x7e]*)$/;
const FEEDBACK = /^a=rtcp-fb:(\*|0|[1-9]\d{0,2}) (ack|ccm|nack|[a-z]+-cc)(?: ([\w-]+))?$/;
const EXTENSION = /^a=extmap:([1-9]\d{0,4}) (\S+)$/;
const SOURCE = /^a=ssrc:(0|[1-9]\d{0,9}) cname:(\S+)$/;
/** Attributes that the library has no form for and keeps as they stand. */
const KEPT = /^a=(?:X-nat|conf|curr|des|nortpproxy|rtcp-xr|silenceSupp|tool|x-pz-direction):/;
const ENCRYPTED = "urn:ietf:params:rtp-hdrext:encrypt";
const PACKET_TIME = /^a=(max)?ptime:(\d{1,5})$/;
const MID = /^a=mid:([\w.-]{1,32})$/;
/** Of m-lines: addresses and keys, which `phoneTransports` reads, and what nobody asks for. */
const UNASKED = /^a=(?:rtcp:\d{1,5}(?: |$)|crypto:|label:.)/;
const TOKEN_LINE = `a=${ENDPOINT_ATTRIBUTE}:`;

/** What the library says of this description; undefined where it had better be asked itself. */
export function scanPlain(text: string): ParsedSession | undefined {
  if (text.length > MAX_PLAIN_LENGTH || !text.startsWith("v=0") || !PLAIN.test(text)) {
    return undefined;
  }
  const session: ParsedSession = { media: [] };
  let current: ParsedMedia | undefined;
  let lines = 0;
  for (let from = 0; from < text.length;) {
    const feed = text.indexOf("\n", from);
    const next = feed < 0 ? text.length : feed;
    const end = feed > from && text[feed - 1] === "\r" ? feed - 1 : next;
    const line = text.slice(from, end);
    from = next + 1;
    if (++lines > MAX_PLAIN_LINES) return undefined;
    if (line.startsWith("m=")) {
      current = mediaOf(line);
      if (!current || session.media.length === MAX_MEDIA_SECTIONS) return undefined;
      session.media.push(current);
    } else if (!(current ? takeMediaLine(current, line) : takeSessionLine(session, line))) {
      return undefined;
    }
  }
  return session.origin && current ? session : undefined;
}

function mediaOf(line: string): ParsedMedia | undefined {
  const match = MEDIA.exec(line);
  return match
    ? {
      type: match[1]!,
      port: match[2]!,
      protocol: match[3]!,
      payloads: match[4]!,
      rtp: [],
      fmtp: [],
    }
    : undefined;
}

/** False for a line that is not plain. */
function takeSessionLine(session: ParsedSession, line: string): boolean {
  if (isPassedOver(line)) return true;
  switch (line[0]) {
    case "v":
      return line === "v=0";
    case "o": {
      const match = session.origin ? null : ORIGIN.exec(line);
      if (!match) return false;
      session.origin = { sessionId: match[1]!, sessionVersion: match[2]! };
      return true;
    }
    case "b":
      return takeBandwidth(session, line);
    case "a":
      return takeDirection(session, line) || takeKept(session, line);
    default:
      return false;
  }
}

function takeMediaLine(media: ParsedMedia, line: string): boolean {
  if (isPassedOver(line)) return true;
  if (line.startsWith("b=")) return takeBandwidth(media, line);
  if (takeDirection(media, line) || UNASKED.test(line)) return true;
  if (line === "a=rtcp-mux") {
    media.rtcpMux = "rtcp-mux";
    return true;
  }
  return takeCodecLine(media, line) || takeRareLine(media, line) || takeKept(media, line);
}

function takeCodecLine(media: ParsedMedia, line: string): boolean {
  const map = RTPMAP.exec(line);
  if (map) {
    const [, payload, codec, rate, encoding] = map;
    const channels = encoding === undefined ? {} : { encoding };
    media.rtp.push({ payload: Number(payload), codec: codec!, rate: rate!, ...channels });
    return true;
  }
  const format = FMTP.exec(line);
  if (!format) return false;
  media.fmtp.push({ payload: Number(format[1]), config: format[2]! });
  return true;
}

function takeRareLine(media: ParsedMedia, line: string): boolean {
  const feedback = FEEDBACK.exec(line);
  if (feedback) {
    const [, payload, type, subtype] = feedback;
    (media.rtcpFb ??= []).push({
      payload: payload === "*" ? payload : Number(payload),
      type: type!,
      ...(subtype === undefined ? {} : { subtype }),
    });
    return true;
  }
  const time = PACKET_TIME.exec(line);
  if (time) {
    // The library writes and reads "020" as it stands; so does this.
    if (time[1]) media.maxptime = time[2]!;
    else media.ptime = time[2]!;
    return true;
  }
  const mid = MID.exec(line);
  if (mid) {
    media.mid = mid[1]!;
    return true;
  }
  const source = SOURCE.exec(line);
  if (source) {
    (media.ssrcs ??= []).push({ id: source[1]!, attribute: "cname", value: source[2]! });
    return true;
  }
  const extension = EXTENSION.exec(line);
  if (!extension || extension[2] === ENCRYPTED) return false;
  (media.ext ??= []).push({ value: extension[1]!, uri: extension[2]! });
  return true;
}

function takeBandwidth(section: ParsedSession | ParsedMedia, line: string): boolean {
  const match = BANDWIDTH.exec(line);
  if (!match) return false;
  (section.bandwidth ??= []).push({ type: match[1]!, limit: match[2]! });
  return true;
}

function takeKept(section: ParsedSession | ParsedMedia, line: string): boolean {
  if (!line.startsWith(TOKEN_LINE) && !KEPT.test(line)) return false;
  (section.invalid ??= []).push({ value: line.slice(2) });
  return true;
}

function takeDirection(section: ParsedSession | ParsedMedia, line: string): boolean {
  switch (line) {
    case "a=sendrecv":
    case "a=sendonly":
    case "a=recvonly":
    case "a=inactive":
      section.direction = line.slice(2);
      return true;
    default:
      return false;
  }
}

/** Lines that nobody here asks for: name, connection, times; and empty ones. */
function isPassedOver(line: string): boolean {
  if (line === "") return true;
  return line[1] === "=" && (line[0] === "s" || line[0] === "c" || line[0] === "t");
}
