import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import type { EndpointToken } from "../../src/core/ids.ts";
import {
  abstractAnswer,
  abstractOffer,
  abstractOfferOfAnswer,
  answerReoffer,
  browserAnswer,
  browserOffer,
  checkBrowserDescription,
  type Direction,
  directionOf,
  parseSdp,
  reoffer,
  type Sdp,
  stripEndpointTokens,
} from "../../src/sdp/mod.ts";
import { CALLEE_TOKEN, CALLER_TOKEN, fixture, LOCAL, parsed, value } from "../unit/sdp/fixtures.ts";

const OFFERS = (["chromium_audio", "chromium_video", "firefox_audio", "firefox_video"] as const)
  .map(fixture);
const ANSWERS = ([
  "chromium_answers_chromium_video",
  "firefox_answers_chromium_video",
  "chromium_answers_firefox_video",
] as const).map(fixture);
const DIRECTIONS: readonly Direction[] = ["sendrecv", "sendonly", "recvonly", "inactive"];

const text = fc.constantFrom(...OFFERS, ...ANSWERS);
const direction = fc.constantFrom(...DIRECTIONS);

/** Deletes, doubles, swaps and garbles lines. */
const mutated = fc.tuple(
  text,
  fc.array(
    fc.record({
      at: fc.nat(400),
      kind: fc.constantFrom("delete", "double", "garble", "insert", "cut"),
      with: fc.oneof(
        fc.string({ maxLength: 30 }),
        fc.constantFrom(
          "m=audio 9 UDP/TLS/RTP/SAVPF 0",
          "a=mid:0",
          "a=inactive",
          "a=ssrc:",
          "m=",
          "\r",
        ),
      ),
      column: fc.nat(40),
    }),
    { maxLength: 12 },
  ),
).map(([source, changes]) => {
  const lines = source.split("\r\n");
  for (const change of changes) {
    const at = change.at % lines.length;
    const line = lines[at]!;
    if (change.kind === "delete") lines.splice(at, 1);
    else if (change.kind === "double") lines.splice(at, 0, line);
    else if (change.kind === "insert") lines.splice(at, 0, change.with);
    else if (change.kind === "cut") lines[at] = line.slice(0, change.column);
    else lines[at] = line.slice(0, change.column) + change.with + line.slice(change.column + 1);
    if (lines.length === 0) lines.push("");
  }
  return lines.join("\r\n");
});

/** A random part of the codecs, in random order, of each section of a description. */
const subset = fc.tuple(
  fc.constantFrom("chromium_video" as const, "firefox_video" as const),
  fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
  direction,
).map(([name, stream, way]) => {
  const chance = () => stream.next().value as number;
  const offer = fixture(name);
  const answer = offer.split("\r\n").map((line) => {
    if (DIRECTIONS.includes(line.slice(2) as Direction)) return `a=${way}`;
    if (!line.startsWith("m=")) return line;
    const [type, port, protocol, ...payloads] = line.split(" ");
    const chosen = payloads.filter(() => chance() < 0.4)
      .map((payload) => ({ payload, key: chance() }))
      .sort((a, b) => a.key - b.key).map(({ payload }) => payload);
    return [type, chance() < 0.2 ? "0" : port, protocol, ...chosen].join(" ");
  }).filter((line) => !line.startsWith("a=extmap:") || chance() < 0.5).join("\r\n");
  return { offer, answer: answer.replaceAll("actpass", "active") };
});

/** Runs everything that takes a description of a peer. */
function useAll(sdp: Sdp): string[] {
  const written: string[] = [];
  const keep = (result: ReturnType<typeof browserOffer>) => {
    if (result.ok) written.push(result.value);
  };
  checkBrowserDescription(sdp);
  const invite = abstractOffer(sdp, CALLER_TOKEN);
  written.push(invite, reoffer(invite, "sendonly"));
  keep(browserOffer(parsed(invite), LOCAL));
  for (const other of [...OFFERS, ...ANSWERS].map(parsed)) {
    keep(abstractAnswer(other, sdp, CALLEE_TOKEN));
    keep(abstractAnswer(sdp, other, CALLEE_TOKEN));
    keep(abstractOfferOfAnswer(other, sdp, CALLEE_TOKEN));
    keep(browserAnswer(other, sdp, LOCAL));
    keep(browserAnswer(sdp, other, LOCAL));
    keep(answerReoffer(invite, other, "sendrecv"));
  }
  return written;
}

function assertSubset(answer: Sdp, offer: Sdp): void {
  assert.equal(answer.media.length, offer.media.length);
  for (const [index, section] of answer.media.entries()) {
    const offered = offer.media[index]!;
    assert.equal(section.mid, offered.mid);
    assert.equal(section.type, offered.type);
    if (section.rejected) continue;
    assert.ok(!offered.rejected);
    const known = new Set(offered.codecs.map((c) => `${c.payloadType} ${c.name} ${c.clockRate}`));
    for (const codec of section.codecs) {
      assert.ok(known.has(`${codec.payloadType} ${codec.name} ${codec.clockRate}`), codec.name);
      const feedback = offered.codecs.find((c) => c.payloadType === codec.payloadType)!.feedback;
      assert.ok(codec.feedback.every((kind) => feedback.includes(kind)));
    }
    const extensions = new Set(offered.extensions.map(({ id, uri }) => `${id} ${uri}`));
    assert.ok(section.extensions.every(({ id, uri }) => extensions.has(`${id} ${uri}`)));
    const sends = section.direction === "sendrecv" || section.direction === "sendonly";
    const receives = section.direction === "sendrecv" || section.direction === "recvonly";
    assert.ok(!sends || ["sendrecv", "recvonly"].includes(offered.direction));
    assert.ok(!receives || ["sendrecv", "sendonly"].includes(offered.direction));
  }
}

Deno.test("property: sdp: arbitrary text never throws", () => {
  fc.assert(fc.property(fc.string({ maxLength: 2_000, unit: "binary" }), (input) => {
    parseSdp(input);
    parseSdp(`v=0\r\nm=audio 9 RTP/AVP 0\r\n${input}`);
    stripEndpointTokens(input);
  }));
});

Deno.test("property: sdp: mutated descriptions never throw, and what we write is readable", () => {
  fc.assert(
    fc.property(mutated, (input) => {
      const result = parseSdp(input);
      if (!result.ok) return;
      for (const written of useAll(result.value)) {
        assert.ok(parseSdp(written).ok, written);
        assert.ok(!/[^\r]\n|\r[^\n]|\r\n\r\n/.test(written), "line ends");
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("property: sdp: an answer is a subset of the offer, m-line by m-line", () => {
  fc.assert(
    fc.property(subset, ({ offer, answer }) => {
      const invite = parsed(abstractOffer(parsed(offer), CALLER_TOKEN));
      const body = abstractAnswer(invite, parsed(answer), CALLEE_TOKEN);
      if (!body.ok) {
        assert.equal(body.error.reason, "no_common_codec");
        return;
      }
      assertSubset(parsed(body.value), invite);
      const toCaller = value(browserAnswer(parsed(offer), parsed(body.value), LOCAL));
      assertSubset(parsed(toCaller), parsed(offer));
      const live = parsed(toCaller).media.filter((section) => !section.rejected);
      assert.deepEqual(parsed(toCaller).bundles, [live.map((section) => section.mid)]);
      for (const section of live) {
        const numbers = new Set(section.codecs.map((codec) => codec.payloadType));
        for (const codec of section.codecs.filter(({ name }) => name === "rtx")) {
          assert.ok(numbers.has(Number(/apt=(\d+)/.exec(codec.fmtp.join(";"))?.[1])), "RTX orphan");
        }
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("property: sdp: any run of holds ends where letting go leads", () => {
  fc.assert(
    fc.property(text, direction, fc.array(direction, { maxLength: 6 }), (source, first, steps) => {
      const start = DIRECTIONS.reduce(
        (t, d) => t.replaceAll(`a=${d}\r\n`, `a=${first}\r\n`),
        source,
      );
      const invite = abstractOffer(parsed(start), "0".repeat(32) as EndpointToken);
      const last = steps.reduce((sdp, step) => reoffer(sdp, step), invite);
      assert.equal(directionOf(parsed(reoffer(last, "sendrecv"))), first);
      assert.equal(parsed(last).origin.version, 1 + steps.length);
    }),
    { numRuns: 50 },
  );
});
