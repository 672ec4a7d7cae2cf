import assert from "node:assert/strict";
import { Ladder, LADDER_LIMITS, type LadderLimits } from "../../../src/actors/ladder.ts";
import { maskSecrets } from "../../../src/actors/ladder_masks.ts";
import { toLadderView } from "../../../src/actors/ladder_view.ts";
import type { FlowId } from "../../../src/core/ids.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { Flow } from "../../../src/sip/flow.ts";
import { parseMessage, type SipMessage } from "../../../src/sip/message/mod.ts";

const HOP: Flow = { id: "session:1" as FlowId, transport: "TCP", remote: "127.0.0.1:5060" };
const WIRE: Flow = {
  id: "udp:9" as FlowId,
  transport: "UDP",
  remote: "192.0.2.7:5062",
  local: "192.0.2.1:5060",
};

function message(start: string, callId: string, body = ""): SipMessage {
  const method = start.startsWith("SIP/2.0") ? "INVITE" : start.split(" ")[0];
  const parsed = parseMessage(new TextEncoder().encode([
    start,
    "Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK1",
    "From: <sip:alice@localhost>;tag=a",
    "To: <sip:bob@localhost>",
    `Call-ID: ${callId}`,
    `CSeq: 7 ${method}`,
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n")));
  assert(parsed.ok);
  return parsed.value;
}

const invite = (callId: string, body = "") =>
  message("INVITE sip:bob@localhost SIP/2.0", callId, body);
const ringing = (callId: string) => message("SIP/2.0 180 Ringing", callId);

function ladderOf(limits: Partial<LadderLimits> = {}) {
  const clock = new ManualClock();
  return { clock, ladder: new Ladder(clock, { ...LADDER_LIMITS, ...limits }) };
}

Deno.test("a call's messages are there in true order, with times, directions and parties", () => {
  const { clock, ladder } = ladderOf();
  ladder.claim("c1");
  ladder.record({ flow: HOP, direction: "receive", message: invite("c1") }, "alice");
  clock.advance(20);
  ladder.record({ flow: WIRE, direction: "send", message: invite("c1") });
  ladder.record({ flow: HOP, direction: "receive", message: invite("other") }, "alice");
  clock.advance(30);
  ladder.record({ flow: WIRE, direction: "receive", message: ringing("c1") });
  ladder.record({ flow: HOP, direction: "send", message: ringing("c1") }, "alice");
  const view = toLadderView(ladder, { id: "call", sipCallIds: ["c1"] }, "127.0.0.1:5060");
  assert.deepEqual(view.parties.map(({ kind, name }) => `${kind} ${name}`), [
    "session alice",
    "server Port Zero",
    "wire 192.0.2.7:5062",
  ]);
  const said = view.messages.map((each) =>
    `${each.offsetMs} ${each.from} ${each.to} ${each.summary} ${each.cseq}`
  );
  assert.deepEqual(said, [
    "0 session:1 server INVITE 7",
    "20 server udp:9 INVITE 7",
    "50 udp:9 server 180 Ringing 7",
    "50 server session:1 180 Ringing 7",
  ]);
  const order = view.messages.map(({ sequence }) => sequence);
  assert.deepEqual(order, order.toSorted((a, b) => a - b));
  assert.equal(view.messages[1]!.localAddress, "192.0.2.1:5060");
  assert.equal(view.messages[0]!.localAddress, "127.0.0.1:5060");
});

Deno.test("only calls are recorded, from their INVITE on", () => {
  const { ladder } = ladderOf();
  for (const method of ["REGISTER", "OPTIONS", "BYE", "ACK"]) {
    const other = message(`${method} sip:bob@localhost SIP/2.0`, "c1");
    ladder.record({ flow: WIRE, direction: "receive", message: other });
  }
  ladder.record({ flow: WIRE, direction: "receive", message: ringing("c1") });
  assert.equal(ladder.size, 0);
  assert.equal(ladder.bytes, 0);
});

Deno.test("everything is bounded: messages and bytes of a call, bytes of all, strangers' calls", () => {
  const { ladder } = ladderOf({ messages: 3, bytesPerCall: 2_000, bytes: 5_000, unclaimed: 2 });
  ladder.claim("c1");
  for (let i = 0; i < 5; i++) {
    ladder.record({ flow: WIRE, direction: "send", message: invite("c1") });
  }
  assert.equal(ladder.read(["c1"]).entries.length, 3);
  assert.equal(ladder.read(["c1"]).dropped, 2);
  ladder.record({ flow: WIRE, direction: "send", message: invite("c1", "x".repeat(1_700)) });
  assert.equal(ladder.read(["c1"]).entries.length, 1);
  for (const callId of ["s1", "s2", "s3"]) {
    ladder.record({ flow: WIRE, direction: "receive", message: invite(callId) });
  }
  assert.deepEqual(["s1", "s2", "s3"].map((id) => ladder.read([id]).entries.length), [0, 1, 1]);
  ladder.record({ flow: WIRE, direction: "receive", message: invite("big", "x".repeat(1_600)) });
  ladder.record({ flow: WIRE, direction: "receive", message: invite("big2", "x".repeat(1_600)) });
  assert(ladder.bytes <= 5_000, `${ladder.bytes} bytes are held`);
  assert.equal(ladder.read(["c1"]).entries.length, 1, "a call goes after strangers");
});

Deno.test("what a call has claimed stays until every claim is released, and then it is gone", () => {
  const { ladder } = ladderOf();
  ladder.record({ flow: HOP, direction: "receive", message: invite("c1") }, "alice");
  ladder.claim("c1");
  ladder.claim("c1");
  ladder.release("c1");
  assert.equal(ladder.read(["c1"]).entries.length, 1);
  ladder.release("c1");
  assert.equal(ladder.size, 0);
  assert.equal(ladder.bytes, 0);
});

Deno.test("a message without Call-ID is nobody's", () => {
  const { ladder } = ladderOf();
  const broken = invite("c1");
  broken.headers.remove("Call-ID");
  ladder.record({ flow: WIRE, direction: "receive", message: broken });
  assert.equal(ladder.size, 0);
});

Deno.test("secrets are asterisks, of the same length, in every form", () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const lines = [
    `Authorization: Digest username="alice", response="${secret}", nonce="n"`,
    `proxy-authorization:Digest realm="x",response = ${secret}, uri="sip:x"`,
    `AUTHORIZATION: Digest realm="x",`,
    ` response="${secret}"`,
    `Authorization: Basic ${secret}`,
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${secret}|2^20|1:4`,
    `a=ice-pwd:${secret}`,
    `a=x-pz-endpoint:${secret}`,
    `Contact: <sip:x@y;x-pz-endpoint=${secret}>`,
  ];
  const text = lines.join("\r\n");
  const masked = maskSecrets(text);
  assert(!masked.includes(secret), masked);
  assert.equal(masked.length, text.length);
  assert.match(masked, /username="alice"/);
  assert.match(masked, /\|2\^20\|1:4/);
  const harmless = `Subject: response="${secret}"\r\na=ice-ufrag:abcd`;
  assert.equal(maskSecrets(harmless), harmless);
});
