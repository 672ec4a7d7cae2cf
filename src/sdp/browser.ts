import type { RemoteTransport } from "../core/remote_transport.ts";
import { err, ok, type Result } from "../core/result.ts";
import { matchSections, sessionIdOf } from "./abstract.ts";
import {
  isMediaCodec,
  type MediaSection,
  type Sdp,
  type SdpFault,
  SECURE_PROFILE,
  TRANSPORT_WIDE,
} from "./model.ts";
import { rejectedSection } from "./negotiate.ts";
import { type LocalTransportLike, writeSdp } from "./write.ts";

/** RFC 8839 5.4: 4 to 256 and 22 to 256 characters. */
const ICE_UFRAG = /^[A-Za-z0-9+/]{4,256}$/;
const ICE_PWD = /^[A-Za-z0-9+/]{22,256}$/;

/**
 * Checks what a browser sent, offer or answer, and takes out what the media plane needs of it. We
 * are always the DTLS server, media is always bundled and multiplexed (RFC 8834 4.5).
 */
export function checkBrowserDescription(sdp: Sdp): Result<RemoteTransport, SdpFault> {
  const live = sdp.media.filter((section) => !section.rejected && section.kind !== "other");
  const first = live[0];
  if (first === undefined) return unsupported("SDP has neither audio nor video");
  for (const [index, section] of live.entries()) {
    const name = `${section.kind} (m-line ${index + 1})`;
    if (!section.rtcpMux) return unsupported(`${name} lacks a=rtcp-mux`);
    if (section.protocol !== SECURE_PROFILE) {
      return unsupported(`${name} is ${section.protocol}; ${SECURE_PROFILE} was expected`);
    }
    const setup = section.transport.setup ?? sdp.transport.setup;
    if (setup !== undefined && setup !== "actpass" && setup !== "active") {
      return unsupported(`${name} has a=setup:${setup}; actpass or active was expected`);
    }
  }
  if (live.length > 1 && !sdp.bundles.some((mids) => bundlesAll(mids, live))) {
    return unsupported("audio and video are not in one BUNDLE group");
  }
  const iceUfrag = first.transport.iceUfrag ?? sdp.transport.iceUfrag ?? "";
  const icePwd = first.transport.icePwd ?? sdp.transport.icePwd ?? "";
  if (!ICE_UFRAG.test(iceUfrag)) return unsupported("a=ice-ufrag is missing or malformed");
  if (!ICE_PWD.test(icePwd)) return unsupported("a=ice-pwd is missing or malformed");
  const fingerprints = first.transport.fingerprints.length > 0
    ? first.transport.fingerprints
    : sdp.transport.fingerprints;
  if (fingerprints.length === 0) return unsupported("a=fingerprint is missing or malformed");
  const payloads = payloadsOf(live);
  // Bundled sections have one space of ids (RFC 8843 9.2).
  const wide = live.flatMap(({ extensions }) => extensions)
    .find(({ uri }) => uri === TRANSPORT_WIDE)?.id;
  const transportWide = wide === undefined ? {} : { transportWideId: wide };
  return ok({ iceUfrag, icePwd, fingerprints, payloads, ...transportWide });
}

/** The offer for a browser, from an abstract one: ours to send, so it carries our transport. */
export function browserOffer(abstract: Sdp, local: LocalTransportLike): Result<string, SdpFault> {
  const media = withMids(abstract.media).map((section) =>
    section.rejected || section.kind === "other" || !section.codecs.some(isMediaCodec)
      ? rejectedSection(section)
      : { ...section, protocol: SECURE_PROFILE, rtcpMux: true, ownDirection: undefined }
  );
  if (media.every((section) => section.rejected)) {
    return err({
      reason: "no_common_codec",
      text: "the offer has no codec that a browser can use",
    });
  }
  const mids = media.map((section) => section.mid);
  if (new Set(mids).size < mids.length) {
    return err({ reason: "malformed", text: "two m-lines of the offer have one mid" });
  }
  return ok(writeSdp({
    sessionId: sessionIdOf(local.iceUfrag),
    version: 1,
    media,
    extmapAllowMixed: abstract.extmapAllowMixed,
    local: { transport: local, setup: "actpass" },
  }));
}

/**
 * The answer for a browser whose offer was `offer`, from the abstract answer of the other party:
 * m-lines and mids mirror the offer, refused ones with port 0.
 */
export function browserAnswer(
  offer: Sdp,
  abstractAnswer: Sdp,
  local: LocalTransportLike,
): Result<string, SdpFault> {
  const matched = matchSections(offer, abstractAnswer);
  if (!matched.ok) return matched;
  return ok(writeSdp({
    sessionId: sessionIdOf(local.iceUfrag),
    version: 1,
    media: matched.value.map((section) => ({ ...section, rtcpMux: true })),
    extmapAllowMixed: offer.extmapAllowMixed && abstractAnswer.extmapAllowMixed,
    local: { transport: local, setup: "passive" },
  }));
}

function bundlesAll(mids: readonly string[], sections: readonly MediaSection[]): boolean {
  return sections.every((section) => section.mid !== undefined && mids.includes(section.mid));
}

function payloadsOf(live: readonly MediaSection[]): RemoteTransport["payloads"] {
  return live.flatMap((section) =>
    section.kind === "other" ? [] : section.codecs.map((codec) => ({
      payloadType: codec.payloadType,
      kind: section.kind as "audio" | "video",
      codec: codec.name,
      clockRate: codec.clockRate,
    }))
  );
}

/** Browsers want a mid on each m-line; plain SIP parties write none. */
function withMids(media: readonly MediaSection[]): MediaSection[] {
  const taken = new Set(media.map((section) => section.mid));
  return media.map((section, index) => {
    if (section.mid !== undefined) return section;
    let mid = String(index);
    while (taken.has(mid)) mid = `m${mid}`;
    taken.add(mid);
    return { ...section, mid };
  });
}

function unsupported(text: string): Result<never, SdpFault> {
  return err({ reason: "unsupported", text });
}
