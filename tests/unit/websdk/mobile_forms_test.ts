import assert from "node:assert/strict";
import type { CallId } from "../../../src/core/ids.ts";
import { termination } from "../../../src/core/termination.ts";
import {
  bench,
  CALL,
  connected,
  frame,
  INCOMING,
  OFFER,
  OUTGOING,
  PHONE,
  SERVER_ID,
  statuses,
} from "./support.ts";

/** The forms of the Android and iOS SDKs and of older clients; one contract each. */

const ANDROID_ID = "5a7f2e0c-93b1-4d6e-8f0a-1c2d3e4f5a6b";

/** A whole call object, as the Android SDK sends it with every message about the call. */
function wholeCall(callId: string): Record<string, unknown> {
  return {
    callId,
    parentCallId: null,
    incoming: false,
    status: "ESTABLISHED",
    sipStatus: 200,
    caller: "alice",
    callee: "bob",
    hasAudio: true,
    hasVideo: null,
    sdp: OFFER,
    visibleName: null,
    inviteParameters: null,
    mediaProvider: "WebRTC",
    sipMessageRaw: null,
    isMsrp: false,
    target: null,
    holdForTransfer: false,
    custom: {},
  };
}

Deno.test("call ids: UUID of version 4 and 1, and the 18 characters of old clients", () => {
  for (const callId of [ANDROID_ID, "738cbfd0-e4ba-11f1-9540-dd0d583b63a4", "a1b2c3d4e5f6g7h8i9"]) {
    const { connection, session, socket, notify } = connected();
    connection.receive(frame("call", { ...CALL, callId }));
    assert.equal(session.commands[0]?.type === "call" && session.commands[0].callId, callId);
    notify({ type: "trying", call: { ...OUTGOING, callId: callId as CallId } });
    assert.equal(socket.last("notifyTryingResponse")["callId"], callId);
  }
});

Deno.test("third argument of setRemoteSDP: a boolean, true for an answer, false for an offer", () => {
  const { connection, socket, notify } = connected();
  connection.receive(frame("call", CALL));
  notify({ type: "remoteDescription", callId: OUTGOING.callId, sdp: OFFER, isAnswer: true });
  notify({ type: "remoteDescription", callId: INCOMING.callId, sdp: OFFER, isAnswer: false });
  assert.deepEqual(socket.frames.map(({ data }) => data[2]), [true, false]);
});

Deno.test("booleans of notifyIncomingCall are booleans, and options of createCall stay out", () => {
  const { socket, notify } = connected();
  notify({ type: "remoteDescription", callId: INCOMING.callId, sdp: OFFER, isAnswer: false });
  notify({ type: "incoming", call: INCOMING });
  const call = socket.last("notifyIncomingCall");
  for (const name of ["incoming", "hasAudio", "hasVideo", "isMsrp"]) {
    assert.equal(typeof call[name], "boolean", name);
  }
  for (const name of ["caller", "callee", "visibleName"]) {
    assert.equal(typeof call[name], "string", name);
  }
  assert.equal(call["mediaProvider"], "WebRTC");
  for (const name of ["custom", "constraints", "sdp", "sipSDP", "receiveVideo"]) {
    assert.equal(name in call, false, name);
  }
});

Deno.test("ports and booleans: numbers or text, and getUserData gives them back as they came", () => {
  for (
    const [sipPort, port] of [[0, 0], ["0", 0], [5060, 5060], ["5060", 5060], [" 5060 ", 5060]]
  ) {
    for (
      const [sipRegisterRequired, required] of [[true, true], ["true", true], ["false", false]]
    ) {
      const on = bench();
      const { socket, connection } = on.dial();
      const fields = { sipPort, sipRegisterRequired, keepAlive: "true" };
      connection.receive(frame("connection", {
        ...PHONE,
        sipDomain: "localhost",
        sipOutboundProxy: "localhost",
        ...fields,
      }));
      const { profile } = on.sessions.opened[0]!;
      assert.equal(profile.port, port);
      assert.equal(profile.registerRequired, required);
      assert.equal(profile.keepAlive, true);
      assert.equal(socket.last("getUserData")["sipPort"], sipPort);
      assert.equal(socket.last("getUserData")["sipRegisterRequired"], sipRegisterRequired);
    }
  }
});

Deno.test("whole call objects as data of answer, hold, unhold, sendDtmf and hangup", () => {
  const { connection, session, notify } = connected();
  notify({ type: "remoteDescription", callId: INCOMING.callId, sdp: OFFER, isAnswer: false });
  notify({ type: "incoming", call: INCOMING });
  const whole = wholeCall(SERVER_ID);
  connection.receive(frame("answer", whole));
  connection.receive(frame("hold", whole));
  connection.receive(frame("hold", { ...whole, holdForTransfer: "true" }));
  connection.receive(frame("unhold", whole));
  connection.receive(frame("sendDtmf", { ...whole, dtmf: 7 }));
  connection.receive(frame("hangup", whole));
  assert.deepEqual(session.commands, [
    { type: "answer", callId: SERVER_ID, sdp: OFFER },
    { type: "hold", callId: SERVER_ID, forTransfer: false },
    { type: "hold", callId: SERVER_ID, forTransfer: true },
    { type: "unhold", callId: SERVER_ID },
    { type: "dtmf", callId: SERVER_ID, digits: "7", method: "RFC2833" },
    { type: "hangup", callId: SERVER_ID },
  ]);
});

Deno.test("inviteParameters become headers: text, numbers and booleans; null is left out", () => {
  const { connection, session } = connected();
  const inviteParameters = { "X-Foo": "bar", "X-Number": 5, "X-Flag": true, "X-None": null };
  connection.receive(frame("call", { ...CALL, callId: ANDROID_ID, inviteParameters }));
  const [command] = session.commands;
  assert.ok(command?.type === "call");
  assert.deepEqual(command.inviteParameters, { "X-Foo": "bar", "X-Number": "5", "X-Flag": "true" });

  const { socket, notify } = connected();
  notify({ type: "remoteDescription", callId: INCOMING.callId, sdp: OFFER, isAnswer: false });
  notify({ type: "incoming", call: { ...INCOMING, inviteParameters: { "X-Foo": "bar" } } });
  assert.deepEqual(socket.last("notifyIncomingCall")["inviteParameters"], { "X-Foo": "bar" });
});

Deno.test("the Android sample: no auth name, domain as outbound proxy, integer port", () => {
  const on = bench();
  const { connection } = on.dial();
  connection.receive(frame("connection", {
    appKey: "defaultApp",
    mediaProviders: ["WebRTC"],
    clientVersion: "2.0",
    sipLogin: "10009",
    sipPassword: "1234",
    sipDomain: "127.0.0.1",
    sipOutboundProxy: "127.0.0.1",
    sipPort: 5060,
    sipRegisterRequired: true,
  }));
  const { profile } = on.sessions.opened[0]!;
  assert.equal(profile.authName, "10009");
  assert.equal(profile.port, 5060);
  assert.equal(profile.domain, "127.0.0.1");
});

Deno.test("busy is told to the SDKs that know the word, and finish to all", () => {
  const { connection, socket, notify } = connected();
  connection.receive(frame("call", CALL));
  notify({ type: "finished", call: OUTGOING, termination: termination("busy") });
  assert.deepEqual(statuses(socket.frames), ["busy BUSY", "finish FINISH"]);
});

Deno.test("old clients: connect for connection, data left out or no list", () => {
  const on = bench();
  const { socket, connection } = on.dial();
  connection.receive('{"message":"pong"}');
  connection.receive(JSON.stringify({ message: "connect", data: PHONE }));
  assert.deepEqual(socket.names(), ["getUserData"]);
  connection.receive('{"message":"pong","data":null}');
  connection.receive('{"message":"hangup"}');
  connection.receive('{"message":"hangup","data":[null]}');
  assert.deepEqual(socket.names(), ["getUserData"]);
  assert.equal(socket.closes.length, 0);
});
