import assert from "node:assert/strict";
import { startWebFace, type WebFace } from "../support/web_face.ts";

async function face(): Promise<WebFace> {
  const started = await startWebFace();
  started.plane.addCall("call-1", { caller: "alice", callee: "bob" });
  started.plane.addCall("rings", { state: "ringing", answeredAt: null });
  started.plane.addCall("over");
  started.plane.endCall("over");
  return started;
}

/** Command, its two paths, and what its body needs beside the call's id. */
const COMMANDS: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ["hold", "hold", {}],
  ["unhold", "unhold", {}],
  ["dtmf", "send_dtmf", { digits: "1", dtmf: "1" }],
  ["transfer", "transfer", { target: "carol" }],
];

Deno.test("commands to a call: done, unknown, over, not connected; under both paths", async () => {
  await using web = await face();
  for (const [name, legacy, all] of COMMANDS) {
    const { dtmf, digits, ...rest } = all;
    const body = digits === undefined ? rest : { digits };
    const statuses = async (path: (id: string) => Promise<Response>) => {
      const found: number[] = [];
      for (const id of ["call-1", "nobody", "over", "rings"]) {
        const response = await path(id);
        await response.body?.cancel();
        found.push(response.status);
      }
      return found;
    };
    assert.deepEqual(
      await statuses((id) => web.post(`/api/calls/${id}/${name}`, body)),
      [204, 404, 409, 409],
      name,
    );
    const legacyBody = dtmf === undefined ? rest : { dtmf };
    assert.deepEqual(
      await statuses((callId) => web.post(`/rest-api/call/${legacy}`, { callId, ...legacyBody })),
      // The original knows live calls only.
      [200, 404, 404, 409],
      legacy,
    );
  }
  assert.deepEqual(web.plane.transfers, ["call-1 carol", "call-1 carol"]);
});

Deno.test("digits: all of them, small letters too, by each method; others are refused", async () => {
  await using web = await face();
  const send = async (body: Record<string, unknown>) => {
    const response = await web.post("/api/calls/call-1/dtmf", body);
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await send({ digits: "0123456789*#abcd" }), 204);
  assert.equal(await send({ digits: "5", method: "INFO" }), 204);
  for (const digits of ["", "12x", "1".repeat(65), 5, null]) {
    assert.equal(await send({ digits }), 400);
  }
  assert.equal(await send({ digits: "5", method: "SMOKE" }), 400);
  // The vendor's clients send a number, too.
  const legacy = await web.post("/rest-api/call/send_dtmf", {
    callId: "call-1",
    dtmf: 7,
    type: "INFO_RELAY",
  });
  assert.equal(legacy.status, 200);
  assert.deepEqual(await legacy.json(), {});
  assert.deepEqual(web.plane.pressed, [
    "call-1 0123456789*#ABCD RFC2833",
    "call-1 5 INFO",
    "call-1 7 INFO_RELAY",
  ]);
});

Deno.test("a ladder as JSON, text and pcap; an unknown format is named", async () => {
  await using web = await face();
  web.plane.ladders.set("call-1", {
    callId: "call-1",
    sipCallIds: ["c"],
    dropped: 0,
    parties: [
      { id: "s", kind: "session", name: "alice", transport: "TCP", address: "127.0.0.1:5060" },
      { id: "server", kind: "server", name: "Port Zero", transport: null, address: "" },
      { id: "w", kind: "wire", name: "1000", transport: "UDP", address: "127.0.0.1:6060" },
    ],
    messages: ["s", "w"].map((from) => ({
      sequence: 1,
      at: "2026-01-01T00:00:00.000Z",
      offsetMs: 0,
      direction: "receive",
      from,
      to: "server",
      transport: from === "s" ? "TCP" : "UDP",
      localAddress: "127.0.0.1:5060",
      remoteAddress: from === "s" ? "127.0.0.1:5060" : "127.0.0.1:6060",
      method: "INVITE",
      cseq: 1,
      status: null,
      summary: "INVITE",
      hasSdp: false,
      text: "INVITE sip:bob@localhost SIP/2.0\r\n\r\n",
    })),
  });
  const path = "/api/calls/call-1/messages";
  const json = await web.request(path);
  assert.equal((await json.json()).messages[0].summary, "INVITE");
  const text = await web.request(`${path}?format=text`);
  assert.match(text.headers.get("content-type") ?? "", /^text\/plain/);
  const words = await text.text();
  // What never was on a network is not told as if it had been.
  assert.match(words, /alice -> Port Zero {2}inside the server\n-+\nINVITE sip:bob/);
  assert.match(
    words,
    /1000 -> Port Zero {2}UDP 127\.0\.0\.1:6060 to 127\.0\.0\.1:5060\n-+\nINVITE/,
  );
  const pcap = await web.request(`${path}?format=pcap`);
  assert.equal(pcap.headers.get("content-disposition"), 'attachment; filename="call-1.pcap"');
  const bytes = new Uint8Array(await pcap.arrayBuffer());
  assert.deepEqual([...bytes.subarray(0, 4)], [0xa1, 0xb2, 0xc3, 0xd4]);
  const wrong = await web.request(`${path}?format=xml`);
  assert.equal(wrong.status, 400);
  assert.match((await wrong.json()).detail, /json, text, pcap/);
  const unknown = await web.request("/api/calls/nobody/messages");
  assert.equal(unknown.status, 404);
  await unknown.body?.cancel();
});
