import assert from "node:assert/strict";
import { createResponse, type SipMessage } from "../../src/sip/message/mod.ts";
import { Lab } from "../support/lab.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** A real server without the system's codec libraries: it says so, and offers nothing of them. */

const HOST = "127.0.0.1";

/** A phone that knows one codec. */
function described(type: number, map: string): string {
  return `v=0\r\no=- 1 1 IN IP4 ${HOST}\r\ns=-\r\nc=IN IP4 ${HOST}\r\nt=0 0\r\n` +
    `m=audio 40000 RTP/AVP ${type}\r\na=rtpmap:${type} ${map}\r\n`;
}

function namesIn({ body }: SipMessage): string[] {
  return [...new TextDecoder().decode(body).matchAll(/^a=rtpmap:\d+ ([^/]+)/gm)]
    .map(([, name = ""]) => name.toUpperCase());
}

Deno.test("without the libraries of a codec: the log, /api/health and offers", async (t) => {
  await using lab = await Lab.start({ args: ["--no-ffi"] });
  const why = "FFI is switched off";

  await t.step("the log says which are missing, before or after the startup lines", async () => {
    const [, able, missing] = await lab.child.expect(
      /^\S+ warn\s.*?((?:[A-Z0-9]+, )*[A-Z0-9]+) transcoded; missing: (.*)$/m,
    );
    assert.equal(able, "OPUS, PCMU, PCMA, G722");
    assert.equal(
      missing?.trim(),
      ["G729", "SPEEX/8000", "SPEEX/16000"].map((codec) => `${codec} (${why})`).join(", "),
    );
    const line = /^ {2}codecs +(.*)$/m.exec(lab.child.output)?.[1];
    assert(
      line === "still starting; the log will say, and /api/health" ||
        line === `${able} transcoded; missing: ${missing?.trim()}`,
      line,
    );
  });

  await t.step("so does /api/health", async () => {
    await lab.codecsOfWorkers();
    const { codecs } = await lab.get<
      {
        codecs: { codec: string; available: boolean; library: string | null; why: string | null }[];
      }
    >("/api/health");
    const gone = codecs.filter(({ available }) => !available);
    assert.deepEqual(gone.map(({ codec }) => codec), ["G729", "SPEEX/8000", "SPEEX/16000"]);
    for (const codec of gone) assert.deepEqual([codec.library, codec.why], [null, why]);
    assert.match(codecs.find(({ codec }) => codec === "OPUS")?.library ?? "", /WebAssembly/);
  });

  await t.step("no phone is offered them, and what only they know is left as it is", async () => {
    const target = { transport: "UDP" as const, host: HOST, port: lab.sipPort };
    await using caller = await SipPeer.open("1000", target);
    await using callee = await SipPeer.open("1001", target);
    for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200);
    const offeredTo = async (sdp: string) => {
      callee.heard.length = 0;
      const invite = caller.request("INVITE", "sip:1001@localhost");
      invite.headers.set("Content-Type", "application/sdp");
      invite.body = new TextEncoder().encode(sdp);
      const answered = caller.ask(invite);
      const received = await callee.hearRequest("INVITE");
      const toTag = crypto.randomUUID();
      await callee.send(createResponse(received, 603, undefined, { toTag }));
      const response = await answered;
      assert.equal(response.status, 603);
      await caller.ack(invite, response);
      return namesIn(received);
    };
    assert.deepEqual(
      new Set(await offeredTo(described(111, "opus/48000/2"))),
      new Set(["OPUS", "PCMU", "PCMA", "G722", "CN"]),
    );
    assert.deepEqual(await offeredTo(described(18, "G729/8000")), ["G729"]);
  });
});
