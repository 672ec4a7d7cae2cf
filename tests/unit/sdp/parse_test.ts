import assert from "node:assert/strict";
import {
  checkBrowserDescription,
  codecsOf,
  directionOf,
  endpointToken,
  firstCodecs,
  mediaOf,
  parseSdp,
  stripEndpointTokens,
} from "../../../src/sdp/mod.ts";
import { MAX_SDP_LENGTH } from "../../../src/sdp/model.ts";
import { CALLER_TOKEN, fixture, parsed, value } from "./fixtures.ts";

function fault(text: string): string {
  const result = parseSdp(text);
  assert.ok(!result.ok, "expected a fault");
  assert.equal(result.error.reason, "malformed");
  return result.error.text;
}

Deno.test("sdp/parse: what is no SDP is a fault that names why", () => {
  assert.match(fault(""), /v=0/);
  assert.match(fault("hello"), /v=0/);
  assert.match(fault("v=0\r\ns=-\r\n"), /m=/);
  assert.match(fault("v=0\r\nm=\r\n"), /m-line 1/);
  assert.match(fault("v=0\r\nm=audio 9 RTP/AVP 0\r\na=mid:\x00\r\n"), /control/);
  assert.match(fault(`v=0\r\n${"a=x\r\n".repeat(2_500)}`), /lines/);
  assert.match(fault(`v=0\r\n${"m=audio 9 RTP/AVP 0\r\n".repeat(17)}`), /17 "m="/);
  assert.match(fault("v=0\r\n" + "a".repeat(MAX_SDP_LENGTH)), /characters/);
});

Deno.test("sdp/parse: Chromium's offer", () => {
  const sdp = parsed(fixture("chromium_video"));
  assert.deepEqual(mediaOf(sdp), { audio: true, video: true });
  assert.deepEqual(firstCodecs(sdp), ["opus", "VP8"]);
  assert.deepEqual(codecsOf(sdp).audio, [
    "opus",
    "red",
    "G722",
    "PCMU",
    "PCMA",
    "CN",
    "telephone-event",
  ]);
  assert.equal(directionOf(sdp), "sendrecv");
  const remote = value(checkBrowserDescription(sdp));
  assert.equal(remote.iceUfrag, "5eib");
  assert.equal(remote.icePwd, "X0/L9aJLweO4dB/Zcs9GPXfV");
  assert.equal(remote.fingerprints[0]?.algorithm, "sha-256");
  assert.deepEqual(
    remote.payloads.find((payload) => payload.payloadType === 96),
    { payloadType: 96, kind: "video", codec: "VP8", clockRate: 90_000 },
  );
});

Deno.test("sdp/parse: Firefox writes fmtp before rtpmap and the fingerprint at session level", () => {
  const sdp = parsed(fixture("firefox_video"));
  const opus = sdp.media[0]?.codecs[0];
  assert.deepEqual(opus, {
    payloadType: 109,
    name: "opus",
    clockRate: 48_000,
    channels: "2",
    fmtp: ["maxplaybackrate=48000;stereo=1;useinbandfec=1"],
    feedback: ["transport-cc"],
  });
  assert.equal(sdp.media[0]?.extensions.find(({ id }) => id === 2)?.direction, "recvonly");
  const remote = value(checkBrowserDescription(sdp));
  assert.match(remote.fingerprints[0]?.value ?? "", /^53:43:17:/);
});

Deno.test("sdp/parse: values that look like numbers stay text", () => {
  const text = fixture("chromium_audio")
    .replace(/a=ice-ufrag:.*/, "a=ice-ufrag:1234")
    .replace(/a=ice-pwd:.*/, "a=ice-pwd:1234567890123456789012");
  const remote = value(checkBrowserDescription(parsed(text)));
  assert.equal(remote.iceUfrag, "1234");
  assert.equal(remote.icePwd, "1234567890123456789012");
  assert.equal(parsed(text).media[0]?.mid, "0");
});

Deno.test("sdp/parse: static payload types need no rtpmap", () => {
  const sdp = parsed("v=0\r\nm=audio 4000 RTP/AVP 8 0 18\r\n");
  assert.deepEqual(codecsOf(sdp).audio, ["PCMA", "PCMU", "G729"]);
});

Deno.test("sdp/parse: several fingerprints are all kept", () => {
  const other = `a=fingerprint:sha-1 ${Array(20).fill("0a").join(":")}`;
  const text = fixture("chromium_audio").replace("a=setup", `${other}\r\na=setup`);
  const { fingerprints } = value(checkBrowserDescription(parsed(text)));
  assert.deepEqual(fingerprints.map(({ algorithm }) => algorithm), ["sha-256", "sha-1"]);
  assert.match(fingerprints[1]!.value, /^0A:/);
});

Deno.test("sdp/parse: session direction holds where a section has none", () => {
  const text = "v=0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n";
  assert.equal(directionOf(parsed(text)), "sendonly");
  assert.equal(directionOf(parsed("v=0\r\nm=audio 0 RTP/AVP 0\r\n")), "inactive");
});

Deno.test("sdp/check: what the media plane cannot serve is refused by name", () => {
  const check = (text: string) => {
    const result = checkBrowserDescription(parsed(text));
    assert.ok(!result.ok, "expected a refusal");
    return result.error.text;
  };
  const audio = fixture("chromium_audio");
  assert.match(check(audio.replace("a=rtcp-mux\r\n", "")), /rtcp-mux/);
  assert.match(check(audio.replace(/a=fingerprint.*\r\n/, "")), /fingerprint/);
  assert.match(
    check(audio.replace(/a=fingerprint:.*/, "a=fingerprint:sha-256 nonsense")),
    /finger/,
  );
  assert.match(check(audio.replace(/a=ice-ufrag.*\r\n/, "")), /ice-ufrag/);
  assert.match(check(audio.replace(/a=ice-pwd:.*/, "a=ice-pwd:short")), /ice-pwd/);
  assert.match(check(audio.replace("actpass", "passive")), /passive/);
  assert.match(check(audio.replace(/m=audio 9/, "m=audio 0")), /neither audio nor video/);
  assert.match(check(audio.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")), /RTP\/AVP/);
  assert.match(
    check(fixture("chromium_video").replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0")),
    /BUNDLE/,
  );
});

Deno.test("sdp/token: read at session level only, and only when well-formed", () => {
  const text = (session: string, media = "") => `v=0\r\n${session}m=audio 9 RTP/AVP 0\r\n${media}`;
  const line = `a=x-pz-endpoint:${CALLER_TOKEN}\r\n`;
  assert.equal(endpointToken(parsed(text(line))), CALLER_TOKEN);
  assert.equal(endpointToken(parsed(text("", line))), undefined);
  assert.equal(endpointToken(parsed(text("a=x-pz-endpoint:abc\r\n"))), undefined);
});

Deno.test("sdp/token: strip leaves nothing of ours, whatever the line end", () => {
  const line = `a=x-pz-endpoint:${CALLER_TOKEN}`;
  for (const end of ["\r\n", "\n", "\r"]) {
    const text = ["v=0", line, "a=X-PZ-direction:sendrecv", "m=audio 9 RTP/AVP 0", line].join(end);
    const stripped = stripEndpointTokens(text);
    assert.equal(endpointToken(parsed(stripped)), undefined);
    assert.equal(stripped, `v=0${end}m=audio 9 RTP/AVP 0${end}`);
  }
});
