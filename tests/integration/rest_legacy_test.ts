import assert from "node:assert/strict";
import { startWebFace, type WebFace } from "../support/web_face.ts";

/** The members of a call object, as the vendor documents them. */
const CALL_MEMBERS = [
  ..."custom nodeId appKey sessionId callId parentCallId incoming status sipStatus".split(" "),
  ..."rtmpUrl rtmpStream streamName rtmpStreamStatus caller callee hasAudio hasVideo".split(" "),
  ..."sdp visibleName inviteParameters mediaProvider sipMessageRaw isMsrp target".split(" "),
  "holdForTransfer",
].sort();

async function withCalls(): Promise<WebFace> {
  const face = await startWebFace();
  face.plane.addSession("session-1", "alice");
  face.plane.addCall("call-1", { caller: "alice", callee: "bob" });
  face.plane.addCall("call-2", { caller: "carol", callee: "dave", state: "held", hasVideo: true });
  face.plane.addCall("call-3");
  face.plane.endCall("call-3");
  return face;
}

Deno.test("find_all gives live calls with all members, by POST and GET", async () => {
  await using face = await withCalls();
  const answers = await Promise.all([
    face.post("/rest-api/call/find_all", {}),
    face.request("/rest-api/call/find_all"),
    face.request("/rest-api/call/find_all", { method: "POST" }),
  ]);
  for (const response of answers) {
    assert.equal(response.status, 200);
    const calls = await response.json();
    assert.deepEqual(calls.map(({ callId }: { callId: string }) => callId), ["call-1", "call-2"]);
    for (const call of calls) assert.deepEqual(Object.keys(call).sort(), CALL_MEMBERS);
    assert.equal(calls[0].status, "ESTABLISHED");
    assert.equal(calls[1].status, "HOLD");
    assert.equal(calls[0].mediaProvider, "WebRTC");
  }
});

Deno.test("find takes any subset of the call object; nothing that fits is 404", async () => {
  await using face = await withCalls();
  const cases: readonly (readonly [Record<string, unknown>, string[] | 404])[] = [
    [{ callId: "call-1" }, ["call-1"]],
    [{ status: "ESTABLISHED" }, ["call-1"]],
    [{ hasVideo: "true" }, ["call-2"]],
    [{ hasVideo: false, caller: "alice" }, ["call-1"]],
    [{ sipStatus: "200" }, ["call-1", "call-2"]],
    [{ rtmpUrl: null }, ["call-1", "call-2"]],
    [{ callId: "call-3" }, 404],
    [{ callId: "call-1", callee: "dave" }, 404],
    [{ streamName: "x" }, 404],
    [{ constructor: "x" }, 404],
  ];
  for (const [filter, expected] of cases) {
    const response = await face.post("/rest-api/call/find", filter);
    const body = await response.json();
    if (expected === 404) {
      assert.deepEqual(body, { status: 404, message: "No call fits" });
      assert.equal(response.status, 404);
    } else {
      assert.deepEqual(body.map(({ callId }: { callId: string }) => callId), expected);
    }
  }
  const byQuery = await face.request("/rest-api/call/find?status=HOLD");
  assert.equal((await byQuery.json())[0].callId, "call-2");
});

Deno.test("startup rings the session of sipLogin", async () => {
  await using face = await withCalls();
  const response = await face.post("/rest-api/call/startup", {
    ...{ callId: "R08NQya-5NMe5v7q-JNkboaS-CGMlFi", callee: 10000, sipLogin: "alice" },
    ...{ hasAudio: "true", hasVideo: "false", visibleName: "Desk", custom: { order: 7 } },
    ...{ sipAuthenticationName: "alice", sipPassword: "1234", sipPort: "5060", appKey: "a" },
    ...{ sipRegisterRequired: "false", toStream: null, rtmpUrl: "" },
    inviteParameters: { "X-Foo": "bar" },
  });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { callId: "R08NQya-5NMe5v7q-JNkboaS-CGMlFi" });
  assert.deepEqual(face.plane.started, [{
    callId: "R08NQya-5NMe5v7q-JNkboaS-CGMlFi",
    login: "alice",
    callee: "10000",
    hasAudio: true,
    hasVideo: false,
    visibleName: "Desk",
    inviteParameters: { "X-Foo": "bar" },
    custom: { order: 7 },
  }]);
  const duplicate = await face.post("/rest-api/call/startup", {
    callId: "R08NQya-5NMe5v7q-JNkboaS-CGMlFi",
    callee: "bob",
    sipLogin: "alice",
  });
  assert.equal(duplicate.status, 409);
  assert.equal((await duplicate.json()).status, 409);
});

Deno.test("startup refuses what it cannot do, naming the field", async () => {
  await using face = await withCalls();
  const good = { callee: "bob", sipLogin: "alice" };
  const cases: readonly (readonly [unknown, number, RegExp])[] = [
    [{ ...good, toStream: "stream1" }, 400, /Field toStream is "stream1", expected to be absent/],
    [{ ...good, rtmpUrl: "rtmp://localhost" }, 400, /Field rtmpUrl /],
    [{ ...good, rtmpStream: "s" }, 400, /Field rtmpStream /],
    [{ sipLogin: "alice" }, 400, /Field callee is missing, expected whom to call/],
    [{ callee: "bob" }, 400, /Field sipLogin is missing/],
    [{ ...good, hasAudio: "yes" }, 400, /Field hasAudio is "yes", expected true or false/],
    [{ ...good, callee: "bob\r\nX: y" }, 400, /Field callee is/],
    [{ ...good, callId: "with blank" }, 400, /Field callId is "with blank"/],
    [{ ...good, inviteParameters: { "X-A": "a\r\nb" } }, 400, /Field inviteParameters/],
    [{ ...good, inviteParameters: { "X A": "a" } }, 400, /Field inviteParameters/],
    [{ ...good, sipLogin: "nobody" }, 404, /nobody/],
    [[good], 400, /expected a JSON object/],
    ["text", 400, /expected a JSON object/],
  ];
  for (const [body, status, message] of cases) {
    const response = await face.post("/rest-api/call/startup", body);
    const answer = await response.json();
    assert.equal(response.status, status, JSON.stringify(body));
    assert.deepEqual(Object.keys(answer), ["status", "message"]);
    assert.equal(answer.status, status);
    assert.match(answer.message, message);
  }
  assert.equal(face.plane.started.length, 0);
});

Deno.test("terminate ends a live call or connection; others are 404", async () => {
  await using face = await withCalls();
  const done = await face.post("/rest-api/call/terminate", { callId: "call-1" });
  assert.equal(done.status, 200);
  assert.deepEqual(await done.json(), {});
  assert.equal(face.plane.call("call-1")?.state, "ended");
  for (const callId of ["call-1", "nobody"]) {
    const response = await face.post("/rest-api/call/terminate", { callId });
    assert.equal(response.status, 404);
    assert.equal((await response.json()).status, 404);
  }
  const empty = await face.post("/rest-api/call/terminate", {});
  assert.equal(empty.status, 400);
  assert.match((await empty.json()).message, /callId is missing/);

  const sessions = await (await face.request("/rest-api/connection/find?sipLogin=alice")).json();
  assert.equal(sessions[0].sessionId, "session-1");
  assert.equal(sessions[0].status, "REGISTERED");
  const end = await face.post("/rest-api/connection/terminate", { sessionId: "session-1" });
  assert.equal(end.status, 200);
  await end.body?.cancel();
  const none = await face.request("/rest-api/connection/find_all");
  assert.equal(none.status, 404);
  await none.body?.cancel();
});
