import assert from "node:assert/strict";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import { createRequest } from "../../../src/sip/dialog/requests.ts";
import { createResponse, type SipRequest, type SipResponse } from "../../../src/sip/message/mod.ts";
import { SessionTimer, tooSmall } from "../../../src/sip/user_agent/session_timer.ts";

/** RFC 4028: what is asked for, who refreshes, and when somebody is given up. */

type Headers = readonly (readonly [string, string])[];

function request(headers: Headers, method = "INVITE"): SipRequest {
  return createRequest({
    method,
    requestUri: "sip:bob@b.test",
    from: "<sip:alice@a.test>;tag=a",
    to: "<sip:bob@b.test>;tag=b",
    callId: "timer",
    sequence: 1,
    headers: [["Via", "SIP/2.0/UDP a.test;branch=z9hG4bK1"], ...headers],
  });
}

function response(status: number, headers: Headers): SipResponse {
  return createResponse(request([]), status, undefined, { toTag: "b", headers });
}

function stage(seconds?: number) {
  const clock = new ManualClock();
  const heard: string[] = [];
  const events = {
    refresh: () => heard.push(`refresh at ${clock.now() / 1000}`),
    expire: () => heard.push(`expire at ${clock.now() / 1000}`),
  };
  const timer = new SessionTimer(clock, seconds === undefined ? null : { seconds }, events);
  return { clock, heard, timer };
}

const KNOWS = ["Supported", "timer"] as const;

Deno.test("session timer, caller: who refreshes is what the 2xx says", () => {
  const cases: readonly (readonly [Headers, string])[] = [
    [[["Session-Expires", "1800;refresher=uac"]], "refresh at 900"],
    [[["Session-Expires", "600"]], "refresh at 300"],
    [[["Session-Expires", "1800;refresher=uas"]], "expire at 1768"],
    [[["Session-Expires", "90;refresher=uas"]], "expire at 60"],
    // Who knows no timers: refreshes of ours tell whether he is there.
    [[], "refresh at 900"],
    [[["Session-Expires", "soon"]], "refresh at 900"],
  ];
  for (const [headers, wanted] of cases) {
    const { clock, heard, timer } = stage(1_800);
    assert.deepEqual(timer.requestHeaders(), [["Session-Expires", "1800"]]);
    timer.answered(response(200, headers));
    clock.advance(3_600_000);
    assert.deepEqual(heard, [wanted]);
    assert.equal(clock.pendingTimers, 0);
  }
});

Deno.test("session timer, caller: without a wish nothing is asked for, and a 2xx may still", () => {
  const { clock, heard, timer } = stage();
  assert.deepEqual(timer.requestHeaders(), []);
  timer.answered(response(200, []));
  assert.equal(clock.pendingTimers, 0);
  timer.answered(response(200, [["Session-Expires", "100;refresher=uac"]]));
  clock.advance(50_000);
  assert.deepEqual(heard, ["refresh at 50"]);
  assert.deepEqual(timer.requestHeaders(), [["Session-Expires", "100;refresher=uac"]]);
});

Deno.test("session timer, callee: who refreshes is whom the caller names, else who can", () => {
  const cases: readonly (readonly [Headers, string, string])[] = [
    [[KNOWS, ["Session-Expires", "600;refresher=uac"]], "600;refresher=uac", "expire at 568"],
    [[KNOWS, ["Session-Expires", "600;refresher=uas"]], "600;refresher=uas", "refresh at 300"],
    [[KNOWS, ["Session-Expires", "600"]], "600;refresher=uac", "expire at 568"],
    [[["Session-Expires", "600"]], "600;refresher=uas", "refresh at 300"],
    [[KNOWS], "1800;refresher=uac", "expire at 1768"],
    [[], "1800;refresher=uas", "refresh at 900"],
    [[KNOWS, ["Session-Expires", "30"], ["Min-SE", "20"]], "90;refresher=uac", "expire at 60"],
    [[KNOWS, ["Session-Expires", "600"], ["Min-SE", "700"]], "700;refresher=uac", "expire at 668"],
  ];
  for (const [headers, said, wanted] of cases) {
    const { clock, heard, timer } = stage(1_800);
    const answer = timer.accept(request(headers));
    assert.equal(answer.find(([name]) => name === "Session-Expires")?.[1], said);
    // The caller must know that it is he who refreshes (RFC 4028 9).
    assert.equal(answer.some(([name]) => name === "Require"), said.endsWith("uac"));
    clock.advance(3_600_000);
    assert.deepEqual(heard, [wanted]);
  }
});

Deno.test("session timer: each refresh begins the time anew, a stop ends it", () => {
  const { clock, heard, timer } = stage(1_800);
  timer.accept(request([KNOWS, ["Session-Expires", "120;refresher=uac"]]));
  for (let i = 0; i < 5; i++) {
    clock.advance(60_000);
    timer.accept(request([KNOWS, ["Session-Expires", "120;refresher=uac"]], "UPDATE"));
  }
  assert.deepEqual(heard, []);
  clock.advance(88_000);
  assert.deepEqual(heard, ["expire at 388"]);
  timer.accept(request([KNOWS, ["Session-Expires", "120;refresher=uas"]]));
  timer.stop();
  assert.equal(clock.pendingTimers, 0);
  timer.accept(request([KNOWS, ["Session-Expires", "120;refresher=uas"]]));
  assert.equal(clock.pendingTimers, 0, "what is stopped stays so");
});

Deno.test("session timer: 422 raises the interval once, and never beyond reason", () => {
  const { timer } = stage(90);
  assert.equal(timer.raise(response(422, [])), false);
  assert.equal(timer.raise(response(422, [["Min-SE", "90"]])), false);
  assert.equal(timer.raise(response(422, [["Min-SE", "100000"]])), false);
  assert.equal(timer.raise(response(422, [["Min-SE", "300"]])), true);
  assert.deepEqual(timer.requestHeaders(), [["Session-Expires", "300"], ["Min-SE", "300"]]);
  assert.equal(timer.raise(response(422, [["Min-SE", "300"]])), false);
});

Deno.test("session timer: too little is refused of those who understand the refusal", () => {
  assert.equal(tooSmall(request([KNOWS, ["Session-Expires", "89"]])), 90);
  assert.equal(tooSmall(request([KNOWS, ["Session-Expires", "90"]])), undefined);
  assert.equal(tooSmall(request([["Session-Expires", "10"]])), undefined);
  assert.equal(tooSmall(request([KNOWS])), undefined);
});
