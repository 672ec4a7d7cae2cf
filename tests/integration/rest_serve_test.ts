import assert from "node:assert/strict";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { type ListenerSpec, startListeners } from "../../src/rest/serve.ts";
import type { WebApp } from "../../src/rest/types.ts";
import { testCertificate } from "../support/test_certificate.ts";
import { startWebFace } from "../support/web_face.ts";

/** Deno's own second argument; the browser's types, which Playwright brings along, hide it. */
const TrustingWebSocket = WebSocket as unknown as new (
  url: string,
  options: { readonly client: Deno.HttpClient },
) => WebSocket;

Deno.test("four listeners are aliases: pages, both APIs and sockets on each", async () => {
  const tls = await testCertificate();
  await using face = await startWebFace({
    onSocket: (socket, { isSecure }) => ({
      receive: (text) => socket.send(`${text} ${isSecure}`),
      closed() {},
    }),
  });
  face.plane.addCall("call-1");
  const specs: readonly ListenerSpec[] = [
    { name: "http", host: "127.0.0.1", port: 0 },
    { name: "https", host: "127.0.0.1", port: 0, tls },
    { name: "rest", host: "127.0.0.1", port: 0 },
    { name: "rest tls", host: "127.0.0.1", port: 0, tls },
  ];
  const started = await startListeners(specs, face.app, silentLog, systemClock);
  assert(started.ok);
  const client = Deno.createHttpClient({ caCerts: [tls.certificate] });
  try {
    for (const { port, isSecure, name } of started.value.listeners) {
      const authority = `localhost:${port}`;
      for (const path of ["/", "/console", "/api/calls", "/rest-api/call/find_all"]) {
        const response = await fetch(`${isSecure ? "https" : "http"}://${authority}${path}`, {
          client,
        });
        assert.equal(response.status, 200, `${name} ${path}`);
        await response.body?.cancel();
      }
      const socket = new TrustingWebSocket(`${isSecure ? "wss" : "ws"}://${authority}/websocket`, {
        client,
      });
      const answer = new Promise((resolve, reject) => {
        socket.onopen = () => socket.send("hello");
        socket.onmessage = ({ data }) => resolve(data);
        socket.onerror = reject;
      });
      assert.equal(await answer, `hello ${isSecure}`);
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
    }
  } finally {
    client.close();
    await started.value.shutdown(1000);
  }
});

Deno.test("a port in use is a fault that names it, and nothing stays open", async () => {
  await using face = await startWebFace();
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const started = await startListeners(
    [
      { name: "http", host: "127.0.0.1", port },
      { name: "rest", host: "127.0.0.1", port: face.port },
      { name: "https", host: "127.0.0.1", port: face.port },
    ],
    face.app,
    silentLog,
    systemClock,
  );
  assert(!started.ok);
  const inUse = (name: string) =>
    `Port ${face.port} (${name}) of 127.0.0.1 is in use by another ` +
    "process; give it another by http.";
  assert.deepEqual(started.error, [
    `${inUse("rest")}restPort (PORTZERO_HTTP_REST_PORT)`,
    `${inUse("https")}tlsPort (PORTZERO_HTTP_TLS_PORT)`,
  ]);
  // The first one was opened and must be free again.
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("an address that is not ours and a bad certificate are faults too", async () => {
  await using face = await startWebFace();
  const elsewhere = await startListeners(
    [{ name: "http", host: "192.0.2.1", port: 0 }],
    face.app,
    silentLog,
    systemClock,
  );
  assert(!elsewhere.ok);
  assert.match(elsewhere.error.join(), /is no address of this machine.*PORTZERO_HTTP_HOST/);
  const bad = await startListeners(
    [{ name: "https", host: "127.0.0.1", port: 0, tls: { certificate: "x", key: "y" } }],
    face.app,
    silentLog,
    systemClock,
  );
  assert(!bad.ok);
  assert.match(bad.error.join(), /^Cannot listen on 127\.0\.0\.1:0 \(https\): /);
});

Deno.test("shutdown waits for an answer under way, no longer than its deadline", async () => {
  const asked = Promise.withResolvers<void>();
  const askedForever = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const app: WebApp = {
    async fetch(request) {
      asked.resolve();
      if (request.url.endsWith("/never")) {
        askedForever.resolve();
        await new Promise(() => {});
      }
      await release.promise;
      return new Response("done");
    },
    close() {},
  };
  const specs = [{ name: "http", host: "127.0.0.1", port: 0 }];
  const patient = await startListeners(specs, app, silentLog, systemClock);
  assert(patient.ok);
  const answer = fetch(`http://127.0.0.1:${patient.value.listeners[0]!.port}/slow`);
  await asked.promise;
  const stopped = patient.value.shutdown(5000);
  release.resolve();
  assert.equal(await (await answer).text(), "done");
  await stopped;

  const strict = await startListeners(specs, app, silentLog, systemClock);
  assert(strict.ok);
  const never = fetch(`http://127.0.0.1:${strict.value.listeners[0]!.port}/never`);
  await askedForever.promise;
  const before = performance.now();
  await strict.value.shutdown(100);
  assert.ok(performance.now() - before < 1000);
  const answered = await never;
  assert.equal(answered.status, 503);
  await answered.body?.cancel();
});

Deno.test("a handler that throws answers 500 and the server goes on", async () => {
  let isBroken = true;
  await using face = await startWebFace({
    pages: {
      page: () => {
        if (isBroken) throw new Error("injected");
        return undefined;
      },
      sdk: () => Promise.reject(new Error("injected")),
    },
  });
  const response = await face.request("/");
  assert.equal(response.status, 500);
  const body = await response.text();
  assert.doesNotMatch(body, /injected|\.ts/);
  const sdk = await face.request("/sdk/flashphoner.js");
  assert.equal(sdk.status, 500);
  await sdk.body?.cancel();
  isBroken = false;
  const health = await face.request("/api/health");
  assert.equal(health.status, 200);
  await health.body?.cancel();
});
