import assert from "node:assert/strict";
import {
  createResponse,
  type SipMessage,
  SipRequest,
  type SipResponse,
} from "../../src/sip/message/mod.ts";
import { Lab } from "../support/lab.ts";
import { SdkSocket } from "../support/sdk_socket.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** A page of the Web SDK and phones on the wire, at the real server: digits and transfers. */

const ENV = { PORTZERO_MEDIA_SETUPTIMEOUTSECONDS: "120", PORTZERO_MEDIA_ADDRESSES: "127.0.0.1" };

function sdp(port: number): string {
  return [
    "v=0",
    "o=phone 1 1 IN IP4 127.0.0.1",
    "s=-",
    "c=IN IP4 127.0.0.1",
    "t=0 0",
    `m=audio ${port} RTP/AVP 107 101`,
    "a=rtpmap:107 opus/48000/2",
    "a=rtpmap:101 telephone-event/8000",
    "",
  ].join("\r\n");
}

function withSdp<M extends SipMessage>(message: M, port: number): M {
  message.headers.set("Content-Type", "application/sdp");
  message.body = new TextEncoder().encode(sdp(port));
  return message;
}

/** A phone that answers what rings; REFER it does not know. */
async function phone(lab: Lab, user: string, port: number): Promise<SipPeer> {
  const target = { transport: "UDP", host: "127.0.0.1", port: lab.sipPort } as const;
  const made = await SipPeer.open(user, target);
  assert.equal((await made.register()).status, 200);
  const toTag = `callee-${user}`;
  made.onRequest = (request) => {
    if (request.method === "ACK") return;
    const status = request.method === "REFER" ? 405 : 200;
    const response = createResponse(request, status, undefined, { toTag, recordRoute: true });
    response.headers.set("Contact", `<${made.contact}>`);
    void made.send(request.method === "INVITE" ? withSdp(response, port) : response);
  };
  return made;
}

/** A request of the callee's inside the dialog that `invite` made. */
function inDialog(peer: SipPeer, invite: SipRequest, toTag: string, method: string): SipRequest {
  const contact = invite.contacts === "*" ? undefined : invite.contacts[0];
  const request = peer.request(method, contact!.uri.toString());
  for (const route of invite.headers.getAll("Record-Route")) {
    request.headers.append("Route", route);
  }
  request.headers.set("From", `${invite.headers.get("To")};tag=${toTag}`);
  request.headers.set("To", invite.headers.get("From")!);
  request.headers.set("Call-ID", invite.callId);
  return request;
}

const infosOf = ({ heard }: SipPeer) =>
  heard.flatMap((message) =>
    message instanceof SipRequest && message.method === "INFO"
      ? [`${message.contentType} ${new TextDecoder().decode(message.body).trim()}`]
      : []
  );

Deno.test("digits by INFO and INFO_RELAY reach a phone on the wire, and its own the call's view", async () => {
  await using lab = await Lab.start({ env: ENV });
  await using desk = await phone(lab, "1000", 40_000);
  await using page = await SdkSocket.open(lab, "alice");
  const callId = await page.call("1000");
  for (const [type, dtmf] of [["INFO", "5"], ["INFO_RELAY", "#"]]) {
    page.send("sendDtmf", { callId, type, dtmf });
  }
  await desk.until("two INFOs", () => infosOf(desk).length === 2);
  assert.deepEqual(infosOf(desk), [
    "application/dtmf 5",
    "application/dtmf-relay Signal=#\r\nDuration=160",
  ]);
  const invite = await desk.hearRequest("INVITE");
  const said = [
    ["application/dtmf-relay", "Signal=7\r\nDuration=100\r\n", 200],
    ["application/dtmf", "*", 200],
    ["text/plain", "7", 415],
  ] as const;
  for (const [contentType, body, status] of said) {
    const info = inDialog(desk, invite, "callee-1000", "INFO");
    info.headers.set("Content-Type", contentType);
    info.body = new TextEncoder().encode(body);
    assert.equal((await desk.ask(info)).status, status, contentType);
  }
  const { dtmf } = await lab.call(callId);
  assert.deepEqual(
    dtmf.map(({ digit, from, method }) => [digit, from, method]),
    [["7", "1000", "INFO_RELAY"], ["*", "1000", "INFO"]],
  );
  page.send("hangup", { callId });
  await desk.hearRequest("BYE");
  await lab.noLiveCalls();
});

Deno.test("a phone takes another's place in a page's call by INVITE with Replaces", async () => {
  await using lab = await Lab.start({ env: ENV });
  await using desk = await phone(lab, "1000", 40_000);
  await using next = await phone(lab, "1001", 40_010);
  await using page = await SdkSocket.open(lab, "alice");
  const callId = await page.call("1000");
  const invite = await desk.hearRequest("INVITE");
  const replaces = `${invite.callId};to-tag=${invite.from.tag};from-tag=callee-1000`;
  const take = (value: string): Promise<SipResponse> =>
    next.ask(
      withSdp(
        next.request("INVITE", "sip:alice@localhost", [
          ["Replaces", value],
          ["Require", "replaces"],
        ]),
        40_010,
      ),
    );
  assert.equal((await take(replaces.replace("callee-1000", "guessed"))).status, 481);
  const answer = await take(replaces);
  assert.equal(answer.status, 200);
  assert.match(new TextDecoder().decode(answer.body), /m=audio \d+ RTP\/AVP 107 101/);
  // Outside a dialog nobody is sent anywhere (RFC 3515 2.4.2, RFC 3261 8.2.1).
  const refer = next.request("REFER", "sip:alice@localhost", [[
    "Refer-To",
    "<sip:1000@localhost>",
  ]]);
  const refused = await next.ask(refer);
  assert.equal(refused.status, 405);
  assert(refused.headers.getAll("Allow").includes("INVITE"));
  const asked = next.heard.length;
  await next.ack(next.request("INVITE", "sip:alice@localhost"), answer);
  await desk.hearRequest("BYE");
  const view = await lab.call(callId);
  assert.deepEqual([view.state, view.callee, view.transfer?.role], ["active", "1001", "replacing"]);
  assert.equal(page.count("setRemoteSDP"), 1);
  assert.equal(page.count("finish"), 0);
  page.send("hangup", { callId });
  await next.until(
    "BYE",
    () =>
      next.heard.slice(asked).some((message) =>
        message instanceof SipRequest && message.method === "BYE"
      ),
  );
  await lab.noLiveCalls();
});

Deno.test("a page hands a phone on that knows no REFER: the server joins it with the target", async () => {
  await using lab = await Lab.start({ env: ENV });
  await using desk = await phone(lab, "1000", 40_000);
  await using next = await phone(lab, "1001", 40_010);
  let callId: string;
  {
    await using page = await SdkSocket.open(lab, "alice");
    callId = await page.call("1000");
    page.send("transfer", { callId, target: "1001" });
    await page.heard("finish");
    await desk.hearRequest("REFER");
  }
  const view = await lab.call(callId);
  assert.deepEqual([view.state, view.transfer?.role], ["active", "bridging"]);
  assert.deepEqual([view.caller, view.callee].toSorted(), ["1000", "1001"]);
  const deleted = await fetch(`${lab.origin}/api/calls/${callId}`, {
    method: "DELETE",
    headers: { "content-type": "application/json" },
  });
  await deleted.body?.cancel();
  assert.equal(deleted.status, 204);
  await desk.hearRequest("BYE");
  await next.hearRequest("BYE");
  await lab.noLiveCalls();
});
