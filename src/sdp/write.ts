// @ts-types="./sdp_transform.d.ts"
import { type ParsedMedia, type ParsedSession, write } from "sdp-transform";
import {
  type Codec,
  DISCARD_PORT,
  ENDPOINT_ATTRIBUTE,
  type MediaSection,
  OWN_DIRECTION_ATTRIBUTE,
} from "./model.ts";

/** Our side of a WebRTC leg as a description announces it; ICE-lite with host candidates. */
export interface LocalTransportLike {
  readonly iceUfrag: string;
  readonly icePwd: string;
  /** SHA-256 of our certificate, `AA:BB:...`. */
  readonly fingerprint: string;
  /** Never empty. */
  readonly candidates: readonly { readonly address: string; readonly port: number }[];
}

/** Everything that is written, apart from the sections. */
export interface Description {
  readonly sessionId: string;
  readonly version: number;
  readonly media: readonly MediaSection[];
  readonly extmapAllowMixed: boolean;
  /** Inside the process: whose media this is. */
  readonly token?: string;
  /** Lines an application added to the SIP leg, checked by `checkSipSdp`. */
  readonly extraLines?: readonly string[];
  /** On a wire to a browser: our transport and our DTLS role. */
  readonly local?: {
    readonly transport: LocalTransportLike;
    readonly setup: "actpass" | "passive";
  };
}

/** One stream for all sections: the Web SDK shows the stream of the last track alone. */
const STREAM_ID = "portzero";
/** RFC 8445 5.1.2.1: type preference 126 (host), component 1. */
const HOST_PRIORITY = (126 << 24) + 255;
const MAX_LOCAL_PREFERENCE = 65_535;

/** Writes a description: CRLF line ends, final CRLF. */
export function writeSdp(description: Description): string {
  const { local, extraLines = [] } = description;
  const attributes = extraLines.filter((line) => line.startsWith("a="));
  const bandwidth = extraLines.filter((line) => line.startsWith("b="));
  const address = local?.transport.candidates[0]?.address ?? "0.0.0.0";
  const session: ParsedSession = {
    version: 0,
    origin: {
      username: "-",
      sessionId: description.sessionId,
      sessionVersion: description.version,
      netType: "IN",
      ipVer: addressVersion(address),
      address,
    },
    name: "-",
    timing: { start: 0, stop: 0 },
    media: description.media.map((section, index) => toParsed(section, index, local)),
  };
  if (bandwidth.length > 0) {
    session.bandwidth = bandwidth.map((line) => {
      const [type, limit] = line.slice(2).split(":");
      return { type: type!, limit: limit! };
    });
  }
  const bundled = description.media.filter((section) =>
    !section.rejected && section.mid !== undefined
  );
  if (bundled.length > 0) {
    session.groups = [{ type: "BUNDLE", mids: bundled.map((section) => section.mid).join(" ") }];
  }
  if (description.extmapAllowMixed) session.extmapAllowMixed = "extmap-allow-mixed";
  if (local) {
    session.icelite = "ice-lite";
    session.msidSemantic = { semantic: "WMS", token: "*" };
  }
  session.invalid = attributes.map((line) => ({ value: line.slice(2) }));
  if (description.token !== undefined) {
    session.invalid.push({ value: `${ENDPOINT_ATTRIBUTE}:${description.token}` });
  }
  return write(session);
}

function toParsed(
  section: MediaSection,
  index: number,
  local: Description["local"],
): ParsedMedia {
  const candidate = local?.transport.candidates[0];
  const media: ParsedMedia = {
    type: section.type,
    port: section.rejected ? 0 : candidate?.port ?? DISCARD_PORT,
    protocol: section.protocol,
    payloads: formatsOf(section),
    connection: connection(section.rejected ? undefined : candidate?.address),
    rtp: [],
    fmtp: [],
    direction: section.rejected ? "inactive" : section.direction,
  };
  if (section.mid !== undefined) media.mid = section.mid;
  media.invalid = section.codecs.flatMap(codecLines).map((value) => ({ value }));
  if (section.rejected) return media;
  addNegotiated(media, section);
  addSources(media, section, index, local !== undefined);
  if (local) addTransport(media, local);
  return media;
}

/** The format list of an m-line. */
export function formatsOf(section: MediaSection): string {
  const formats = section.kind === "other"
    ? section.formats
    : section.codecs.map((codec) => codec.payloadType).join(" ");
  // One is needed even where nothing is accepted (RFC 8866 9).
  return formats === "" ? "0" : formats;
}

function addNegotiated(media: ParsedMedia, section: MediaSection): void {
  if (section.rtcpMux) media.rtcpMux = "rtcp-mux";
  if (section.rtcpRsize) media.rtcpRsize = "rtcp-rsize";
  if (section.extmapAllowMixed) media.extmapAllowMixed = "extmap-allow-mixed";
  if (section.ptime !== undefined) media.ptime = section.ptime;
  if (section.maxptime !== undefined) media.maxptime = section.maxptime;
  if (section.bandwidth.length > 0) media.bandwidth = [...section.bandwidth];
  media.ext = section.extensions.map((extension) => ({
    value: extension.id,
    uri: extension.uri,
    ...(extension.direction === undefined ? {} : { direction: extension.direction }),
    ...(extension.config === undefined ? {} : { config: extension.config }),
  }));
  if (section.rids.length > 0) {
    media.rids = section.rids.map(({ id, direction, params }) =>
      params === undefined ? { id, direction } : { id, direction, params }
    );
  }
  if (section.simulcast !== undefined) {
    media.invalid!.push({ value: `simulcast:${section.simulcast}` });
  }
  if (section.rtcpXr !== undefined) media.invalid!.push({ value: `rtcp-xr:${section.rtcpXr}` });
  if (section.ownDirection !== undefined) {
    media.invalid!.push({ value: `${OWN_DIRECTION_ATTRIBUTE}:${section.ownDirection}` });
  }
}

/** SSRCs and the stream, of a section whose writer sends. */
function addSources(
  media: ParsedMedia,
  section: MediaSection,
  index: number,
  onWire: boolean,
): void {
  const sending = section.direction === "sendrecv" || section.direction === "sendonly";
  // Inside the process they stay: a held side keeps its SSRCs for when it sends again.
  if (onWire && !sending) return;
  if (onWire) media.msid = [{ id: STREAM_ID, appdata: `${STREAM_ID}-${section.type}-${index}` }];
  if (section.ssrcs.length > 0) {
    media.ssrcs = section.ssrcs.map(({ id, cname }) => ({
      id,
      attribute: "cname",
      value: cname ?? STREAM_ID,
    }));
  }
  if (section.ssrcGroups.length > 0) media.ssrcGroups = [...section.ssrcGroups];
}

function addTransport(media: ParsedMedia, local: NonNullable<Description["local"]>): void {
  const { transport, setup } = local;
  media.iceUfrag = transport.iceUfrag;
  media.icePwd = transport.icePwd;
  media.fingerprint = { type: "sha-256", hash: transport.fingerprint };
  media.setup = setup;
  media.candidates = transport.candidates.map(({ address, port }, index) => ({
    foundation: String(index + 1),
    component: 1,
    transport: "udp",
    priority: HOST_PRIORITY + ((MAX_LOCAL_PREFERENCE - index) << 8),
    ip: address,
    port,
    type: "host",
  }));
  media.endOfCandidates = "end-of-candidates";
}

/**
 * All lines of a codec together, feedback right after the rtpmap: the Web SDK adds the bitrate
 * limits of an application to whatever follows the rtpmap of VP8 and H264. (The library would write
 * all rtpmap lines first, so these go in as verbatim lines.)
 */
export function codecLines(codec: Codec): string[] {
  const channels = codec.channels === undefined ? "" : `/${codec.channels}`;
  return [
    `rtpmap:${codec.payloadType} ${codec.name}/${codec.clockRate}${channels}`,
    ...codec.feedback.map((feedback) => `rtcp-fb:${codec.payloadType} ${feedback}`),
    ...codec.fmtp.map((config) => `fmtp:${codec.payloadType} ${config}`),
  ];
}

function connection(address = "0.0.0.0"): { version: number; ip: string } {
  return { version: addressVersion(address), ip: address };
}

function addressVersion(address: string): number {
  return address.includes(":") ? 6 : 4;
}
