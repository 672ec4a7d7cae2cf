import assert from "node:assert/strict";
import type { EndpointToken } from "../../../src/core/ids.ts";
import {
  abstractAnswer,
  abstractOffer,
  continuingOffer,
  directionOf,
  endpointToken,
  parseSdp,
  reoffer,
} from "../../../src/sdp/mod.ts";
import type { Sdp } from "../../../src/sdp/model.ts";
import { browserSdp } from "../../support/browser_sdp.ts";

/** What a browser that is handed on offers to whom it is handed to. */

const MINE = "1".repeat(32) as EndpointToken;
const THEIRS = "2".repeat(32) as EndpointToken;

function read(text: string): Sdp {
  const parsed = parseSdp(text);
  assert(parsed.ok, parsed.ok ? "" : parsed.error.text);
  return parsed.value;
}

function value<T>(result: { ok: true; value: T } | { ok: false; error: { text: string } }): T {
  assert(result.ok, result.ok ? "" : result.error.text);
  return result.value;
}

function codecs(sdp: Sdp): string[][] {
  return sdp.media.map((section) =>
    section.codecs.map(({ payloadType, name }) => `${payloadType} ${name}`)
  );
}

const AUDIO = [[111, "opus/48000/2"], [8, "PCMA/8000"], [126, "telephone-event/8000"]] as const;

Deno.test("continuing offer: of whoever has offered, the codec that the answer put first", () => {
  const offer = abstractOffer(read(browserSdp({ video: true, audio: AUDIO })), MINE);
  const answering = browserSdp({
    setup: "active",
    video: true,
    audio: [[8, "PCMA/8000"], [111, "opus/48000/2"], [126, "telephone-event/8000"]],
  });
  const answer = value(abstractAnswer(read(offer), read(answering), THEIRS));
  const next = read(value(continuingOffer(offer, read(answer))));
  assert.deepEqual(codecs(next), [["8 PCMA", "126 telephone-event"], ["96 VP8"]]);
  assert.equal(endpointToken(next), MINE);
  assert.equal(next.origin.sessionId, read(offer).origin.sessionId);
  assert.equal(next.origin.version, read(offer).origin.version + 1);
});

Deno.test("continuing offer: of whoever has answered, without what was refused, mids kept", () => {
  const offer = abstractOffer(read(browserSdp({ video: true, audio: AUDIO })), THEIRS);
  const answering = browserSdp({ setup: "active", video: true, audio: [[8, "PCMA/8000"]] })
    .replace(/m=video 9/, "m=video 0");
  const answer = value(abstractAnswer(read(offer), read(answering), MINE));
  const next = read(value(continuingOffer(answer, read(offer))));
  assert.deepEqual(codecs(next), [["8 PCMA"]]);
  assert.deepEqual(next.media.map(({ mid }) => mid), ["0"]);
  assert.equal(endpointToken(next), MINE);
});

Deno.test("continuing offer: a hold of the side that leaves is over", () => {
  const offer = abstractOffer(read(browserSdp({ audio: AUDIO })), MINE);
  const answer = value(
    abstractAnswer(read(offer), read(browserSdp({ setup: "active", audio: AUDIO })), THEIRS),
  );
  const held = reoffer(offer, "recvonly");
  const holding = reoffer(answer, "sendonly");
  assert.equal(directionOf(read(held)), "recvonly");
  const next = read(value(continuingOffer(held, read(holding))));
  assert.equal(directionOf(next), "sendrecv");
});

Deno.test("continuing offer: nothing in common is a fault in words", () => {
  const offer = abstractOffer(read(browserSdp({ audio: [[111, "opus/48000/2"]] })), MINE);
  const other = abstractOffer(read(browserSdp({ audio: [[8, "PCMA/8000"]] })), THEIRS);
  const result = continuingOffer(offer, read(other));
  assert.equal(result.ok, false);
  assert.equal(!result.ok && result.error.reason, "no_common_codec");
});
