import assert from "node:assert/strict";
import { rawRequest, startWebFace } from "../support/web_face.ts";

const FOREIGN = ["https://evil.example", "null", "http://localhost.evil.example", "file://"];

/** Headers that fetch would not let through are sent by hand. */
function get(path: string, headers: Readonly<Record<string, string>>, method = "GET"): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`;
}

Deno.test("a name that is not ours is refused on every path (DNS rebinding)", async () => {
  await using face = await startWebFace({ allowedHosts: ["pbx.example.org", "192.0.2.7"] });
  const status = async (host: string, path = "/api/health"): Promise<number> =>
    (await rawRequest(face.port, get(path, { host }))).status;
  for (const path of ["/", "/console", "/api/calls", "/sdk/flashphoner.js", "/client2/x"]) {
    assert.equal(await status("evil.example", path), 403, path);
  }
  const foreign = [
    ...["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.8"],
    ...["a@localhost", "localhost/", "127.0.0.1#", "", "2130706433.evil.example"],
  ];
  for (const host of foreign) {
    const given = await status(host);
    assert.ok(given === 403 || given === 400, `Host ${host}: ${given}`);
  }
  const ours = [
    ...["localhost", "LOCALHOST:8080", "localhost.", "127.0.0.1", "127.8.9.1", "[::1]:8080"],
    ...["app.localhost", "pbx.example.org:8443", "192.0.2.7"],
  ];
  for (const host of ours) assert.equal(await status(host), 200, `Host ${host}`);
  const absolute = get(`http://localhost:${face.port}/api/health`, { host: "evil.example" });
  assert.equal((await rawRequest(face.port, absolute)).status, 403);
  const upgrade = await rawRequest(face.port, get("/", { ...UPGRADE, host: "evil.example" }));
  assert.equal(upgrade.status, 403);
});

const UPGRADE = {
  "upgrade": "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
} as const;

Deno.test("a foreign page can neither write nor read nor open a socket", async () => {
  let opened = 0;
  await using face = await startWebFace({
    onSocket: () => {
      opened++;
      return { receive() {}, closed() {} };
    },
  });
  face.plane.addSession("session-1", "alice");
  face.plane.addCall("call-1");
  for (const origin of FOREIGN) {
    const headers = { origin };
    const answers = await Promise.all([
      face.post("/rest-api/call/terminate", { callId: "call-1" }, headers),
      face.post("/rest-api/call/startup", { callee: "bob", sipLogin: "alice" }, headers),
      face.post("/rest-api/call/find_all", {}, headers),
      face.request("/api/calls/call-1", { method: "DELETE", headers }),
      face.request("/api/sessions/session-1", { method: "DELETE", headers }),
      face.request("/api/calls", { headers }),
      face.request("/api/events", { headers }),
      face.request("/api/calls/call-1", { method: "OPTIONS", headers }),
    ]);
    for (const response of answers) {
      assert.equal(response.status, 403, `${origin} ${response.url}`);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
      await response.body?.cancel();
    }
    const host = `127.0.0.1:${face.port}`;
    const upgrade = get("/", { host, origin, connection: "upgrade", ...UPGRADE });
    assert.equal((await rawRequest(face.port, upgrade)).status, 403);
  }
  assert.equal(face.plane.call("call-1")?.state, "active");
  assert.equal(face.plane.sessions({ limit: 10 }).items.length, 1);
  assert.deepEqual(face.plane.started, []);
  assert.equal(opened, 0);
});

Deno.test("a body that is not JSON by its type changes nothing", async () => {
  await using face = await startWebFace();
  face.plane.addCall("call-1");
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""];
  types.push("text/plain; x=application/json", "application/jsonp");
  for (const type of types) {
    const response = await face.request("/rest-api/call/terminate", {
      method: "POST",
      headers: type === "" ? {} : { "content-type": type },
      body: new TextEncoder().encode('{"callId":"call-1"}'),
    });
    assert.equal(response.status, 415, type);
    assert.equal((await response.json()).status, 415);
  }
  const nothing = await face.request("/rest-api/call/terminate", { method: "POST" });
  assert.equal(nothing.status, 415);
  await nothing.body?.cancel();
  const broken = await face.request("/rest-api/call/terminate", {
    method: "POST",
    headers: { "content-type": "application/json; charset=utf-8" },
    body: '{"callId":',
  });
  assert.equal(broken.status, 400);
  await broken.body?.cancel();
  const large = await face.post("/rest-api/call/terminate", { callId: "x".repeat(1024 * 1024) });
  assert.equal(large.status, 413);
  await large.body?.cancel();
  assert.equal(face.plane.call("call-1")?.state, "active");
});

Deno.test("GET changes nothing, whatever it is called with", async () => {
  await using face = await startWebFace();
  face.plane.addSession("session-1", "alice");
  face.plane.addCall("call-1");
  const paths = [
    "/rest-api/call/terminate?callId=call-1",
    "/rest-api/call/startup?callee=bob&sipLogin=alice",
    "/rest-api/connection/terminate?sessionId=session-1",
    "/api/calls/call-1?method=DELETE",
    "/api/calls/call-1/delete",
    "/api/sessions/session-1",
  ];
  for (const path of paths) {
    for (const headers of [{}, { "x-http-method-override": "DELETE" }]) {
      const response = await face.request(path, { headers });
      assert.ok(response.status >= 400, `${path}: ${response.status}`);
      await response.body?.cancel();
    }
  }
  assert.equal(face.plane.call("call-1")?.state, "active");
  assert.equal(face.plane.sessions({ limit: 10 }).items.length, 1);
  assert.deepEqual(face.plane.started, []);
});

Deno.test("our own and configured pages may ask first and read the answer", async () => {
  await using face = await startWebFace({ allowedOrigins: ["https://app.example.org"] });
  const origins = [face.base, "http://localhost:3000", "https://app.example.org"];
  for (const origin of origins) {
    const preflight = await face.request("/rest-api/call/startup", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
      },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), origin);
    assert.match(preflight.headers.get("access-control-allow-methods") ?? "", /POST/);
    assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /content-type/);
    assert.equal(preflight.headers.get("access-control-allow-credentials"), null);
    const read = await face.request("/api/health", { headers: { origin } });
    assert.equal(read.headers.get("access-control-allow-origin"), origin);
    assert.match(read.headers.get("vary") ?? "", /Origin/);
    await read.body?.cancel();
  }
  const other = await face.request("/api/health", {
    headers: { origin: "https://app.example.com" },
  });
  assert.equal(other.status, 403);
  await other.body?.cancel();
});

Deno.test("no path leads out of the package, however it is written", async () => {
  const asked: string[] = [];
  await using face = await startWebFace({
    pages: {
      page: () => undefined,
      sdk: (path) => {
        asked.push(path);
        return Promise.resolve(undefined);
      },
    },
  });
  const paths = [
    "/client2/../../../etc/passwd",
    "/client2/examples/../../../../etc/passwd",
    "/client2/examples/%2e%2e/%2e%2e/package.json",
    "/client2/examples/..%2f..%2fpackage.json",
    "/client2/examples/..%5c..%5cpackage.json",
    "/client2/examples/%252e%252e/package.json",
    "/client2//etc/passwd",
    "/client2/examples//../../package.json",
    "/client2/examples/%00package.json",
    "/client2/examples/.git/config",
    "/client2/package.json",
    "/client2/src/flashphoner-core.js",
    "/client2/examples/%zz",
    "/sdk/../package.json",
    "/sdk/src/flashphoner-core.js",
    "/sdk/%2e%2e%2fpackage.json",
    "/assets/../../deno.json",
    "/assets/..%2f..%2fdeno.json",
  ];
  const host = `127.0.0.1:${face.port}`;
  for (const path of paths) {
    const { status } = await rawRequest(face.port, get(path, { host }));
    assert.equal(status, 404, path);
  }
  // What does reach the package is a plain relative name below its examples.
  for (const path of asked) assert.match(path, /^examples\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\\\0]*$/);
});

Deno.test("every answer carries the security headers, errors too", async () => {
  await using face = await startWebFace();
  for (const path of ["/", "/console", "/api/health", "/nothing", "/api/docs", "/client2/x"]) {
    const response = await face.request(path);
    const { headers } = response;
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.match(headers.get("permissions-policy") ?? "", /microphone=\(self\)/);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors '(?:none|self)'/);
    assert.doesNotMatch(policy, /unsafe-eval|https?:/);
    await response.body?.cancel();
  }
  const page = await face.request("/");
  assert.doesNotMatch(
    page.headers.get("content-security-policy") ?? "",
    /script-src[^;]*unsafe-inline/,
  );
  await page.body?.cancel();
});
