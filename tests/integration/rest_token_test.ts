import assert from "node:assert/strict";
import { silentLog } from "../../src/core/log.ts";
import { createWebApp } from "../../src/rest/app.ts";
import { MemoryControlPlane } from "../support/memory_control_plane.ts";
import { plainPages, rawRequest, startWebFace, type WebFace } from "../support/web_face.ts";

const TOKEN = "correct-horse-battery-staple";

async function exposed(): Promise<WebFace> {
  const face = await startWebFace({ isExposed: true, token: TOKEN });
  face.plane.addSession("session-1", "alice");
  face.plane.addCall("call-1");
  return face;
}

Deno.test("an exposed server without a token is not made at all", () => {
  assert.throws(() =>
    createWebApp({
      controlPlane: new MemoryControlPlane(),
      pages: plainPages,
      onSocket: () => ({ receive() {}, closed() {} }),
      log: silentLog,
      isExposed: true,
      allowedHosts: [],
      allowedOrigins: [],
      version: "0.0.0",
    }), /needs an operator token/);
});

Deno.test("REST and console need the token; phone page, SDK and sockets do not", async () => {
  await using face = await exposed();
  const locked = [
    ...["/api/health", "/api/calls", "/api/events", "/api/openapi.json", "/api/nothing"],
    ...["/rest-api/call/find_all", "/api", "/console", "/api/docs", "/console/x"],
  ];
  for (const path of locked) {
    const response = await face.request(path);
    assert.equal(response.status, 401, path);
    assert.match(response.headers.get("www-authenticate") ?? "Bearer", /Bearer/);
    assert.doesNotMatch(await response.text(), /call-1|session-1|page \/console/);
  }
  for (const path of ["/", "/sdk/flashphoner.js", "/console/token", "/console/token.js"]) {
    const response = await face.request(path);
    assert.equal(response.status, 200, path);
    await response.body?.cancel();
  }
  const end = await face.post("/rest-api/call/terminate", { callId: "call-1" });
  assert.equal(end.status, 401);
  assert.deepEqual(Object.keys(await end.json()), ["status", "message"]);
  assert.equal(face.plane.call("call-1")?.state, "active");

  const socket = new WebSocket(`ws://127.0.0.1:${face.port}/`);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});

Deno.test("the bearer header opens REST; a wrong one does not", async () => {
  await using face = await exposed();
  const ask = async (authorization: string): Promise<number> => {
    const response = await face.request("/api/calls", { headers: { authorization } });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await ask(`Bearer ${TOKEN}`), 200);
  assert.equal(await ask(`bearer ${TOKEN}`), 200);
  for (const wrong of [`Bearer ${TOKEN}x`, "Bearer x", "Bearer", `Basic ${TOKEN}`, TOKEN, ""]) {
    assert.equal(await ask(wrong), 401, wrong);
  }
});

Deno.test("the token page gives a strict cookie that opens console and REST", async () => {
  await using face = await exposed();
  const form = await face.request("/console/token");
  assert.match(await form.text(), /<label [^>]*for="token">/);
  const wrong = await face.post("/console/token", { token: "guess" });
  assert.equal(wrong.status, 401);
  assert.equal(wrong.headers.get("set-cookie"), null);
  await wrong.body?.cancel();
  const right = await face.post("/console/token", { token: TOKEN });
  assert.equal(right.status, 204);
  const cookie = right.headers.get("set-cookie") ?? "";
  assert.match(cookie, /; HttpOnly/);
  assert.match(cookie, /; SameSite=Strict/);
  assert.ok(!cookie.includes(TOKEN), "the cookie must not hold the token");
  const carried = { cookie: `other=1; ${cookie.split(";")[0]}` };
  for (const path of ["/console", "/api/calls"]) {
    const response = await face.request(path, { headers: carried });
    assert.equal(response.status, 200, path);
    await response.body?.cancel();
  }
  const forged = await face.request("/api/calls", { headers: { cookie: "portzero=0" } });
  assert.equal(forged.status, 401);
  await forged.body?.cancel();
  // Even with the cookie a foreign page gets nowhere.
  const foreign = await face.request("/api/calls/call-1", {
    method: "DELETE",
    headers: { ...carried, origin: "https://evil.example" },
  });
  assert.equal(foreign.status, 403);
  await foreign.body?.cancel();
  const plainForm = await face.request("/console/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: `token=${TOKEN}`,
  });
  assert.equal(plainForm.status, 415);
  await plainForm.body?.cancel();
});

Deno.test("a person is led to the token page and back; a program gets 401 as a problem", async () => {
  await using face = await exposed();
  const ask = async (path: string, headers: Record<string, string>, method = "GET") => {
    const response = await face.request(path, { headers, method, redirect: "manual" });
    await response.body?.cancel();
    const where = response.headers.get("location");
    return where ?? `${response.status} ${response.headers.get("content-type") ?? ""}`;
  };
  const html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
  const window = { accept: html, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const isProblem = "401 application/problem+json";
  assert.equal(await ask("/console", window), "/console/token");
  const docs = "/console/token?next=%2Fapi%2Fdocs";
  assert.equal(await ask("/api/docs", window), docs);
  assert.equal(await ask("/api/docs", window, "HEAD"), docs);
  // Over plain http from another machine a browser does not say what it wants it for.
  assert.equal(await ask("/api/docs", { accept: html }), docs);
  assert.equal(
    await ask("/api/calls/1/messages?format=text", window),
    "/console/token?next=%2Fapi%2Fcalls%2F1%2Fmessages%3Fformat%3Dtext",
  );
  for (const accept of ["*/*", "application/json", "text/htmlx"]) {
    assert.equal(await ask("/api/docs", { accept }), isProblem, accept);
  }
  assert.equal(await ask("/api/docs", { ...window, "sec-fetch-mode": "cors" }), isProblem);
  assert.equal(await ask("/api/docs", { ...window, "sec-fetch-dest": "iframe" }), isProblem);
  // Some programs take HTML by default; they shall not take the form for an answer.
  assert.equal(await ask("/api/calls", { accept: html }), isProblem);
  assert.equal(await ask("/api/calls/1", window, "DELETE"), isProblem);
  assert.equal(await ask("/rest-api/call/find_all", { accept: html }), "401 application/json");
});

Deno.test("without a token the token page leads to the console", async () => {
  await using face = await startWebFace();
  const response = await face.request("/console/token", { redirect: "manual" });
  assert.deepEqual([response.status, response.headers.get("location")], [303, "/console"]);
});

Deno.test("no way of writing a path gets past the token", async () => {
  await using face = await exposed();
  const paths = [
    ..."/%61pi/calls //api/calls /api%2fcalls /./api/calls /x/../api/calls /x/%2e%2e/api/calls"
      .split(" "),
    ..."/API/calls /api//calls /api/calls/ /api;x/calls /%2561pi/calls /%2fapi/calls".split(" "),
    ..."/client2/../api/calls /client2/%2e%2e/api/calls /console/token/../../api/calls".split(" "),
    ..."/%63onsole /console%2f /console/token%2f../ /rest-ap%69/call/find_all /api\\calls".split(
      " ",
    ),
    ..."/console/token.js/../../api/calls /api/calls?x=/console/token /%61pi/events".split(" "),
  ];
  for (const path of paths) {
    for (const target of [path, `http://127.0.0.1:${face.port}${path}`]) {
      const { status, text } = await rawRequest(
        face.port,
        `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
      );
      assert.ok([400, 401, 404].includes(status), `${target}: ${status}`);
      assert.doesNotMatch(text, /call-1|page \/console/);
    }
  }
});
