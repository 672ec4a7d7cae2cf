import assert from "node:assert/strict";
import { connected, frame } from "./support.ts";

const STREAM = { mediaSessionId: "m1", name: "s1", published: true, status: "PENDING", sdp: "v=0" };

Deno.test("section 5: what is asked for and not served is answered, so that no application hangs", () => {
  const cases: [string, unknown, string, Record<string, unknown>][] = [
    ["publishStream", STREAM, "notifyStreamStatusEvent", {
      mediaSessionId: "m1",
      name: "s1",
      published: true,
      status: "FAILED",
      info: "This server serves calls, and no streams",
    }],
    ["playStream", STREAM, "notifyStreamStatusEvent", {
      mediaSessionId: "m1",
      name: "s1",
      published: false,
      status: "FAILED",
      info: "This server serves calls, and no streams",
    }],
    ["unPublishStream", STREAM, "notifyStreamStatusEvent", {
      mediaSessionId: "m1",
      name: "s1",
      published: true,
      status: "UNPUBLISHED",
    }],
    ["stopStream", STREAM, "notifyStreamStatusEvent", {
      mediaSessionId: "m1",
      name: "s1",
      published: false,
      status: "STOPPED",
    }],
    ["availableStream", STREAM, "availableStream", {
      id: "m1",
      status: "false",
      info: "Stream not found",
    }],
    ["sendData", { operationId: "o1", payload: { a: 1 } }, "DataStatusEvent", {
      operationId: "o1",
      status: "ACCEPTED",
    }],
  ];
  for (const [name, data, answer, expected] of cases) {
    const { socket, connection } = connected();
    connection.receive(frame(name, data));
    assert.deepEqual(socket.frames, [{ message: answer, data: [expected] }], name);
  }
});

Deno.test("section 5: the rest is ignored, and known enough not to be logged as unknown", () => {
  const { socket, connection, session, on } = connected();
  for (
    const name of [
      "snapshot",
      "sendStreamEvent",
      "pauseStream",
      "requestStreamInfo",
      "DataStatusEvent",
      "sessionDebug",
      "pushLogs",
      "submitBugReport",
      "webRTCMetricsClientDescription",
      "webRTCMetricsBatch",
      "subscribeRoom",
      "unsubscribeRoom",
      "sendRoomData",
      "connectMediaTransport",
      "ping",
      "pong",
    ]
  ) {
    connection.receive(frame(name, { mediaSessionId: "m1", logs: "x", command: "start" }));
    connection.receive(frame(name, null));
    connection.receive(JSON.stringify({ message: name }));
  }
  assert.deepEqual(socket.frames, []);
  assert.deepEqual(socket.closes, []);
  assert.deepEqual(session.commands, []);
  assert.deepEqual(on.log.lines, []);
});
