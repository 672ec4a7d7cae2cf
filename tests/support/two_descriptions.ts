import assert from "node:assert/strict";
import { transcodedSides } from "../../src/actors/edge/transcoded.ts";
import type { EndpointToken } from "../../src/core/ids.ts";
import type { TranscodedSide, TranscodedSides } from "../../src/rtp/rtp_media_port.ts";
import * as sdp from "../../src/sdp/mod.ts";

/** What two phones say of themselves, and what the edges that they meet at make of it. */

const TOKEN = "0123456789abcdef0123456789abcdef" as EndpointToken;
const PLAIN = { srtp: false, avpf: false };

export const MEANS: sdp.PhoneMeans = {
  kinds: ["audio", "video"],
  key: (_kind, suite) => ({ suite, material: new Uint8Array(30) }),
  transcodable: new Set([
    "OPUS",
    "PCMU",
    "PCMA",
    "G722",
    "G729",
    "SPEEX/8000",
    "SPEEX/16000",
  ]),
};

export interface Said {
  /** `number name/rate`. */
  readonly audio: readonly string[];
  readonly video?: readonly string[];
  /** Further attributes of the audio. */
  readonly more?: readonly string[];
}

/** A phone's own description. */
export function described({ audio, video = [], more = [] }: Said): string {
  const section = (kind: string, port: number, codecs: readonly string[]) => [
    `m=${kind} ${port} RTP/AVP ${codecs.map((codec) => codec.split(" ")[0]).join(" ")}`,
    ...codecs.map((codec) => `a=rtpmap:${codec}`),
  ];
  return [
    "v=0",
    "o=- 1 1 IN IP4 192.0.2.7",
    "s=-",
    "c=IN IP4 192.0.2.7",
    "t=0 0",
    ...section("audio", 4000, audio),
    ...more.map((line) => `a=${line}`),
    ...(video.length > 0 ? section("video", 4002, video) : []),
    "",
  ].join("\r\n");
}

export function must<T>(result: { ok: true; value: T } | { ok: false; error: sdp.SdpFault }): T {
  assert(result.ok, result.ok ? "" : result.error.text);
  return result.value;
}

/** As the process hears of it. */
export function inside(sections: readonly sdp.PhoneSection[]): sdp.Sdp {
  return must(sdp.parseSdp(sdp.abstractOfPhone(sections, { token: TOKEN, version: 1 })));
}

/** As a phone reads it. */
export function onWire(sections: readonly sdp.PhoneSection[]): string {
  const local = [
    { kind: "audio" as const, address: "192.0.2.1", port: 20000 },
    { kind: "video" as const, address: "192.0.2.1", port: 20002 },
  ];
  return sdp.writePhone({ sessionId: "1", version: 1, sections, local });
}

export interface Met {
  /** What the callee was offered, and the caller was answered, as they read it. */
  readonly offered: string;
  readonly answered: string;
  readonly caller: readonly sdp.PhoneSection[];
  readonly callee: readonly sdp.PhoneSection[];
}

/** What `b` answers to a caller like `a`: an m-line for each of the offer's. */
function answerOf({ video = [] }: Said, b: Said): string {
  if (video.length === 0) return described({ ...b, video: [] });
  const refused = (b.video ?? []).length === 0 ? "m=video 0 RTP/AVP 96\r\n" : "";
  return described(b) + refused;
}

/**
 * `a` calls `b`. `atCaller`: the caller's edge can transcode too; else it offers what it has, as for
 * a browser.
 */
export function meet(a: Said, b: Said, { atCaller = true } = {}): Met {
  const transcodable = atCaller ? MEANS.transcodable! : new Set<string>();
  const offer = must(sdp.offerOfPhone(described(a), [], ["audio", "video"], { transcodable }));
  const out = must(sdp.offerToPhone(inside(offer), [], PLAIN, MEANS));
  const callee = must(sdp.answerOfPhone(out, answerOf(a, b)));
  const caller = sdp.answerToPhone(offer, inside(callee), MEANS);
  return { offered: onWire(out), answered: onWire(caller), caller, callee };
}

/** The one transcoder between them: what goes to the caller, and to the callee. */
export function sidesOf({ caller, callee }: Met): {
  readonly sides: TranscodedSides;
  readonly toCaller: TranscodedSide;
  readonly toCallee: TranscodedSide;
} {
  const [near, far] = [transcodedSides(caller), transcodedSides(callee)];
  assert((near === null) !== (far === null), "exactly one edge transcodes");
  return near
    ? { sides: near, toCaller: near.own, toCallee: near.peer }
    : { sides: far!, toCaller: far!.peer, toCallee: far!.own };
}
