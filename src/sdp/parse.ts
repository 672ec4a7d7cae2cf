// @ts-types="./sdp_transform.d.ts"
import { parse, type ParsedMedia, type ParsedSection, type ParsedSession } from "sdp-transform";
import { err, ok, type Result } from "../core/result.ts";
import { isDirection } from "./direction.ts";
import {
  type Codec,
  type Direction,
  ENDPOINT_ATTRIBUTE,
  type Extension,
  MAX_MEDIA_SECTIONS,
  MAX_SDP_LENGTH,
  MAX_SDP_LINES,
  type MediaSection,
  OWN_ATTRIBUTE_PREFIX,
  OWN_DIRECTION_ATTRIBUTE,
  type Sdp,
  type SdpFault,
  type Transport,
} from "./model.ts";
import { scanPlain } from "./scan.ts";

type Fingerprint = Transport["fingerprints"][number];

/** Payload types that need no rtpmap (RFC 3551 6): name and clock rate. */
const STATIC_PAYLOADS: ReadonlyMap<number, readonly [name: string, clockRate: number]> = new Map([
  [0, ["PCMU", 8000]],
  [3, ["GSM", 8000]],
  [8, ["PCMA", 8000]],
  [9, ["G722", 8000]],
  [13, ["CN", 8000]],
  [18, ["G729", 8000]],
]);
const LINE_END = /\r\n|\r|\n/;
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const FINGERPRINT = /^a=fingerprint:(\S+) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+) *$/;
const TOKEN = /^[0-9a-f]{32}$/;

/** Descriptions read last: on its way through the house each is looked at by several rooms. */
const recent = new Map<string, Result<Sdp, SdpFault>>();
/** Those that were only scanned. */
const recentScans = new Map<string, Result<Sdp, SdpFault>>();
const MAX_RECENT = 8;

/**
 * Parses a description of any peer. Never throws: what is no SDP, too long, or has no m-line is a
 * fault; unknown lines are passed over (RFC 8866 5). The same text may give the same object.
 */
export function parseSdp(text: string): Result<Sdp, SdpFault> {
  const known = recent.get(text);
  if (known) return known;
  const parsed = readSdp(text);
  remember(recent, text, parsed);
  return parsed;
}

/**
 * The same for descriptions that may pass by us as they stand: plain ones are scanned, at a third
 * of the cost; all others are parsed.
 */
export function scanSdp(text: string): Result<Sdp, SdpFault> {
  const known = recentScans.get(text) ?? recent.get(text);
  if (known) return known;
  const plain = scanPlain(text);
  if (!plain) return parseSdp(text);
  const scanned = ok(toSdp(plain, []));
  remember(recentScans, text, scanned);
  return scanned;
}

function remember(
  memory: Map<string, Result<Sdp, SdpFault>>,
  text: string,
  read: Result<Sdp, SdpFault>,
): void {
  for (const oldest of memory.keys()) {
    if (memory.size >= MAX_RECENT) memory.delete(oldest);
    break;
  }
  memory.set(text, read);
}

function readSdp(text: string): Result<Sdp, SdpFault> {
  if (text.length > MAX_SDP_LENGTH) {
    return malformed(`SDP has ${text.length} characters; at most ${MAX_SDP_LENGTH} are taken`);
  }
  if (CONTROL.test(text)) return malformed("SDP contains control characters");
  const lines = text.split(LINE_END);
  if (lines.length > MAX_SDP_LINES) {
    return malformed(`SDP has ${lines.length} lines; at most ${MAX_SDP_LINES} are taken`);
  }
  if (!lines.some((line) => line.startsWith("v=0"))) return malformed('SDP has no line "v=0"');
  let parsed: ParsedSession;
  try {
    parsed = parse(text);
  } catch (error) {
    return malformed(`SDP cannot be parsed: ${error instanceof Error ? error.message : error}`);
  }
  if (parsed.media.length === 0) return malformed('SDP has no "m=" line');
  if (parsed.media.length > MAX_MEDIA_SECTIONS) {
    return malformed(
      `SDP has ${parsed.media.length} "m=" lines; at most ${MAX_MEDIA_SECTIONS} are taken`,
    );
  }
  const unread = parsed.media.findIndex(({ type }) => type === undefined);
  if (unread >= 0) return malformed(`m-line ${unread + 1} cannot be read`);
  return ok(toSdp(parsed, text.includes("a=fingerprint:") ? scanFingerprints(lines) : []));
}

function toSdp(parsed: ParsedSession, fingerprints: readonly Fingerprint[][]): Sdp {
  const direction = directionIn(parsed, "sendrecv");
  return {
    origin: {
      sessionId: String(parsed.origin?.sessionId ?? 0),
      version: integer(parsed.origin?.sessionVersion) ?? 0,
    },
    token: verbatim(parsed, ENDPOINT_ATTRIBUTE, (value) => TOKEN.test(value)),
    bundles: (parsed.groups ?? []).filter((group) => group.type === "BUNDLE")
      .map((group) => words(group.mids)),
    extmapAllowMixed: parsed.extmapAllowMixed !== undefined,
    extraLines: extraLinesOf(parsed),
    transport: toTransport(parsed, fingerprints[0] ?? []),
    media: parsed.media.map((section, index) =>
      toSection(section, direction, fingerprints[index + 1] ?? [])
    ),
  };
}

function malformed(text: string): Result<never, SdpFault> {
  return err({ reason: "malformed", text });
}

function extraLinesOf(session: ParsedSession): string[] {
  return [
    ...(session.bandwidth ?? []).map((line) => `b=${line.type}:${line.limit}`),
    ...(session.invalid ?? []).map((line) => `a=${line.value}`)
      .filter((line) => !line.startsWith(`a=${OWN_ATTRIBUTE_PREFIX}`)),
  ];
}

/** The library keeps one fingerprint a section; RFC 8122 5 allows several. Index 0: the session. */
function scanFingerprints(lines: readonly string[]): Fingerprint[][] {
  const found: Fingerprint[][] = [[]];
  for (const line of lines) {
    if (line.startsWith("m=")) found.push([]);
    const match = FINGERPRINT.exec(line);
    if (match) {
      found.at(-1)!.push({ algorithm: match[1]!.toLowerCase(), value: match[2]!.toUpperCase() });
    }
  }
  return found;
}

function toSection(
  media: ParsedMedia,
  sessionDirection: Direction,
  fingerprints: readonly Fingerprint[],
): MediaSection {
  const type = String(media.type);
  const protocol = String(media.protocol ?? "");
  const rtp = /(^|\/)RTP\/S?AVPF?$/.test(protocol);
  return {
    kind: rtp && (type === "audio" || type === "video") ? type : "other",
    type,
    protocol,
    formats: String(media.payloads ?? ""),
    rejected: (integer(media.port) ?? 0) === 0 && media.bundleOnly === undefined,
    mid: text(media.mid),
    direction: directionIn(media, sessionDirection),
    ownDirection: verbatim(media, OWN_DIRECTION_ATTRIBUTE, isDirection),
    codecs: toCodecs(media),
    extensions: toExtensions(media),
    extmapAllowMixed: media.extmapAllowMixed !== undefined,
    rtcpMux: media.rtcpMux !== undefined,
    rtcpRsize: media.rtcpRsize !== undefined,
    rtcpXr: verbatim(media, "rtcp-xr", () => true),
    ptime: text(media.ptime),
    maxptime: text(media.maxptime),
    bandwidth: (media.bandwidth ?? [])
      .map((line) => ({ type: String(line.type ?? ""), limit: String(line.limit ?? "") }))
      .filter((line) => line.type !== "" && line.limit !== ""),
    ssrcs: toSsrcs(media),
    ssrcGroups: (media.ssrcGroups ?? []).map((group) => ({
      semantics: String(group.semantics ?? ""),
      ssrcs: String(group.ssrcs ?? ""),
    })),
    rids: (media.rids ?? []).map((rid) => ({
      id: String(rid.id),
      direction: String(rid.direction),
      params: text(rid.params),
    })),
    simulcast: simulcastOf(media),
    transport: toTransport(media, fingerprints),
  };
}

function toCodecs(media: ParsedMedia): Codec[] {
  const codecs = new Map<number, Codec>();
  for (const word of words(media.payloads)) {
    const payloadType = integer(word);
    if (payloadType === undefined || payloadType > 127 || codecs.has(payloadType)) continue;
    const map = media.rtp.find((line) => line.payload === payloadType);
    const known = STATIC_PAYLOADS.get(payloadType);
    const name = map?.codec !== undefined && map.codec !== "" ? String(map.codec) : known?.[0];
    const clockRate = integer(map?.rate) ?? known?.[1];
    if (name === undefined || clockRate === undefined || clockRate === 0) continue;
    codecs.set(payloadType, {
      payloadType,
      name,
      clockRate,
      channels: text(map?.encoding),
      fmtp: media.fmtp.filter((line) => line.payload === payloadType && line.config !== undefined)
        .map((line) => String(line.config)),
      feedback: feedbackOf(media, payloadType),
    });
  }
  return [...codecs.values()];
}

function feedbackOf(media: ParsedMedia, payloadType: number): string[] {
  const mine = (line: { payload?: string | number }) =>
    line.payload === payloadType || line.payload === "*";
  const feedback = new Set<string>();
  for (const line of media.rtcpFb ?? []) {
    if (!mine(line) || line.type === undefined || line.type === "") continue;
    feedback.add(
      line.subtype === undefined || line.subtype === ""
        ? String(line.type)
        : `${line.type} ${line.subtype}`,
    );
  }
  for (const line of media.rtcpFbTrrInt ?? []) {
    if (mine(line)) feedback.add(`trr-int ${line.value}`);
  }
  return [...feedback];
}

function toExtensions(media: ParsedMedia): Extension[] {
  const extensions: Extension[] = [];
  for (const line of media.ext ?? []) {
    const id = integer(line.value);
    // An encrypted extension (RFC 6904) would need the keys of both legs to be one.
    if (id === undefined || id < 1 || line["encrypt-uri"] !== undefined) continue;
    if (line.uri === undefined || line.uri === "") continue;
    if (extensions.some((other) => other.id === id)) continue;
    extensions.push({
      id,
      direction: text(line.direction),
      uri: String(line.uri),
      config: text(line.config),
    });
  }
  return extensions;
}

function toSsrcs(media: ParsedMedia): { id: string; cname: string | undefined }[] {
  const found = new Map<string, string | undefined>();
  for (const line of media.ssrcs ?? []) {
    const id = String(line.id);
    if (id === "") continue;
    const cname = line.attribute === "cname" ? text(line.value) : undefined;
    found.set(id, cname ?? found.get(id));
  }
  return [...found].map(([id, cname]) => ({ id, cname }));
}

function simulcastOf(media: ParsedMedia): string | undefined {
  const line = media.simulcast;
  if (line?.dir1 === undefined || line.list1 === undefined) return undefined;
  const first = `${line.dir1} ${line.list1}`;
  return line.dir2 === undefined ? first : `${first} ${line.dir2} ${line.list2}`;
}

function toTransport(section: ParsedSection, fingerprints: readonly Fingerprint[]): Transport {
  return {
    iceUfrag: text(section.iceUfrag),
    icePwd: text(section.icePwd),
    setup: text(section.setup),
    fingerprints,
  };
}

function directionIn(section: ParsedSection, otherwise: Direction): Direction {
  const value = String(section.direction ?? "");
  return isDirection(value) ? value : otherwise;
}

/** The value of an attribute that the library does not know, where it is there and well-formed. */
function verbatim<T extends string>(
  section: ParsedSection,
  name: string,
  fits: ((value: string) => value is T) | ((value: string) => boolean),
): T | undefined {
  for (const line of section.invalid ?? []) {
    const value = String(line.value ?? "");
    if (value.startsWith(`${name}:`) && fits(value.slice(name.length + 1))) {
      return value.slice(name.length + 1) as T;
    }
  }
  return undefined;
}

function words(value: string | number | undefined): string[] {
  return String(value ?? "").split(" ").filter((word) => word !== "");
}

function text(value: string | number | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : String(value);
}

function integer(value: string | number | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
