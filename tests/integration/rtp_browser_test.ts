import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import type { RunningMediaPool } from "../../src/rtp/io/start_pool.ts";
import { headerOf } from "../support/fake_phone.ts";
import { call, Leg, startPool } from "../support/media_legs.ts";
import { BrowserSide, launchChromium } from "../support/media_page.ts";
import { remoteTransport, withTransport } from "../support/media_sdp.ts";
import { needs } from "../support/needs.ts";
import { PhoneLeg } from "../support/phone_leg.ts";

const A_HERTZ = 440;
const chromium = needs("chromium");

async function withBrowser(
  act: (pool: RunningMediaPool, browser: Browser) => Promise<void>,
): Promise<void> {
  const pool = await startPool(1);
  const browser = await launchChromium(chromium.path);
  try {
    await act(pool, browser);
  } finally {
    await browser.close();
    await pool.close();
  }
}

interface Choice {
  readonly audio: readonly string[];
  readonly video?: readonly string[];
}

/**
 * What a SIP side says to a browser's offer, or offers it: the sections and payload types of a
 * browser's SDP, narrowed down to some codecs, without SSRCs, header extensions and repair.
 */
function narrowed(sdp: string, { audio, video = [] }: Choice): string {
  const names = new Map<string, string>();
  for (const [, type, name] of sdp.matchAll(/^a=rtpmap:(\d+) ([^/]+\/\d+)/gm)) {
    names.set(type!, name!);
  }
  const wanted = [...audio, ...video];
  const keeps = (type: string) => wanted.includes(names.get(type) ?? "");
  const lines = sdp.split("\r\n").flatMap((line) => {
    if (/^a=(ssrc|ssrc-group|msid|extmap|rid|simulcast|ice-options|rtcp-fb)/.test(line)) return [];
    const typed = line.match(/^a=(?:rtpmap|fmtp):(\d+)/);
    if (typed) return keeps(typed[1]!) ? [line] : [];
    if (!line.startsWith("m=")) return [line];
    const [media, port, profile, ...types] = line.split(" ");
    const kept = types.filter(keeps);
    // One of each name: browsers repeat H.264 and others with other parameters.
    return [[media, port, profile, ...kept].join(" ")];
  });
  return lines.join("\r\n");
}

/** Payload types of a description by `name/rate`. */
function typesOf(sdp: string): Map<string, number> {
  const types = new Map<string, number>();
  for (const [, type, name] of sdp.matchAll(/^a=rtpmap:(\d+) ([^/]+\/\d+)/gm)) {
    if (!types.has(name!)) types.set(name!, Number(type));
  }
  return types;
}

const PHONE: Choice = { audio: ["PCMU/8000", "telephone-event/8000"] };

Deno.test(
  { name: "a browser and phones: tones, digits, hold, transfer", ignore: chromium.ignore },
  async (t) => {
    await withBrowser(async (pool, browser) => {
      const page = await BrowserSide.open(browser, A_HERTZ, false);
      const leg = new Leg(pool, "browser");
      const phone = new PhoneLeg(pool, { hertz: 1000 }, leg.handle.token);
      const other = new PhoneLeg(pool, { hertz: 1700 }, leg.handle.token);
      const offer = await page.offer();
      const answer = narrowed(offer, PHONE);
      const event = typesOf(answer).get("telephone-event/8000")!;
      const payloads = [
        { payloadType: 0, codec: "PCMU", clockRate: 8000 },
        { payloadType: 101, codec: "telephone-event", clockRate: 8000, peerPayloadType: event },
      ];
      await Promise.all([phone.up({ payloads }), other.up({ payloads })]);
      leg.handle.setRemote({
        ...remoteTransport(offer),
        payloads: remoteTransport(answer).payloads,
      });
      leg.handle.connect(phone.handle.token);
      phone.handle.connect(leg.handle.token);
      await page.accept(withTransport(answer, await leg.local(), "passive"));

      await t.step("each hears the other", async () => {
        await Promise.all([page.hears(1000), phone.peer.hears(A_HERTZ)]);
        assert.equal(phone.peer.packets[0]![0]! & 0x10, 0, "no header extension for the phone");
      });
      await t.step("the phone gets reports of the browser", async () => {
        await phone.peer.until("a report", () => phone.peer.reports.length > 0);
      });
      await t.step("digits for the phone", async () => {
        phone.handle.sendDtmf("7*", 100);
        await phone.peer.until("digits", () => phone.peer.digits() === "7*");
        await phone.peer.hears(A_HERTZ);
      });
      await t.step("hold is silence for both", async () => {
        phone.handle.setFlowing(false);
        await page.hears(0);
        phone.handle.setFlowing(true);
        await Promise.all([page.hears(1000), phone.peer.hears(A_HERTZ)]);
      });
      await t.step(
        "transferred to another phone the browser hears it on the same stream",
        async () => {
          leg.handle.connect(other.handle.token);
          other.handle.connect(leg.handle.token);
          phone.handle.close();
          await Promise.all([page.hears(1700), other.peer.hears(A_HERTZ)]);
        },
      );
      await t.step("and to another browser, which is offered what was negotiated", async () => {
        const guest = await BrowserSide.open(browser, 600, false);
        const guestLeg = new Leg(pool, "guest", leg);
        const guestAnswer = await guest.answer(
          withTransport(answer, await guestLeg.local(), "actpass"),
        );
        guestLeg.handle.setRemote(remoteTransport(guestAnswer));
        leg.handle.connect(guestLeg.handle.token);
        guestLeg.handle.connect(leg.handle.token);
        other.handle.close();
        await Promise.all([page.hears(600), guest.hears(A_HERTZ)]);
        guestLeg.handle.close();
      });
      assert.equal(new Set(phone.peer.packets.map((packet) => headerOf(packet).ssrc)).size, 1);
      for (const { peer } of [phone, other]) peer.close();
      leg.handle.close();
      assert.deepEqual(pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
    });
  },
);

for (const hasFeedback of [false, true]) {
  const name = `video of two browsers through SIP legs, RTP/${hasFeedback ? "AVPF" : "AVP"}`;
  Deno.test({ name, ignore: chromium.ignore }, async () => {
    await withBrowser(async (pool, browser) => {
      const pages = [
        await BrowserSide.open(browser, A_HERTZ, true),
        await BrowserSide.open(browser, 1000, true),
      ] as const;
      const legs = [new Leg(pool, "a"), new Leg(pool, "b")] as const;
      const choice = { ...PHONE, video: ["VP8/90000"] };
      const offer = await pages[0].offer();
      const said = narrowed(offer, choice);
      const answer = await pages[1].answer(withTransport(said, await legs[1].local(), "actpass"));
      legs[0].handle.setRemote({
        ...remoteTransport(offer),
        payloads: remoteTransport(said).payloads,
      });
      legs[1].handle.setRemote(remoteTransport(answer));
      const types = typesOf(said);
      // The two legs are each other's far end: their packets go over real ports.
      let wanted = 0;
      const phones = [0, 1].map((i) => {
        const leg = legs[i]!;
        return {
          leg,
          phone: new PhoneLeg(pool, {}, leg.handle.token, ["audio", "video"], (event) => {
            if (event.type !== "key-frame-wanted") return;
            wanted++;
            // What INFO would do (RFC 5168): the browser beyond is asked.
            legs[1 - i]!.handle.requestKeyFrame();
          }),
        };
      });
      for (const { phone } of phones) await phone.opened();
      for (const [i, { phone, leg }] of phones.entries()) {
        const far = phones[1 - i]!.phone.of("opened")[0]!.local;
        phone.handle.setRemote(far.map(({ kind, address, port }) => ({
          address,
          port,
          rtcpPort: port + 1,
          keys: null,
          hasFeedback,
          payloads: kind === "audio" ? [{ payloadType: 0, codec: "PCMU", clockRate: 8000 }] : [{
            payloadType: 99,
            codec: "VP8",
            clockRate: 90000,
            peerPayloadType: types.get("VP8/90000")!,
          }],
        })));
        phone.handle.connect(leg.handle.token);
        leg.handle.connect(phone.handle.token);
      }
      await pages[0].accept(
        withTransport(narrowed(answer, choice), await legs[0].local(), "passive"),
      );
      await Promise.all([pages[0].hears(1000), pages[1].hears(A_HERTZ)]);
      await Promise.all([pages[0].sees(20), pages[1].sees(20)]);
      assert.equal(wanted > 0, !hasFeedback, `${wanted} asked for by signalling`);
      for (const { phone } of phones) phone.close();
      for (const leg of legs) leg.handle.close();
    });
  });
}

Deno.test(
  { name: "a browser that is joined anew sees and hears the new one", ignore: chromium.ignore },
  async () => {
    await withBrowser(async (pool, browser) => {
      const pages: BrowserSide[] = [];
      for (const hertz of [A_HERTZ, 1000, 1700]) {
        pages.push(await BrowserSide.open(browser, hertz, true));
      }
      const [a, b, c] = pages as [BrowserSide, BrowserSide, BrowserSide];
      const [legA, legB, legC] = ["a", "b", "c"].map((label) => new Leg(pool, label)) as [
        Leg,
        Leg,
        Leg,
      ];
      const offer = await call(a, b, legA, legB);
      await Promise.all([a.hears(1000), b.hears(A_HERTZ), a.sees(20), b.sees(20)]);
      // The third one answers what the first one has offered, and so has its payload types and ids.
      const answer = await c.answer(
        withTransport(offer, await legC.local(), "actpass"),
      );
      legC.handle.setRemote(remoteTransport(answer));
      legA.handle.connect(legC.handle.token);
      legC.handle.connect(legA.handle.token);
      legB.handle.close();
      await Promise.all([a.hears(1700), c.hears(A_HERTZ)]);
      await Promise.all([a.sees(60), c.sees(60)]);
      const { framesDecoded } = await a.statistics();
      assert.ok(framesDecoded > 80);
      for (const leg of [legA, legC]) leg.handle.close();
    });
  },
);
