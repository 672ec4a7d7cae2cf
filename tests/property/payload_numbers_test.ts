import assert from "node:assert/strict";
import { transcodedSides } from "../../src/actors/edge/transcoded.ts";
import { HopFilter, HopWay } from "../../src/rtp/codec/hop_filter.ts";
import * as sdp from "../../src/sdp/mod.ts";
import fc from "../support/dice.ts";
import { described, inside, MEANS, meet, must, type Said } from "../support/two_descriptions.ts";

/** Whatever numbers phones have for their codecs, those of one bundle are told apart. */

const STATIC: Readonly<Record<string, number>> = {
  "PCMU/8000": 0,
  "PCMA/8000": 8,
  "G722/8000": 9,
  "CN/8000": 13,
  "G729/8000": 18,
};
const AUDIO = [
  ...Object.keys(STATIC),
  "opus/48000/2",
  "speex/8000",
  "speex/16000",
  "iLBC/8000",
  "telephone-event/8000",
  "telephone-event/48000",
];
const VIDEO = ["VP8/90000", "H264/90000", "H263-1998/90000"];
/** Few, so that both m-lines often have the same; and those that we like ourselves. */
const NUMBERS = [96, 97, 98, 99, 101, 111, 126, 35];

function codecs(from: readonly string[], least: number): fc.Arbitrary<readonly string[]> {
  return fc.tuple(
    fc.uniqueArray(fc.constantFrom(...from), { minLength: least, maxLength: 8 }),
    fc.shuffledSubarray(NUMBERS, { minLength: NUMBERS.length }),
  ).map(([names, numbers]) => names.map((name, i) => `${STATIC[name] ?? numbers[i]} ${name}`));
}

const phones: fc.Arbitrary<Said> = fc.record({
  audio: codecs(AUDIO.slice(0, -2), 1).chain((main) =>
    codecs(AUDIO, 1).map((more) => unique([...main.slice(0, 1), ...more]))
  ),
  video: codecs(VIDEO, 0),
}).filter(({ audio }) => audio.some((codec) => !/CN|telephone/.test(codec)));

/** Each number and each name once. */
function unique(audio: readonly string[]): string[] {
  const seen = new Set<string>();
  return audio.filter((codec) => {
    const [number = "", name = ""] = codec.split(" ");
    const isNew = !seen.has(number) && !seen.has(name);
    seen.add(number).add(name);
    return isNew;
  });
}

function assertOneBundle(description: sdp.Sdp, what: string): void {
  const all = description.media.filter(({ rejected }) => !rejected).flatMap(({ codecs }) => codecs);
  const types = all.map(({ payloadType }) => payloadType);
  assert.equal(new Set(types).size, types.length, `${what}: ${JSON.stringify(all)}`);
}

function offerOf(said: Said, before: readonly sdp.PhoneSection[] = []): sdp.PhoneSection[] {
  const { transcodable } = MEANS;
  const rules = transcodable ? { transcodable } : {};
  return must(sdp.offerOfPhone(described(said), before, ["audio", "video"], rules));
}

Deno.test("payload numbers: a phone's offer is one bundle inside, and for a browser", () => {
  fc.assert(fc.property(phones, (phone) => {
    const offer = inside(offerOf(phone));
    assertOneBundle(offer, "inside");
    const wide = sdp.widenedForBrowser(offer, MEANS.transcodable ?? new Set());
    assertOneBundle(wide.offer, "for a browser");
    const plain = must(sdp.offerOfPhone(described(phone), [], ["audio", "video"]));
    const { offer: widened } = sdp.widenedForBrowser(inside(plain), MEANS.transcodable!);
    assertOneBundle(widened, "widened at the browser");
  }));
});

Deno.test("payload numbers: an answer, and a later offer, stay one bundle", () => {
  fc.assert(fc.property(phones, phones, phones, (caller, callee, later) => {
    const met = meet(caller, callee);
    assertOneBundle(inside(met.callee), "the callee's answer");
    assertOneBundle(inside(met.caller), "what the caller has agreed");
    assertOneBundle(inside(offerOf(later, met.caller)), "the caller's later offer");
  }));
});

Deno.test("payload numbers: a transcoder's sockets tell audio from the video beside it", () => {
  fc.assert(fc.property(phones, phones, (caller, callee) => {
    const met = meet(caller, callee);
    const sections = [met.caller, met.callee].find((one) => transcodedSides(one));
    const sides = sections && transcodedSides(sections);
    if (!sides) return;
    const draw = { ssrc: 1, firstSequence: 0, firstTimestamp: 0 };
    const [a, b] = [{ ...sides.own, ...draw }, { ...sides.peer, ...draw }];
    const passed = sides.passed.map(({ payloadType }) => payloadType);
    const filter = new HopFilter({ a, b }, passed);
    for (const type of passed) {
      const packet = Uint8Array.from([0x80, type, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]);
      assert.equal(filter.way("b", packet), HopWay.pass, `${type}, from inside`);
      // A phone answers by the numbers that it was offered, or by its own where it likes.
      if (sections === met.caller) assert.equal(filter.way("a", packet), HopWay.pass, `${type}`);
    }
  }));
});
