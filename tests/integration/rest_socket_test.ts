import assert from "node:assert/strict";
import type { ServerSocket, SocketRequest } from "../../src/rest/types.ts";
import { startWebFace, type WebFace } from "../support/web_face.ts";

interface Opened {
  readonly socket: ServerSocket;
  readonly request: SocketRequest;
  readonly received: string[];
  readonly closed: Promise<void>;
}

/** A web face whose sockets can be looked at from behind. */
async function startWithSockets(
  receive: (text: string, socket: ServerSocket) => void = () => {},
  limits: { readonly sockets?: number } = {},
): Promise<WebFace & { readonly opened: Opened[] }> {
  const opened: Opened[] = [];
  const face = await startWebFace({
    limits,
    onSocket(socket, request) {
      const closed = Promise.withResolvers<void>();
      const received: string[] = [];
      opened.push({ socket, request, received, closed: closed.promise });
      return {
        receive(text) {
          received.push(text);
          receive(text, socket);
        },
        closed: () => closed.resolve(),
      };
    },
  });
  return Object.assign(face, { opened });
}

async function connect(face: WebFace, path = "/"): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${face.port}${path}`);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.onopen = () => resolve();
  socket.onerror = (event) => reject(event instanceof ErrorEvent ? event.error : event);
  await promise;
  return socket;
}

function ended(socket: WebSocket): Promise<CloseEvent> {
  return new Promise((resolve) => socket.onclose = resolve);
}

Deno.test("a socket opens on any path and carries text both ways", async () => {
  await using face = await startWithSockets((text, socket) => socket.send(`echo ${text}`));
  for (const path of ["/", "/websocket", "/api/calls", "/any/where?x=1"]) {
    const socket = await connect(face, path);
    const answer = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
    socket.send("hello");
    assert.equal(await answer, "echo hello");
    const end = ended(socket);
    socket.close();
    await end;
    const behind = face.opened.at(-1)!;
    await behind.closed;
    assert.equal(behind.socket.remoteAddress, "127.0.0.1");
    assert.equal(behind.request.host, "127.0.0.1");
    assert.equal(behind.request.path, path.split("?")[0]);
    assert.equal(behind.request.isSecure, false);
    // After the end nothing throws.
    behind.socket.send("late");
    behind.socket.close();
  }
});

Deno.test("a plain GET of / is the page, on the same port", async () => {
  await using face = await startWithSockets();
  const response = await face.request("/");
  assert.match(await response.text(), /page \//);
  assert.equal(face.opened.length, 0);
});

Deno.test("frames up to 1 MiB pass, larger ones end the socket; binary is ignored", async () => {
  await using face = await startWithSockets();
  const socket = await connect(face);
  const end = ended(socket);
  socket.send(new Uint8Array([1, 2, 3]));
  socket.send("x".repeat(1024 * 1024));
  // Bytes count, not characters.
  socket.send("é".repeat(512 * 1024 + 1));
  assert.equal((await end).code, 1009);
  await face.opened[0]!.closed;
  assert.deepEqual(face.opened[0]!.received.map(({ length }) => length), [1024 * 1024]);
});

Deno.test("a handler that throws ends its own socket only", async () => {
  await using face = await startWithSockets((text) => {
    if (text === "bad") throw new Error("injected");
  });
  const [bad, good] = [await connect(face), await connect(face)];
  const end = ended(bad);
  bad.send("bad");
  assert.equal((await end).code, 1011);
  good.send("still here");
  const goodEnd = ended(good);
  good.close();
  await goodEnd;
  await face.opened[1]!.closed;
  assert.deepEqual(face.opened[1]!.received, ["still here"]);
});

Deno.test("queued frames are delivered before the end is told", async () => {
  await using face = await startWithSockets();
  const socket = await connect(face);
  const end = ended(socket);
  socket.send("hangup");
  socket.close();
  await Promise.all([end, face.opened[0]!.closed]);
  assert.deepEqual(face.opened[0]!.received, ["hangup"]);
});

Deno.test("the number of sockets is bounded", async () => {
  await using face = await startWithSockets(() => {}, { sockets: 1 });
  const first = await connect(face);
  await assert.rejects(connect(face));
  const end = ended(first);
  first.close();
  await Promise.all([end, face.opened[0]!.closed]);
  const second = await connect(face);
  const secondEnd = ended(second);
  second.close();
  await secondEnd;
});

Deno.test("a broken upgrade is answered, not followed", async () => {
  await using face = await startWithSockets();
  const response = await face.request("/", { headers: { "upgrade": "websocket" } });
  assert.equal(response.status, 426);
  await response.body?.cancel();
  assert.equal(face.opened.length, 0);
});

Deno.test("the server's end says going away to each client", async () => {
  const face = await startWithSockets();
  const socket = await connect(face);
  const end = ended(socket);
  await face[Symbol.asyncDispose]();
  assert.equal((await end).code, 1001);
});
