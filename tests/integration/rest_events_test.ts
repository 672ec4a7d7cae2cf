import assert from "node:assert/strict";
import * as schemas from "../../src/rest/schemas.ts";
import { startWebFace } from "../support/web_face.ts";

/** Reads an event stream block by block (WHATWG HTML 9.2.6). */
async function* blocks(response: Response): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
      yield text.slice(0, at);
      text = text.slice(at + 2);
    }
  }
}

async function next(stream: AsyncGenerator<string>): Promise<string> {
  const { value, done } = await stream.next();
  assert.ok(!done, "the event stream ended");
  return value;
}

Deno.test("facts arrive as events, in order, each with its number as id", async () => {
  await using face = await startWebFace();
  const response = await face.request("/api/events");
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  const stream = blocks(response);
  assert.equal(await next(stream), "retry: 2000");
  face.plane.addCall("call-1");
  face.plane.publish("call.ended", { callId: "call-1", text: "two\nlines" });
  for (const [sequence, type] of [[1, "call.started"], [2, "call.ended"]] as const) {
    const [id, event, data, ...rest] = (await next(stream)).split("\n");
    assert.deepEqual([id, event, rest], [`id: ${sequence}`, `event: ${type}`, []]);
    const fact = schemas.domainEvent.strict().parse(JSON.parse(data!.slice("data: ".length)));
    assert.equal(fact.type, type);
  }
  await stream.return(undefined);
});

Deno.test("Last-Event-ID gets what was missed; the header goes before the query", async () => {
  await using face = await startWebFace();
  for (let i = 0; i < 5; i++) face.plane.publish("call.started", { i });
  for (
    const [path, headers] of [
      ["/api/events", { "last-event-id": "3" }],
      ["/api/events?after=3", {}],
      ["/api/events?after=0", { "last-event-id": "3" }],
    ] as const
  ) {
    const stream = blocks(await face.request(path, { headers: { ...headers } }));
    await next(stream);
    assert.match(await next(stream), /^id: 4\n/);
    assert.match(await next(stream), /^id: 5\n/);
    await stream.return(undefined);
  }
});

Deno.test("a quiet stream carries heartbeats", async () => {
  await using face = await startWebFace({ limits: { heartbeatMs: 10 } });
  const stream = blocks(await face.request("/api/events"));
  assert.equal(await next(stream), "retry: 2000");
  assert.equal(await next(stream), ":");
  assert.equal(await next(stream), ":");
  await stream.return(undefined);
});

Deno.test("a reader that does not read is cut and unsubscribed", async () => {
  await using face = await startWebFace({ limits: { eventBacklog: 16 } });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: face.port });
  const request = `GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  await connection.read(new Uint8Array(1024));
  assert.equal(face.plane.listeners, 1);
  // More than the kernel's buffers hold, so that the backlog must fill.
  const padding = "x".repeat(100_000);
  for (let i = 0; i < 2000 && face.plane.listeners > 0; i++) {
    face.plane.publish("call.started", { padding });
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(face.plane.listeners, 0);
});

Deno.test("streams are bounded in number and end with the server", async () => {
  const face = await startWebFace({ limits: { eventStreams: 1 } });
  const stream = blocks(await face.request("/api/events"));
  await next(stream);
  const second = await face.request("/api/events");
  assert.equal(second.status, 503);
  await second.body?.cancel();
  const started = performance.now();
  await face[Symbol.asyncDispose]();
  assert.ok(performance.now() - started < 900, "the stream kept the server from ending");
  assert.equal((await stream.next()).done, true);
  assert.equal(face.plane.listeners, 0);
});
