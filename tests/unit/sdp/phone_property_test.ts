import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import type { EndpointToken } from "../../../src/core/ids.ts";
import * as sdp from "../../../src/sdp/mod.ts";
import { PHONES } from "./phone_fixtures.ts";

const TOKEN = "0123456789abcdef0123456789abcdef" as EndpointToken;
const OTHER = "fedcba9876543210fedcba9876543210" as EndpointToken;
const LOCAL = [
  { kind: "audio" as const, address: "192.0.2.1", port: 20000 },
  { kind: "video" as const, address: "192.0.2.1", port: 20002 },
];
const MEANS: sdp.PhoneMeans = {
  kinds: ["audio", "video"],
  key: (_kind, suite) => ({ suite, material: new Uint8Array(30).fill(9) }),
};
const RUNS = { numRuns: 300 };

const NAMES = ["opus/48000/2", "G729/8000", "speex/16000", "iLBC/8000", "AMR/8000", "L16/8000"];

/** A phone's audio section: codecs under any dynamic numbers, in any direction. */
const offers = fc.record({
  codecs: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 6 }),
  types: fc.uniqueArray(fc.integer({ min: 96, max: 127 }), { minLength: 6, maxLength: 6 }),
  direction: fc.constantFrom("sendrecv", "sendonly", "recvonly", "inactive"),
  mux: fc.boolean(),
}).map(({ codecs, types, direction, mux }) => ({
  direction,
  codecs: codecs.map((name, index) => [types[index]!, name] as const),
  text: [
    "v=0",
    "o=- 1 1 IN IP4 10.0.0.9",
    "s=-",
    "c=IN IP4 10.0.0.9",
    "t=0 0",
    `m=audio 4000 RTP/AVP ${codecs.map((_, index) => types[index]).join(" ")}`,
    ...codecs.map((name, index) => `a=rtpmap:${types[index]} ${name}`),
    ...(mux ? ["a=rtcp-mux"] : []),
    `a=${direction}`,
    "",
  ].join("\r\n"),
}));

function listed(text: string): string[] {
  const parsed = sdp.parseSdp(text);
  assert(parsed.ok);
  return parsed.value.media.flatMap((section) =>
    section.codecs.map(({ payloadType, name, clockRate, channels }) =>
      `${payloadType} ${name}/${clockRate}${channels === undefined ? "" : `/${channels}`}`
    )
  );
}

Deno.test("phone SDP: from wire to inside to wire keeps codecs, numbers and direction", () => {
  fc.assert(
    fc.property(offers, ({ text, codecs, direction }) => {
      const offer = sdp.offerOfPhone(text, [], ["audio"]);
      assert(offer.ok);
      const abstract = sdp.abstractOfPhone(offer.value, { token: TOKEN, version: 1 });
      const parsed = sdp.parseSdp(abstract);
      assert(parsed.ok);
      const next = sdp.offerToPhone(parsed.value, [], { srtp: false, avpf: false }, MEANS);
      assert(next.ok);
      const out = sdp.writePhone({
        sessionId: "1",
        version: 1,
        sections: next.value,
        local: LOCAL,
      });
      assert.deepEqual(listed(out), codecs.map(([type, name]) => `${type} ${name}`));
      assert(out.includes(`a=${direction}\r\n`));
      assert(!out.includes("x-pz"));
    }),
    RUNS,
  );
});

Deno.test("phone SDP: whatever a phone calls its codecs, the offerer hears its own numbers", () => {
  fc.assert(
    fc.property(offers, offers, (ours, theirs) => {
      const first = sdp.offerOfPhone(ours.text, [], ["audio"]);
      assert(first.ok);
      const abstract = sdp.parseSdp(
        sdp.abstractOfPhone(first.value, { token: TOKEN, version: 1 }),
      );
      assert(abstract.ok);
      const offer = sdp.offerToPhone(abstract.value, [], { srtp: false, avpf: false }, MEANS);
      assert(offer.ok);
      const answer = sdp.answerOfPhone(offer.value, theirs.text);
      assert(answer.ok);
      const numbers = new Map(ours.codecs.map(([type, name]) => [type, name]));
      const said = sdp.parseSdp(sdp.abstractOfPhone(answer.value, { token: OTHER, version: 1 }));
      assert(said.ok);
      for (const section of said.value.media) {
        if (section.rejected) continue;
        const types = section.codecs.map((codec) => codec.payloadType);
        assert.equal(new Set(types).size, types.length);
        for (const codec of section.codecs) {
          assert(numbers.get(codec.payloadType)?.startsWith(`${codec.name}/`));
        }
      }
      // And back to the first phone, whose numbers they are.
      const back = sdp.answerToPhone(first.value, said.value, MEANS);
      for (const { wire } of back.flatMap((section) => section.rejected ? [] : section.pairs)) {
        assert(numbers.get(wire.payloadType)?.startsWith(`${wire.name}/`));
      }
    }),
    RUNS,
  );
});

/**
 * What a broken or hostile phone makes of a description: lines gone, doubled, moved, cut, dirty.
 */
const mutations = fc.array(
  fc.record({
    kind: fc.constantFrom("drop", "double", "swap", "cut", "dirty", "number", "insert"),
    at: fc.nat(200),
    other: fc.nat(200),
    text: fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "a=crypto:99999999999 x inline:",
        "m=audio",
        "m=audio 70000 RTP/AVP 0",
        "c=IN IP4",
        "a=rtcp:",
        "a=x-pz-endpoint:00000000000000000000000000000000",
        "a=rtpmap:128 opus/48000/2",
        "a=rtpmap:0 __proto__/8000",
        "a=fmtp:0 constructor",
      ),
    ),
  }),
  { maxLength: 12 },
);

function mutate(text: string, changes: readonly Mutation[]): string {
  let lines = text.split("\r\n");
  for (const { kind, at, other, text: extra } of changes) {
    const i = at % lines.length;
    const j = other % lines.length;
    const line = lines[i]!;
    if (kind === "drop") lines = lines.filter((_, index) => index !== i);
    else if (kind === "double") lines.splice(i, 0, line);
    else if (kind === "swap") [lines[i], lines[j]] = [lines[j]!, line];
    else if (kind === "cut") lines[i] = line.slice(0, other % (line.length + 1));
    else if (kind === "dirty") lines[i] = `${line}${extra}`;
    else if (kind === "number") lines[i] = line.replace(/\d+/, String(other * 9_999_991));
    else lines.splice(i, 0, extra);
    if (lines.length === 0) lines = [""];
  }
  return lines.join("\r\n");
}
type Mutation = {
  readonly kind: string;
  readonly at: number;
  readonly other: number;
  readonly text: string;
};

Deno.test("phone SDP: nothing that a phone says throws or leaks, as offer or as answer", () => {
  const browser = sdp.offerOfPhone(PHONES[0]!.text, [], ["audio", "video"]);
  assert(browser.ok);
  fc.assert(
    fc.property(fc.constantFrom(...PHONES), mutations, (phone, changes) => {
      const text = mutate(phone.text, changes);
      const clean = sdp.stripEndpointTokens(text);
      const offer = sdp.offerOfPhone(clean, [], ["audio", "video"]);
      if (offer.ok) {
        const abstract = sdp.abstractOfPhone(offer.value, { token: TOKEN, version: 1 });
        assert(!/^a=x-pz-endpoint:0{32}/m.test(abstract));
        const parsed = sdp.parseSdp(abstract);
        assert(parsed.ok, abstract);
        assert.equal(parsed.value.token, TOKEN);
        const answer = sdp.answerToPhone(offer.value, parsed.value, MEANS);
        const out = sdp.writePhone({
          sessionId: "1",
          version: 1,
          sections: answer,
          local: LOCAL,
        });
        assert(sdp.parseSdp(out).ok, out);
      }
      const answered = sdp.answerOfPhone(browser.value, clean);
      if (answered.ok) {
        assert(sdp.parseSdp(sdp.abstractOfPhone(answered.value, { token: TOKEN, version: 1 })).ok);
      }
    }),
    { numRuns: 1_000 },
  );
});
