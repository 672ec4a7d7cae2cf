/**
 * A session description as negotiation sees it: what two parties can agree on, in the order in
 * which it was written, with the transport (ICE, DTLS) beside it.
 */

/** Why a description cannot be used. */
export interface SdpFault {
  readonly reason: "malformed" | "unsupported" | "no_common_codec";
  /** A sentence that names what is wrong. */
  readonly text: string;
}

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** One payload type with everything that is said about it. */
export interface Codec {
  /** 0 to 127. */
  readonly payloadType: number;
  /** As written (`opus`, `PCMU`, `telephone-event`); compare without case (RFC 8866 6.6). */
  readonly name: string;
  /** RTP clock rate, Hz. */
  readonly clockRate: number;
  /** As written after the clock rate; undefined where absent, which means 1. */
  readonly channels: string | undefined;
  /** Format parameters, one entry a line. */
  readonly fmtp: readonly string[];
  /** RTCP feedback (`nack`, `nack pli`, `transport-cc` ...; RFC 4585 4.2). */
  readonly feedback: readonly string[];
}

/** RTP header extension (RFC 8285). */
export interface Extension {
  readonly id: number;
  readonly direction: string | undefined;
  readonly uri: string;
  readonly config: string | undefined;
}

/** One side's ICE and DTLS parameters as far as a section states them. */
export interface Transport {
  readonly iceUfrag: string | undefined;
  readonly icePwd: string | undefined;
  readonly setup: string | undefined;
  readonly fingerprints: readonly { readonly algorithm: string; readonly value: string }[];
}

export interface MediaSection {
  /** `other`: neither audio nor video over RTP; always refused, kept so that the indices fit. */
  readonly kind: "audio" | "video" | "other";
  /** First word of the m-line. */
  readonly type: string;
  readonly protocol: string;
  /** Format list of an `other` section, as written. */
  readonly formats: string;
  /** Port 0 without `bundle-only` (RFC 3264 6, RFC 8843 6). */
  readonly rejected: boolean;
  readonly mid: string | undefined;
  readonly direction: Direction;
  /** What the direction was before a hold narrowed it; see `reoffer`. */
  readonly ownDirection: Direction | undefined;
  /** Preferred first. */
  readonly codecs: readonly Codec[];
  readonly extensions: readonly Extension[];
  readonly extmapAllowMixed: boolean;
  readonly rtcpMux: boolean;
  readonly rtcpRsize: boolean;
  /** RTCP extended reports (RFC 3611 5.1), as written. */
  readonly rtcpXr: string | undefined;
  readonly ptime: string | undefined;
  readonly maxptime: string | undefined;
  readonly bandwidth: readonly { readonly type: string; readonly limit: string }[];
  /** SSRC and its cname, where one is given (RFC 5576). */
  readonly ssrcs: readonly { readonly id: string; readonly cname: string | undefined }[];
  readonly ssrcGroups: readonly { readonly semantics: string; readonly ssrcs: string }[];
  readonly rids: readonly {
    readonly id: string;
    readonly direction: string;
    readonly params: string | undefined;
  }[];
  readonly simulcast: string | undefined;
  readonly transport: Transport;
}

/** A parsed description. Made by `parseSdp`; read it through the functions of this folder. */
export interface Sdp {
  readonly origin: { readonly sessionId: string; readonly version: number };
  /** Value of `a=x-pz-endpoint` at session level. */
  readonly token: string | undefined;
  /** Mids of each BUNDLE group (RFC 8843). */
  readonly bundles: readonly (readonly string[])[];
  readonly extmapAllowMixed: boolean;
  /** `b=` lines and attributes of the session that have no meaning here, whole. */
  readonly extraLines: readonly string[];
  readonly transport: Transport;
  readonly media: readonly MediaSection[];
}

/** Longest description taken, characters. Browsers send 2,000 to 10,000. */
export const MAX_SDP_LENGTH = 65_536;
/** Most lines taken; each costs some 60 regular expressions. */
export const MAX_SDP_LINES = 2_000;
/** Most m-lines taken. */
export const MAX_MEDIA_SECTIONS = 16;
/** Our own attributes begin so; they never leave the process. */
export const OWN_ATTRIBUTE_PREFIX = "x-pz-";
export const ENDPOINT_ATTRIBUTE = "x-pz-endpoint";
export const OWN_DIRECTION_ATTRIBUTE = "x-pz-direction";
/** RTP over DTLS-SRTP with feedback (RFC 5764 8). */
export const SECURE_PROFILE = "UDP/TLS/RTP/SAVPF";
/** Header extension by which a browser numbers all its packets, to hear which of them came. */
export const TRANSPORT_WIDE =
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/** The discard port: "no address yet" (RFC 8839 4.1.1.2). */
export const DISCARD_PORT = 9;

/** Codecs that ride on others or carry no media: a section with only these carries nothing. */
const AUXILIARY = new Set([
  "telephone-event",
  "cn",
  "red",
  "rtx",
  "ulpfec",
  "flexfec",
  "flexfec-03",
]);

/** True for a codec that can be the codec of a call. */
export function isMediaCodec(codec: Codec): boolean {
  return !AUXILIARY.has(codec.name.toLowerCase());
}

/** True where both mean the same payload: number, name and clock rate. */
export function samePayload(a: Codec, b: Codec): boolean {
  return a.payloadType === b.payloadType && a.clockRate === b.clockRate &&
    a.name.toLowerCase() === b.name.toLowerCase();
}

/** A fresh transport-less state, for sections that stand for a party inside the process. */
export const NO_TRANSPORT: Transport = {
  iceUfrag: undefined,
  icePwd: undefined,
  setup: undefined,
  fingerprints: [],
};
