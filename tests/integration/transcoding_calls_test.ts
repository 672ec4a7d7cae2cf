import assert from "node:assert/strict";
import type { CodecName } from "../../src/rtp/codec/codec.ts";
import { createResponse, type SipMessage } from "../../src/sip/message/mod.ts";
import { CodecPhone, codecsHere } from "../support/codec_phone.ts";
import { Lab } from "../support/lab.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** Phones that share no codec, at the real server: each hears the other, and digits pass. */

const PAIRS: readonly (readonly [CodecName, CodecName])[] = [
  ["OPUS", "PCMU"],
  ["OPUS", "PCMA"],
  ["OPUS", "G722"],
  ["OPUS", "G729"],
  ["OPUS", "SPEEX/16000"],
  ["OPUS", "SPEEX/8000"],
  ["G729", "PCMA"],
];

function withSdp<M extends SipMessage>(message: M, sdp: string): M {
  message.headers.set("Content-Type", "application/sdp");
  message.body = new TextEncoder().encode(sdp);
  return message;
}

function audioOf(message: SipMessage): { port: number; types: string[] } {
  const text = new TextDecoder().decode(message.body);
  const [, port, types] = /^m=audio (\d+) \S+ (.*)$/m.exec(text) ?? [];
  return { port: Number(port), types: types?.trim().split(" ") ?? [] };
}

Deno.test("phones without a common codec talk through a transcoder", async (t) => {
  const here = await codecsHere();
  await using lab = await Lab.start();
  // The server does not wait for them for ever.
  const codecs = await lab.codecsOfWorkers();
  assert.deepEqual(
    codecs.filter(({ available }) => available).map(({ codec }) => codec),
    [...here.keys()].sort((a, b) => order(codecs, a) - order(codecs, b)),
  );
  const target = { transport: "UDP" as const, host: "127.0.0.1", port: lab.sipPort };
  await using caller = await SipPeer.open("1000", target);
  await using callee = await SipPeer.open("1001", target);
  for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200);
  for (const pair of PAIRS.flatMap(([a, b]) => [[a, b] as const, [b, a] as const])) {
    const [mine, theirs] = pair.map((name) => here.get(name));
    await t.step({
      name: `${pair[0]} calls ${pair[1]}`,
      ignore: !mine || !theirs,
      fn: async () => {
        await using a = new CodecPhone(mine!, 440);
        await using b = new CodecPhone(theirs!, 1000);
        caller.heard.length = callee.heard.length = 0;
        const invite = withSdp(caller.request("INVITE", "sip:1001@localhost"), a.sdp);
        const answered = caller.ask(invite);
        const received = await callee.hearRequest("INVITE");
        // What passes through comes first.
        assert.equal(audioOf(received).types[0], String(a.payloadType));
        const accepted = createResponse(received, 200, undefined, {
          toTag: crypto.randomUUID(),
          recordRoute: true,
        });
        accepted.headers.set("Contact", `<${callee.contact}>`);
        await callee.send(withSdp(accepted, b.sdp));
        const response = await answered;
        assert.equal(response.status, 200);
        assert.equal(audioOf(response).types[0], String(a.payloadType));
        await caller.ack(invite, response);
        a.play(audioOf(response).port);
        b.play(audioOf(received).port);
        await Promise.all([a.hears(1000), b.hears(440)]);
        a.press("5");
        await b.until("the digit passes", () => b.digits === "5");
        b.press("#");
        await a.until("the digit passes back", () => a.digits === "#");
        const [call] = await lab.calls();
        const transcoded = await lab.transcoded();
        assert.deepEqual(transcoded.sort(), [pair[0], pair[1]].sort());
        const ended = await fetch(`${lab.origin}/api/calls/${call!.id}`, {
          method: "DELETE",
          headers: { "content-type": "application/json" },
        });
        await ended.body?.cancel();
        for (const phone of [caller, callee]) {
          await phone.answer(await phone.hearRequest("BYE"), 200);
        }
        await lab.noLiveCalls();
      },
    });
  }
  await lab.until(
    "no endpoint and no transcoder is left",
    () => lab.get<{ workers: Record<string, unknown>[] }>("/api/workers"),
    ({ workers }) => workers.every((each) => (each["endpoints"] ?? each["transcodings"]) === 0),
  );
});

function order(codecs: readonly { readonly codec: CodecName }[], name: CodecName): number {
  return codecs.findIndex(({ codec }) => codec === name);
}
