import type { EndpointToken } from "../core/ids.ts";
import {
  ENDPOINT_ATTRIBUTE,
  isMediaCodec,
  type MediaSection,
  OWN_ATTRIBUTE_PREFIX,
  type Sdp,
} from "./model.ts";

/** What others want to know of a description. */

/** Names of all codecs, preferred first, as written; of live sections only. */
export function codecsOf(sdp: Sdp): { readonly audio: string[]; readonly video: string[] } {
  return { audio: names(sdp, "audio"), video: names(sdp, "video") };
}

/**
 * The codec each live kind of media begins with, audio first: what an operator calls "the codecs".
 */
export function firstCodecs(sdp: Sdp): readonly string[] {
  const first = (kind: MediaSection["kind"]) =>
    live(sdp, kind).flatMap((section) => section.codecs).find(isMediaCodec)?.name;
  return [first("audio"), first("video")].filter((name) => name !== undefined);
}

export function mediaOf(sdp: Sdp): { readonly audio: boolean; readonly video: boolean } {
  return { audio: live(sdp, "audio").length > 0, video: live(sdp, "video").length > 0 };
}

/** Whose media it is; undefined where the description did not come from inside the process. */
export function endpointToken(sdp: Sdp): EndpointToken | undefined {
  return sdp.token as EndpointToken | undefined;
}

const TOKEN_LINE = new RegExp(`^a=${ENDPOINT_ATTRIBUTE}:[0-9a-f]{32}\\r?$`, "m");

/** Whether a description names the endpoint whose media it is, by a look at its session part. */
export function namesEndpoint(text: string): boolean {
  const media = text.indexOf("\nm=");
  return TOKEN_LINE.test(media < 0 ? text : text.slice(0, media));
}

const OWN_LINE = new RegExp(`^a=${OWN_ATTRIBUTE_PREFIX}[^\\r\\n]*(?:\\r\\n|\\r|\\n|$)`, "gim");

/** The text without attributes of ours: for what comes in from outside and for what goes there. */
export function stripEndpointTokens(text: string): string {
  return text.replace(OWN_LINE, "");
}

function live(sdp: Sdp, kind: MediaSection["kind"]): MediaSection[] {
  return sdp.media.filter((section) => section.kind === kind && !section.rejected);
}

function names(sdp: Sdp, kind: "audio" | "video"): string[] {
  return [
    ...new Set(live(sdp, kind).flatMap((section) => section.codecs.map((codec) => codec.name))),
  ];
}
