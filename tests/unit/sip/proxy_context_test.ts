import assert from "node:assert/strict";
import type { SipRequest, SipResponse } from "../../../src/sip/message/mod.ts";
import { createForward, loopSuffix, preprocessRoute } from "../../../src/sip/proxy/forwarding.ts";
import { type ContextEffect, ResponseContext } from "../../../src/sip/proxy/response_context.ts";
import type { ProxyPolicy } from "../../../src/sip/proxy/proxy.ts";
import { clientTransactionId, type ServerTransactionId } from "../../../src/sip/transaction/ids.ts";
import { flow, request, response } from "../../support/sip_fixtures.ts";

const ID = "s1" as ServerTransactionId;
const A = clientTransactionId("a");
const B = clientTransactionId("b");

function context(method: string): { made: ResponseContext; asked: SipRequest } {
  const asked = request(method);
  const target = { uri: "sip:bob@192.0.2.4", flow: flow("bob") };
  const made = new ResponseContext({
    id: ID,
    request: asked,
    flow: flow("alice"),
    localTag: "proxy",
    groups: [[target, target]],
    groupRingMs: 20_000,
    redirections: 0,
  });
  const out: ContextEffect[] = [];
  made.start(out);
  made.addBranch(A, target, out);
  made.addBranch(B, target, out);
  return { made, asked };
}

/** A branch's response, with the proxy's Via on top. */
function answer(asked: SipRequest, status: number, headers: [string, string][] = []): SipResponse {
  const made = response(asked, status, `tag${status}`, headers);
  made.headers.prepend("Via", "SIP/2.0/UDP proxy.test;branch=z9hG4bKproxy");
  return made;
}

function forwarded(out: readonly ContextEffect[]): SipResponse[] {
  return out.flatMap((effect) => effect.type === "forward" ? [effect.response] : []);
}

Deno.test("challenges of all branches go up in one response (16.7 step 7)", () => {
  const { made, asked } = context("INVITE");
  const out: ContextEffect[] = [];
  made.response(
    A,
    answer(asked, 407, [["Proxy-Authenticate", 'Digest realm="a", nonce="1"']]),
    out,
  );
  made.response(B, answer(asked, 401, [["WWW-Authenticate", 'Digest realm="b", nonce="2"']]), out);
  const [best, ...more] = forwarded(out);
  assert.equal(more.length, 0);
  assert.equal(best?.status, 407);
  assert.equal(best.headers.count("Proxy-Authenticate"), 1);
  assert.equal(best.headers.count("WWW-Authenticate"), 1);
  assert.equal(best.headers.count("Via"), 1, "the proxy's own Via is off");
});

Deno.test("a non-INVITE that nobody answered ends in silence (RFC 4320 4.2)", () => {
  const { made } = context("MESSAGE");
  const out: ContextEffect[] = [];
  made.failed(A, "timeout", out);
  assert.deepEqual(forwarded(out), []);
  made.failed(B, "timeout", out);
  assert.deepEqual(out.filter((e) => e.type !== "clear-timer-c"), [{ type: "abandon" }]);
});

Deno.test("a second 2xx goes up for an INVITE and for nothing else (16.7 step 5)", () => {
  for (const [method, expected] of [["INVITE", 2], ["MESSAGE", 1]] as const) {
    const { made, asked } = context(method);
    const out: ContextEffect[] = [];
    made.response(A, answer(asked, 200), out);
    made.response(B, answer(asked, 200), out);
    assert.equal(forwarded(out).length, expected, method);
  }
});

Deno.test("cancelled and never answered: 487, not 408", () => {
  const { made } = context("INVITE");
  const out: ContextEffect[] = [];
  made.cancel(undefined, out);
  assert.equal(out.filter((e) => e.type === "cancel").length, 2);
  made.failed(A, "timeout", out);
  made.failed(B, "timeout", out);
  assert.deepEqual(forwarded(out).map((r) => r.status), [487]);
});

Deno.test("the last of its transactions ends a context, and not an earlier one", () => {
  const { made } = context("INVITE");
  made.branchTerminated(A);
  made.serverTerminated();
  assert.equal(made.isOver, false);
  made.branchTerminated(B);
  assert.equal(made.isOver, true);
});

const POLICY: ProxyPolicy = {
  isOurs: (host) => host === "proxy.test",
  canonicalDomain: "proxy.test",
  authorize: () => ({ kind: "allow", identity: null }),
  account: () => undefined,
  hasAccount: () => false,
};

Deno.test("our own routes come off, others' stay (16.4)", () => {
  const asked = request("BYE", {
    extra: ["Route: <sip:proxy.test;lr>, <sip:proxy.test;transport=tcp;lr>, <sip:next.test;lr>"],
  });
  preprocessRoute(asked, POLICY);
  assert.deepEqual(asked.headers.getAll("Route"), ["<sip:next.test;lr>"]);
  assert.equal(asked.uri, "sip:bob@example.com");
});

Deno.test("a strict router before us: the target comes back out of the route (16.4)", () => {
  const asked = request("BYE", {
    uri: "sip:proxy.test;lr",
    extra: ["Route: <sip:next.test;lr>, <sip:bob@phone.test>"],
  });
  preprocessRoute(asked, POLICY);
  assert.equal(asked.uri, "sip:bob@phone.test");
  assert.deepEqual(asked.headers.getAll("Route"), ["<sip:next.test;lr>"]);
});

Deno.test("a strict router after us: it gets itself in the Request-URI (16.6 step 6)", () => {
  const asked = request("BYE", { extra: ["Route: <sip:strict.test>, <sip:next.test;lr>"] });
  const copy = createForward(asked, {
    uri: "sip:bob@phone.test",
    recordRoutes: ["<sip:proxy.test;lr>"],
  });
  assert.equal(copy.uri, "sip:strict.test");
  assert.deepEqual(copy.headers.getAll("Route"), ["<sip:next.test;lr>", "<sip:bob@phone.test>"]);
  assert.equal(copy.headers.has("Record-Route"), false, "BYE makes no dialog");
});

Deno.test("a forwarded request keeps what the proxy does not know, byte for byte", () => {
  const asked = request("INVITE", {
    extra: ["X-odd:  two  blanks", "s: compact"],
    maxForwards: null,
    body: "v=0\r\nodd\r\n",
  });
  const copy = createForward(asked, {
    uri: "sip:bob@phone.test",
    recordRoutes: ["<sip:proxy.test;lr>"],
  });
  const lines = copy.headers.entries().map((field) => field.line);
  assert.ok(lines.includes("X-odd:  two  blanks"));
  assert.ok(lines.includes("s: compact"));
  assert.deepEqual(copy.body, asked.body);
  assert.equal(copy.maxForwards, 70, "absent Max-Forwards is put on (16.6 step 3)");
  assert.deepEqual(copy.headers.getAll("Record-Route"), ["<sip:proxy.test;lr>"]);
  assert.equal(asked.uri, "sip:bob@example.com", "the request itself is left alone");
});

Deno.test("the loop hash knows a spiral from a loop (RFC 5393 4.2.2)", () => {
  const plain = loopSuffix(request("INVITE"));
  assert.equal(loopSuffix(request("INVITE", { branch: "z9hG4bKother" })), plain);
  assert.notEqual(loopSuffix(request("INVITE", { uri: "sip:carol@example.com" })), plain);
  assert.notEqual(loopSuffix(request("INVITE", { sequence: 2 })), plain);
  assert.notEqual(loopSuffix(request("INVITE", { extra: ["Route: <sip:x.test;lr>"] })), plain);
  assert.equal(plain.length, 17);
});
