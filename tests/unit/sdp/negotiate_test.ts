import assert from "node:assert/strict";
import {
  abstractAnswer,
  abstractOffer,
  abstractOfferOfAnswer,
  browserAnswer,
  browserOffer,
  codecsOf,
  endpointToken,
  firstCodecs,
  parseSdp,
  serverOffer,
} from "../../../src/sdp/mod.ts";
import {
  CALLEE_TOKEN,
  CALLER_TOKEN,
  fixture,
  type FixtureName,
  linesOf,
  LOCAL,
  parsed,
  sectionOf,
  value,
} from "./fixtures.ts";

/** The walk of a call: what the INVITE, the callee, the 200 and the caller get. */
function walk(offer: string, answer: string) {
  const invite = abstractOffer(parsed(offer), CALLER_TOKEN);
  const toCallee = value(browserOffer(parsed(invite), LOCAL));
  const ok = value(abstractAnswer(parsed(invite), parsed(answer), CALLEE_TOKEN));
  const toCaller = value(browserAnswer(parsed(offer), parsed(ok), LOCAL));
  return { invite, toCallee, ok, toCaller };
}

const PAIRS: readonly [FixtureName, FixtureName][] = [
  ["chromium_audio", "chromium_answers_chromium_audio"],
  ["chromium_audio", "firefox_answers_chromium_audio"],
  ["chromium_video", "chromium_answers_chromium_video"],
  ["chromium_video", "firefox_answers_chromium_video"],
  ["firefox_video", "chromium_answers_firefox_video"],
  ["firefox_video", "firefox_answers_firefox_video"],
];

for (const [offerName, answerName] of PAIRS) {
  Deno.test(`sdp/walk: ${answerName}`, () => {
    const offer = fixture(offerName);
    const answer = fixture(answerName);
    const { invite, toCallee, ok, toCaller } = walk(offer, answer);
    for (const inside of [invite, ok]) {
      assert.doesNotMatch(inside, /ice-|fingerprint|setup|candidate|msid|127\.0\.0\.1/);
      assert.ok(linesOf(inside, "m=").every((line) => / 9 /.test(line)), "port 9");
    }
    assert.equal(endpointToken(parsed(invite)), CALLER_TOKEN);
    assert.equal(endpointToken(parsed(ok)), CALLEE_TOKEN);
    for (const outside of [toCallee, toCaller]) {
      assert.doesNotMatch(outside, /x-pz-/);
      assert.ok(outside.endsWith("\r\n") && !/[^\r]\n|\r\n\r\n/.test(outside), "CRLF, no blanks");
      assert.equal(linesOf(outside, "a=ice-lite").length, 1);
      const sections = linesOf(outside, "m=").length;
      assert.equal(linesOf(outside, "a=rtcp-mux").length, sections);
      assert.equal(linesOf(outside, "a=candidate:").length, sections * LOCAL.candidates.length);
      const streams = linesOf(outside, "a=msid:").map((line) => line.split(" ")[0]);
      assert.deepEqual([...new Set(streams)], ["a=msid:portzero"]);
    }
    assert.ok(linesOf(toCallee, "a=setup:").every((line) => line === "a=setup:actpass"));
    assert.ok(linesOf(toCaller, "a=setup:").every((line) => line === "a=setup:passive"));
    // Pass-through: the callee's payload types, extension ids and SSRCs reach the caller unchanged.
    for (const [index, section] of parsed(toCaller).media.entries()) {
      const theirs = parsed(answer).media[index]!;
      assert.deepEqual(section.codecs, theirs.codecs);
      assert.deepEqual(section.extensions, theirs.extensions);
      assert.deepEqual(section.ssrcs, theirs.ssrcs);
      assert.deepEqual(section.ssrcGroups, theirs.ssrcGroups);
      assert.equal(section.mid, parsed(offer).media[index]!.mid);
    }
    for (const [index, section] of parsed(toCallee).media.entries()) {
      const theirs = parsed(offer).media[index]!;
      assert.deepEqual(section.codecs, theirs.codecs);
      assert.deepEqual(section.extensions, theirs.extensions);
      assert.deepEqual(section.ssrcs, theirs.ssrcs);
    }
  });
}

Deno.test("sdp/walk: a callee without video refuses the m-line, the caller's answer mirrors it", () => {
  const offer = fixture("chromium_video");
  const answer = fixture("chromium_answers_chromium_video").replace("m=video 9", "m=video 0");
  const { ok, toCaller } = walk(offer, answer);
  assert.deepEqual(firstCodecs(parsed(ok)), ["opus"]);
  const video = sectionOf(toCaller, 1);
  assert.match(video[0]!, /^m=video 0 UDP\/TLS\/RTP\/SAVPF \d+/);
  assert.ok(video.includes("a=mid:1") && video.includes("a=inactive"));
  assert.ok(!video.some((line) => line.startsWith("a=ice-") || line.startsWith("a=candidate")));
  assert.deepEqual(linesOf(toCaller, "a=group:"), ["a=group:BUNDLE 0"]);
});

Deno.test("sdp/walk: an m-line that is no RTP is refused on all legs and keeps its place", () => {
  const data =
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\n";
  const offer = fixture("chromium_audio") + data;
  const answer = fixture("chromium_answers_chromium_audio") + data.replace(" 9 ", " 0 ");
  const { toCaller, toCallee } = walk(offer, answer);
  for (const text of [toCaller, toCallee]) {
    assert.equal(sectionOf(text, 1)[0], "m=application 0 UDP/DTLS/SCTP webrtc-datachannel");
    assert.deepEqual(linesOf(text, "a=group:"), ["a=group:BUNDLE 0"]);
  }
});

Deno.test("sdp/walk: directions meet, and who does not send has no stream", () => {
  const offer = fixture("chromium_video").replaceAll("a=sendrecv", "a=recvonly");
  const { toCallee, toCaller } = walk(offer, fixture("chromium_answers_chromium_video"));
  assert.deepEqual(linesOf(toCallee, "a=msid:"), []);
  assert.deepEqual(linesOf(toCallee, "a=ssrc"), []);
  assert.equal(linesOf(toCaller, "a=sendonly").length, 2);
});

Deno.test("sdp/walk: stripCodecs leaves RTX and RED of codecs that are gone; they go too", () => {
  const gone = [111, 102];
  const offer = fixture("chromium_video").split("\r\n")
    .filter((line) =>
      !gone.some((type) => new RegExp(`^a=(rtpmap|fmtp|rtcp-fb):${type} `).test(line))
    )
    .map((line) => line.startsWith("m=") ? line.replace(/ (111|102)(?= |$)/, "") : line)
    .join("\r\n");
  const invite = parsed(abstractOffer(parsed(offer), CALLER_TOKEN));
  const types = invite.media.flatMap((section) => section.codecs.map((codec) => codec.payloadType));
  assert.ok(!types.includes(103), "RTX of H264");
  assert.ok(!types.includes(63), "RED of Opus");
  assert.ok(types.includes(97), "RTX of VP8 stays");
});

Deno.test("sdp/walk: H264 and RTX whose fmtp a prefix match removed go, VP8 stays", () => {
  // Stripping G722 (payload 9) takes the fmtp and rtcp-fb lines of 96 to 99 along.
  const offer = fixture("chromium_video").replace("a=rtpmap:102 H264", "a=rtpmap:98 H264")
    .replace("m=video 9 UDP/TLS/RTP/SAVPF 96 97 102", "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98")
    .split("\r\n").filter((line) => !/^a=(fmtp|rtcp-fb):9/.test(line)).join("\r\n");
  const invite = parsed(abstractOffer(parsed(offer), CALLER_TOKEN));
  const types = invite.media[1]!.codecs.map((codec) => codec.payloadType);
  assert.ok(types.includes(96));
  assert.ok(!types.includes(97) && !types.includes(98) && !types.includes(99));
});

Deno.test("sdp/walk: an answer can only hold what was offered", () => {
  const offer = parsed(abstractOffer(parsed(fixture("chromium_audio")), CALLER_TOKEN));
  const answer = fixture("chromium_answers_chromium_audio")
    .replace("SAVPF 111", "SAVPF 77 111")
    .replace("a=rtpmap:111", "a=rtpmap:77 speex/8000\r\na=rtcp-fb:111 nack\r\na=rtpmap:111")
    .replace("a=extmap:1 ", "a=extmap:9 urn:x\r\na=extmap:1 ");
  const text = value(abstractAnswer(offer, parsed(answer), CALLEE_TOKEN));
  assert.doesNotMatch(text, /speex|urn:x|nack/);
});

Deno.test("sdp/walk: no codec in common, and telephone-event alone is none", () => {
  const offer = parsed(abstractOffer(parsed(fixture("chromium_audio")), CALLER_TOKEN));
  const only = (types: string) =>
    parsed(fixture("chromium_answers_chromium_audio").replace(/SAVPF .*/, `SAVPF ${types}`));
  for (const types of ["", "126", "13 110 126", "99"]) {
    const result = abstractAnswer(offer, only(types), CALLEE_TOKEN);
    assert.ok(!result.ok);
    assert.equal(result.error.reason, "no_common_codec");
    assert.match(result.error.text, /opus, red, G722/);
  }
  assert.deepEqual(
    firstCodecs(parsed(value(abstractAnswer(offer, only("126 8"), CALLEE_TOKEN)))),
    ["PCMA"],
  );
});

Deno.test("sdp/walk: an answer with another number of m-lines is malformed", () => {
  const offer = parsed(abstractOffer(parsed(fixture("chromium_video")), CALLER_TOKEN));
  const answer = parsed(fixture("chromium_answers_chromium_audio"));
  const result = abstractAnswer(offer, answer, CALLEE_TOKEN);
  assert.ok(!result.ok && result.error.reason === "malformed");
});

Deno.test("sdp/server offer: first leg answers, the callee is offered exactly that", () => {
  const offer = serverOffer(LOCAL, { audio: true, video: true });
  assert.deepEqual(codecsOf(parsed(offer)), {
    audio: ["opus", "G722", "PCMU", "PCMA", "telephone-event"],
    video: ["VP8", "rtx", "H264"],
  });
  const answer = offer
    .replace(/SAVPF 111 .*/, "SAVPF 0 126")
    .replace(/m=video \d+/, "m=video 0")
    .replaceAll("actpass", "active");
  const invite = value(abstractOfferOfAnswer(parsed(offer), parsed(answer), CALLER_TOKEN));
  assert.deepEqual(codecsOf(parsed(invite)), { audio: ["PCMU", "telephone-event"], video: [] });
  assert.equal(linesOf(invite, "m=").length, 1, "what was refused is left out");
  assert.equal(endpointToken(parsed(invite)), CALLER_TOKEN);
});

Deno.test("sdp/server offer: video alone has mid 0; nothing at all is our bug", () => {
  const offer = serverOffer(LOCAL, { audio: false, video: true });
  assert.deepEqual(linesOf(offer, "a=mid:"), ["a=mid:0"]);
  assert.match(offer, /transport-wide-cc/);
  assert.throws(() => serverOffer(LOCAL, { audio: false, video: false }));
});

Deno.test("sdp/browser offer: a plain SIP party gets mids, a bundle and a secure profile", () => {
  const plain = parsed("v=0\r\nm=audio 4000 RTP/AVP 8 0\r\nm=video 4002 RTP/AVP 34\r\n");
  const offer = value(browserOffer(plain, LOCAL));
  assert.match(sectionOf(offer, 0)[0]!, /^m=audio 40000 UDP\/TLS\/RTP\/SAVPF 8 0$/);
  assert.match(sectionOf(offer, 1)[0]!, /^m=video 0 /);
  assert.deepEqual(linesOf(offer, "a=mid:"), ["a=mid:0", "a=mid:1"]);
  const nothing = browserOffer(parsed("v=0\r\nm=audio 4000 RTP/AVP 99\r\n"), LOCAL);
  assert.ok(!nothing.ok && nothing.error.reason === "no_common_codec");
});

Deno.test("sdp/write: each VP8 and H264 rtpmap is followed by feedback, for the SDK's bitrates", () => {
  const { toCallee } = walk(fixture("firefox_video"), fixture("chromium_answers_firefox_video"));
  const lines = toCallee.split("\r\n");
  for (const [index, line] of lines.entries()) {
    if (/^a=rtpmap:\d+ (VP8|H264)/.test(line)) assert.match(lines[index + 1]!, /^a=rtcp-fb:/);
  }
});

Deno.test("sdp/write: an IPv6 address is named as one", () => {
  const local = { ...LOCAL, candidates: [{ address: "2001:db8::1", port: 5000 }] };
  const offer = serverOffer(local, { audio: true, video: false });
  assert.match(offer, /c=IN IP6 2001:db8::1/);
  assert.ok(parseSdp(offer).ok);
});
