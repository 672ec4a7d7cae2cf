import assert from "node:assert/strict";
import { z } from "zod";
import * as schemas from "../../src/rest/schemas.ts";
import { startWebFace } from "../support/web_face.ts";

const strictWorker = z.discriminatedUnion("kind", [
  schemas.mediaWorker.strict(),
  schemas.codecWorker.strict(),
]);

Deno.test("each read answers what its schema says, and no member more", async () => {
  await using face = await startWebFace();
  face.plane.addSession("session-1", "alice");
  face.plane.addCall("call-1");
  const reads: readonly (readonly [string, z.ZodObject])[] = [
    ["/api/health", schemas.health],
    ["/api/calls/call-1", schemas.call],
    ["/api/sessions", schemas.listOf("sessions", schemas.session.strict())],
    ["/api/calls", schemas.listOf("calls", schemas.callSummary.strict())],
    ["/api/registrations", schemas.listOf("registrations", schemas.registration.strict())],
    ["/api/workers", schemas.listOf("workers", strictWorker)],
  ];
  for (const [path, schema] of reads) {
    const response = await face.request(path);
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get("content-type"), "application/json");
    schema.strict().parse(await response.json());
  }
});

Deno.test("lists come in pages that join without gap or repetition", async () => {
  await using face = await startWebFace();
  for (let i = 0; i < 25; i++) face.plane.addCall(`call-${i}`);
  const ids: string[] = [];
  let next: string | null = "";
  while (next !== null) {
    const cursor: string = next === "" ? "" : `&cursor=${encodeURIComponent(next)}`;
    const response = await face.request(`/api/calls?limit=10${cursor}`);
    const body: { calls: { id: string }[]; next: string | null } = await response.json();
    assert.ok(body.calls.length <= 10);
    ids.push(...body.calls.map(({ id }) => id));
    next = body.next;
  }
  assert.deepEqual(ids, Array.from({ length: 25 }, (_, i) => `call-${i}`));
});

Deno.test("filters by state and user", async () => {
  await using face = await startWebFace();
  face.plane.addCall("held", { state: "held", caller: "carol" });
  face.plane.addCall("live", { caller: "alice", callee: "bob" });
  face.plane.addCall("over");
  face.plane.endCall("over");
  face.plane.addSession("s1", "alice", "registered");
  face.plane.addSession("s2", "bob", "detached");
  const ids = async (path: string): Promise<string[]> => {
    const body = await (await face.request(path)).json();
    return (body.calls ?? body.sessions).map(({ id }: { id: string }) => id);
  };
  assert.deepEqual(await ids("/api/calls"), ["held", "live"]);
  assert.deepEqual(await ids("/api/calls?state=held"), ["held"]);
  assert.deepEqual(await ids("/api/calls?state=ended"), ["over"]);
  assert.deepEqual(await ids("/api/calls?user=carol"), ["held"]);
  assert.deepEqual(await ids("/api/sessions?state=detached"), ["s2"]);
  assert.deepEqual(await ids("/api/sessions?user=alice&state=registered"), ["s1"]);
  const found = async (q: string) =>
    (await (await face.request(`/api/registrations?q=${q}`)).json()).registrations.length;
  assert.deepEqual([await found("alice"), await found("nobody")], [1, 0]);
});

Deno.test("a bad query names the parameter, its value and what was expected", async () => {
  await using face = await startWebFace();
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["/api/calls?limit=0", "limit", /limit is "0", expected an integer from 1 to 1000/],
    ["/api/calls?limit=1001", "limit", /"1001", expected an integer from 1 to 1000/],
    ["/api/calls?limit=abc", "limit", /"abc"/],
    ["/api/calls?limit=1&limit=2", "limit", /given twice/],
    ["/api/calls?state=talking", "state", /"talking", expected one of trying, ringing, active/],
    ["/api/sessions?state=active", "state", /expected one of connecting/],
    ["/api/registrations?q=", "q", /q is "", expected words/],
    ["/api/calls?user=", "user", /user is "", expected a name/],
    ["/api/calls?colour=red", "colour", /"colour" is unknown, expected one of cursor, limit, st/],
    ["/api/health?x=1", "x", /"x" is unknown, expected none at all/],
    ["/api/calls/call-1?x=1", "x", /expected none at all/],
    ["/api/events?x=1", "x", /"x" is unknown, expected after/],
    ["/api/events?after=soon", "Last-Event-ID", /"soon", expected a sequence number/],
  ];
  for (const [path, field, detail] of cases) {
    const response = await face.request(path);
    assert.equal(response.status, 400, path);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    const body = schemas.problemBody.strict().parse(await response.json());
    assert.equal(body.type, "/problems/bad-request");
    assert.equal(body.field, field);
    assert.match(body.detail, detail);
  }
});

Deno.test("unknown paths are 404, unknown methods 405 with Allow", async () => {
  await using face = await startWebFace();
  const missing = await face.request("/api/nothing");
  assert.equal(missing.status, 404);
  assert.equal((await missing.json()).type, "/problems/not-found");
  const noCall = await face.request("/api/calls/nobody");
  assert.equal(noCall.status, 404);
  assert.match((await noCall.json()).detail, /"nobody"/);
  const wrong: readonly (readonly [string, string, string])[] = [
    ["DELETE", "/api/health", "GET, HEAD"],
    ["POST", "/api/calls/x", "GET, DELETE, HEAD"],
    ["PUT", "/api/calls", "GET, HEAD"],
    ["GET", "/api/sessions/x", "DELETE"],
    ["GET", "/rest-api/call/startup", "POST"],
    ["POST", "/", "GET, HEAD"],
  ];
  for (const [method, path, allow] of wrong) {
    const response = await face.request(path, { method });
    assert.equal(response.status, 405, `${method} ${path}`);
    assert.equal(response.headers.get("allow"), allow);
    await response.body?.cancel();
  }
});

Deno.test("DELETE ends a call once, and a session", async () => {
  await using face = await startWebFace();
  face.plane.addSession("session-1", "alice");
  face.plane.addCall("call-1");
  const remove = (path: string) => face.request(path, { method: "DELETE" });
  assert.equal((await remove("/api/calls/call-1")).status, 204);
  const view = await (await face.request("/api/calls/call-1")).json();
  assert.equal(view.state, "ended");
  assert.equal(view.termination.reason, "operator");
  const again = await remove("/api/calls/call-1");
  assert.equal(again.status, 409);
  assert.equal((await again.json()).type, "/problems/already-ended");
  assert.equal((await remove("/api/sessions/session-1")).status, 204);
  const gone = await remove("/api/sessions/session-1");
  assert.equal(gone.status, 404);
  await gone.body?.cancel();
});

Deno.test("protection: who is held back is shown as described, and forgiven by its name", async () => {
  await using face = await startWebFace();
  const view = await (await face.request("/api/protection?limit=10")).json();
  assert.deepEqual(schemas.protection.parse(view), view);
  const lift = (source: string) =>
    face.request(`/api/protection/${encodeURIComponent(source)}`, { method: "DELETE" });
  assert.equal((await lift(view.sources[0].source)).status, 204);
  const unknown = await lift("2001:db8:0:0::/64");
  assert.equal(unknown.status, 404);
  assert.match((await unknown.json()).detail, /2001:db8:0:0::\/64/);
});

Deno.test("HEAD answers like GET without a body", async () => {
  await using face = await startWebFace();
  for (const path of ["/api/health", "/", "/api/events"]) {
    const response = await face.request(path, { method: "HEAD" });
    assert.equal(response.status, 200, path);
    assert.equal(await response.text(), "");
  }
  assert.equal(face.plane.listeners, 0);
});
