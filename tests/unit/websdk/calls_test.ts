import assert from "node:assert/strict";
import type { ClientCall, ClientNotice } from "../../../src/actors/client.ts";
import type { TerminationReason } from "../../../src/core/termination.ts";
import { termination, terminationOfStatus } from "../../../src/core/termination.ts";
import {
  bench,
  CALL,
  connected,
  frame,
  INCOMING,
  OFFER,
  OUTGOING,
  SERVER_ID,
  statuses,
  WEB_ID,
} from "./support.ts";

/** A client in an outgoing call that its session knows of. */
function calling(on = bench()) {
  const client = connected(on);
  client.connection.receive(frame("call", CALL));
  return client;
}

/** A client that an incoming call rings at. */
function ringing() {
  const client = connected();
  client.notify(offer);
  client.notify({ type: "incoming", call: INCOMING });
  client.socket.take();
  return client;
}

const offer: ClientNotice = {
  type: "remoteDescription",
  callId: INCOMING.callId,
  sdp: OFFER,
  isAnswer: false,
};
const answer: ClientNotice = { ...offer, callId: OUTGOING.callId, isAnswer: true };

function finished(call: ClientCall, reason: TerminationReason): ClientNotice {
  return { type: "finished", call, termination: termination(reason) };
}

Deno.test("a call frame is one command; From is not taken from it", () => {
  const { session } = calling();
  const extras = {
    ...CALL,
    callId: "second",
    caller: "mallory",
    sipSDP: ["b=AS:64"],
    custom: { k: 1 },
    sipHeaders: ["From: <sip:mallory@x>"],
  };
  assert.deepEqual(session.commands[0], {
    type: "call",
    callId: WEB_ID,
    callee: "bob",
    sdp: OFFER,
    visibleName: "Alice",
    sipSdp: [],
    inviteParameters: {},
    custom: null,
    alreadyCancelled: false,
  });
  const again = connected();
  again.connection.receive(frame("call", extras));
  const command = again.session.commands[0]!;
  assert.equal(command.type, "call");
  assert.equal(JSON.stringify(command).includes("mallory"), false);
  assert.deepEqual("sipSdp" in command && command.sipSdp, ["b=AS:64"]);
  assert.deepEqual("custom" in command && command.custom, { k: 1 });
});

Deno.test("rule 5 and table 2.2: TRYING, RING, answer, ESTABLISHED", () => {
  const { socket, notify } = calling();
  notify({ type: "trying", call: OUTGOING });
  notify({ type: "ringing", call: OUTGOING, sipStatus: 180 });
  notify({ type: "ringing", call: OUTGOING, sipStatus: 180 });
  notify(answer);
  notify({ type: "talking", call: OUTGOING });
  // Late responses of other branches change nothing for a call that is answered.
  notify({ type: "ringing", call: OUTGOING, sipStatus: 180 });
  notify({ type: "ringing", call: OUTGOING, sipStatus: 183 });
  notify({ type: "trying", call: OUTGOING });
  assert.deepEqual(statuses(socket.frames), [
    "notifyTryingResponse TRYING",
    "ring RING",
    "setRemoteSDP",
    "talk ESTABLISHED",
  ]);
  assert.deepEqual(socket.frames[0]!.data[0], {
    callId: WEB_ID,
    parentCallId: null,
    incoming: false,
    status: "TRYING",
    sipStatus: 100,
    caller: "alice",
    callee: "bob",
    hasAudio: true,
    hasVideo: false,
    visibleName: "Alice",
    mediaProvider: "WebRTC",
    inviteParameters: null,
    sipMessageRaw: null,
    isMsrp: false,
  });
  assert.deepEqual(socket.frames[2]!.data, [WEB_ID, OFFER, true]);
});

Deno.test("table 2.2: 181, 182 and 183 without SDP are RING", () => {
  for (const sipStatus of [180, 181, 182, 183]) {
    const { socket, notify } = calling();
    notify({ type: "ringing", call: OUTGOING, sipStatus });
    assert.deepEqual(statuses(socket.frames), ["ring RING"]);
    assert.equal(socket.last("ring")["sipStatus"], sipStatus);
  }
});

Deno.test("table 2.2: 183 with SDP is SESSION_PROGRESS on `ring`, after a RING", () => {
  const { socket, notify } = calling();
  notify(answer);
  notify({ type: "ringing", call: OUTGOING, sipStatus: 183 });
  notify({ type: "talking", call: OUTGOING });
  assert.deepEqual(statuses(socket.frames), [
    "setRemoteSDP",
    "ring RING",
    "ring SESSION_PROGRESS",
    "talk ESTABLISHED",
  ]);
});

Deno.test("table 2.2: how each final response is told to the caller", () => {
  const cases: [number, string[]][] = [
    [486, ["busy BUSY", "finish FINISH"]],
    [600, ["busy BUSY", "finish FINISH"]],
    [603, ["finish FINISH"]],
    [487, ["finish FINISH"]],
    [404, ["fail FAILED", "finish FAILED"]],
    [480, ["fail FAILED", "finish FAILED"]],
    [408, ["fail FAILED", "finish FAILED"]],
    [403, ["fail FAILED", "finish FAILED"]],
    [488, ["fail FAILED", "finish FAILED"]],
    [500, ["fail FAILED", "finish FAILED"]],
    [503, ["fail FAILED", "finish FAILED"]],
  ];
  for (const [status, expected] of cases) {
    const { socket, notify } = calling();
    notify({
      type: "finished",
      call: OUTGOING,
      termination: terminationOfStatus(status, "Reason"),
    });
    assert.deepEqual(statuses(socket.frames), expected, `${status}`);
    assert.equal(socket.last("finish")["sipStatus"], status);
    assert.notEqual(socket.last("finish")["info"], "");
  }
});

Deno.test("busyStatus BUSY: the status rides on finish", () => {
  const { socket, notify } = calling(bench({ busyStatus: "BUSY" }));
  notify(finished(OUTGOING, "busy"));
  assert.deepEqual(statuses(socket.frames), ["busy BUSY", "finish BUSY"]);
});

Deno.test("a call that outlives a failed transfer is told how that failed", () => {
  const { socket, notify } = calling();
  notify({ type: "talking", call: OUTGOING });
  assert.equal(socket.last("talk")["sipStatus"], 200);
  notify({ type: "talking", call: OUTGOING, transferStatus: 404 });
  const { status, sipStatus, info } = socket.last("talk");
  assert.deepEqual([status, sipStatus, info], ["ESTABLISHED", 404, "Transfer failed"]);
  notify({ type: "held", call: OUTGOING, transferStatus: 486 });
  assert.deepEqual([socket.last("hold")["status"], socket.last("hold")["sipStatus"]], [
    "HOLD",
    486,
  ]);
});

Deno.test("each termination has its status and the vendor's word for it", () => {
  const cases: [TerminationReason, ClientCall, string, string | undefined][] = [
    ["remote_hangup", OUTGOING, "FINISH", "Normal call clearing"],
    ["remote_hangup", INCOMING, "FINISH", "Normal call clearing"],
    ["ring_timeout", OUTGOING, "FAILED", "Failed by request timeout"],
    ["ring_timeout", INCOMING, "FINISH", "Failed by request timeout"],
    ["request_timeout", OUTGOING, "FAILED", "Failed by request timeout"],
    ["media_timeout", OUTGOING, "FAILED", "Failed by ICE error"],
    ["media_timeout", INCOMING, "FAILED", "Failed by ICE error"],
    ["media_silent", INCOMING, "FAILED", "Failed by RTP activity"],
    ["no_common_codec", OUTGOING, "FAILED", "No common codecs"],
    ["worker_lost", INCOMING, "FAILED", "Failed by error"],
    ["internal_error", OUTGOING, "FAILED", "Failed by error"],
    ["not_found", OUTGOING, "FAILED", undefined],
    ["unavailable", OUTGOING, "FAILED", undefined],
    ["forbidden", OUTGOING, "FAILED", undefined],
    ["bad_request", OUTGOING, "FAILED", undefined],
    ["upstream_error", OUTGOING, "FAILED", undefined],
    ["rejected", OUTGOING, "FINISH", undefined],
    ["cancelled", INCOMING, "FINISH", undefined],
    ["busy", INCOMING, "FINISH", undefined],
    ["answered_elsewhere", INCOMING, "FINISH", undefined],
    ["transferred", OUTGOING, "FINISH", undefined],
    ["operator", OUTGOING, "FINISH", undefined],
    ["shutdown", OUTGOING, "FINISH", undefined],
  ];
  for (const [reason, call, status, info] of cases) {
    const { socket, notify } = call.incoming ? ringing() : calling();
    notify(finished(call, reason));
    const finish = socket.last("finish");
    assert.equal(finish["status"], status, reason);
    assert.equal(finish["info"], info ?? termination(reason).text, reason);
    assert.equal(finish["callId"], call.callId);
    // Words for a person, since the SDK keeps no info of finish.
    const fails = socket.frames.filter(({ message }) => message === "fail");
    assert.equal(fails.length, status === "FAILED" ? 1 : 0);
    if (fails.length > 0) assert.equal(socket.last("fail")["info"], termination(reason).text);
  }
});

Deno.test("rule 6: setRemoteSDP(false), notifyIncomingCall, ring, in whichever order notices come", () => {
  const orders: ClientNotice[][] = [
    [offer, { type: "incoming", call: INCOMING }, {
      type: "ringing",
      call: INCOMING,
      sipStatus: 180,
    }],
    [{ type: "incoming", call: INCOMING }, offer],
  ];
  for (const notices of orders) {
    const { socket, notify } = connected();
    for (const notice of notices) notify(notice);
    assert.deepEqual(statuses(socket.frames), [
      "setRemoteSDP",
      "notifyIncomingCall RING",
      "ring RING",
    ]);
    assert.deepEqual(socket.frames[0]!.data, [SERVER_ID, OFFER, false]);
  }
});

Deno.test("rule 6: nothing but RING before the answer, and no second announcement", () => {
  const { socket, notify, connection, on } = ringing();
  notify({ type: "trying", call: INCOMING });
  notify({ type: "talking", call: INCOMING });
  notify({ type: "held", call: INCOMING });
  notify({ type: "incoming", call: INCOMING });
  assert.deepEqual(socket.frames, []);
  assert.equal(on.log.errors().length, 3);
  connection.receive(frame("answer", { callId: SERVER_ID, sdp: OFFER, status: "PENDING" }));
  notify({ type: "ringing", call: INCOMING, sipStatus: 180 });
  notify({ type: "talking", call: INCOMING });
  assert.deepEqual(statuses(socket.frames), ["talk ESTABLISHED"]);
});

Deno.test("rule 7: exactly one setRemoteSDP a call, its third argument a boolean", () => {
  const { socket, notify, on } = calling();
  notify(answer);
  notify(answer);
  notify({ ...answer, isAnswer: false });
  assert.deepEqual(socket.frames.map(({ data }) => data), [[WEB_ID, OFFER, true]]);
  assert.equal(on.log.errors().length, 2);
  const incoming = ringing();
  incoming.notify(offer);
  assert.deepEqual(incoming.socket.frames, []);
});

Deno.test("rule 9: hold, unhold and hangup go to the session and come back with their status", () => {
  const { socket, notify, connection, session } = calling();
  notify(answer);
  notify({ type: "talking", call: OUTGOING });
  socket.take();
  connection.receive(frame("hold", { callId: WEB_ID, holdForTransfer: true }));
  notify({ type: "held", call: OUTGOING });
  connection.receive(frame("unhold", { callId: WEB_ID }));
  notify({ type: "talking", call: OUTGOING });
  connection.receive(frame("hangup", { callId: WEB_ID }));
  connection.receive(frame("hangup", { callId: WEB_ID }));
  notify(finished(OUTGOING, "hangup"));
  connection.receive(frame("hangup", { callId: WEB_ID }));
  assert.deepEqual(session.commands.slice(1), [
    { type: "hold", callId: WEB_ID, forTransfer: true },
    { type: "unhold", callId: WEB_ID },
    { type: "hangup", callId: WEB_ID },
  ]);
  assert.deepEqual(statuses(socket.frames), [
    "hold HOLD",
    "talk ESTABLISHED",
    "finish FINISH",
    "finish FINISH",
  ]);
});

Deno.test("rule 9: a client that hung up hears FINISH, whatever ended the call", () => {
  for (const reason of ["ring_timeout", "worker_lost", "busy", "not_found"] as const) {
    const { socket, notify, connection } = calling();
    connection.receive(frame("hangup", { callId: WEB_ID }));
    notify(finished(OUTGOING, reason));
    assert.deepEqual(statuses(socket.frames), ["finish FINISH"], reason);
  }
});

Deno.test("rule 10: one finish for every call object, none for a call that never was one", () => {
  const { socket, notify } = connected();
  notify(offer);
  notify(finished(INCOMING, "cancelled"));
  notify(finished(INCOMING, "cancelled"));
  assert.deepEqual(socket.names(), ["setRemoteSDP"]);
  const announced = ringing();
  announced.notify(finished(INCOMING, "cancelled"));
  announced.notify(finished(INCOMING, "cancelled"));
  announced.notify({ type: "talking", call: INCOMING });
  assert.deepEqual(statuses(announced.socket.frames), ["finish FINISH"]);
});

Deno.test("a call that cannot be is FAILED at once, in words", () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ callee: "" }, /^callee: is empty/],
    [{ callee: undefined }, /^callee: is empty/],
    [{ callee: "b ob" }, /^callee: character blank \(U\+0020\) at position 2/],
    [{ callee: {} }, /callee must be text and is an object/],
    [{ sdp: undefined }, /^sdp: is missing/],
    [{ sdp: 7 }, /sdp must be text and is a number/],
    [{ visibleName: "A\r\nB" }, /^visibleName: character carriage return/],
    [{ sipSDP: ["b=AS:64\r\na=x"] }, /^sipSDP: .*one line/],
    [{ sipSDP: ["m=audio 9 RTP/AVP 0"] }, /^sipSDP: .*may begin with/],
    [{ sipSDP: ["a=x-pz-endpoint:00"] }, /^sipSDP: .*negotiated by the server/],
    [{ inviteParameters: { From: "x" } }, /^inviteParameters: the header "From"/],
    [{ inviteParameters: { "P-Asserted-Identity": "x" } }, /"P-Asserted-Identity"/],
    [{ inviteParameters: { f: "x" } }, /"f" is set by the server/],
    [{ inviteParameters: { "X-A": "1\r\nVia: x" } }, /control characters/],
    [{ inviteParameters: { "X A": "1" } }, /"X A" is no header name/],
    [{ inviteParameters: [1] }, /must be an object/],
    [{ custom: "x".repeat(20_000) }, /^custom: has 20002 characters/],
    [{ sdp: "x".repeat(70_000) }, /sdp must have at most 65536 characters/],
  ];
  for (const [fields, words] of cases) {
    const { socket, connection, session } = connected();
    connection.receive(frame("call", { ...CALL, ...fields }));
    assert.deepEqual(statuses(socket.frames), ["fail FAILED", "finish FAILED"]);
    assert.match(String(socket.last("finish")["info"]), words);
    assert.equal(socket.last("fail")["id"], WEB_ID);
    assert.equal(socket.last("finish")["callId"], WEB_ID);
    assert.deepEqual(session.commands, []);
    assert.equal(socket.closes.length, 0);
  }
});

Deno.test("a call that was cancelled before its offer creates nothing but its finish", () => {
  const { connection, session, notify, socket } = connected();
  connection.receive(frame("call", { ...CALL, status: "FAILED", sdp: "" }));
  const [command] = session.commands;
  assert.equal(command?.type === "call" && command.alreadyCancelled, true);
  notify(finished(OUTGOING, "cancelled"));
  assert.deepEqual(statuses(socket.frames), ["finish FINISH"]);
});

Deno.test("a callee is normalised", () => {
  const cases: Record<string, string> = {
    " bob ": "bob",
    "sip:bob": "bob",
    "SIP:bob@example.org": "bob@example.org",
    "sips:bob@example.org:5061;transport=tls?X=y": "bob@example.org",
    '"Bob" <sip:bob@10.0.0.1:5060>': "bob@10.0.0.1",
    "tel:+15550100;phone-context=x": "+15550100",
    "sip:bob@[::1]:5060": "bob@[::1]",
    "bob;x=y@host": "bob;x=y@host",
    "Jürgen": "Jürgen",
  };
  for (const [callee, expected] of Object.entries(cases)) {
    const { connection, session, socket } = connected();
    connection.receive(frame("call", { ...CALL, callee }));
    const [command] = session.commands;
    assert.ok(command?.type === "call", JSON.stringify(socket.frames));
    assert.equal(command.callee, expected);
  }
});

Deno.test("the same call id twice on one socket changes nothing for the first call", () => {
  const { socket, connection, session } = calling();
  connection.receive(frame("call", CALL));
  connection.receive(frame("call", { ...CALL, callee: "" }));
  connection.receive(frame("call", { ...CALL, sdp: 1 }));
  assert.equal(session.commands.length, 1);
  assert.deepEqual(socket.frames, []);
});

Deno.test("an answer without SDP ends its own call; another answer is ignored", () => {
  const { socket, connection, session, notify } = ringing();
  connection.receive(frame("answer", { callId: SERVER_ID }));
  connection.receive(frame("answer", { callId: SERVER_ID, sdp: OFFER }));
  assert.deepEqual(session.commands, [{ type: "hangup", callId: SERVER_ID }]);
  notify(finished(INCOMING, "rejected"));
  assert.deepEqual(statuses(socket.frames), ["fail FAILED", "finish FAILED"]);
  assert.equal(socket.last("finish")["info"], "answer: sdp is missing");

  const answered = ringing();
  answered.connection.receive(frame("answer", { callId: SERVER_ID, sdp: OFFER }));
  answered.connection.receive(frame("answer", { callId: SERVER_ID, sdp: 5 }));
  assert.deepEqual(answered.session.commands.map(({ type }) => type), ["answer"]);
});

Deno.test("an answer whose SDP cannot be used says why", () => {
  const { socket, connection, notify } = ringing();
  connection.receive(frame("answer", { callId: SERVER_ID, sdp: { type: "answer" } }));
  notify(finished(INCOMING, "rejected"));
  assert.equal(socket.last("finish")["status"], "FAILED");
  assert.match(String(socket.last("finish")["info"]), /sdp must be text and is an object/);
});

Deno.test("a call id that no client makes is refused", () => {
  for (const callId of ["", "a b", "a\n", "é", "x".repeat(129), null, {}]) {
    const { socket, connection, session } = connected();
    connection.receive(frame("call", { ...CALL, callId }));
    assert.deepEqual(session.commands, []);
    assert.match(String(socket.last("fail")["info"]), /callId must /);
    assert.equal(socket.closes.length, 0);
  }
});

Deno.test("messages for calls that are not there or not answered reach no session", () => {
  const { socket, connection, session } = ringing();
  for (const callId of ["no-such-call", SERVER_ID]) {
    for (const name of ["hold", "unhold", "sendDtmf", "transfer"]) {
      connection.receive(frame(name, { callId, dtmf: "1", target: "carol" }));
    }
  }
  connection.receive(frame("answer", { callId: "no-such-call", sdp: OFFER }));
  assert.deepEqual(session.commands, []);
  assert.deepEqual(socket.frames, []);
  connection.receive(frame("hangup", { callId: "no-such-call" }));
  assert.deepEqual(session.commands, []);
  assert.deepEqual(statuses(socket.frames), ["finish FINISH"]);
});

Deno.test("DTMF by text or number, in order; transfer by name or URI", () => {
  const { connection, session, socket } = calling();
  const send = (data: unknown) => connection.receive(frame("sendDtmf", data));
  send({ callId: WEB_ID, type: "RFC2833", dtmf: "5" });
  send({ callId: WEB_ID, type: "INFO", dtmf: 42 });
  send({ callId: WEB_ID, dtmf: "1a#*x " });
  send({ callId: WEB_ID, type: "INFO_RELAY", dtmf: "d" });
  send({ callId: WEB_ID, type: "nonsense", dtmf: 0 });
  send({ callId: WEB_ID, dtmf: "xyz" });
  send({ callId: WEB_ID });
  assert.deepEqual(
    session.commands.slice(1).map((command) =>
      command.type === "dtmf" ? [command.method, command.digits] : command.type
    ),
    [
      ["RFC2833", "5"],
      ["INFO", "42"],
      ["RFC2833", "1A#*"],
      ["INFO_RELAY", "D"],
      ["RFC2833", "0"],
    ],
  );
  connection.receive(frame("transfer", { callId: WEB_ID, target: "sip:carol@localhost" }));
  assert.deepEqual(session.commands.at(-1), {
    type: "transfer",
    callId: WEB_ID,
    target: "carol@localhost",
  });
  connection.receive(frame("transfer", { callId: WEB_ID, target: "<>" }));
  assert.match(String(socket.last("fail")["info"]), /^target: /);
});

Deno.test("hangup and then close: what was sent before the close is done before the close", () => {
  const { connection, session, on } = calling();
  connection.receive(frame("hangup", { callId: WEB_ID }));
  connection.closed();
  connection.closed();
  connection.receive(frame("call", CALL));
  connection.notify(finished(OUTGOING, "hangup"));
  assert.deepEqual(session.log, ["ready", "call", "hangup", "detach"]);
  assert.equal(on.clock.pendingTimers, 0);
});

Deno.test("two sessions in one page: the same ids stay apart", () => {
  const on = bench();
  const first = connected(on);
  const second = connected(on, { sipLogin: "carol" });
  first.connection.receive(frame("call", CALL));
  second.connection.receive(frame("hangup", { callId: WEB_ID }));
  assert.deepEqual(first.session.commands.map(({ type }) => type), ["call"]);
  assert.deepEqual(second.session.commands, []);
});
