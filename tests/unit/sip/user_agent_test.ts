import assert from "node:assert/strict";
import { createRequest } from "../../../src/sip/dialog/requests.ts";
import { serialize, type SipRequest } from "../../../src/sip/message/mod.ts";
import {
  InviteUsage,
  type UsageEvent,
  type UsageHooks,
} from "../../../src/sip/user_agent/invite_usage.ts";
import type { IncomingRefer } from "../../../src/sip/user_agent/refer.ts";
import type { AgentHooks } from "../../../src/sip/user_agent/user_agent.ts";
import { Pair } from "../../support/sip_pair.ts";

/** Two of our user agents with a wire between them: extensions, in both roles. */

interface Options {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly callerHooks?: UsageHooks;
  readonly calleeHooks?: UsageHooks;
  readonly callerTimer?: number;
  readonly calleeTimer?: number;
}

function ringing(options: Options = {}, pair = new Pair()) {
  const heard: { alice: UsageEvent[]; bob: UsageEvent[] } = { alice: [], bob: [] };
  const seconds = options.callerTimer;
  const caller = pair.call({
    headers: options.headers ?? {},
    body: options.body === undefined ? "offer" : options.body,
    ...(options.callerHooks ? { hooks: options.callerHooks } : {}),
    ...(seconds === undefined ? {} : { sessionTimer: { seconds } }),
  }, heard.alice);
  pair.clock.advance(10);
  const invite = pair.bob.invites.at(-1);
  assert.ok(invite, "Bob has the INVITE");
  const callee = InviteUsage.inbound({
    agent: pair.bob.agent,
    clock: pair.clock,
    invite,
    ...(options.calleeHooks ? { hooks: options.calleeHooks } : {}),
    ...(options.calleeTimer === undefined
      ? {}
      : { sessionTimer: { seconds: options.calleeTimer } }),
  }, (event) => heard.bob.push(event));
  return { pair, caller, callee, heard, invite: invite.request };
}

function talking(options: Options = {}) {
  const made = ringing(options);
  made.callee.ring(180, null);
  made.callee.accept("answer");
  made.pair.clock.advance(20);
  return made;
}

function types(events: readonly UsageEvent[]): string[] {
  return events.map((event) => event.type.replace("usage.", ""));
}

/** Everything is let go of once both sides have hung up. */
function assertClean({ pair, caller, callee }: ReturnType<typeof ringing>): void {
  caller.abandon(480);
  callee.abandon(480);
  pair.clock.advance(70_000);
  for (const side of [pair.alice, pair.bob]) {
    const { dialogs, clients, transactions } = side.element.counts;
    assert.deepEqual({ dialogs, clients, transactions, log: side.log }, {
      dialogs: 0,
      clients: 0,
      transactions: 0,
      log: [],
    });
  }
  assert.equal(pair.clock.pendingTimers, 0);
}

Deno.test("a plain call is as it was: unreliable 180, 200, ACK, BYE", () => {
  const made = talking();
  assert.deepEqual(types(made.heard.alice), ["provisional", "answered"]);
  assert.deepEqual(types(made.heard.bob), ["acknowledged"]);
  assert.equal(made.pair.requests("PRACK").length, 0);
  assert.equal(made.pair.responses("INVITE").at(-1)?.headers.has("Session-Expires"), false);
  made.caller.bye();
  made.pair.clock.advance(20);
  assert.deepEqual(types(made.heard.bob).at(-1), "bye");
  assertClean(made);
});

Deno.test("early media is reliable where the caller knows how (RFC 3262)", () => {
  const made = ringing();
  made.callee.ring(183, "early");
  // The 200 waits for the PRACK of a description that is under way (RFC 3262 3).
  made.callee.accept("answer");
  made.pair.clock.advance(3);
  assert.deepEqual(made.pair.responses("INVITE").map((r) => r.status), [183]);
  made.pair.clock.advance(60);
  const [progress] = made.pair.responses("INVITE");
  assert.equal(progress?.headers.get("Require"), "100rel");
  const [prack] = made.pair.requests("PRACK");
  assert.equal(prack?.headers.get("RAck"), `${progress?.headers.get("RSeq")} 1 INVITE`);
  assert.deepEqual(made.pair.responses("PRACK").map((r) => r.status), [200]);
  assert.deepEqual(made.heard.alice.map((e) => e.type === "usage.provisional" && e.body), [
    "early",
    false,
  ]);
  assert.deepEqual(types(made.heard.bob), ["acknowledged"]);
  made.caller.bye();
  made.pair.clock.advance(20);
  assert.ok((made.pair.requests("BYE")[0]?.cseq.sequence ?? 0) > prack!.cseq.sequence);
  assertClean(made);
});

Deno.test("a lost reliable 183 comes again; a repeated one is heard once", () => {
  const pair = new Pair();
  let lost = 0;
  pair.lose = (m) => m.kind === "response" && m.status === 183 && lost++ < 2;
  const made = ringing({}, pair);
  made.callee.ring(183, "early");
  pair.clock.advance(5_000);
  assert.equal(made.heard.alice.length, 1);
  assert.equal(pair.requests("PRACK").length, 1);
  pair.lose = (m) => m.kind === "request" && m.method === "PRACK" && lost++ < 4;
  made.callee.ring(183, "more");
  pair.clock.advance(5_000);
  assert.equal(made.heard.alice.length, 2, "its repetitions, while the PRACK was lost, are none");
  assertClean(made);
});

Deno.test("no PRACK ever: the callee refuses with 504 (RFC 3262 3)", () => {
  const pair = new Pair();
  pair.lose = (m) => m.kind === "request" && m.method === "PRACK";
  const made = ringing({ headers: { Require: "100rel" } }, pair);
  made.callee.ring(180, null);
  pair.clock.advance(70_000);
  assert.deepEqual(types(made.heard.bob), ["cancelled"]);
  assert.ok(made.heard.alice.some((e) => e.type === "usage.refused" && e.status === 504));
  assertClean(made);
});

Deno.test("a PRACK that names nothing: 481", () => {
  const made = ringing();
  made.callee.ring(183, "early");
  made.pair.clock.advance(60);
  const stray = made.pair.requests("PRACK")[0]!.clone();
  stray.headers.set("CSeq", "9 PRACK");
  stray.headers.set("RAck", "1 1 INVITE");
  stray.headers.set("Via", "SIP/2.0/UDP stray.test;branch=z9hG4bKstray");
  made.pair.toBob(serialize(stray));
  assert.equal(made.pair.responses("PRACK").at(-1)?.status, 481);
  assertClean(made);
});

Deno.test("an INVITE without an offer: the callee offers, the ACK answers", () => {
  const made = ringing({ body: null });
  made.callee.ring(180, null);
  made.callee.accept("their offer");
  made.pair.clock.advance(20);
  const answered = made.heard.alice.at(-1);
  assert.ok(answered?.type === "usage.answered" && answered.isOffer);
  assert.equal(made.pair.requests("ACK").length, 0);
  made.caller.acknowledge("our answer");
  made.pair.clock.advance(20);
  assert.deepEqual(made.heard.bob.at(-1), { type: "usage.acknowledged", body: "our answer" });
  assertClean(made);
});

Deno.test("an offer in a reliable 183, its answer in the PRACK (RFC 3262 5)", () => {
  const made = ringing({ body: null });
  const { pair, caller, callee, heard } = made;
  callee.ring(183, "early offer");
  pair.clock.advance(60);
  assert.deepEqual(heard.alice.at(-1), { type: "usage.offered", body: "early offer" });
  assert.equal(pair.requests("PRACK").length, 0, "it waits for the answer");
  callee.accept("early offer");
  caller.acknowledge("early answer");
  pair.clock.advance(60);
  assert.equal(new TextDecoder().decode(pair.requests("PRACK")[0]?.body), "early answer");
  assert.deepEqual(heard.bob[0], { type: "usage.pracked", body: "early answer" });
  const [ok] = pair.responses("INVITE").filter((r) => r.status === 200);
  assert.equal(ok?.body.length, 0, "all is settled");
  const answered = heard.alice.at(-1);
  assert.ok(answered?.type === "usage.answered" && !answered.isOffer);
  assert.equal(answered.body, "early offer");
  assert.equal(pair.requests("ACK")[0]?.body.length, 0);
  assertClean(made);
});

Deno.test("a new offer in a PRACK is 488: nobody could answer it before the call stands", () => {
  const made = ringing();
  const { pair } = made;
  pair.lose = (m) => m.kind === "request" && m.method === "PRACK";
  made.callee.ring(183, "early");
  pair.clock.advance(60);
  const prack = pair.requests("PRACK")[0]!.clone();
  prack.headers.set("Content-Type", "application/sdp");
  prack.body = bytes("new offer");
  pair.toBob(serialize(prack));
  assert.equal(pair.responses("PRACK").at(-1)?.status, 488);
  pair.lose = () => false;
  assertClean(made);
});

Deno.test("who hangs up before answering an offer still sends the ACK first", () => {
  const made = ringing({ body: null });
  made.callee.accept("their offer");
  made.pair.clock.advance(20);
  made.caller.bye();
  made.pair.clock.advance(20);
  const last = made.pair.messages.flatMap(({ message }) =>
    message.kind === "request" ? [message.method] : []
  );
  assert.deepEqual(last.slice(-2), ["ACK", "BYE"]);
  assertClean(made);
});

Deno.test("forked early dialogs: one description at a time, 199 takes a branch away", () => {
  const made = ringing();
  const { pair, heard } = made;
  const early = (tag: string, status: number, body: string) => {
    const response = pair.responses("INVITE").find((r) => r.status === 180)!.clone();
    response.status = status;
    response.headers.set("To", `<sip:bob@portzero.test>;tag=${tag}`);
    response.body = new TextEncoder().encode(body);
    pair.alice.element.receive(pair.alice.agent.flow, serialize(response));
  };
  made.callee.ring(180, null);
  pair.clock.advance(20);
  early("second", 183, "v=second");
  early("second", 199, "");
  early("second", 199, "");
  const bodies = () => heard.alice.map((e) => e.type === "usage.provisional" ? e.body : e.type);
  assert.deepEqual(bodies(), [null, null], "two may answer: no description");
  made.callee.accept("answer");
  pair.clock.advance(20);
  assert.equal(types(heard.alice).at(-1), "answered");
  assertClean(made);
});

Deno.test("UPDATE: a refresh without a description, an offer with one (RFC 3311)", () => {
  const made = talking();
  const { pair, heard } = made;
  const update = (body: string, sequence: number): void => {
    const { headers } = made.invite;
    const request = createRequest({
      method: "UPDATE",
      requestUri: pair.bob.agent.contact,
      from: headers.get("From")!,
      to: `<${pair.bob.agent.contact}>;tag=${made.callee.localTag}`,
      callId: made.invite.callId,
      sequence,
      contact: `<${pair.alice.agent.contact}>`,
      ...(body === ""
        ? {}
        : { body: { contentType: "application/sdp", bytes: new TextEncoder().encode(body) } }),
    });
    request.headers.prepend("Via", `SIP/2.0/UDP a.test;branch=z9hG4bKupdate${sequence}`);
    pair.toBob(serialize(request));
  };
  update("", 20);
  assert.equal(pair.responses("UPDATE").at(-1)?.status, 200);
  assert.deepEqual(types(heard.bob), ["acknowledged"]);
  update("new offer", 21);
  assert.equal(heard.bob.at(-1)?.type, "usage.reoffered");
  update("third offer", 22);
  assert.equal(pair.responses("UPDATE").at(-1)?.status, 500, "one at a time");
  made.callee.reanswer("new answer");
  const ok = pair.responses("UPDATE").at(-1)!;
  assert.deepEqual([ok.status, new TextDecoder().decode(ok.body)], [200, "new answer"]);
  assertClean(made);
});

Deno.test("re-INVITE both ways, glare by 491 and a second try each", () => {
  const made = talking();
  const { pair, caller, callee, heard } = made;
  assert.ok(caller.reoffer("hold a"));
  assert.ok(callee.reoffer("hold b"));
  pair.clock.advance(30);
  assert.deepEqual(pair.responses("INVITE").slice(-2).map((r) => r.status), [491, 491]);
  pair.clock.advance(2_050);
  assert.deepEqual(heard.alice.at(-1), { type: "usage.reoffered", body: "hold b" });
  caller.reanswer("held b");
  pair.clock.advance(4_000);
  assert.deepEqual(heard.bob.at(-1), { type: "usage.reoffered", body: "hold a" });
  callee.reanswer("held a");
  pair.clock.advance(30);
  assert.deepEqual(heard.alice.at(-1), { type: "usage.reanswered", body: "held a" });
  assertClean(made);
});

Deno.test("a re-INVITE without a description gets the one in force", () => {
  const made = talking();
  const { pair } = made;
  const again = made.invite.clone();
  again.headers.set("To", `<${pair.bob.agent.contact}>;tag=${made.callee.localTag}`);
  again.headers.set("CSeq", "30 INVITE");
  again.headers.set("Via", "SIP/2.0/UDP a.test;branch=z9hG4bKempty");
  again.headers.remove("Content-Type");
  again.body = new Uint8Array(0);
  pair.toBob(serialize(again));
  const ok = pair.responses("INVITE").at(-1)!;
  assert.deepEqual([ok.status, new TextDecoder().decode(ok.body)], [200, "answer"]);
  const ack = (body: string) => {
    const request = again.clone();
    request.method = "ACK";
    request.headers.set("CSeq", "30 ACK");
    request.headers.set("Via", "SIP/2.0/UDP a.test;branch=z9hG4bKemptyack");
    request.headers.set("Content-Type", "application/sdp");
    request.body = new TextEncoder().encode(body);
    pair.toBob(serialize(request));
  };
  ack("offer, held");
  assert.deepEqual(made.heard.bob.at(-1), { type: "usage.reoffered", body: "offer, held" });
  assertClean(made);
});

Deno.test("session timer: the caller refreshes by UPDATE, half way (RFC 4028)", () => {
  const made = talking({ callerTimer: 120 });
  const { pair, heard } = made;
  assert.equal(
    pair.responses("INVITE").at(-1)?.headers.get("Session-Expires"),
    "120;refresher=uac",
  );
  pair.clock.advance(59_000);
  assert.equal(pair.requests("UPDATE").length, 0);
  pair.clock.advance(300_000);
  assert.equal(pair.requests("UPDATE").length, 5);
  assert.equal(pair.requests("UPDATE")[0]?.headers.get("Session-Expires"), "120;refresher=uac");
  assert.deepEqual(types(heard.alice), ["provisional", "answered"], "nobody need know");
  pair.lose = () => true;
  pair.clock.advance(120_000);
  assert.equal(types(heard.bob).at(-1), "expired", "the callee waits no longer than 120 - 32 s");
  assert.equal(types(heard.alice).at(-1), "expired");
  pair.lose = () => false;
  assertClean(made);
});

Deno.test("session timer: the callee asks for it, and refreshes for who can't", () => {
  const made = ringing({ calleeTimer: 90 });
  made.invite.headers.remove("Supported");
  made.callee.accept("answer");
  made.pair.clock.advance(20);
  assert.equal(
    made.pair.responses("INVITE").at(-1)?.headers.get("Session-Expires"),
    "90;refresher=uas",
  );
  made.pair.clock.advance(46_000);
  const [update] = made.pair.requests("UPDATE");
  assert.ok(update, "Alice's INVITE said that she takes UPDATE");
  assertClean(made);
});

Deno.test("session timer: too short an interval is 422, and the caller asks for more", () => {
  const made = talking({ callerTimer: 30 });
  // Our own wish never goes below the least: so the header is written by hand.
  assert.equal(made.invite.headers.get("Session-Expires"), "90");
  const pair = new Pair();
  const heard: UsageEvent[] = [];
  const caller = pair.call({ headers: { "Session-Expires": "20" } }, heard);
  pair.clock.advance(30);
  const refused = pair.responses("INVITE").at(-1)!;
  assert.deepEqual([refused.status, refused.headers.get("Min-SE")], [422, "90"]);
  assert.deepEqual(types(heard), ["refused"], "90 s is what we would have asked for anyhow");
  caller.dispose();
  assertClean(made);
});

Deno.test("REFER: asked, accepted, told of its progress by NOTIFY (RFC 3515)", () => {
  const asked: IncomingRefer[] = [];
  const progress: number[] = [];
  const made = talking({
    callerHooks: { referProgress: (status) => progress.push(status) },
    calleeHooks: { refer: (refer) => asked.push(refer) },
  });
  const { pair } = made;
  made.caller.refer("sip:carol@portzero.test?Replaces=a%40b%3Bto-tag%3Dc%3Bfrom-tag%3Dd");
  pair.clock.advance(20);
  assert.equal(asked[0]?.target.uri, "sip:carol@portzero.test");
  assert.deepEqual(asked[0]?.target.headers, [["Replaces", "a@b;to-tag=c;from-tag=d"]]);
  assert.equal(asked[0]?.target.referredBy, "<sip:alice@portzero.test>");
  asked[0]?.accept();
  for (const status of [180, 200, 486]) asked[0]?.progress(status);
  pair.clock.advance(20);
  assert.equal(pair.responses("REFER").at(-1)?.status, 202);
  assert.deepEqual(progress, [100, 180, 200], "what follows a final status is dropped");
  const [first, , last] = pair.requests("NOTIFY");
  assert.equal(first?.headers.get("Subscription-State"), "active;expires=60");
  assert.equal(last?.headers.get("Subscription-State"), "terminated;reason=noresource");
  made.caller.refer("sip:dave@portzero.test");
  pair.clock.advance(20);
  asked[1]?.refuse(603);
  pair.clock.advance(20);
  assert.equal(progress.at(-1), 603);
  assertClean(made);
});

Deno.test("INFO: taken, not understood, or not wanted at all", () => {
  const seen: string[] = [];
  const made = talking({
    calleeHooks: {
      info: ({ contentType, body }) => {
        seen.push(body);
        return contentType === "application/dtmf-relay";
      },
    },
  });
  made.caller.info("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
  made.caller.info("text/odd", "?");
  made.callee.info("application/dtmf-relay", "Signal=6\r\n");
  made.pair.clock.advance(20);
  assert.deepEqual(seen, ["Signal=5\r\nDuration=160\r\n", "?"]);
  assert.deepEqual(made.pair.responses("INFO").map((r) => r.status).sort(), [200, 405, 415]);
  assertClean(made);
});

/** A request outside dialogs from nowhere to Bob; gives back the answer. */
function ask(method: string, headers: [string, string][], hooks: AgentHooks = {}, body = "") {
  const pair = new Pair({ bob: hooks });
  const request = createRequest({
    method,
    requestUri: pair.bob.agent.contact,
    from: "<sip:eve@portzero.test>;tag=eve",
    to: `<${pair.bob.agent.contact}>`,
    callId: "ask",
    sequence: 1,
    contact: "<sip:eve@eve.test>",
    headers,
    ...(body === "" ? {} : { body: { contentType: headers[0]![1], bytes: bytes(body) } }),
  });
  if (body !== "") request.headers.remove("Content-Type");
  if (body !== "") request.headers.append("Content-Type", headers[0]![1]);
  request.headers.prepend("Via", "SIP/2.0/UDP eve.test;branch=z9hG4bKask");
  pair.toBob(serialize(request));
  return { pair, request, answer: pair.responses(method).at(-1) };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("what a user agent refuses before anybody sees it (RFC 3261 8.2)", () => {
  const status = (...parameters: Parameters<typeof ask>) => {
    const { answer } = ask(...parameters);
    return answer && [
      answer.status,
      ...["Allow", "Unsupported", "Accept", "Min-SE"]
        .flatMap((name) => answer.headers.getAll(name).join(", ") || []),
    ];
  };
  const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE";
  assert.deepEqual(status("NEWMETHOD", []), [405, allow]);
  assert.deepEqual(status("MESSAGE", []), [405, allow]);
  assert.deepEqual(status("MESSAGE", [], { requests: { MESSAGE: () => 200 } }), [200]);
  assert.deepEqual(status("INVITE", [["Require", "magic, 100rel"]]), [420, "magic"]);
  assert.deepEqual(status("INVITE", [["Content-Type", "text/odd"]], {}, "?"), [
    415,
    "application/sdp",
  ]);
  assert.deepEqual(status("INVITE", [["Accept", "text/odd"]]), [406, "application/sdp"]);
  assert.deepEqual(status("INVITE", [["Session-Expires", "9"], ["Supported", "timer"]]), [
    422,
    "90",
  ]);
  assert.deepEqual(status("BYE", []), [481]);
  const options = ask("OPTIONS", []).answer;
  assert.equal(options?.status, 200);
  assert.equal(options.headers.get("Supported"), "100rel");
  assert.deepEqual(options.headers.getAll("Supported"), ["100rel", "timer"]);
});

Deno.test("one INVITE by two paths to one agent is merged: 482 (8.2.2.2)", () => {
  const { pair, request } = ask("INVITE", []);
  assert.equal(pair.bob.invites.length, 1);
  const again = request.clone() as SipRequest;
  again.headers.set("Via", "SIP/2.0/UDP other.test;branch=z9hG4bKother");
  pair.toBob(serialize(again));
  assert.equal(pair.bob.invites.length, 1);
  assert.equal(pair.responses("INVITE").at(-1)?.status, 482);
});

Deno.test("Replaces: a dialog of this agent, or 481; ignored by who does not know it", () => {
  const replaced: string[] = [];
  const hooks: AgentHooks = {
    replace: (invite, { callId, localTag }) => {
      replaced.push(`${callId} ${localTag} ${invite.request.callId}`);
    },
  };
  const unknown = ask("INVITE", [["Replaces", "x;to-tag=a;from-tag=b"]], hooks);
  assert.equal(unknown.answer?.status, 481);
  const broken = ask("INVITE", [["Replaces", "x;to-tag=a"]], hooks);
  assert.equal(broken.answer?.status, 400);
  const plain = ask("INVITE", [["Replaces", "x;to-tag=a;from-tag=b"]]);
  assert.equal(plain.pair.bob.invites.length, 1);
  assert.equal(ask("INVITE", [["Require", "replaces"]]).answer?.status, 420);
  const pair = new Pair({ bob: hooks });
  const made = ringing({}, pair);
  made.callee.accept("answer");
  pair.clock.advance(20);
  const { callId, localTag } = made.callee;
  const header = `${callId};to-tag=${localTag};from-tag=${made.caller.localTag}`;
  pair.call({ headers: { Replaces: header } }, [], "attended");
  pair.clock.advance(20);
  assert.deepEqual(replaced, [`${callId} ${localTag} attended`]);
});
