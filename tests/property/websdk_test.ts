import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import type { ClientCall, ClientNotice } from "../../src/actors/client.ts";
import type { CallId } from "../../src/core/ids.ts";
import type { TerminationReason } from "../../src/core/termination.ts";
import { termination } from "../../src/core/termination.ts";
import { decode } from "../../src/websdk/codec.ts";
import { clientSchemas } from "../../src/websdk/wire.ts";
import {
  bench,
  CALL,
  connected,
  frame,
  INCOMING,
  OFFER,
  OUTGOING,
  PHONE,
  SERVER_ID,
} from "../unit/websdk/support.ts";
import type { Frame } from "../unit/websdk/support.ts";

/** No limits on the rate: what is shown here is what frames mean, however many there are. */
const unhurried = () => bench({ limits: { frameRate: 1e6, frameBurst: 1e6 } });

const goodFrames: readonly Frame[] = [
  { message: "connection", data: [PHONE] },
  { message: "call", data: [{ ...CALL, sipSDP: ["b=AS:64"], inviteParameters: { "X-A": "1" } }] },
  { message: "answer", data: [{ callId: SERVER_ID, sdp: OFFER, hasVideo: true }] },
  { message: "hangup", data: [{ callId: SERVER_ID }] },
  { message: "hold", data: [{ callId: SERVER_ID, holdForTransfer: true }] },
  { message: "unhold", data: [{ callId: SERVER_ID }] },
  { message: "sendDtmf", data: [{ callId: SERVER_ID, type: "INFO", dtmf: "5" }] },
  { message: "transfer", data: [{ callId: SERVER_ID, target: "carol" }] },
  { message: "publishStream", data: [{ mediaSessionId: "m", name: "s" }] },
  { message: "sendData", data: [{ operationId: "o", payload: {} }] },
];

const messageName = fc.oneof(
  fc.constantFrom(...Object.keys(clientSchemas)),
  fc.constantFrom("__proto__", "constructor", "toString", "connect"),
  fc.string(),
);

/** A good frame with one value, anywhere, replaced by any JSON or taken out. */
const mutated = fc.tuple(fc.constantFrom(...goodFrames), fc.nat(), fc.jsonValue(), fc.boolean())
  .map(([good, at, value, remove]) => {
    const copy = structuredClone(good);
    const places: [Record<string, unknown>, string][] = [];
    const walk = (node: unknown) => {
      if (typeof node !== "object" || node === null) return;
      for (const key of Object.keys(node)) {
        const parent = node as Record<string, unknown>;
        places.push([parent, key]);
        walk(parent[key]);
      }
    };
    walk(copy);
    const [parent, key] = places[at % places.length]!;
    if (remove) delete parent[key];
    else parent[key] = value;
    return JSON.stringify(copy);
  });

const anyFrame = fc.oneof(
  fc.string(),
  fc.json(),
  fc.tuple(messageName, fc.jsonValue()).map(([message, data]) => JSON.stringify({ message, data })),
  fc.tuple(messageName, fc.jsonValue()).map(([name, data]) => frame(name, data)),
  mutated,
  fc.constantFrom(...goodFrames).map((good) => JSON.stringify(good)),
);

Deno.test("any text is read or refused, never thrown at", () => {
  fc.assert(fc.property(anyFrame, (text) => {
    const decoded = decode(text);
    if (!decoded.ok) assert.notEqual(decoded.error.text, "");
  }));
});

Deno.test("any frames: nothing thrown, every answer fits the wire, nobody else is touched", () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(anyFrame, { maxLength: 40 }), (before, frames) => {
      const on = unhurried();
      const victim = connected(on, { sipLogin: "victim" });
      victim.connection.receive(frame("call", CALL));
      const { socket, connection } = on.dial();
      if (before) {
        connection.receive(frame("connection", PHONE));
        connection.notify({
          type: "remoteDescription",
          callId: INCOMING.callId,
          sdp: OFFER,
          isAnswer: false,
        });
        connection.notify({ type: "incoming", call: INCOMING });
      }
      for (const text of frames) connection.receive(text);
      connection.closed();
      // Schemas of what was sent are checked by the socket; the log has our own faults only.
      assert.deepEqual(on.log.errors(), []);
      assert.ok(socket.closes.length <= 1);
      for (const session of on.sessions.opened.slice(1)) {
        assert.equal(session.log.filter((word) => word === "detach").length, 1);
      }
      assert.deepEqual(victim.session.log, ["ready", "call"]);
      assert.equal(victim.socket.closes.length, 0);
      victim.connection.closed();
      assert.equal(on.clock.pendingTimers, 0);
    }),
    { numRuns: 300 },
  );
});

const reasons: TerminationReason[] = ["hangup", "busy", "ring_timeout", "cancelled", "not_found"];

function noticesOf(call: ClientCall): fc.Arbitrary<ClientNotice> {
  return fc.oneof(
    fc.constantFrom<ClientNotice>(
      { type: "trying", call },
      { type: "incoming", call },
      { type: "remoteDescription", callId: call.callId, sdp: OFFER, isAnswer: !call.incoming },
      { type: "ringing", call, sipStatus: 180 },
      { type: "ringing", call, sipStatus: 183 },
      { type: "talking", call },
      { type: "held", call },
    ),
    fc.constantFrom(...reasons).map((reason): ClientNotice => ({
      type: "finished",
      call,
      termination: termination(reason),
    })),
  );
}

/** A client's frame or a session's notice, about one of two calls, in any order. */
const event = fc.oneof(
  noticesOf(INCOMING).map((notice) => ({ notice })),
  noticesOf(OUTGOING).map((notice) => ({ notice })),
  fc.constantFrom(
    frame("call", CALL),
    frame("answer", { callId: SERVER_ID, sdp: OFFER }),
    frame("answer", { callId: SERVER_ID }),
    frame("hangup", { callId: SERVER_ID }),
    frame("hangup", { callId: OUTGOING.callId }),
    frame("hold", { callId: SERVER_ID }),
  ).map((text) => ({ text })),
);

Deno.test("whatever a session says in whatever order, the SDK hears what it can take", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const { connection, socket } = connected(unhurried());
      const sdk = new SdkRules();
      socket.onFrame = (text) => sdk.hear(JSON.parse(text));
      for (const one of events) {
        if ("notice" in one) connection.notify(one.notice);
        else {
          sdk.say(JSON.parse(one.text));
          connection.receive(one.text);
        }
      }
    }),
    { numRuns: 500 },
  );
});

/** Rules 6, 7, 9 and 10 of the protocol's checklist, as one client sees them. */
class SdkRules {
  readonly #described = new Set<string>();
  readonly #live = new Set<string>();
  readonly #answered = new Set<string>();

  say({ message, data }: Frame): void {
    const { callId, sdp } = data[0] as { callId: CallId; sdp?: string };
    if (message === "call" && !this.#live.has(callId)) {
      this.#live.add(callId);
      this.#described.delete(callId);
    }
    if (message === "answer" && sdp && this.#live.has(callId)) this.#answered.add(callId);
  }

  hear({ message, data }: Frame): void {
    if (message === "setRemoteSDP") {
      const [callId, , isAnswer] = data as [string, string, boolean];
      assert.equal(this.#described.has(callId), false, "one description a call");
      this.#described.add(callId);
      assert.equal(isAnswer, callId === OUTGOING.callId);
      return;
    }
    if (message === "fail") return;
    const { callId, incoming, status } = data[0] as {
      callId: string;
      incoming: boolean;
      status: string;
    };
    if (message === "notifyIncomingCall") {
      assert.ok(this.#described.has(callId), "description before announcement");
      assert.equal(this.#live.has(callId), false, "one announcement a call");
      this.#live.add(callId);
      return;
    }
    if (message === "finish") {
      // A hang-up of an unknown call is answered too; a known one ends once.
      this.#live.delete(callId);
      this.#described.delete(callId);
      this.#answered.delete(callId);
      return;
    }
    assert.ok(this.#live.has(callId), `${message} for no call`);
    if (incoming && message !== "busy" && !this.#answered.has(callId)) {
      assert.equal(status, "RING", "nothing but RING before the answer");
    }
  }
}
