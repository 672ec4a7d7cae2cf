import assert from "node:assert/strict";
import { createPlane } from "../../../src/actors/plane.ts";
import type { Plane } from "../../../src/actors/plane.ts";
import { randomHex, SeededEntropy } from "../../../src/core/entropy.ts";
import type { EndpointId, EndpointToken, WorkerId } from "../../../src/core/ids.ts";
import { silentLog } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { MediaPort } from "../../../src/rtp/media_port.ts";
import { WebSdkConnection } from "../../../src/websdk/connection.ts";
import { bench, CALL, frame, PHONE, statuses, TestSocket } from "./support.ts";

/** Two clients' frames through the real sessions, calls, registrar and proxy. */

const FINGERPRINT = Array(32).fill("AB").join(":");

/** A browser's audio description, with which no media are ever sent. */
const SDP = [
  "v=0",
  "o=- 1 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
  "c=IN IP4 0.0.0.0",
  "a=rtcp:9 IN IP4 0.0.0.0",
  "a=ice-ufrag:abcd",
  "a=ice-pwd:abcdefghijklmnopqrstuvwx",
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  "a=setup:actpass",
  "a=mid:0",
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "a=rtpmap:0 PCMU/8000",
  "",
].join("\r\n");

/** Media that connect at once, as a worker's events tell it. */
function quickMedia(clock: ManualClock, entropy: SeededEntropy): MediaPort {
  let id = 0;
  return {
    open(_options, listener) {
      let open = true;
      const tell: typeof listener = (event) => clock.defer(() => open && listener(event));
      tell({
        type: "opened",
        worker: 0 as WorkerId,
        local: {
          iceUfrag: "wxyz",
          icePwd: "abcdefghijklmnopqrstuvwx",
          fingerprint: FINGERPRINT,
          candidates: [{ address: "127.0.0.1", port: 40000 }],
        },
      });
      return {
        id: ++id as EndpointId,
        token: randomHex(entropy, 128) as EndpointToken,
        setRemote: () => {
          tell({ type: "ice", state: "connected", remoteAddress: "127.0.0.1:50000" });
          tell({ type: "dtls", state: "connected" });
        },
        connect: () => {},
        setFlowing: () => {},
        requestKeyFrame: () => {},
        transcode: () => {},
        restartIce: () => ({ iceUfrag: "abcdefgh", icePwd: "abcdefghijklmnopqrstuvwx" }),
        close: () => open = false,
      };
    },
  };
}

function house() {
  const clock = new ManualClock();
  const entropy = new SeededEntropy(1);
  const plane: Plane = createPlane({
    clock,
    entropy,
    log: silentLog,
    media: quickMedia(clock, entropy),
    workers: () => [],
  }, {
    version: "0",
    call: {
      ringTimeoutMs: 60_000,
      setupTimeoutMs: 15_000,
      silenceTimeoutMs: 3_600_000,
      rejectStatus: 603,
    },
    session: {
      reachableMs: 30_000,
      pushReachableMs: 300_000,
      tokenMs: 3_600_000,
      registrationSeconds: 3600,
      outsideAnswerMs: 4_700,
    },
    sip: {
      sentBy: "127.0.0.1:5060",
      canonicalDomain: "pz.example",
      hosts: ["localhost", "127.0.0.1", "pz.example"],
      localCalls: true,
      userAgent: "Port Zero",
      addContactId: true,
      outsideAllow: [],
      accounts: [{ name: "carol", password: "secret" }],
    },
  });
  const { options } = bench();
  const dial = (fields: Record<string, unknown>) => {
    const socket = new TestSocket();
    const connection = new WebSdkConnection({
      socket,
      sessions: plane.sessions,
      clock,
      options,
      log: silentLog,
    });
    const say = (message: string, data: unknown) => {
      connection.receive(frame(message, data));
      clock.advance(1);
    };
    say("connection", { ...PHONE, ...fields });
    return { socket, connection, say };
  };
  return { clock, plane, dial };
}

Deno.test("plane: two logins on Port 0 call, answer, hold, unhold and hang up", () => {
  const { plane, dial } = house();
  const alice = dial({ sipLogin: "alice" });
  const bob = dial({ sipLogin: "bob" });
  assert.deepEqual(alice.socket.names(), ["getUserData"]);
  alice.socket.take();
  bob.socket.take();

  alice.connection.receive(frame("call", { ...CALL, sdp: SDP }));
  assert.deepEqual(statuses(alice.socket.frames), ["notifyTryingResponse TRYING"], "at once");
  alice.say("pong", null);
  assert.deepEqual(statuses(alice.socket.take()), ["notifyTryingResponse TRYING", "ring RING"]);
  assert.deepEqual(statuses(bob.socket.frames), [
    "setRemoteSDP",
    "notifyIncomingCall RING",
    "ring RING",
  ]);
  const { callId, caller, callee, hasVideo } = bob.socket.last("notifyIncomingCall");
  assert.deepEqual([caller, callee, hasVideo], ["alice", "bob", false]);
  assert.match(String(callId), /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  bob.socket.take();

  bob.say("answer", { callId, sdp: SDP.replace("actpass", "active"), hasVideo: true });
  assert.deepEqual(statuses(alice.socket.take()), ["setRemoteSDP", "talk ESTABLISHED"]);
  assert.deepEqual(statuses(bob.socket.take()), ["talk ESTABLISHED"]);

  alice.say("hold", { callId: CALL["callId"] });
  assert.deepEqual(statuses(alice.socket.take()), ["hold HOLD"]);
  alice.say("unhold", { callId: CALL["callId"] });
  assert.deepEqual(statuses(alice.socket.take()), ["talk ESTABLISHED"]);
  assert.deepEqual(bob.socket.take(), []);

  bob.say("hangup", { callId });
  assert.deepEqual(statuses(alice.socket.take()), ["finish FINISH"]);
  assert.deepEqual(statuses(bob.socket.take()), ["finish FINISH"]);
  assert.equal(plane.counts()["calls"], 0);
});

Deno.test("plane: nobody there, rejected, cancelled, ring timeout, own socket lost", () => {
  const { clock, dial } = house();
  const alice = dial({ sipLogin: "alice" });
  alice.socket.take();
  let calls = 0;
  const call = () => {
    const callId = `call-${++calls}`;
    alice.say("call", { ...CALL, callId, sdp: SDP });
    return callId;
  };
  call();
  assert.deepEqual(statuses(alice.socket.take()), [
    "notifyTryingResponse TRYING",
    "fail FAILED",
    "finish FAILED",
  ]);

  const bob = dial({ sipLogin: "bob" });
  const ended = (act: (aliceCall: string, bobCall: string) => void) => {
    const mine = call();
    const { callId } = bob.socket.last("notifyIncomingCall");
    alice.socket.take();
    bob.socket.take();
    act(mine, String(callId));
    clock.advance(1);
    const calls = (socket: TestSocket) =>
      statuses(socket.take()).filter((status) => !status.startsWith("ping"));
    return [calls(alice.socket), calls(bob.socket)];
  };
  assert.deepEqual(ended((_, callId) => bob.say("hangup", { callId })), [
    ["finish FINISH"],
    ["finish FINISH"],
  ]);
  assert.deepEqual(ended((callId) => alice.say("hangup", { callId })), [
    ["finish FINISH"],
    ["finish FINISH"],
  ]);
  const waitOut = () => {
    for (let second = 0; second < 61; second += 1) {
      clock.advance(1_000);
      for (const { connection } of [alice, bob]) connection.receive(frame("pong", null));
    }
  };
  assert.deepEqual(ended(waitOut), [["fail FAILED", "finish FAILED"], ["finish FINISH"]]);
  assert.deepEqual(
    ended(() => {
      alice.connection.closed();
    })[1],
    ["finish FINISH"],
  );
});

Deno.test("plane: an account proves its password, and a wrong one is told and closed", () => {
  const { dial } = house();
  const account = {
    sipLogin: "carol",
    sipAuthenticationName: "",
    sipDomain: "127.0.0.1",
    sipOutboundProxy: "127.0.0.1",
  };
  const good = dial({ ...account, sipPort: 5060, sipRegisterRequired: true });
  assert.deepEqual(good.socket.names(), ["getUserData", "registered"]);
  const bad = dial({ ...account, sipPort: "5060", sipPassword: "no", sipRegisterRequired: true });
  assert.deepEqual(statuses(bad.socket.frames), [
    "getUserData ESTABLISHED",
    "fail AUTHENTICATION_FAIL",
  ]);
  assert.equal(bad.socket.closes.length, 1);
});

Deno.test("plane: a token takes the session to a new socket, its calls end", () => {
  const { dial } = house();
  const bob = dial({ sipLogin: "bob" });
  const alice = dial({ sipLogin: "alice", sipRegisterRequired: true });
  const { authToken } = alice.socket.last("getUserData");
  alice.say("call", { ...CALL, sdp: SDP });
  bob.socket.take();
  alice.connection.closed();
  const again = dial({ sipLogin: undefined, sipPort: undefined, authToken });
  assert.equal(again.socket.last("getUserData")["sipLogin"], "alice");
  assert.deepEqual(again.socket.names(), ["getUserData", "registered"]);
  assert.deepEqual(statuses(bob.socket.take()), ["finish FINISH"]);
});

Deno.test("plane: names beyond ASCII and names with signs reach each other and are shown as written", () => {
  const { dial } = house();
  for (
    const [caller, callee] of [["Jürgen", "алиса"], ["o'neil+1", "a/b?c"], ["x%20y", "李"]] as const
  ) {
    const alice = dial({ sipLogin: caller, sipAuthenticationName: "" });
    const bob = dial({ sipLogin: callee, sipAuthenticationName: "" });
    alice.say("call", { ...CALL, callId: `call-${caller.length}`, callee, sdp: SDP });
    assert.equal(bob.socket.last("notifyIncomingCall")["caller"], caller);
    assert.equal(bob.socket.last("notifyIncomingCall")["callee"], callee);
  }
});
