import assert from "node:assert/strict";
import { bench, CALL, connected, frame, OUTGOING, PHONE, statuses, WEB_ID } from "./support.ts";

Deno.test("rule 4: a ping each 5 s; after 10 without pong the client is gone", () => {
  const { socket, connection, session, on } = connected();
  for (let i = 0; i < 20; i++) {
    on.clock.advance(5_000);
    assert.deepEqual(socket.take(), [{ message: "ping", data: [null] }]);
    connection.receive(frame("pong", null));
  }
  on.clock.advance(50_000);
  assert.equal(socket.names().length, 10);
  assert.equal(socket.closes.length, 0);
  on.clock.advance(5_000);
  assert.equal(socket.closes.length, 1);
  // The network may never say that the socket is gone: the session hears it now.
  assert.deepEqual(session.log, ["ready", "detach"]);
  assert.equal(on.clock.pendingTimers, 0);
});

Deno.test("one pong among lost ones starts the count anew; the client's own ping needs no answer", () => {
  const { socket, connection, on } = connected();
  on.clock.advance(45_000);
  connection.receive(frame("ping", null));
  connection.receive(frame("pong", null));
  on.clock.advance(45_000);
  assert.equal(socket.closes.length, 0);
  assert.deepEqual(new Set(socket.names()), new Set(["ping"]));
});

Deno.test("a frame beyond the limit ends its own socket only", () => {
  const on = bench({ limits: { frameLength: 64 * 1024 } });
  const victim = connected(on);
  const { socket, connection, session } = connected(on, { sipLogin: "mallory" });
  connection.receive(frame("pushLogs", { logs: "x".repeat(60_000) }));
  assert.equal(socket.closes.length, 0);
  connection.receive(frame("pushLogs", { logs: "x".repeat(70_000) }));
  assert.deepEqual(socket.closes.map(({ code }) => code), [1009]);
  assert.deepEqual(session.log, ["ready", "detach"]);
  assert.equal(victim.socket.closes.length, 0);
  assert.deepEqual(victim.session.log, ["ready"]);
});

Deno.test("who is not connected yet may not send much at once", () => {
  const { socket, connection } = bench().dial();
  connection.receive(frame("connection", { ...PHONE, custom: "x".repeat(40_000) }));
  assert.deepEqual(socket.closes.map(({ code }) => code), [1009]);
});

Deno.test("a flood ends its own socket; a busy client in the limit goes on", () => {
  const on = bench({ limits: { frameRate: 50, frameBurst: 200 } });
  const victim = connected(on);
  const flood = connected(on, { sipLogin: "mallory" });
  // An hour of silence earns no more than one burst.
  for (let i = 0; i < 720; i++) {
    on.clock.advance(5_000);
    for (const { connection } of [victim, flood]) connection.receive(frame("pong", null));
  }
  let heard = 0;
  while (flood.socket.closes.length === 0 && heard < 10_000) {
    flood.connection.receive(frame("hangup", { callId: "x" }));
    heard++;
  }
  assert.deepEqual(flood.socket.closes.map(({ code }) => code), [1008]);
  assert.ok(heard > 150 && heard < 250, `${heard}`);
  assert.deepEqual(flood.session.log, ["ready", "detach"]);
  for (let i = 0; i < 2_000; i++) {
    on.clock.advance(25);
    victim.connection.receive(frame("pong", null));
  }
  assert.equal(victim.socket.closes.length, 0);
});

Deno.test("large frames weigh more than small ones", () => {
  const { socket, connection } = connected();
  for (let i = 0; i < 3; i++) connection.receive(frame("pushLogs", "x".repeat(250_000)));
  assert.equal(socket.closes.length, 0);
  connection.receive(frame("pushLogs", "x".repeat(250_000)));
  assert.deepEqual(socket.closes.map(({ code }) => code), [1008]);
});

Deno.test("a client that does not read is let go of", () => {
  const { socket, session, notify } = connected();
  socket.bufferedAmount = 2 * 1024 * 1024;
  notify({ type: "registered" });
  assert.deepEqual(socket.frames, []);
  assert.equal(socket.closes.length, 1);
  assert.deepEqual(session.log, ["ready", "detach"]);
});

Deno.test("a socket that throws is a socket that is gone", () => {
  const { socket, session, notify, on } = connected();
  socket.broken = true;
  notify({ type: "registered" });
  assert.deepEqual(session.log, ["ready", "detach"]);
  assert.equal(on.clock.pendingTimers, 0);

  const other = bench();
  const dead = other.dial();
  dead.socket.broken = true;
  dead.connection.receive(frame("connection", PHONE));
  assert.equal(dead.socket.closes.length, 1);
  assert.deepEqual(other.sessions.opened[0]!.log, ["detach"]);
});

Deno.test("calls of one client are bounded, and room comes back", () => {
  const { connection, session, socket, notify } = connected(bench({ limits: { calls: 2 } }));
  const callIds = [WEB_ID, "b", "c"];
  for (const callId of callIds) connection.receive(frame("call", { ...CALL, callId }));
  assert.equal(session.commands.length, 2);
  assert.deepEqual(statuses(socket.frames), ["fail FAILED", "finish FAILED"]);
  assert.equal(socket.last("finish")["sipStatus"], 503);
  notify({
    type: "finished",
    call: OUTGOING,
    termination: {
      result: "success",
      reason: "remote_hangup",
      sipStatus: 200,
      by: "remote",
      text: "over",
    },
  });
  connection.receive(frame("call", { ...CALL, callId: "d" }));
  assert.equal(session.commands.length, 3);
});

Deno.test("frames that are no messages are ignored, and logged a bounded number of times", () => {
  const { socket, connection, session, on } = connected();
  for (
    const text of [
      "",
      "{",
      "null",
      "[]",
      "5",
      '"x"',
      "{}",
      '{"message":5,"data":[]}',
      '{"message":"__proto__","data":[]}',
      '{"message":"constructor","data":[]}',
      '{"message":"hangup","data":[5]}',
      '{"message":"hangup","data":[{"callId":{}}]}',
      '{"message":"answer","data":[{"callId":""}]}',
      "[".repeat(100_000),
      `{"message":"call","data":[{"custom":${"[".repeat(5000)}${"]".repeat(5000)}}]}`,
    ]
  ) connection.receive(text);
  assert.deepEqual(socket.frames, []);
  assert.deepEqual(session.commands, []);
  assert.equal(socket.closes.length, 0);
  for (let i = 0; i < 1_000; i++) {
    on.clock.advance(100);
    connection.receive(frame("pong", null));
    connection.receive(frame(`unknown-${i}`, {}));
    connection.receive("{");
  }
  assert.equal(socket.closes.length, 0);
  assert.ok(on.log.lines.length < 100, `${on.log.lines.length} lines`);
});

Deno.test("an unknown message is logged once a name", () => {
  const { connection, on } = connected();
  for (let i = 0; i < 3; i++) connection.receive(frame("danceMode", {}));
  const lines = on.log.lines.filter(({ message }) => message === "ignored an unknown message");
  assert.deepEqual(lines.map(({ fields }) => fields), [{ message: "danceMode" }]);
});

Deno.test("an exception behind one client's frame ends that client's socket and no other", () => {
  const on = bench();
  const victim = connected(on);
  const { socket, connection, session } = connected(on, { sipLogin: "carol" });
  session.onCommand = () => {
    throw new Error("impossible state");
  };
  session.onDetach = () => {
    throw new Error("still impossible");
  };
  connection.receive(frame("call", CALL));
  assert.deepEqual(socket.closes.map(({ code }) => code), [1011]);
  assert.equal(on.log.errors().length, 2);
  victim.connection.receive(frame("call", CALL));
  assert.deepEqual(victim.session.commands.map(({ type }) => type), ["call"]);
  assert.equal(victim.socket.closes.length, 0);
});
