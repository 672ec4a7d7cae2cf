import assert from "node:assert/strict";
import { audioOnly } from "../../../src/sdp/audio_only.ts";
import { settledByBrowser, widenedForBrowser } from "../../../src/sdp/browser_transcoding.ts";
import type { Sdp } from "../../../src/sdp/model.ts";
import { parseSdp } from "../../../src/sdp/parse.ts";

/** A browser's description with these codecs, `number name/rate`; `-` as video: refused. */
function described(audio: readonly string[], video: readonly string[] | "-" = []): Sdp {
  const section = (kind: string, mid: number, codecs: readonly string[] | "-") => [
    `m=${kind} ${codecs === "-" ? 0 : 9} UDP/TLS/RTP/SAVPF ${
      codecs === "-" ? 0 : codecs.map((codec) => codec.split(" ")[0]).join(" ")
    }`,
    `a=mid:${mid}`,
    "a=rtcp-mux",
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    `a=ssrc:${1000 + mid} cname:c`,
    ...(codecs === "-" ? [] : codecs.map((codec) => `a=rtpmap:${codec}`)),
  ];
  const lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", ...section("audio", 0, audio)];
  if (video.length > 0) lines.push(...section("video", 1, video));
  const parsed = parseSdp(`${lines.join("\r\n")}\r\n`);
  assert(parsed.ok);
  return parsed.value;
}

const ABLE = new Set(["OPUS", "G722", "PCMA", "PCMU", "G729", "SPEEX/8000"]);
const OPUS = "111 opus/48000/2";
const EVENT = "110 telephone-event/48000";
const ALL = [OPUS, "9 G722/8000", "8 PCMA/8000", "0 PCMU/8000", EVENT];

function names(sdp: Sdp, index = 0): string[] {
  return sdp.media[index]!.codecs.map(({ name, clockRate }) => `${name}/${clockRate}`);
}

Deno.test("browsers: what the caller has comes first; what no browser has is not offered", () => {
  const { offer } = widenedForBrowser(described([OPUS, EVENT]), ABLE);
  assert.deepEqual(names(offer), [
    "opus/48000",
    "telephone-event/48000",
    "G722/8000",
    "PCMA/8000",
    "PCMU/8000",
    "telephone-event/8000",
    "CN/8000",
  ]);
  const [audio] = offer.media;
  assert.equal(new Set(audio!.codecs.map(({ payloadType }) => payloadType)).size, 7);
  assert.deepEqual(audio!.extensions, [], "transport-wide numbers would end at the transcoder");
  assert.deepEqual(audio!.ssrcs.map(({ id }) => Number(id)), [1000]);
});

Deno.test("browsers: an offer with all there is, or with nothing we know, stays as it is", () => {
  for (const [codecs, able] of [[ALL, ABLE], [["97 iLBC/8000"], ABLE], [[OPUS], new Set()]]) {
    const said = described(codecs as string[]);
    const { offer, pairs } = widenedForBrowser(said, able as Set<string>);
    assert.deepEqual(offer, said);
    assert.deepEqual(settledByBrowser(pairs, said), { answer: said, pairs: null });
  }
});

Deno.test("browsers: an answer without the caller's codec is turned into the caller's", () => {
  const { pairs } = widenedForBrowser(described([OPUS, EVENT]), ABLE);
  const settled = settledByBrowser(pairs, described(["0 PCMU/8000", "126 telephone-event/8000"]));
  assert.deepEqual(names(settled.answer), ["opus/48000", "telephone-event/48000"]);
  assert.deepEqual(settled.pairs?.map(({ inner, wire }) => [inner.name, wire.name]), [
    ["opus", "PCMU"],
    ["telephone-event", "telephone-event"],
  ]);
});

Deno.test("browsers: a shared codec is never transcoded, wherever the answer has it", () => {
  const { pairs } = widenedForBrowser(described([OPUS, EVENT]), ABLE);
  const answer = described(["0 PCMU/8000", OPUS, EVENT]);
  assert.deepEqual(settledByBrowser(pairs, answer), { answer, pairs: null });
});

Deno.test("browsers: why there is no video is said with the codecs of both", () => {
  const offer = described([OPUS], ["96 VP8/90000", "97 rtx/90000"]);
  const said = (video: readonly string[] | "-") => audioOnly(offer, described([OPUS], video));
  assert.equal(said("-"), "audio only: no common video codec (VP8 | none of them)");
  assert.equal(said(["102 H264/90000"]), "audio only: no common video codec (VP8 | H264)");
  assert.equal(said(["96 VP8/90000"]), null);
  assert.equal(audioOnly(described([OPUS]), described([OPUS])), null, "none was offered");
  const refused = described([OPUS], ["96 VP8/90000"]);
  const media = refused.media.map((section, i) =>
    i === 1 ? { ...section, rejected: true } : section
  );
  assert.equal(
    audioOnly(offer, { ...refused, media }),
    "audio only: video was offered (VP8) and not taken",
  );
});
