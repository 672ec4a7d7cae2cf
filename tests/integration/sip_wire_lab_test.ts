import assert from "node:assert/strict";
import { type SipRequest, SipResponse } from "../../src/sip/message/mod.ts";
import { Lab } from "../support/lab.ts";
import { needs } from "../support/needs.ts";
import { type PeerTarget, SipPeer } from "../support/sip_peer.ts";
import { runSipp } from "../support/sipp.ts";

/** Phones of every transport at the real server, in a process of its own. */

const SIPP = needs("sipp");

async function targets(lab: Lab): Promise<PeerTarget[]> {
  const trusted = await lab.certificate();
  const host = "127.0.0.1";
  return [
    { transport: "UDP", host, port: lab.sipPort },
    { transport: "TCP", host, port: lab.sipPort },
    { transport: "TLS", host, port: lab.sipTlsPort, trusted },
    { transport: "WS", host, port: lab.port },
    { transport: "WSS", host, port: lab.tlsPort, trusted },
  ];
}

async function registrations(lab: Lab, user: string): Promise<readonly unknown[]> {
  const { registrations } = await lab.get<{ registrations: { aor: string }[] }>(
    "/api/registrations",
  );
  return registrations.filter(({ aor }) => aor.includes(`${user}@`));
}

const invites = (peer: SipPeer) => peer.hearRequest("INVITE");

Deno.test("phones of all transports register and are called by those of all others", async (t) => {
  await using lab = await Lab.start();
  const all = await targets(lab);
  const phones = await Promise.all(
    all.map((target, at) => SipPeer.open(String(1000 + at), target)),
  );
  await t.step("each proves its account", async () => {
    for (const phone of phones) {
      assert.equal((await phone.register()).status, 200, phone.target.transport);
      assert.equal((await registrations(lab, phone.user)).length, 1);
    }
  });
  for (const caller of phones) {
    const callee = phones[(phones.indexOf(caller) + 1) % phones.length]!;
    const pair = `${caller.target.transport} to ${callee.target.transport}`;
    await t.step(`a call from ${pair}`, () => call(caller, callee));
  }
  await t.step("a flow that is gone takes its bindings along", async () => {
    for (const phone of phones) {
      await phone[Symbol.asyncDispose]();
      if (phone.target.transport === "UDP") continue;
      await lab.until(
        `${phone.target.transport} is gone`,
        () => registrations(lab, phone.user),
        (found) => found.length === 0,
      );
    }
  });
});

/** INVITE, 200, ACK, BYE, 200 through the server, on the flows that the phones have. */
async function call(caller: SipPeer, callee: SipPeer): Promise<void> {
  callee.heard.length = caller.heard.length = 0;
  const invite = caller.request("INVITE", `sip:${callee.user}@localhost`);
  const answered = caller.ask(invite);
  const received: SipRequest = await invites(callee);
  assert.ok(received.topVia.sentBy.length > 0);
  await callee.answer(received, 200);
  const response = await answered;
  assert.equal(response.status, 200);
  await caller.ack(invite, response);
  await callee.hearRequest("ACK");
  // The callee ends it: along the routes that the INVITE recorded.
  const bye = callee.request("BYE", received.contacts === "*" ? "" : contactOf(received));
  bye.headers.set("From", response.headers.get("To")!);
  bye.headers.set("To", received.headers.get("From")!);
  bye.headers.set("Call-ID", received.callId);
  bye.headers.remove("Contact");
  for (const route of received.headers.getAll("Record-Route")) bye.headers.append("Route", route);
  const over = callee.ask(bye);
  await caller.answer(await caller.hearRequest("BYE"), 200);
  assert.equal((await over).status, 200);
}

function contactOf(request: SipRequest): string {
  const { contacts } = request;
  assert(contacts !== "*" && contacts[0]);
  return contacts[0].uri.toString();
}

Deno.test("strangers are nobody: no call, no relay, no foreign name; OPTIONS is answered", async () => {
  await using lab = await Lab.start();
  for (const target of (await targets(lab)).slice(0, 2)) {
    await using known = await SipPeer.open("1001", target);
    await using stranger = await SipPeer.open("mallory", target, "guess");
    assert.equal((await known.register()).status, 200);
    const statusOf = async (method: string, uri: string) =>
      (await stranger.ask(stranger.request(method, uri))).status;
    assert.equal((await stranger.ask(stranger.request("OPTIONS", "sip:localhost"))).status, 200);
    assert.equal((await stranger.register()).status, 403);
    assert.equal(await statusOf("INVITE", "sip:1001@localhost"), 403);
    assert.equal(await statusOf("INVITE", "sip:+4930123456@carrier.example"), 403);
    assert.equal(await statusOf("MESSAGE", "sip:1001@localhost"), 403);
    // An account of ours is no right to relay either.
    const relay = await known.ask(known.request("INVITE", "sip:+4930123456@carrier.example"));
    assert.equal(relay.status, 403);
    assert.ok(!known.heard.some((message) => message.kind === "request"));
  }
});

Deno.test("all of it over IPv6", async () => {
  await using lab = await Lab.start({ env: { PORTZERO_SIP_HOST: "::1" } });
  const host = "::1";
  await using caller = await SipPeer.open("1000", { transport: "UDP", host, port: lab.sipPort });
  await using callee = await SipPeer.open("1001", { transport: "TCP", host, port: lab.sipPort });
  assert.equal((await caller.register()).status, 200);
  assert.equal((await callee.register()).status, 200);
  await call(caller, callee);
});

Deno.test("received and rport are told as they are, on UDP and TCP", async () => {
  await using lab = await Lab.start();
  for (const target of (await targets(lab)).slice(0, 2)) {
    await using phone = await SipPeer.open("1001", target);
    const request = phone.request("OPTIONS", "sip:localhost");
    const via = request.headers.get("Via")!.replace(phone.local, "192.0.2.9:9");
    request.headers.set("Via", via);
    const response = await phone.ask(request);
    assert(response instanceof SipResponse);
    assert.equal(response.topVia.received, "127.0.0.1");
    assert.equal(response.topVia.rport, phone.local.split(":")[1]);
  }
});

Deno.test("rubbish, slow and huge senders leave the server answering", async () => {
  await using lab = await Lab.start({ env: { PORTZERO_SIP_LIMITS_MESSAGESECONDS: "1" } });
  const [udp, tcp] = await targets(lab);
  await using phone = await SipPeer.open("1001", udp!);
  assert.equal((await phone.register()).status, 200);
  await using rubbish = await SipPeer.open("rubbish", udp!);
  for (let n = 0; n < 10_000; n++) {
    await rubbish.raw(
      n % 3 === 0 ? `REGISTER ${n}` : `\0${"INVITE sip:x SIP/2.0\r\n".repeat(n % 9)}`,
    );
  }
  const slow = await Promise.all(
    Array.from({ length: 50 }, (_, n) => SipPeer.open(`slow${n}`, tcp!)),
  );
  for (const peer of slow) await peer.raw("INVITE sip:1001@localhost SIP/2.0\r\nVia: ");
  await using huge = await SipPeer.open("huge", tcp!);
  await huge.raw(`OPTIONS sip:localhost SIP/2.0\r\nX: ${"a".repeat(1024 * 1024)}`).catch(() => {});
  await huge.until("the huge one is cut", () => huge.isClosed);
  await phone.until("the slow ones are cut", () => slow.every((peer) => peer.isClosed));
  for (const peer of slow) await peer[Symbol.asyncDispose]();
  assert.equal((await phone.ask(phone.request("OPTIONS", "sip:localhost"))).status, 200);
  assert.equal((await registrations(lab, "1001")).length, 1);
});

Deno.test({
  name: "SIPp registers by digest over UDP and TCP",
  ignore: SIPP.ignore,
  async fn() {
    await using lab = await Lab.start();
    for (const transport of ["u1", "t1"] as const) {
      const done = await runSipp(SIPP.path, {
        scenario: "register",
        remote: `127.0.0.1:${lab.sipPort}`,
        transport,
        calls: 20,
        user: "1005",
        password: "1234",
      });
      assert.equal(done.code, 0, done.output);
      assert.equal((await registrations(lab, "1005")).length, 1);
      const wrong = await runSipp(SIPP.path, {
        scenario: "register",
        remote: `127.0.0.1:${lab.sipPort}`,
        transport,
        calls: 1,
        user: "1006",
        password: "4321",
      });
      assert.notEqual(wrong.code, 0);
      assert.equal((await registrations(lab, "1006")).length, 0);
    }
  },
});
