import assert from "node:assert/strict";
import { createResponse, type SipMessage, type SipRequest } from "../../src/sip/message/mod.ts";
import { Lab } from "../support/lab.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** Two phones at the real server: their packets go through its workers, both ways. */

const HOST = "127.0.0.1";
const PACKETS = 25;
const ROUNDS = 400;

class RtpSocket implements Disposable {
  readonly socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  readonly heard: Uint8Array[] = [];
  readonly #ssrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  #sequence = 0;

  constructor() {
    void this.#read();
  }

  get sdp(): string {
    const { port } = this.socket.addr as Deno.NetAddr;
    return `v=0\r\no=- 1 1 IN IP4 ${HOST}\r\ns=-\r\nc=IN IP4 ${HOST}\r\nt=0 0\r\n` +
      `m=audio ${port} RTP/AVP 0\r\na=sendrecv\r\n`;
  }

  /** One packet of PCMU whose every byte is `mark`. */
  async send(port: number, mark: number): Promise<void> {
    const packet = new Uint8Array(172).fill(mark);
    const view = new DataView(packet.buffer);
    view.setUint8(0, 0x80);
    view.setUint8(1, 0);
    view.setUint16(2, this.#sequence);
    view.setUint32(4, 160 * this.#sequence++);
    view.setUint32(8, this.#ssrc);
    await this.socket.send(packet, { transport: "udp", hostname: HOST, port });
  }

  hears(mark: number): boolean {
    return this.heard.filter((packet) => packet.length === 172 && packet.at(-1) === mark).length >=
      PACKETS;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }

  async #read(): Promise<void> {
    for await (const [packet] of this.socket) this.heard.push(packet);
  }
}

function withSdp<M extends SipMessage>(message: M, sdp: string): M {
  message.headers.set("Content-Type", "application/sdp");
  message.body = new TextEncoder().encode(sdp);
  return message;
}

function portOf(message: SipMessage): number {
  return Number(/^m=audio (\d+) /m.exec(new TextDecoder().decode(message.body))?.[1]);
}

/** 200 with a description, as a phone that has just rung. */
async function accept(phone: SipPeer, invite: SipRequest, sdp: string): Promise<void> {
  const response = createResponse(invite, 200, undefined, { toTag: "callee", recordRoute: true });
  response.headers.set("Contact", `<${phone.contact}>`);
  await phone.send(withSdp(response, sdp));
}

function post(lab: Lab, path: string, body: unknown): Promise<Response> {
  return fetch(`${lab.origin}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

Deno.test("two phones talk through the workers, and an operator ends their call", async () => {
  await using lab = await Lab.start();
  const target = { transport: "UDP" as const, host: HOST, port: lab.sipPort };
  await using caller = await SipPeer.open("1000", target);
  await using callee = await SipPeer.open("1001", target);
  for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200);
  using mine = new RtpSocket();
  using theirs = new RtpSocket();
  const invite = withSdp(caller.request("INVITE", "sip:1001@localhost"), mine.sdp);
  const answered = caller.ask(invite);
  const received = await callee.hearRequest("INVITE");
  const said = new TextDecoder().decode(received.body);
  assert.doesNotMatch(said, /x-pz/);
  assert.notEqual(portOf(received), portOf(invite));
  await accept(callee, received, theirs.sdp);
  const response = await answered;
  assert.equal(response.status, 200);
  await caller.ack(invite, response);
  await callee.hearRequest("ACK");
  for (let round = 0; round < ROUNDS && !(mine.hears(0x22) && theirs.hears(0x11)); round++) {
    await mine.send(portOf(response), 0x11);
    await theirs.send(portOf(received), 0x22);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert(theirs.hears(0x11), "the callee hears the caller");
  assert(mine.hears(0x22), "the caller hears the callee");
  const { calls } = await lab.get<{ calls: { id: string; direction: string; state: string }[] }>(
    "/api/calls",
  );
  assert.deepEqual(calls.map(({ direction, state }) => [direction, state]), [[
    "transit",
    "active",
  ]]);
  const { id } = calls[0]!;
  const hold = await post(lab, `/api/calls/${id}/hold`, {});
  assert.equal(hold.status, 409);
  assert.match((await hold.json() as { detail: string }).detail, /between two SIP phones/);
  const legacyHold = await post(lab, "/rest-api/call/hold", { callId: id });
  assert.equal(legacyHold.status, 409);
  await legacyHold.body?.cancel();
  const listed = await lab.get<{ callId: string; status: string }[]>("/rest-api/call/find_all");
  assert.deepEqual(listed.map(({ callId, status }) => [callId, status]), [[id, "ESTABLISHED"]]);
  const ended = await post(lab, "/rest-api/call/terminate", { callId: id });
  await ended.body?.cancel();
  assert.equal(ended.status, 200);
  for (const phone of [caller, callee]) await phone.answer(await phone.hearRequest("BYE"), 200);
  await lab.until(
    "no call is left",
    () => lab.get<{ calls: unknown[] }>("/api/calls"),
    (found) => found.calls.length === 0,
  );
});

Deno.test("a phone rings for another, and an operator ends that", async () => {
  await using lab = await Lab.start();
  const target = { transport: "UDP" as const, host: HOST, port: lab.sipPort };
  await using caller = await SipPeer.open("1000", target);
  await using callee = await SipPeer.open("1001", target);
  for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200);
  using mine = new RtpSocket();
  const invite = withSdp(caller.request("INVITE", "sip:1001@localhost"), mine.sdp);
  const answered = caller.ask(invite);
  const received = await callee.hearRequest("INVITE");
  await callee.answer(received, 180);
  const { calls: [call] } = await lab.until(
    "it rings",
    () => lab.get<{ calls: { id: string; state: string }[] }>("/api/calls"),
    ({ calls }) => calls[0]?.state === "ringing",
  );
  const ended = await fetch(`${lab.origin}/api/calls/${call!.id}`, {
    method: "DELETE",
    headers: { "content-type": "application/json" },
  });
  await ended.body?.cancel();
  assert.equal(ended.status, 204);
  await callee.answer(await callee.hearRequest("CANCEL"), 200);
  await callee.answer(received, 487);
  assert.equal((await answered).status, 487);
  const { termination } = await lab.call(call!.id);
  assert.equal(termination?.reason, "operator");
});

const video = (port: number, codec: string) =>
  `m=video ${port} RTP/AVP 97\r\na=rtpmap:97 ${codec}/90000\r\n`;

Deno.test("two phones without a common video codec: the call is audio, and says so", async () => {
  await using lab = await Lab.start();
  const target = { transport: "UDP" as const, host: HOST, port: lab.sipPort };
  using mine = new RtpSocket();
  using theirs = new RtpSocket();
  for (const codec of ["H264", "VP8"]) {
    await using caller = await SipPeer.open("1000", target);
    await using callee = await SipPeer.open("1001", target);
    for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200);
    const invite = withSdp(
      caller.request("INVITE", "sip:1001@localhost"),
      mine.sdp + video(40_000, "VP8"),
    );
    const answered = caller.ask(invite);
    const received = await callee.hearRequest("INVITE");
    await accept(callee, received, theirs.sdp + video(codec === "VP8" ? 40_002 : 0, codec));
    const response = await answered;
    assert.equal(response.status, 200);
    await caller.ack(invite, response);
    await callee.hearRequest("ACK");
    const [call] = await lab.calls();
    const { warnings } = await lab.call(call!.id);
    const said = warnings.filter((warning) => warning.startsWith("audio only"));
    const why = ["audio only: no common video codec (VP8 | H264)"];
    assert.deepEqual(said, codec === "VP8" ? [] : why);
    assert((await post(lab, "/rest-api/call/terminate", { callId: call!.id })).ok);
    for (const phone of [caller, callee]) await phone.answer(await phone.hearRequest("BYE"), 200);
    await lab.noLiveCalls();
  }
});
