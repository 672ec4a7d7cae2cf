import assert from "node:assert/strict";
import type { CallContext } from "../../../src/actors/call_context.ts";
import { callMachine } from "../../../src/actors/call.ts";
import type { SessionContext } from "../../../src/actors/session.ts";
import { toCallState, toCallView, toSessionView } from "../../../src/actors/views.ts";
import type { EndpointStatistics } from "../../../src/rtp/media_port.ts";

/** Views are pure: contexts are written down here as the machines would leave them. */

const STATISTICS: EndpointStatistics = {
  receivePackets: 100,
  receiveBytes: 17_200,
  receiveLost: 0,
  jitterMs: 1,
  sendPackets: 100,
  sendBytes: 17_200,
  dropped: 0,
  roundTripMs: null,
  audioCodec: "opus",
  videoCodec: null,
};

interface Seen {
  readonly ice?: string;
  readonly dtls?: string;
  readonly statistics?: Partial<EndpointStatistics> | null;
  readonly context?: Partial<CallContext>;
}

function contextOf({ ice, dtls, statistics, context }: Seen = {}): CallContext {
  const child = (inside: object) => ({ getSnapshot: () => ({ context: inside }) });
  return {
    callId: "call-1",
    sipCallId: "sip-1",
    party: { sessionId: "session-1", agent: { flow: { remote: "127.0.0.1:5060" } } },
    direction: "outbound",
    caller: "alice",
    callee: "bob",
    codecs: ["opus"],
    hold: { local: false, remote: false },
    isRinging: false,
    resources: { dialog: { usage: null } },
    localTag: "",
    remoteTag: null,
    localUri: "sip:alice@lab.example",
    remoteUri: "sip:bob@lab.example",
    remoteSdp: null,
    startedAt: Date.UTC(2026, 0, 1),
    since: Date.UTC(2026, 0, 1, 0, 0, 1),
    answeredAt: null,
    endedAt: null,
    termination: null,
    leg: child({ ice: ice ?? "connected", dtls: dtls ?? "connected", remoteAddress: null }),
    media: child({
      worker: 0,
      statistics: statistics === null ? null : { ...STATISTICS, ...statistics },
    }),
    ...context,
  } as unknown as CallContext;
}

/** Names of all states of the machine, those inside `active` as XState writes them. */
function statesOf(): unknown[] {
  return Object.entries(callMachine.states).flatMap(([name, state]): unknown[] => {
    const inner = Object.keys(state.states);
    return inner.length === 0 ? [name] : inner.map((each) => ({ [name]: each }));
  });
}

Deno.test("views: every state of the call machine has a word of the glossary", () => {
  const words = Object.fromEntries(
    statesOf().map((value) => [JSON.stringify(value), toCallState(value, contextOf())]),
  );
  const { length } = Object.keys(words);
  const wanted: Record<string, string> = {
    '"preparing"': "trying",
    '"offering"': "trying",
    '"inviting"': "trying",
    '"calling"': "trying",
    '"ringing"': "ringing",
    '"alerting"': "ringing",
    '"alerted"': "ringing",
    '"answering"': "ringing",
    '"answered"': "ringing",
    '"bridged"': "active",
    '"ending"': "ending",
    '"ended"': "ended",
  };
  for (const [state, word] of Object.entries(wanted)) assert.equal(words[state], word, state);
  const active = Object.entries(words).filter(([state]) => !(state in wanted));
  assert(
    active.length > 0 && active.every(([state, word]) => /active/.test(state) && word === "active"),
  );
  assert.equal(length, Object.keys(wanted).length + active.length);
});

Deno.test("views: a call that rang once keeps ringing in words; hold is either side's", () => {
  const rang = contextOf({ context: { isRinging: true } });
  assert.equal(toCallState("inviting", rang), "ringing");
  for (const hold of [{ local: true, remote: false }, { local: false, remote: true }]) {
    assert.equal(toCallState({ active: "settled" }, contextOf({ context: { hold } })), "held");
  }
});

function warnings(seen: Seen, state: "active" | "held" | "ringing" | "ended" = "active"): string[] {
  return [...toCallView(contextOf(seen), state, null).warnings];
}

const HELD_SDP = [
  "v=0",
  "o=- 1 1 IN IP4 127.0.0.1",
  "s=-",
  "c=IN IP4 127.0.0.1",
  "t=0 0",
  "m=audio 9 RTP/AVP 0",
  "a=rtpmap:0 PCMU/8000",
  "a=inactive",
  "",
].join("\r\n");

Deno.test("views: what is wrong is said in words, the nearest cause alone", () => {
  assert.deepEqual(warnings({}), []);
  assert.match(warnings({ ice: "checking", dtls: "new" }).join(), /has not reached our media port/);
  assert.match(warnings({ dtls: "handshaking" }).join(), /DTLS handshake .* is not done/);
  assert.deepEqual(warnings({ statistics: { receivePackets: 0 } }), [
    "No media packet has come from the browser",
  ]);
  assert.match(
    warnings({ statistics: { sendPackets: 0 } }).join(),
    /No media packet has gone to the browser/,
  );
  assert.match(warnings({ context: { remoteSdp: HELD_SDP } }).join(), /offers no media/);
  assert.equal(warnings({ ice: "checking", statistics: null }).length, 1);
});

Deno.test("views: a leg that is over says so, and keeps what it was", () => {
  const first = (seen: Seen, state: "active" | "ended") =>
    toCallView(contextOf(seen), state, null).legs[0];
  const live = first({}, "active");
  const over = first({}, "ended");
  assert.deepEqual(over, { ...live, ice: "closed", dtls: "closed" });
  assert(over.kind === "webrtc" && over.statistics?.receivePackets === 100);
  assert.deepEqual(over.codecs, ["opus"]);
  // Why it ended stays to be read.
  const words = (seen: Seen) => {
    const leg = first(seen, "ended");
    return leg.kind === "webrtc" ? [leg.ice, leg.dtls] : [];
  };
  assert.deepEqual(words({ ice: "new", dtls: "new" }), ["new", "new"]);
  assert.deepEqual(words({ ice: "checking", dtls: "new" }), ["closed", "new"]);
  assert.deepEqual(words({ ice: "disconnected", dtls: "failed" }), ["disconnected", "failed"]);
});

Deno.test("views: loss is a share of what was expected, and above 5 % a warning", () => {
  const lost = (receiveLost: number) => ({ statistics: { receiveLost, receivePackets: 1_000 } });
  const view = toCallView(contextOf(lost(26)), "active", null);
  assert.equal(view.lossPercent, 2.5);
  assert.deepEqual(warnings(lost(26)), []);
  assert.match(warnings(lost(100)).join(), /packets are lost: 9.1 %/);
  assert.equal(
    toCallView(contextOf({ statistics: { receivePackets: 0 } }), "active", null).lossPercent,
    0,
  );
});

Deno.test("views: nothing is wrong with what does not talk", () => {
  for (const state of ["ringing", "ended"] as const) {
    assert.deepEqual(warnings({ ice: "new", statistics: null }, state), []);
  }
  assert.deepEqual(warnings({ statistics: { sendPackets: 0 } }, "held"), []);
});

Deno.test("views: times are ISO 8601, an ended call's state began with its end", () => {
  const endedAt = Date.UTC(2026, 0, 1, 0, 5);
  const context = contextOf({ context: { endedAt, answeredAt: Date.UTC(2026, 0, 1, 0, 1) } });
  const view = toCallView(context, "ended", "peer-1");
  assert.equal(view.since, "2026-01-01T00:05:00.000Z");
  assert.equal(view.startedAt, "2026-01-01T00:00:00.000Z");
  assert.equal(view.answeredAt, "2026-01-01T00:01:00.000Z");
  assert.equal(view.peerCallId, "peer-1");
  assert.equal(toCallView(context, "active", null).since, "2026-01-01T00:00:01.000Z");
});

Deno.test("views: the SIP leg before, in and after its dialog", () => {
  const leg = (context: Partial<CallContext>) =>
    toCallView(contextOf({ context }), "active", null).legs[1];
  assert.equal(leg({}).dialogState, "none");
  assert.equal(leg({ localTag: "a", remoteTag: "b" }).dialogState, "terminated");
  const usage = { dialogState: "confirmed", localTag: "x", remoteTag: "y" };
  const live = leg({ resources: { dialog: { usage } } } as unknown as Partial<CallContext>);
  assert.deepEqual([live.dialogState, live.localTag, live.remoteTag], ["confirmed", "x", "y"]);
});

function sessionState(value: unknown, registered: boolean, registerRequired: boolean): string {
  const context = {
    id: "session-1",
    profile: { login: "a", domain: "d", port: 0, registerRequired, echo: {} },
    since: 0,
    registered,
  } as unknown as SessionContext;
  return toSessionView(context, value, { remoteAddress: null, calls: 0 }).state;
}

Deno.test("views: a session is registered for operators where its client asked to be", () => {
  const cases: [unknown, boolean, boolean, string][] = [
    ["connecting", false, true, "connecting"],
    ["online", false, true, "established"],
    ["online", true, true, "registered"],
    ["online", true, false, "established"],
    ["detached", true, true, "detached"],
    ["unreachable", false, true, "detached"],
    ["ending", true, true, "ended"],
    ["ended", false, true, "ended"],
  ];
  for (const [value, registered, required, word] of cases) {
    assert.equal(sessionState(value, registered, required), word, `${value} ${registered}`);
  }
});
