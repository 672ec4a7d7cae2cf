import assert from "node:assert/strict";
import {
  abstractAnswer,
  abstractOffer,
  answerReoffer,
  type Direction,
  directionOf,
  endpointToken,
  reoffer,
} from "../../../src/sdp/mod.ts";
import { CALLEE_TOKEN, CALLER_TOKEN, fixture, linesOf, parsed, value } from "./fixtures.ts";

const INVITE = abstractOffer(parsed(fixture("chromium_video")), CALLER_TOKEN, {
  sipSdp: ["b=AS:64", "a=x-app:1", "a=ice-ufrag:evil", "m=audio 1 RTP/AVP 0"],
});
const OK = value(
  abstractAnswer(parsed(INVITE), parsed(fixture("firefox_answers_chromium_video")), CALLEE_TOKEN),
);

function versionOf(text: string): number {
  return parsed(text).origin.version;
}

Deno.test("sdp/hold: one side holds, the other answers, and back", () => {
  const hold = reoffer(INVITE, "sendonly");
  assert.equal(directionOf(parsed(hold)), "sendonly");
  assert.equal(versionOf(hold), versionOf(INVITE) + 1);
  assert.equal(parsed(hold).origin.sessionId, parsed(INVITE).origin.sessionId);
  const held = value(answerReoffer(OK, parsed(hold), "sendrecv"));
  assert.equal(directionOf(parsed(held)), "recvonly");
  assert.equal(endpointToken(parsed(held)), CALLEE_TOKEN);
  const unhold = reoffer(hold, "sendrecv");
  assert.equal(directionOf(parsed(unhold)), "sendrecv");
  assert.equal(versionOf(unhold), versionOf(INVITE) + 2);
  const back = value(answerReoffer(held, parsed(unhold), "sendrecv"));
  assert.equal(directionOf(parsed(back)), "sendrecv");
});

Deno.test("sdp/hold: both sides hold; each lets go for itself", () => {
  const hold = reoffer(INVITE, "sendonly");
  const both = value(answerReoffer(OK, parsed(hold), "sendonly"));
  assert.equal(directionOf(parsed(both)), "inactive");
  const unhold = reoffer(hold, "sendrecv");
  const still = value(answerReoffer(both, parsed(unhold), "sendonly"));
  assert.equal(directionOf(parsed(still)), "sendonly");
});

Deno.test("sdp/hold: a side that never sent does not begin to by being let go", () => {
  const first = abstractOffer(
    parsed(fixture("chromium_audio").replace("a=sendrecv", "a=recvonly")),
    CALLER_TOKEN,
  );
  const hold = reoffer(first, "sendonly");
  assert.equal(directionOf(parsed(hold)), "inactive");
  assert.equal(directionOf(parsed(reoffer(hold, "sendrecv"))), "recvonly");
});

Deno.test("sdp/hold: every direction narrows, nothing else changes but the version", () => {
  const rest = (text: string) =>
    text.split("\r\n").filter((line) =>
      !/^(o=|a=(sendrecv|sendonly|recvonly|inactive)|a=x-pz-direction)/.test(line)
    );
  for (const direction of ["sendrecv", "sendonly", "recvonly", "inactive"] as Direction[]) {
    const text = reoffer(INVITE, direction);
    assert.equal(directionOf(parsed(text)), direction);
    assert.deepEqual(rest(text), rest(INVITE));
  }
});

Deno.test("sdp/hold: what was refused stays refused, new m-lines are refused, missing are a fault", () => {
  const audioOnly = OK.replace("m=video 9", "m=video 0");
  const answered = parsed(value(answerReoffer(audioOnly, parsed(INVITE), "sendrecv")));
  assert.deepEqual(answered.media.map((section) => section.rejected), [false, true]);
  const more = INVITE + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=mid:2\r\n";
  const third = parsed(value(answerReoffer(OK, parsed(more), "sendrecv")));
  assert.deepEqual(third.media.map((section) => section.rejected), [false, false, true]);
  const fewer = answerReoffer(OK, parsed(INVITE.slice(0, INVITE.indexOf("m=video"))), "sendrecv");
  assert.ok(!fewer.ok && fewer.error.reason === "malformed");
});

Deno.test("sdp/hold: the application's lines are kept, those that are not its to set never went in", () => {
  for (const text of [INVITE, reoffer(INVITE, "sendonly")]) {
    assert.deepEqual(linesOf(text, "b="), ["b=AS:64"]);
    assert.deepEqual(linesOf(text, "a=x-app"), ["a=x-app:1"]);
    assert.doesNotMatch(text, /evil/);
    assert.equal(linesOf(text, "m=").length, 2);
  }
});

Deno.test("sdp/hold: text that is not ours is our bug", () => {
  assert.throws(() => reoffer("nonsense", "sendonly"), /our own SDP/);
});
