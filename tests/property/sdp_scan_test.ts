import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { endpointToken, namesEndpoint, parseSdp } from "../../src/sdp/mod.ts";
import { scanSdp } from "../../src/sdp/parse.ts";
import { scanPlain } from "../../src/sdp/scan.ts";
import { writeSdp } from "../../src/sdp/write.ts";
import { writePlain } from "../../src/sdp/write_plain.ts";
import { PHONES } from "../unit/sdp/phone_fixtures.ts";
import { fixture } from "../unit/sdp/fixtures.ts";

/** What sections lack that were made of a phone's. */
const BARE = {
  mid: undefined,
  ownDirection: undefined,
  extensions: [],
  extmapAllowMixed: false,
  rtcpRsize: false,
  rtcpXr: undefined,
  ssrcs: [],
  ssrcGroups: [],
  rids: [],
  simulcast: undefined,
};
const KEY = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

const PLAIN_LINES = [
  "c=IN IP4 192.0.2.1",
  "s=-",
  "t=0 0",
  "b=AS:64",
  "m=audio 4000 RTP/AVP 0 8 101",
  "m=audio 0 RTP/AVP 0",
  "m=video 00 RTP/SAVPF 96 96 200",
  "m=audio 4000 RTP/AVP 00 3",
  "m=audio 4000 UDP/TLS/RTP/SAVPF 96 0 8",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/08000",
  "a=rtpmap:96 opus/48000/2",
  "a=rtpmap:96 7/0",
  "a=rtpmap:101 telephone-event/8000",
  "a=rtpmap:300 x/8000",
  "a=fmtp:101 0-15",
  "a=fmtp:101 16",
  "a=fmtp:96 a=b; c ",
  "a=rtcp-fb:* nack",
  "a=rtcp-fb:96 nack pli",
  "a=rtcp-fb:96 ccm fir",
  "a=rtcp-fb:96 transport-cc",
  "a=sendrecv",
  "a=sendonly",
  "a=recvonly",
  "a=inactive",
  "a=rtcp-mux",
  "a=ptime:20",
  "a=ptime:020",
  "a=maxptime:60",
  "a=rtcp:4001",
  "a=rtcp:4001 IN IP4 192.0.2.1",
  `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`,
  "a=crypto:",
  "a=extmap:3 urn:x",
  "a=ssrc:1 cname:x",
  "a=ssrc:1 cname:2",
  "a=rtcp-xr:voip-metrics",
  "a=tool:phone",
  "a=label:1",
  "a=mid:0",
  "a=mid:audio-1",
  "a=silenceSupp:off - - - -",
  "a=x-pz-endpoint:0123456789abcdef0123456789abcdef",
  "a=x-pz-endpoint:01",
  "a=x-pz-direction:sendonly",
  "a=x-pz-direction:up",
  "",
];
/** Near neighbours of these, most of which are the parser's. */
const ODD_LINES = [
  "v=0",
  "v=1",
  "o=- 1 1 IN IP4 0.0.0.0",
  "o=a b 1 1 IN IP4 0.0.0.0",
  "o=- 007 99999999999999999999 IN IP6 ::1",
  "b=AS:064",
  "b=TIAS:64000 ",
  "b=X-YZ:1",
  "m=audio 4000/2 RTP/AVP 0",
  "m=application 9 UDP/BFCP *",
  "m=audio",
  "m=",
  "a=rtpmap:00 PCMU/8000",
  "a=rtpmap:96 H264 / 90000",
  "a=rtpmap:101 telephone-event/8000 ",
  "a=fmtp:96  a=b ",
  "a=fmtp:96",
  "a=rtcp-fb:96 trr-int 100",
  "a=rtcp-fb:96 nack pli more",
  "a=recvonly ",
  "a=rtcp-mux-only",
  "a=rtcp-rsize",
  "a=ptime:2.5",
  "a=rtcp:x",
  "a=extmap:03 urn:x",
  "a=extmap:3/sendonly urn:x",
  "a=extmap:3 urn:ietf:params:rtp-hdrext:encrypt",
  "a=extmap:4 urn:ietf:params:rtp-hdrext:encrypt urn:y",
  "a=ssrc:1 msid:x",
  "a=mid:0/1",
  "a=group:BUNDLE 0",
  "a=bundle-only",
  "a=fingerprint:sha-256 AA:BB",
  "a=setup:active",
  "a=ice-ufrag:abcd",
  "a=12",
  " ",
  "a=\tsendrecv",
  "a=tool:\u2028",
  "a=tool:ü",
  "a=\r",
];
const line = fc.oneof(
  fc.constantFrom(...PLAIN_LINES),
  fc.constantFrom(...ODD_LINES),
  fc.string({ maxLength: 20 }),
);

/** A real description with lines put in, changed, doubled or left out. */
const mutated = fc.record({
  source: fc.constantFrom(
    ...PHONES.map(({ text }) => text),
    fixture("chromium_audio"),
    fixture("chromium_answers_firefox_video"),
  ),
  changes: fc.array(
    fc.record({
      at: fc.nat(60),
      how: fc.constantFrom("put", "replace", "double", "drop", "cut", "garble"),
      line,
      column: fc.nat(40),
    }),
    { maxLength: 6 },
  ),
  end: fc.constantFrom("\r\n", "\n", "\r"),
}).map(({ source, changes, end }) => {
  const lines = source.split("\r\n");
  for (const { at: place, how, line, column } of changes) {
    const at = place % lines.length;
    const old = lines[at] ?? "";
    if (how === "put") lines.splice(at, 0, line);
    else if (how === "replace") lines[at] = line;
    else if (how === "double") lines.splice(at, 0, old);
    else if (how === "drop") lines.splice(at, 1);
    else if (how === "cut") lines[at] = old.slice(0, column);
    else lines[at] = old.slice(0, column) + line.slice(0, 2) + old.slice(column + 1);
  }
  return lines.join(end);
});

/** Descriptions of nothing but such lines. */
const composed = fc.tuple(
  fc.constantFrom(
    "a=sendonly",
    "a=tool:x",
    "b=AS:1",
    "t=0 0",
    "",
    "a=x-pz-endpoint:01",
    "a=x-pz-endpoint:0123456789abcdef0123456789abcdef",
    "a=crypto:",
  ),
  fc.array(
    fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom(...PLAIN_LINES) },
      { weight: 1, arbitrary: line },
    ),
    { maxLength: 25 },
  ),
).map(([first, lines]) =>
  ["v=0", "o=- 1 2 IN IP4 0.0.0.0", first, "m=audio 9 RTP/AVP 96 0", ...lines, ""].join("\r\n")
);

Deno.test("the scan of a description says what the parser says, or nothing", () => {
  let scanned = 0;
  fc.assert(
    fc.property(fc.oneof(mutated, composed), (text) => {
      if (scanPlain(text)) scanned++;
      assert.deepEqual(scanSdp(text), parseSdp(text));
    }),
    { numRuns: 4_000 },
  );
  assert(scanned > 1_000, `${scanned} of 4,000 were plain: the dice show nothing`);
});

Deno.test("whose media it is shows at a look as the parser says it", () => {
  let named = 0;
  fc.assert(
    fc.property(fc.oneof(mutated, composed), (text) => {
      const parsed = parseSdp(text);
      // With line ends of old nothing of ours was written.
      if (!parsed.ok || /\r(?!\n)/.test(text)) return;
      const isNamed = namesEndpoint(text);
      if (isNamed) named++;
      assert.equal(isNamed, endpointToken(parsed.value) !== undefined);
    }),
    { numRuns: 2_000 },
  );
  assert(named > 50, `${named} named one: the dice show nothing`);
});

Deno.test("plain descriptions are written as the library writes them", () => {
  let plain = 0;
  fc.assert(
    fc.property(fc.oneof(mutated, composed), fc.boolean(), fc.boolean(), (text, isBare, isLive) => {
      const parsed = parseSdp(text);
      if (!parsed.ok) return;
      const media = parsed.value.media.map((section) => ({
        ...section,
        ...(isBare ? BARE : {}),
        rejected: section.rejected || !isLive,
      }));
      if (isBare) plain++;
      const { token, extmapAllowMixed } = parsed.value;
      const mark = token === undefined ? {} : { token };
      const description = { sessionId: "7", version: 3, media, extmapAllowMixed, ...mark };
      assert.equal(writePlain(description), writeSdp(description));
    }),
    { numRuns: 2_000 },
  );
  assert(plain > 100, `${plain} were plain: the dice show nothing`);
});

Deno.test("descriptions of phones in common use are plain; a browser's is the parser's", () => {
  const plain = PHONES.filter(({ text }) => scanPlain(text)).map(({ name }) => name);
  for (
    const name of ["cisco desk phone, without rtpmaps of static types", "asterisk", "microsip"]
  ) {
    assert(plain.includes(name), `${name} is not plain`);
  }
  assert.equal(scanPlain(fixture("chromium_audio")), undefined);
});

Deno.test("the parser's limits hold for the scan", () => {
  const head = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n";
  const media = "m=audio 4000 RTP/AVP 0\r\n";
  for (const text of [head, media, head + "\n".repeat(3_000) + media, head + media.repeat(17)]) {
    assert.equal(scanSdp(text).ok, false);
    assert.deepEqual(scanSdp(text), parseSdp(text));
  }
  const long = head + media + `a=tool:${"x".repeat(70_000)}\r\n`;
  assert.equal(scanSdp(long).ok, false);
});
