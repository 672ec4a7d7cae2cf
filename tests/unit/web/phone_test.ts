import assert from "node:assert/strict";
import { qualityOf } from "../../../web/phone/quality.ts";
import { readMessage } from "../../../web/phone/sdk.ts";
import { serverUrlOf } from "../../../web/phone/settings.ts";
import type { CallPhase, CallState, LineState } from "../../../web/phone/state.ts";
import {
  type CallEnd,
  callWords,
  durationWords,
  endNotice,
  lineWords,
  mediaNotice,
  transferNotice,
} from "../../../web/phone/words.ts";

const END: CallEnd = {
  direction: "outbound",
  peer: "bob",
  status: "FAILED",
  wasConnected: false,
  seconds: 0,
  isByUs: false,
  transferTo: null,
  sipStatus: 0,
  info: "",
};

Deno.test("a refused call is told by its SIP status, each in words of its own", () => {
  const texts = [
    [404, "", "Nobody named “bob” is online."],
    [480, "Nobody of that name is online", "“bob” is not online at the moment."],
    [480, "Failed by request timeout", "bob did not answer."],
    [480, "Nobody answered in time", "bob did not answer."],
    [486, "", "bob is busy."],
    [603, "", "bob declined the call."],
    [403, "", "The server does not let you call bob."],
    [488, "", "bob and you have no audio or video format in common."],
    [500, "", "The call to bob failed."],
  ] as const;
  for (const [sipStatus, info, text] of texts) {
    assert.equal(endNotice({ ...END, sipStatus, info }).text, text, `${sipStatus} ${info}`);
  }
});

Deno.test("the server's own words are handed on, but not its small talk", () => {
  assert.equal(
    endNotice({ ...END, sipStatus: 500, info: "The media worker died" }).hint,
    "The server says: The media worker died",
  );
  assert.equal(endNotice({ ...END, sipStatus: 500, info: "Normal call clearing" }).hint, undefined);
});

Deno.test("what one did oneself is no fault, and is not offered again", () => {
  const cancelled = endNotice({ ...END, isByUs: true });
  assert.deepEqual(cancelled, { kind: "info", text: "You cancelled the call to bob." });
  const declined = endNotice({ ...END, isByUs: true, direction: "inbound" });
  assert.deepEqual(declined, { kind: "info", text: "You declined the call from bob." });
});

Deno.test("an incoming call that nobody took was missed, unless another window took it", () => {
  const missed: CallEnd = { ...END, direction: "inbound", status: "FINISH", sipStatus: 487 };
  assert.equal(endNotice(missed).text, "Missed call from bob.");
  assert.equal(
    endNotice({ ...missed, info: "The call was answered at another place" }).text,
    "The call from bob was answered in another window.",
  );
});

Deno.test("an answered call tells its length, and whether it broke off", () => {
  const talked: CallEnd = { ...END, wasConnected: true, seconds: 65.7, status: "FINISH" };
  assert.equal(endNotice(talked).text, "The call with bob has ended after 1 min 5 s.");
  assert.equal(endNotice({ ...talked, isByUs: true }).kind, "info");
  const broken = endNotice({ ...talked, status: "FAILED", info: "Failed by ICE error" });
  assert.equal(broken.kind, "error");
  assert.match(broken.text, /broke off after 1 min 5 s/);
});

Deno.test("a transfer that fails says why, and that the call stands", () => {
  const texts = [
    [404, "nobody is named “carol”"],
    [408, "carol did not answer"],
    [480, "carol is not there"],
    [486, "carol is busy"],
    [603, "carol declined"],
    [403, "the server does not let you call carol"],
    [488, "carol and the other side have no audio format in common"],
    [503, "carol could not be reached (503)"],
  ] as const;
  for (const [status, why] of texts) {
    const notice = transferNotice("bob", "carol", status);
    assert.equal(notice.text, `bob could not be handed on: ${why}.`);
    assert.equal(notice.hint, "You are still in the call with bob.");
  }
});

Deno.test("a transfer that worked is told by name; a hang-up in the middle of one is a hang-up", () => {
  const end = { ...END, status: "FINISH", wasConnected: true, transferTo: "carol" } as const;
  const handed = endNotice({ ...end, info: "The other side was handed on to somebody else" });
  assert.equal(handed.text, "bob talks with carol now.");
  const left = endNotice({ ...end, info: "Normal call clearing", seconds: 4 });
  assert.equal(left.text, "The call with bob has ended after 4 s.");
});

Deno.test("every state has words of its own", () => {
  const phases: readonly CallPhase[] = [
    ...["starting", "calling", "ringing", "incoming", "answering"] as const,
    ...["active", "held", "ending"] as const,
  ];
  const call: CallState = {
    key: 1,
    direction: "outbound",
    peer: "bob",
    phase: "starting",
    hasVideo: false,
    hasCamera: false,
    isMuted: false,
    isCameraOff: false,
    isHoldPending: false,
    connectedAt: null,
    quality: null,
    isSilent: false,
    digits: "",
    transferTo: null,
  };
  assert.equal(new Set(phases.map((phase) => callWords({ ...call, phase }))).size, phases.length);
  const lines: readonly LineState[] = ["offline", "connecting", "registering", "online", "lost"];
  assert.equal(new Set(lines.map((line) => lineWords(line, "alice"))).size, lines.length);
});

Deno.test("every fault of getUserMedia names the device and what to do", () => {
  const names = ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError"];
  for (const device of ["microphone", "camera"] as const) {
    const notices = [...names, "SomethingNewError"].map((name) => mediaNotice(name, device));
    assert.equal(new Set(notices.map((notice) => notice.text)).size, names.length + 1);
    for (const notice of notices) {
      assert.match(notice.text, new RegExp(device));
      assert.ok(notice.hint);
    }
  }
});

Deno.test("durations are read in the largest two units", () => {
  assert.deepEqual(
    [-1, 0, 59.9, 60, 3599, 3600, 7265].map(durationWords),
    ["0 s", "0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "2 h 1 min"],
  );
});

Deno.test("quality counts what arrived and names the codecs that carry something", () => {
  const quality = qualityOf({
    "inbound-rtp": [
      { codecId: "a", packetsReceived: 990, packetsLost: 10 },
      { codecId: "v", packetsReceived: 0, packetsLost: 0 },
    ],
    codec: [{ id: "a", mimeType: "audio/opus" }, { id: "v", mimeType: "video/VP8" }],
    "remote-inbound-rtp": [{ roundTripTime: 0.25 }, { roundTripTime: 0.02 }, {}],
  });
  assert.deepEqual(quality, { codecs: ["opus"], packets: 990, lossPercent: 1, roundTripMs: 20 });
});

Deno.test("quality of nothing is nothing, also of reports that make no sense", () => {
  const nothing = { codecs: [], packets: 0, lossPercent: 0, roundTripMs: null };
  assert.deepEqual(qualityOf({}), nothing);
  assert.deepEqual(
    qualityOf({ "inbound-rtp": [null, { packetsReceived: "9", packetsLost: -3 }], codec: 7 }),
    nothing,
  );
});

Deno.test("frames without an object as first argument are no messages", () => {
  assert.deepEqual(readMessage('{"message":"finish","data":[{"sipStatus":486}]}'), {
    name: "finish",
    first: { sipStatus: 486 },
  });
  for (const frame of ["", "{", "null", '{"message":"ping","data":[null]}', '{"data":[{}]}', 7]) {
    assert.equal(readMessage(frame), undefined, String(frame));
  }
});

Deno.test("the server is the one that served the page", () => {
  assert.equal(serverUrlOf({ protocol: "http:", host: "localhost:8080" }), "ws://localhost:8080");
  assert.equal(serverUrlOf({ protocol: "https:", host: "lab:8443" }), "wss://lab:8443");
});
