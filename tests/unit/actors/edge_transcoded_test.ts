import assert from "node:assert/strict";
import { sidesOfBrowser } from "../../../src/actors/edge/transcoded.ts";
import * as sdp from "../../../src/sdp/mod.ts";
import { bitrateFor } from "../../../src/rtp/io/codec/opus_facts.ts";
import { codecsHere } from "../../support/codec_phone.ts";
import { meet, must, type Said, sidesOf } from "../../support/two_descriptions.ts";

/** From two descriptions to what a transcoder between their writers does. */

const PCMU = "0 PCMU/8000";
const OPUS = "111 opus/48000/2";
const G729 = "18 G729/8000";
const EVENT = "101 telephone-event/8000";

function said(codec: string, ...more: readonly string[]): Said {
  return { audio: [codec, EVENT], more };
}

function lengths(a: Said, b: Said): [toCaller: number, toCallee: number] {
  const { toCaller, toCallee } = sidesOf(meet(a, b));
  return [toCaller.packetMs, toCallee.packetMs];
}

Deno.test("transcoded ptime: each side gets what its own description asks for", () => {
  assert.deepEqual(lengths(said(PCMU, "ptime:60"), said(OPUS, "ptime:10")), [60, 10]);
  assert.deepEqual(lengths(said(OPUS, "ptime:10"), said(PCMU, "ptime:60")), [10, 60]);
  assert.deepEqual(lengths(said(PCMU, "ptime:30"), said(OPUS)), [30, 20]);
  assert.deepEqual(lengths(said(OPUS, "ptime:60"), said(G729, "ptime:40")), [60, 40]);
  assert.deepEqual(lengths(said(OPUS), said(G729)), [20, 20]);
});

Deno.test("transcoded ptime: at most maxptime, and only what the codec makes", () => {
  const opus = (...more: string[]) => lengths(said(OPUS, ...more), said(PCMU))[0];
  const speex = (...more: string[]) => lengths(said("97 speex/16000", ...more), said(PCMU))[0];
  const g729 = (...more: string[]) => lengths(said(OPUS), said(G729, ...more))[1];
  assert.equal(g729("ptime:60", "maxptime:40"), 40);
  assert.equal(g729("maxptime:10"), 10);
  assert.equal(g729("ptime:35"), 30);
  assert.equal(g729("ptime:500"), 60);
  assert.equal(g729("ptime:0", "maxptime:0"), 20, "nothing is asked for");
  assert.equal(g729("ptime:5"), 10, "no frame is shorter");
  assert.equal(opus("ptime:30"), 20);
  assert.equal(opus("ptime:60", "maxptime:50"), 40);
  assert.equal(opus("ptime:10", "fmtp:111 minptime=20"), 20);
  assert.equal(opus("ptime:10", "fmtp:111 minptime=10"), 10);
  assert.equal(speex("ptime:30"), 20);
  assert.equal(speex("ptime:40", "maxptime:30"), 20);
  assert.equal(speex("maxptime:10"), 20, "no frame is shorter");
});

Deno.test("transcoded ptime: the far end's is said where packets pass, and not where they don't", () => {
  const passed = meet(said(PCMU, "ptime:30", "maxptime:60"), said(PCMU, "ptime:40"));
  assert.match(passed.offered, /a=ptime:30\r\na=maxptime:60\r\n/, "it may pass: whatever is added");
  assert.match(passed.answered, /a=ptime:40\r\n/);
  const ended = meet(said(PCMU, "ptime:30"), said(OPUS, "ptime:40"));
  assert.doesNotMatch(ended.answered, /ptime/);
});

Deno.test("transcoded ptime: what an encoder here can't make is never wanted of it", async () => {
  for (const codec of (await codecsHere()).values()) {
    const [name = ""] = codec.name.split("/");
    const type = { OPUS: 111, SPEEX: 97, G722: 9, G729: 18, PCMA: 8 }[name] ?? 0;
    const map = `${type} ${name}/${codec.clockRate}${codec.channels === 2 ? "/2" : ""}`;
    const other = name === "PCMU" ? OPUS : PCMU;
    for (let ms = 1; ms <= 130; ms++) {
      const [asked] = lengths(said(map, `ptime:${ms}`), said(other));
      assert(codec.packetMs.includes(asked), `${codec.name}: ${asked} ms for ptime ${ms}`);
      const [most] = lengths(said(map, "ptime:60", `maxptime:${ms}`), said(other));
      assert(most <= Math.max(ms, codec.packetMs[0]!), `${codec.name}: ${most}, maxptime ${ms}`);
    }
  }
});

Deno.test("transcoded Opus: bit rate, redundancy and silence as its own side says", () => {
  const sides = (b: Said, ...fmtp: string[]) =>
    sidesOf(meet(said(OPUS, ...fmtp.map((one) => `fmtp:111 ${one}`)), b)).toCaller;
  const plain = sides(said(PCMU));
  assert.deepEqual([plain.bitrate, plain.fec, plain.dtx], [null, false, false]);
  const asked = sides(said(PCMU), "useinbandfec=1; maxaveragebitrate=9000;usedtx=1");
  assert.deepEqual([asked.bitrate, asked.fec, asked.dtx], [9_000, true, true]);
  const roomy = sides(said(PCMU), "useinbandfec=1");
  assert.deepEqual([roomy.bitrate, roomy.fec], [20_000, true], "redundancy has to fit in");
  assert.equal(sides(said("9 G722/8000"), "useinbandfec=1").bitrate, null, "and does anyway");
  const refused = sides(said(PCMU), "useinbandfec=0;usedtx=0;maxaveragebitrate=510000");
  assert.deepEqual([refused.bitrate, refused.fec, refused.dtx], [null, false, false]);
  assert.equal(sides(said(PCMU), "maxaveragebitrate=100").bitrate, null, "against the RFC");
  // It is a limit, so what we would spend anyway is never raised by it.
  for (const [other, rate] of [[PCMU, 8000], ["9 G722/8000", 16000]] as const) {
    const ours = bitrateFor(rate);
    assert.equal(sides(said(other), `maxaveragebitrate=${ours}`).bitrate, null);
    assert.equal(sides(said(other), `maxaveragebitrate=${ours - 1}`).bitrate, ours - 1);
  }
  assert.equal(sidesOf(meet(said(PCMU), said(OPUS))).toCaller.bitrate, null);
});

Deno.test("transcoded silence: G.729 annex B and Speex vbr as their own side says", () => {
  const dtx = (codec: string, ...fmtp: string[]) =>
    sidesOf(meet(said(OPUS), said(codec, ...fmtp))).toCallee.dtx;
  assert.equal(dtx(G729), true, "yes where nothing is said");
  assert.equal(dtx(G729, "fmtp:18 annexb=no"), false);
  assert.equal(dtx(G729, "fmtp:18 annexb=yes"), true);
  assert.equal(dtx("97 speex/16000"), false);
  assert.equal(dtx("97 speex/16000", 'fmtp:97 vbr="vad"'), true);
  assert.equal(dtx("97 speex/16000", "fmtp:97 vbr=off"), false);
});

Deno.test("transcoded comfort noise: with the side that has it, whoever calls", () => {
  const phone: Said = { audio: [PCMU, "13 CN/8000", EVENT] };
  for (const calls of [true, false]) {
    const browser = said(OPUS);
    const met = calls ? meet(phone, browser) : meet(browser, phone);
    const { toCaller, toCallee } = sidesOf(met);
    const [own, other] = calls ? [toCaller, toCallee] : [toCallee, toCaller];
    assert.deepEqual([own.codec, own.comfortNoise, own.dtx], ["PCMU", 13, true]);
    assert.deepEqual([other.codec, other.comfortNoise, other.dtx], ["OPUS", null, false]);
    assert.match(calls ? met.answered : met.offered, /a=rtpmap:13 CN\/8000/);
    assert.equal(/CN/.test(met.answered), calls, "nobody is answered what was not offered");
  }
  const none = sidesOf(meet(said(PCMU), said(OPUS)));
  assert.deepEqual([none.toCaller.comfortNoise, none.toCaller.dtx], [null, false]);
  const wide = sidesOf(meet({ audio: [OPUS, "106 CN/48000"] }, phone));
  assert.deepEqual([wide.toCaller.comfortNoise, wide.toCallee.comfortNoise], [106, 13]);
});

Deno.test("transcoded comfort noise: not where the caller's codec may pass and has none", () => {
  const { offered, callee } = meet(said(PCMU), { audio: [PCMU, "13 CN/8000"] });
  assert.doesNotMatch(offered, /CN/);
  assert.deepEqual(callee[0]!.pairs.map(({ wire }) => wire.name), ["PCMU"]);
  const opus = meet(said(OPUS), { audio: [OPUS, "13 CN/8000"] });
  assert.deepEqual(opus.caller[0]!.pairs.map(({ wire }) => wire.name), ["opus"]);
});

Deno.test("transcoded telephone events: each side's own number, at its codec's clock", () => {
  const browser: Said = {
    audio: [OPUS, "110 telephone-event/48000", "126 telephone-event/8000"],
  };
  for (const atCaller of [true, false]) {
    const phone: Said = { audio: [G729, "99 telephone-event/8000"] };
    const met = sidesOf(meet(browser, phone, { atCaller }));
    assert.deepEqual(met.toCaller.telephoneEvent, { payloadType: 110, clockRate: 48_000 });
    // Between the edges the caller's numbers hold.
    const payloadType = atCaller ? 126 : 99;
    assert.deepEqual(met.toCallee.telephoneEvent, { payloadType, clockRate: 8_000 });
  }
  const none = sidesOf(meet({ audio: [OPUS] }, { audio: [G729] }));
  assert.equal(none.toCaller.telephoneEvent, null);
});

Deno.test("transcoded for a browser: times and noise of either side", () => {
  const text = (type: string, lines: readonly string[]) =>
    ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", type, "a=mid:0", "a=rtcp-mux", ...lines, ""]
      .join("\r\n");
  const caller = must(sdp.parseSdp(text("m=audio 9 UDP/TLS/RTP/SAVPF 8 13", [
    "a=ptime:40",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:13 CN/8000",
  ])));
  const { offer, pairs } = sdp.widenedForBrowser(caller, new Set(["OPUS", "PCMA"]));
  assert.equal(offer.media[0]!.ptime, "40", "it may pass");
  const answer = must(sdp.parseSdp(text("m=audio 9 UDP/TLS/RTP/SAVPF 111", [
    "a=ptime:10",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 useinbandfec=1",
  ])));
  const settled = sdp.settledByBrowser(pairs, answer);
  assert.deepEqual(settled.answer.media[0]!.codecs.map(({ name }) => name), ["PCMA", "CN"]);
  assert.equal(settled.answer.media[0]!.ptime, undefined);
  const sides = sidesOfBrowser(settled.pairs!, caller, answer, text("m=audio 0 RTP/AVP 0", []));
  assert.deepEqual(
    [sides?.own.packetMs, sides?.own.fec, sides?.own.comfortNoise],
    [10, true, null],
  );
  assert.deepEqual([sides?.peer.packetMs, sides?.peer.comfortNoise], [40, 13]);
});
