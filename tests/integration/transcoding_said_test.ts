import assert from "node:assert/strict";
import { createResponse, type SipMessage } from "../../src/sip/message/mod.ts";
import { codecsHere } from "../support/codec_phone.ts";
import { Lab } from "../support/lab.ts";
import { PacedPhone, type PacedPhoneOptions } from "../support/paced_phone.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** Two phones at the real server, PCMU and Opus: each gets packets as its description says. */

function withSdp<M extends SipMessage>(message: M, sdp: string): M {
  message.headers.set("Content-Type", "application/sdp");
  message.body = new TextEncoder().encode(sdp);
  return message;
}

function textOf({ body }: SipMessage): string {
  return new TextDecoder().decode(body);
}

function portOf(message: SipMessage): number {
  return Number(/^m=audio (\d+)/m.exec(textOf(message))?.[1]);
}

type Said = Omit<PacedPhoneOptions, "codec">;

/** The call of the two, for as long as `what` lasts. */
async function talk(
  lab: Lab,
  sip: { readonly caller: SipPeer; readonly callee: SipPeer },
  said: { readonly pcmu: Said; readonly opus: Said },
  what: (phones: { pcmu: PacedPhone; opus: PacedPhone; answer: string }) => Promise<void>,
): Promise<void> {
  const here = await codecsHere();
  await using pcmu = new PacedPhone({ codec: here.get("PCMU")!, ...said.pcmu });
  await using opus = new PacedPhone({ codec: here.get("OPUS")!, ...said.opus });
  const { caller, callee } = sip;
  caller.heard.length = callee.heard.length = 0;
  const invite = withSdp(caller.request("INVITE", "sip:1001@localhost"), pcmu.sdp);
  const answered = caller.ask(invite);
  const received = await callee.hearRequest("INVITE");
  const accepted = createResponse(received, 200, undefined, {
    toTag: crypto.randomUUID(),
    recordRoute: true,
  });
  accepted.headers.set("Contact", `<${callee.contact}>`);
  await callee.send(withSdp(accepted, opus.sdp));
  const response = await answered;
  assert.equal(response.status, 200);
  await caller.ack(invite, response);
  pcmu.play(portOf(response));
  opus.play(portOf(received));
  try {
    await Promise.all([pcmu.hears(20), opus.hears(20)]);
    await what({ pcmu, opus, answer: textOf(response) });
  } finally {
    await hangUp(lab, sip);
  }
}

async function hangUp(
  lab: Lab,
  { caller, callee }: { readonly caller: SipPeer; readonly callee: SipPeer },
): Promise<void> {
  const [call] = await lab.calls();
  const ended = await fetch(`${lab.origin}/api/calls/${call!.id}`, {
    method: "DELETE",
    headers: { "content-type": "application/json" },
  });
  await ended.body?.cancel();
  for (const phone of [caller, callee]) await phone.answer(await phone.hearRequest("BYE"), 200);
  await lab.noLiveCalls();
}

type View = NonNullable<Awaited<ReturnType<Lab["transcodings"]>>[number]>;

/** The view of the call's one transcoder, once its worker has told of it and `isSo`. */
async function viewOf(lab: Lab, what: string, isSo: (view: View) => boolean): Promise<View> {
  const areSo = ([view]: readonly View[]) => view !== undefined && isSo(view);
  const [view] = await lab.until(what, () => lab.transcodings(), areSo, 60_000);
  return view!;
}

Deno.test("transcoded calls keep to what each phone says of its packets", async (t) => {
  await using lab = await Lab.start();
  await lab.codecsOfWorkers();
  const target = { transport: "UDP" as const, host: "127.0.0.1", port: lab.sipPort };
  await using caller = await SipPeer.open("1000", target);
  await using callee = await SipPeer.open("1001", target);
  for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200);
  const sip = { caller, callee };

  await t.step("60 ms one way, 10 ms the other; the view tells the delay", async () => {
    const said = {
      pcmu: { packetMs: 60, lines: ["ptime:60"] },
      opus: { packetMs: 10, lines: ["ptime:10", "maxptime:20"] },
    };
    await talk(lab, sip, said, async ({ pcmu, opus }) => {
      await Promise.all([pcmu.hears(30), opus.hears(100)]);
      for (const [phone, ms] of [[pcmu, 60], [opus, 10]] as const) {
        const { held, apart } = phone.lengths();
        assert.deepEqual(new Set(held), new Set([ms]));
        // Where the machine is slow, ticks are left out.
        assert.equal(Math.min(...apart), ms);
      }
      const { delayMs } = await viewOf(lab, "delay", (view) => (view.delayMs ?? 0) > 0);
      assert(delayMs! >= 20, `${delayMs} ms are less than the jitter buffer's least`);
    });
  });

  await t.step("at most maxptime, whatever ptime is asked for", async () => {
    const said = { pcmu: { lines: ["ptime:60", "maxptime:40"] }, opus: {} };
    await talk(lab, sip, said, async ({ pcmu, opus }) => {
      await Promise.all([pcmu.hears(30), opus.hears(30)]);
      assert.deepEqual(new Set(pcmu.lengths().held), new Set([40]));
      assert.deepEqual(new Set(opus.lengths().held), new Set([20]));
    });
  });

  await t.step("comfort noise comes from, and goes to, the phone that has it", async () => {
    await talk(lab, sip, { pcmu: { hasNoise: true }, opus: {} }, async ({ pcmu, opus, answer }) => {
      assert.match(answer, /a=rtpmap:13 CN\/8000/);
      const from = opus.packets.length;
      // 40 dB below full scale is a root mean square of 328.
      pcmu.pause(40);
      await opus.hears(80);
      const heard = opus.loudness(opus.voice(from).slice(-40));
      assert(heard > 100 && heard < 700, `noise of ${heard.toFixed(0)}`);
      opus.beSilent();
      const noises = () => pcmu.packets.filter(({ payloadType }) => payloadType === 13).length;
      await pcmu.until("noise is announced, and again", () => noises() >= 3);
      const voiced = pcmu.voice().length;
      opus.speak();
      await pcmu.until("voice returns", () => pcmu.voice().length > voiced + 20);
    });
  });

  await t.step("Opus that a phone sends with redundancy is brought back", async () => {
    const said = { pcmu: {}, opus: { sendsFec: true, losesEach: 5 } };
    await talk(lab, sip, said, async ({ opus }) => {
      const { recovered } = await viewOf(lab, "recovered", ({ recovered }) => recovered >= 5);
      assert(recovered <= opus.lost, `${recovered} of ${opus.lost}`);
    });
  });

  await t.step("what nothing brings back is made up, and the view says so", async () => {
    await talk(lab, sip, { pcmu: { losesEach: 5 }, opus: {} }, async ({ pcmu }) => {
      await pcmu.until("ten packets are lost", () => pcmu.lost >= 10);
      const { recovered } = await viewOf(lab, "concealed", (view) => view.concealedMs >= 200);
      assert.equal(recovered, 0);
    });
  });

  await t.step("redundancy for a phone that hears it, more by its reports", async () => {
    const room = { pcmu: {}, opus: { lines: ["fmtp:111 useinbandfec=1"] } };
    await talk(lab, sip, room, async ({ opus }) => {
      await opus.until("redundancy", () => opus.redundant(opus.voice()) > 5);
    });
    const none = { pcmu: {}, opus: {} };
    await talk(lab, sip, none, async ({ opus }) => {
      opus.report(0.3);
      await opus.hears(100);
      assert.equal(opus.redundant(opus.voice()), 0, "nobody asked for it");
    });
    // So little room that it pays only where much is lost.
    const fmtp = "fmtp:111 useinbandfec=1;maxaveragebitrate=18000";
    await talk(lab, sip, { pcmu: {}, opus: { lines: [fmtp] } }, async ({ opus }) => {
      await opus.hears(100);
      assert.equal(opus.redundant(opus.voice()), 0, "little is lost so far");
      await opus.until("redundancy", () => {
        opus.report(0.3);
        return opus.redundant(opus.voice()) > 5;
      });
      const packets = opus.voice().slice(-200);
      const bits = packets.reduce((sum, { payload }) => sum + payload.length * 8, 0);
      assert(bits / (packets.length * 0.02) < 18_000 * 1.1, "maxaveragebitrate holds");
    });
  });
});
