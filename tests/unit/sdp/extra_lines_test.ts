import assert from "node:assert/strict";
import { checkSipSdp } from "../../../src/sdp/mod.ts";

Deno.test("sdp/sipSDP: bandwidth and free attributes are taken", () => {
  const lines = ["b=AS:64", "b=TIAS:64000", "a=x-app:some value", "a=tool", "a=label:1"];
  const result = checkSipSdp(lines);
  assert.ok(result.ok);
  assert.deepEqual(result.value, lines);
});

const REFUSED: Readonly<Record<string, RegExp>> = {
  "a=x-pz-endpoint:0123456789abcdef0123456789abcdef": /sets "x-pz-endpoint"/,
  "a=X-PZ-anything": /sets/,
  "a=ice-ufrag:abcd": /sets "ice-ufrag"/,
  "a=Candidate:1 1 udp 1 10.0.0.1 9 typ host": /sets "candidate"/,
  "a=fingerprint:sha-256 AA": /sets/,
  "a=setup:active": /sets/,
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x": /sets/,
  "a=rtpmap:0 x/1": /sets/,
  "a=sendonly": /sets/,
  "a=x\r\na=y": /control/,
  "a=x\u2028": /control/,
  "a=": /neither/,
  "m=audio 1 RTP/AVP 0": /neither/,
  "c=IN IP4 10.0.0.1": /neither/,
  "o=- 1 1 IN IP4 10.0.0.1": /neither/,
  "b=AS:many": /neither/,
  "hello": /neither/,
  "": /neither/,
};

for (const [line, why] of Object.entries(REFUSED)) {
  Deno.test(`sdp/sipSDP: refuses ${JSON.stringify(line)}`, () => {
    const result = checkSipSdp(["b=AS:64", line]);
    assert.ok(!result.ok);
    assert.match(result.error.text, why);
  });
}

Deno.test("sdp/sipSDP: length and number are bounded", () => {
  assert.ok(!checkSipSdp(Array(33).fill("b=AS:1")).ok);
  assert.ok(!checkSipSdp([`a=x:${"y".repeat(2_000)}`]).ok);
});
