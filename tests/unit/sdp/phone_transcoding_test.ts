import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import type { EndpointToken } from "../../../src/core/ids.ts";
import * as sdp from "../../../src/sdp/mod.ts";

/** Phones and insiders without a common codec: what each is offered, and what comes of it. */

const TOKEN = "0123456789abcdef0123456789abcdef" as EndpointToken;
const ALL = new Set(["OPUS", "PCMU", "PCMA", "G722", "G729", "SPEEX/8000", "SPEEX/16000"]);
const MEANS: sdp.PhoneMeans = {
  kinds: ["audio"],
  key: (_kind, suite) => ({ suite, material: new Uint8Array(30) }),
  transcodable: ALL,
};
const PLAIN = { srtp: false, avpf: false };
const MAPS: Readonly<Record<string, readonly [number, string]>> = {
  opus: [111, "opus/48000/2"],
  g722: [9, "G722/8000"],
  pcmu: [0, "PCMU/8000"],
  pcma: [8, "PCMA/8000"],
  g729: [18, "G729/8000"],
  speex: [97, "speex/16000"],
  speech: [96, "AMR/8000"],
};
const NAMES = ["opus", "g722", "pcmu", "pcma", "g729", "speex"];

function description(codecs: readonly string[], more: readonly string[] = []): string {
  const lines = [...codecs.map((name) => MAPS[name]!), [101, "telephone-event/8000"] as const];
  return [
    "v=0",
    "o=- 1 1 IN IP4 192.0.2.7",
    "s=-",
    "c=IN IP4 192.0.2.7",
    "t=0 0",
    `m=audio 4000 RTP/AVP ${lines.map(([type]) => type).join(" ")}`,
    ...lines.map(([type, map]) => `a=rtpmap:${type} ${map}`),
    ...more,
    "",
  ].join("\r\n");
}

/** As a browser would say it inside. */
function inner(codecs: readonly string[]): sdp.Sdp {
  return abstractOf(must(sdp.offerOfPhone(description(codecs), [], ["audio"])));
}

function abstractOf(sections: readonly sdp.PhoneSection[]): sdp.Sdp {
  return must(sdp.parseSdp(sdp.abstractOfPhone(sections, { token: TOKEN, version: 1 })));
}

function must<T>(result: { ok: true; value: T } | { ok: false; error: sdp.SdpFault }): T {
  assert(result.ok, result.ok ? "" : result.error.text);
  return result.value;
}

function wires([section]: readonly sdp.PhoneSection[]): string[] {
  return section!.pairs.map(({ wire }) => wire.name.toLowerCase());
}

function agreed([section]: readonly sdp.PhoneSection[]): string[] {
  return section!.pairs.map(({ inner, wire }) =>
    `${inner.payloadType} ${inner.name}/${inner.clockRate} = ` +
    `${wire.payloadType} ${wire.name}/${wire.clockRate}`
  );
}

Deno.test("a phone is offered what passes first, then what can be made of it", () => {
  const offer = must(sdp.offerToPhone(inner(["opus"]), [], PLAIN, MEANS));
  assert.equal(wires(offer)[0], "opus");
  assert.deepEqual(new Set(wires(offer)), new Set([...NAMES, "telephone-event", "cn"]));
  const alone = must(
    sdp.offerToPhone(inner(["opus"]), [], PLAIN, { ...MEANS, transcodable: new Set(["OPUS"]) }),
  );
  assert.deepEqual(wires(alone), ["opus", "telephone-event"]);
  const listed = must(
    sdp.offerToPhone(inner(["opus"]), [], { ...PLAIN, codecs: ["g729", "pcma"] }, MEANS),
  );
  assert.deepEqual(wires(listed), ["g729", "pcma", "telephone-event", "cn"]);
});

Deno.test("the first codec of the phone's answer decides; a later offer keeps both sides' words", () => {
  const offer = must(sdp.offerToPhone(inner(["opus"]), [], PLAIN, MEANS));
  const sections = must(sdp.answerOfPhone(offer, description(["pcma", "opus"])));
  assert.deepEqual(agreed(sections), [
    "111 opus/48000 = 8 PCMA/8000",
    "101 telephone-event/8000 = 101 telephone-event/8000",
  ]);
  assert.deepEqual(
    abstractOf(sections).media[0]!.codecs.map(({ name }) => name),
    ["opus", "telephone-event"],
  );
  const again = must(sdp.offerToPhone(inner(["opus"]), sections, PLAIN, MEANS));
  assert.deepEqual(wires(again), ["pcma", "telephone-event"]);
  const held = must(sdp.offerOfPhone(description(["pcma"], ["a=sendonly"]), sections, ["audio"]));
  assert.equal(agreed(held)[0], "111 opus/48000 = 8 PCMA/8000");
  assert.equal(held[0]!.direction, "sendonly");
  const passed = must(sdp.answerOfPhone(offer, description(["opus", "pcma"])));
  assert.equal(sdp.transcodedPair(passed[0]!.pairs), undefined);
  assert.deepEqual(wires(passed), ["opus", "telephone-event"]);
});

Deno.test("a phone that changes to the codec of the other side is transcoded no more", () => {
  const offer = must(sdp.offerToPhone(inner(["pcma"]), [], PLAIN, MEANS));
  const sections = must(sdp.answerOfPhone(offer, description(["g729"])));
  assert.equal(agreed(sections)[0], "8 PCMA/8000 = 18 G729/8000");
  const changed = must(sdp.offerOfPhone(description(["pcma"]), sections, ["audio"]));
  assert.equal(agreed(changed)[0], "8 PCMA/8000 = 8 PCMA/8000");
  assert.equal(sdp.transcodedPair(changed[0]!.pairs), undefined);
});

Deno.test("comfort noise of one side stays with it through later offers of both", () => {
  const noisy = description(["pcmu"]).replace("AVP 0", "AVP 0 13").replace(
    "a=rtpmap:0 ",
    "a=rtpmap:13 CN/8000\r\na=rtpmap:0 ",
  );
  const NOISY = ["pcmu", "cn", "telephone-event"];
  const offer = must(sdp.offerToPhone(inner(["opus"]), [], PLAIN, MEANS));
  const sections = must(sdp.answerOfPhone(offer, noisy));
  const innerOf = (of: readonly sdp.PhoneSection[]) =>
    abstractOf(of).media[0]!.codecs.map(({ name }) => name);
  const wireOf = (of: readonly sdp.PhoneSection[]) =>
    sdp.codecsFor(of[0]!.pairs, "wire").map(({ name }) => name.toLowerCase());
  assert.deepEqual(new Set(wireOf(sections)), new Set(NOISY));
  assert.deepEqual(innerOf(sections), ["opus", "telephone-event"]);
  const ours = must(sdp.offerToPhone(inner(["opus"]), sections, PLAIN, MEANS));
  assert.deepEqual(new Set(wireOf(ours)), new Set(NOISY));
  const again = must(sdp.answerOfPhone(ours, noisy));
  const theirs = must(sdp.offerOfPhone(noisy, again, ["audio"]));
  assert.deepEqual(innerOf(theirs), ["opus", "telephone-event"]);
  const last = sdp.answerToPhone(theirs, inner(["opus"]), MEANS);
  assert.deepEqual(new Set(wireOf(last)), new Set(NOISY));
});

Deno.test("what the transcoders don't know is neither offered nor taken", () => {
  const offer = must(
    sdp.offerOfPhone(description(["speech"]), [], ["audio"], { transcodable: ALL }),
  );
  assert.deepEqual(wires(offer), ["amr", "telephone-event"]);
});

Deno.test("an offer in the clear is refused where keys are required", () => {
  const offer = sdp.offerOfPhone(description(["pcma"]), [], ["audio"], { srtpRequired: true });
  assert.equal(offer.ok, false);
});

Deno.test("any two sets of codecs: an answer uses what was offered, once, and passes what can", () => {
  const some = fc.subarray(NAMES, { minLength: 1 }).chain((names) =>
    fc.shuffledSubarray(names, { minLength: names.length })
  );
  fc.assert(fc.property(some, some, (phone, browser) => {
    const offer = must(
      sdp.offerOfPhone(description(phone), [], ["audio"], { transcodable: ALL }),
    );
    const offered = abstractOf(offer).media[0]!.codecs;
    // As browsers answer: in the order of the offer.
    const taken = offered.filter(({ name }) =>
      browser.includes(name.toLowerCase()) || name === "telephone-event"
    );
    const answer = { ...abstractOf(offer) };
    const media = answer.media.map((section) => ({ ...section, codecs: taken }));
    const sections = sdp.answerToPhone(offer, { ...answer, media }, MEANS);
    const { pairs } = sections[0]!;
    const isShared = phone.some((name) => browser.includes(name));
    assert.equal(sdp.transcodedPair(pairs) === undefined, isShared);
    assert(phone.includes(pairs[0]!.wire.name.toLowerCase()));
    assert(browser.includes(pairs[0]!.inner.name.toLowerCase()));
    for (const side of ["inner", "wire"] as const) {
      const types = pairs.map((pair) => pair[side].payloadType);
      assert.equal(new Set(types).size, types.length);
    }
    assert(pairs.some(({ wire }) => wire.name === "telephone-event"));
  }));
});
