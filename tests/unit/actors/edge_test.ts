import assert from "node:assert/strict";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import * as sdp from "../../../src/sdp/mod.ts";
import { serialize, SipRequest, type SipResponse } from "../../../src/sip/message/mod.ts";
import { MEDIA_ADDRESS, SimRtpMedia } from "../../sim/rtp_media.ts";
import {
  abstractSdp,
  answer,
  body,
  flow,
  inDialog,
  invite,
  phoneSdp,
  read,
  Stage,
  talking,
  TOKEN,
} from "../../support/edge_stage.ts";
import { requestText } from "../../support/sip_fixtures.ts";

/** What passes the edge, in what order, and how its anchors end. */

Deno.test("edge: what has no description passes byte for byte, at once", () => {
  const stage = new Stage();
  const message = read(requestText("MESSAGE", {
    body: "a=x-pz-endpoint:hello",
    extra: ["Content-Type: text/plain"],
  }));
  const bytes = serialize(message);
  stage.edge.outgoing(flow("192.0.2.9"), message, bytes);
  assert.equal(stage.wireBytes[0], bytes);
  stage.in(flow("192.0.2.9"), message);
  assert.equal(body(stage.inner[0]), "a=x-pz-endpoint:hello");
  stage.in(flow("192.0.2.9"), requestText("OPTIONS"));
  assert.equal(stage.inner.length, 2);
  assert.equal(stage.live, 0);
});

Deno.test("edge: tokens are never taken from outside", () => {
  const mark = `a=x-pz-endpoint:${"f".repeat(32)}`;
  const stage = new Stage();
  stage.in(flow("192.0.2.9"), invite(`${phoneSdp()}${mark}\r\n`));
  stage.settle();
  const abstract = sdp.parseSdp(body(stage.inner[0]));
  assert(abstract.ok);
  assert.equal(abstract.value.token, stage.rtp.all[0]!.token);
  // Among several parts too, and where no type is given.
  const parts = [
    "--x",
    "Content-Type: text/plain",
    "",
    "v=0",
    mark,
    "--x",
    "Content-Type: application/sdp",
    "",
    phoneSdp().trimEnd(),
    mark,
    "--x--",
    "",
  ].join("\r\n");
  const multipart = invite(undefined, {
    callId: "2",
    body: parts,
    extra: ["Content-Type: multipart/mixed;boundary=x", "Contact: <sip:x@192.0.2.9>"],
  });
  stage.in(flow("192.0.2.9"), multipart);
  stage.in(flow("192.0.2.9"), invite(undefined, { callId: "3", body: `${phoneSdp()}${mark}\r\n` }));
  const foreign = [`Content-Type: application/isup`, "Contact: <sip:x@192.0.2.9>"];
  stage.in(
    flow("192.0.2.9"),
    invite(undefined, { callId: "4", body: `v=0\r\n${mark}\r\n`, extra: foreign }),
  );
  stage.settle();
  assert.equal(stage.inner.length, 4);
  for (const message of stage.inner) {
    assert(!body(message).includes("f".repeat(32)), body(message));
  }
  assert.equal(
    stage.inner.filter((message) => message.contentType === "application/sdp").length,
    3,
  );
});

Deno.test("edge: messages of a dialog keep their order while its endpoint opens", () => {
  const stage = new Stage();
  const to = flow("192.0.2.9");
  const first = read(invite(abstractSdp()));
  stage.out(to, first);
  stage.out(to, first);
  stage.out(to, requestText("CANCEL"));
  assert.equal(stage.wire.length, 0);
  stage.settle();
  assert.deepEqual(stage.wire.map((message) => (message as SipRequest).method), [
    "INVITE",
    "CANCEL",
  ]);
  const said = body(stage.wire[0]);
  assert.match(said, new RegExp(`^c=IN IP4 ${MEDIA_ADDRESS}\r$`, "m"));
  // The message that the transaction keeps is untouched; repeated, it says the same again.
  assert.match(body(first), /x-pz-endpoint/);
  stage.out(to, first);
  assert.equal(body(stage.wire[2]), said);
  assert.equal(stage.rtp.all.length, 1);
});

Deno.test("edge: an endpoint that never opens is a 503, and its ACK goes no further", () => {
  const stage = new Stage();
  stage.rtp.openRtp = (options) => {
    const endpoint = new SimRtpMedia(new ManualClock(), stage.chance).openRtp(options, () => {});
    return endpoint;
  };
  const to = flow("192.0.2.9");
  const first = read(invite(abstractSdp()));
  stage.out(to, first);
  stage.clock.advance(6_000);
  assert.equal((stage.inner[0] as SipResponse).status, 503);
  stage.out(to, requestText("ACK", { to: "<sip:bob@example.com>;tag=x" }));
  assert.equal(stage.wire.length, 0);
  assert.equal(stage.live, 0);
});

Deno.test("edge: a BYE that is never answered, and a 2xx without ACK, leave nothing", () => {
  const stage = talking();
  stage.out(flow("192.0.2.9"), inDialog("BYE", 1, false));
  assert.equal(stage.rtp.live.size, 1);
  stage.clock.advance(36_000);
  assert.equal(stage.live, 0);
  const silent = new Stage();
  silent.out(flow("192.0.2.9"), invite(abstractSdp()));
  silent.settle();
  silent.clock.advance(41_000);
  assert.equal(silent.live, 0);
  const early = new Stage();
  early.out(flow("192.0.2.9"), invite(abstractSdp()));
  early.settle();
  early.in(flow("192.0.2.9"), answer(early.wire[0]!, 183, phoneSdp()));
  early.in(flow("192.0.2.9"), answer(early.wire[0]!, 200, phoneSdp()));
  assert.equal(early.states.at(-1), "answered");
  early.clock.advance(41_000);
  assert.equal(early.live, 0);
});

Deno.test("edge: effects name the dialog from our side", () => {
  const stage = talking();
  const endpoint = stage.rtp.all[0]!;
  const dialog = { callId: "call-1", localTag: "b", remoteTag: "a" };
  endpoint.emit({ type: "key-frame-wanted" });
  endpoint.emit({ type: "dtmf", digit: "5", durationMs: 100 });
  const info = requestText("INFO", {
    sequence: 5,
    to: "<sip:bob@example.com>;tag=b",
    branch: "z9hG4bKinfo",
    extra: ["Content-Type: application/media_control+xml"],
    body: "<media_control><picture_fast_update/></media_control>",
  });
  stage.in(flow("192.0.2.9"), info);
  assert.equal((stage.wire.at(-1) as SipResponse).status, 200);
  endpoint.emit({ type: "lost", text: "The worker died" });
  assert.deepEqual(stage.effects, [
    { type: "key-frame-wanted", flow: flow("192.0.2.9"), dialog },
    { type: "dtmf", digit: "5", durationMs: 100, dialog },
    { type: "key-frame-request", endpoint: TOKEN },
    { type: "media-lost", dialog, text: "The worker died" },
  ]);
  assert.equal(stage.live, 0);
});

Deno.test("edge: a fault in any state of an anchor ends that anchor and nothing else", () => {
  const calm = talking();
  calm.out(flow("192.0.2.9"), inDialog("BYE", 1, false));
  calm.clock.advance(36_000);
  const states = [...new Set(calm.states)];
  assert.deepEqual(states, [
    "waiting",
    "opening",
    "offered",
    "answered",
    "confirmed",
    "closing",
    "closed",
  ]);
  for (const bad of states) {
    let isArmed = true;
    const stage = new Stage({}, (state) => {
      if (state !== bad || !isArmed) return;
      isArmed = false;
      throw new Error("injected");
    });
    const from = flow("192.0.2.9");
    stage.in(from, invite(phoneSdp()));
    stage.settle();
    if (stage.inner[0]) {
      const offer = sdp.parseSdp(body(stage.inner[0]));
      assert(offer.ok);
      const said = sdp.abstractAnswer(offer.value, offer.value, TOKEN);
      assert(said.ok);
      stage.out(from, answer(stage.inner[0], 200, said.value));
      stage.in(from, inDialog("ACK", 1, true));
      stage.in(from, inDialog("BYE", 2, true));
    }
    stage.clock.advance(60_000);
    assert.equal(isArmed, false, bad);
    assert.equal(stage.live, 0, `${bad}: ${JSON.stringify(stage.edge.counts)}`);
    assert(stage.errors.length > 0, bad);
    // The next call is none the wiser.
    stage.in(from, invite(phoneSdp(), { callId: "next", branch: "z9hG4bKn" }));
    stage.settle();
    assert.equal(stage.inner.at(-1)?.callId, "next");
  }
});
