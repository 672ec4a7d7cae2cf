import assert from "node:assert/strict";
import type { EndpointToken } from "../../../src/core/ids.ts";
import * as sdp from "../../../src/sdp/mod.ts";
import { phoneTransports } from "../../../src/sdp/phone_transport.ts";
import { browserSdp } from "../../support/browser_sdp.ts";
import { PHONES } from "./phone_fixtures.ts";

const TOKEN = "0123456789abcdef0123456789abcdef" as EndpointToken;
const LOCAL = [
  { kind: "audio" as const, address: "192.0.2.1", port: 20000 },
  { kind: "video" as const, address: "192.0.2.1", port: 20002 },
];
const MEANS: sdp.PhoneMeans = {
  kinds: ["audio", "video"],
  key: (_kind, suite) => ({ suite, material: new Uint8Array(30).fill(7) }),
};

function must<T>(result: { ok: true; value: T } | { ok: false; error: sdp.SdpFault }): T {
  assert(result.ok, result.ok ? "" : result.error.text);
  return result.value;
}

function parsed(text: string): sdp.Sdp {
  return must(sdp.parseSdp(text));
}

function written(sections: readonly sdp.PhoneSection[]): string {
  return sdp.writePhone({ sessionId: "1", version: 1, sections, local: LOCAL });
}

function inner(sections: readonly sdp.PhoneSection[]): sdp.Sdp {
  return parsed(sdp.abstractOfPhone(sections, { token: TOKEN, version: 1 }));
}

for (const phone of PHONES) {
  Deno.test(`phone SDP: an offer of ${phone.name} becomes abstract`, () => {
    const offer = must(sdp.offerOfPhone(phone.text, [], ["audio", "video"]));
    const said = sdp.abstractOfPhone(offer, { token: TOKEN, version: 3 });
    const abstract = parsed(said);
    assert.equal(abstract.token, TOKEN);
    assert.equal(abstract.origin.version, 3);
    const names = (kind: string) =>
      abstract.media.filter((section) => section.kind === kind && !section.rejected)
        .flatMap((section) => section.codecs.map((codec) => codec.name));
    assert.deepEqual(names("audio"), phone.audio);
    assert.deepEqual(names("video"), phone.video);
    // Nothing of its transport comes in.
    assert.doesNotMatch(said, /a=crypto|a=rtcp:|192\.0\.2\.|2001:db8|10\.|198\.51|203\.0/);
    assert.deepEqual(
      offer.map((section) => section.remote && `${section.remote.address}:${section.remote.port}`),
      phone.places.map((place) => place ?? undefined),
    );
    assert.equal(offer.some((section) => section.theirs !== undefined), phone.secure);
  });

  Deno.test(`phone SDP: an abstract answer to ${phone.name} becomes concrete`, () => {
    const offer = must(sdp.offerOfPhone(phone.text, [], ["audio", "video"]));
    const answer = sdp.answerToPhone(offer, inner(offer), MEANS);
    const text = written(answer);
    const back = parsed(text);
    const theirs = parsed(phone.text);
    assert.equal(back.media.length, theirs.media.length);
    for (const [index, section] of back.media.entries()) {
      const offered = theirs.media[index]!;
      assert.equal(section.protocol, offered.protocol);
      assert.equal(section.rejected, phone.places[index] === null);
      if (section.rejected) continue;
      // The phone reads its own numbers.
      for (const codec of section.codecs) {
        const own = offered.codecs.find((one) => one.payloadType === codec.payloadType);
        assert.equal(codec.name, own?.name);
      }
    }
    assert.equal(/a=crypto:/.test(text), phone.secure);
    assert.equal((text.match(/a=crypto:/g) ?? []).length, phone.secure ? 1 : 0);
    assert.equal(/^a=rtcp-mux/m.test(text), /^a=rtcp-mux/m.test(phone.text));
  });
}

Deno.test("phone SDP: what a browser offers a phone, and its answer", () => {
  const abstract = parsed(sdp.abstractOffer(parsed(browserSdp({ video: true })), TOKEN));
  const offer = must(sdp.offerToPhone(abstract, [], { srtp: false, avpf: false }, MEANS));
  const text = written(offer);
  assert.doesNotMatch(text, /x-pz|a=mid|a=msid|extmap|ice|fingerprint|ssrc|rtcp-fb|crypto/);
  assert.match(text, /^m=audio 20000 RTP\/AVP 111 9 0 8 126\r$/m);
  assert.match(text, /^m=video 20002 RTP\/AVP 96\r$/m);
  assert.match(text, /^a=rtcp:20001\r$/m);
  assert.match(text, /^c=IN IP4 192\.0\.2\.1\r$/m);
  const answer = must(sdp.answerOfPhone(
    offer,
    "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n" +
      "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n" +
      "m=video 0 RTP/AVP 96\r\n",
  ));
  const said = inner(answer);
  // Its own number for events is told inside by the browser's.
  assert.deepEqual(said.media[0]!.codecs.map((codec) => codec.payloadType), [0, 126]);
  assert.deepEqual(answer[0]!.pairs.map((pair) => pair.wire.payloadType), [0, 101]);
  assert.equal(said.media[0]!.direction, "sendonly");
  assert.equal(said.media[1]!.rejected, true);
});

Deno.test("phone SDP: a phone that refuses video by codecs of its own has them named", () => {
  const abstract = parsed(sdp.abstractOffer(parsed(browserSdp({ video: true })), TOKEN));
  const vp8 = {
    ...abstract,
    media: abstract.media.map((section) => ({
      ...section,
      codecs: section.codecs.filter(({ name }) => section.kind === "audio" || name === "VP8"),
    })),
  };
  const offer = must(sdp.offerToPhone(vp8, [], { srtp: false, avpf: false }, MEANS));
  const [type] = vp8.media[1]!.codecs.map(({ payloadType }) => payloadType);
  const said = (video: string) => {
    const head = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n";
    const text = `${head}m=audio 4000 RTP/AVP 0\r\n${video}\r\n`;
    return sdp.audioOnly(vp8, inner(must(sdp.answerOfPhone(offer, text))));
  };
  const h264 = "RTP/AVP 99\r\na=rtpmap:99 H264/90000";
  assert.equal(said(`m=video 0 ${h264}`), "audio only: no common video codec (VP8 | H264)");
  // One that answers with what it was not offered has refused as well.
  assert.equal(said(`m=video 5000 ${h264}`), "audio only: no common video codec (VP8 | H264)");
  assert.equal(
    said("m=video 0 RTP/AVP 0"),
    "audio only: no common video codec (VP8 | none of them)",
  );
  const echo = `m=video 0 RTP/AVP ${type}\r\na=rtpmap:${type} VP8/90000`;
  for (const one of [echo, `m=video 0 RTP/AVP ${type}`]) {
    assert.equal(said(one), "audio only: video was offered (VP8) and not taken");
  }
});

Deno.test("phone SDP: which feedback a phone has agreed on tells how key frames are asked for", () => {
  const head = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n";
  const byFir = (...feedback: string[]) => {
    const lines = feedback.map((one) => `a=rtcp-fb:96 ${one}\r\n`).join("");
    const video = `m=video 5000 RTP/AVPF 96\r\na=rtpmap:96 VP8/90000\r\n${lines}`;
    return sdp.wantsFir(must(sdp.offerOfPhone(head + video, [], ["audio", "video"]))[0]!);
  };
  assert.deepEqual(
    [byFir("ccm fir"), byFir("nack pli"), byFir("ccm fir", "nack pli"), byFir()],
    [true, false, false, false],
  );
});

Deno.test("phone SDP: SRTP is offered with both suites, and an answer in the clear is refused", () => {
  const abstract = parsed(sdp.abstractOffer(parsed(browserSdp()), TOKEN));
  const offer = must(sdp.offerToPhone(abstract, [], { srtp: true, avpf: true }, MEANS));
  const text = written(offer);
  assert.match(text, /^m=audio 20000 RTP\/SAVPF /m);
  const key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
  assert.match(text, new RegExp(`^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}\\r$`, "m"));
  assert.match(text, new RegExp(`^a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:${key}\\r$`, "m"));
  const head = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n";
  const answered = must(sdp.answerOfPhone(
    offer,
    `${head}m=audio 4000 RTP/SAVPF 0\r\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:${
      "A".repeat(40)
    }\r\n`,
  ));
  assert.equal(answered[0]!.rejected, false);
  assert.deepEqual(answered[0]!.ours.map((crypto) => crypto.tag), [2]);
  assert.equal(answered[0]!.theirs?.suite, "AES_CM_128_HMAC_SHA1_32");
  const clear = must(sdp.answerOfPhone(offer, `${head}m=audio 4000 RTP/AVP 0\r\n`));
  assert.equal(clear[0]!.rejected, true);
});

Deno.test("phone SDP: hold by address and by direction", () => {
  const offer = (address: string, direction: string) =>
    must(sdp.offerOfPhone(
      `v=0\r\no=- 1 2 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\n` +
        `m=audio 4000 RTP/AVP 0\r\na=${direction}\r\n`,
      [],
      ["audio"],
    ))[0]!.direction;
  assert.equal(offer("10.0.0.9", "sendrecv"), "sendrecv");
  assert.equal(offer("0.0.0.0", "sendrecv"), "sendonly");
  assert.equal(offer("0.0.0.0", "recvonly"), "inactive");
  assert.equal(offer("10.0.0.9", "sendonly"), "sendonly");
  assert.equal(offer("10.0.0.9", "inactive"), "inactive");
});

Deno.test("phone SDP: a later offer keeps what each side calls a codec", () => {
  const abstract = parsed(sdp.abstractOffer(parsed(browserSdp()), TOKEN));
  const offer = must(sdp.offerToPhone(abstract, [], { srtp: false, avpf: false }, MEANS));
  const head = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n";
  const events = "a=rtpmap:101 telephone-event/8000\r\n";
  const opus = "a=rtpmap:96 opus/48000/2\r\n";
  const agreed = must(sdp.answerOfPhone(
    offer,
    `${head}m=audio 4000 RTP/AVP 96 101\r\n${opus}${events}`,
  ));
  assert.deepEqual(inner(agreed).media[0]!.codecs.map((codec) => codec.payloadType), [111, 126]);
  // The phone offers anew, with one codec more whose number the browser uses for another.
  const again = must(sdp.offerOfPhone(
    `${head}m=audio 4000 RTP/AVP 96 111 101\r\n${opus}a=rtpmap:111 iLBC/8000\r\n${events}`,
    agreed,
    ["audio"],
  ));
  const types = inner(again).media[0]!.codecs.map((codec) => codec.payloadType);
  assert.equal(types[0], 111);
  assert.equal(types[2], 126);
  assert(![111, 126].includes(types[1]!));
  // We offer anew: the phone reads its own numbers.
  const ours = must(sdp.offerToPhone(inner(agreed), agreed, { srtp: false, avpf: false }, MEANS));
  assert.match(written(ours), /^m=audio 20000 RTP\/AVP 96 101\r$/m);
});

Deno.test("phone SDP: codecs of which none fits are a fault", () => {
  const none = sdp.offerOfPhone(
    "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n" +
      "m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    [],
    ["audio"],
  );
  assert(!none.ok);
  assert.equal(none.error.reason, "no_common_codec");
  const unkeyed = sdp.offerOfPhone(
    "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n" +
      "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 NULL inline:x\r\n",
    [],
    ["audio"],
  );
  assert(!unkeyed.ok);
});

Deno.test("phone SDP: a bare H264 answer takes the parameters that were offered", () => {
  const abstract = parsed(sdp.abstractOffer(
    parsed(
      browserSdp({ video: true }).replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 H264/90000")
        .replace(
          "a=rtcp-fb:96 nack\r\n",
          "a=rtcp-fb:96 nack\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n",
        ),
    ),
    TOKEN,
  ));
  const offer = must(sdp.offerToPhone(abstract, [], { srtp: false, avpf: false }, MEANS));
  const answer = must(sdp.answerOfPhone(
    offer,
    "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n" +
      "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
  ));
  const codec = inner(answer).media[1]!.codecs[0]!;
  assert.deepEqual(codec.fmtp, ["packetization-mode=1;profile-level-id=42e01f"]);
  // Key frames can be asked for: the edge puts it over.
  assert(codec.feedback.includes("nack pli"));
});

Deno.test("phone SDP: transports are read as they stand", () => {
  const [audio, video] = phoneTransports(
    "v=0\nc=IN IP4 10.0.0.1/127\nm=audio 4000/2 RTP/AVP 0\na=rtcp:4009 IN IP4 10.0.0.1\n" +
      "m=video 99999 RTP/AVP 96\nc=IN IP6 ::1\n",
  );
  assert.deepEqual([audio?.address, audio?.port, audio?.rtcpPort], ["10.0.0.1", 4000, 4009]);
  assert.deepEqual([video?.address, video?.port], ["::1", 0]);
});
