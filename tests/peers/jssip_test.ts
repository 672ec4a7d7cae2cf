import assert from "node:assert/strict";
import { BARESIP, Baresip } from "../support/baresip.ts";
import { HIGH_HERTZ, LOW_HERTZ, peerTest, type Stage } from "../support/browser.ts";
import { chooseCodecs } from "../support/codec_choice.ts";
import { type JsSipSite, JsSipUser, serveJsSip } from "../support/jssip.ts";

/**
 * A page with JsSIP, registered over a WebSocket: with browsers on the Web SDK, and with phones.
 */

const PHONE_HERTZ = 700;

async function pageOf(stage: Stage, site: JsSipSite, name: string): Promise<JsSipUser> {
  const page = await stage.page(name, HIGH_HERTZ);
  const user = await JsSipUser.open(name, page, site);
  await user.register(stage.lab);
  return user;
}

/** The same over a secure WebSocket; the lab's certificate is signed by itself. */
async function securePageOf(stage: Stage, site: JsSipSite, name: string): Promise<JsSipUser> {
  const page = await stage.page(name, LOW_HERTZ, { flags: ["--ignore-certificate-errors"] });
  const user = await JsSipUser.open(name, page, site);
  await user.register(stage.lab, { isSecure: true });
  return user;
}

peerTest("a page with JsSIP", [BARESIP], async (t, stage) => {
  const { lab } = stage;
  const site = await serveJsSip();
  try {
    await stage.step(t, "calls a browser", async () => {
      const jane = await pageOf(stage, site, "1003");
      const alice = await stage.someone("alice");
      await jane.call(alice.name);
      assert.equal((await alice.rings()).caller, "1003");
      await jane.tells("progress");
      await alice.answer();
      await Promise.all([jane.tells("confirmed"), alice.callIs("ESTABLISHED")]);
      await Promise.all([jane.hears(LOW_HERTZ), alice.hears(HIGH_HERTZ)]);

      await jane.hold();
      await jane.tells("hold");
      await Promise.all([jane.hears(0), alice.hears(0)]);
      await jane.unhold();
      await jane.tells("unhold");
      await Promise.all([jane.hearsAnything(), alice.hears(HIGH_HERTZ)]);
      await alice.hangup();
      await Promise.all([jane.tells("ended"), alice.callIs("FINISH")]);
    });

    await stage.step(
      t,
      "restarts ICE: new credentials on both sides, and the talk goes on",
      async () => {
        const jane = await pageOf(stage, site, "1003");
        const alice = await stage.someone("alice");
        await jane.call(alice.name);
        await alice.rings();
        await alice.answer();
        await Promise.all([jane.tells("confirmed"), alice.callIs("ESTABLISHED")]);
        await Promise.all([jane.hears(LOW_HERTZ), alice.hears(HIGH_HERTZ)]);
        const before = await jane.icePair();
        await jane.restartIce();
        await lab.until(
          "the pair is another",
          () => jane.icePair(),
          ({ local, remote }) => local !== before.local && remote !== before.remote,
        );
        await Promise.all([jane.hearsAnything(), alice.hearsAnything()]);
        await Promise.all([jane.hears(LOW_HERTZ), alice.hears(HIGH_HERTZ)]);
        await alice.hangup();
        await Promise.all([jane.tells("ended"), alice.callIs("FINISH")]);
      },
    );

    await stage.step(t, "is called by a browser", async () => {
      const jane = await pageOf(stage, site, "1003");
      const alice = await stage.someone("alice");
      await alice.call("1003");
      assert.equal((await jane.tells("ringing")).by, alice.name);
      await alice.callIs("RING");
      await jane.answer();
      await Promise.all([jane.tells("confirmed"), alice.callIs("ESTABLISHED")]);
      await Promise.all([jane.hears(LOW_HERTZ), alice.hears(HIGH_HERTZ)]);

      await alice.hold();
      await alice.callIs("HOLD");
      await Promise.all([jane.hears(0), alice.hears(0)]);
      await alice.unhold();
      await alice.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([jane.hears(LOW_HERTZ), alice.hears(HIGH_HERTZ)]);
      await jane.hangup();
      await Promise.all([jane.tells("ended"), alice.callIs("FINISH")]);
    });

    await stage.step(
      t,
      "is called without a common codec: transcoded, held by either",
      async () => {
        await lab.codecsOfWorkers();
        const page = await stage.page("1003", HIGH_HERTZ);
        const jane = await JsSipUser.open("1003", page, site);
        await chooseCodecs(page, { audio: ["PCMU"] });
        await jane.register(lab);
        const alice = await stage.someone("alice");
        await chooseCodecs(alice.page, { audio: ["opus"] });
        await alice.call("1003");
        await jane.tells("ringing");
        await jane.answer();
        await Promise.all([jane.tells("confirmed"), alice.callIs("ESTABLISHED")]);
        await Promise.all([jane.hears(LOW_HERTZ), alice.hears(HIGH_HERTZ)]);
        const { legs: [browser, sip] } = await lab.call(await alice.callId());
        assert(sip.kind === "sip" && sip.media);
        assert.deepEqual([browser.codecs, sip.media.codecs], [["opus"], ["PCMU"]]);
        assert.deepEqual([sip.media.transcoding?.from, sip.media.transcoding?.to], [
          "PCMU",
          "OPUS",
        ]);

        await jane.hold();
        await jane.tells("hold");
        await Promise.all([jane.hears(0), alice.hears(0)]);
        await jane.unhold();
        await jane.tells("unhold");
        await Promise.all([jane.hearsAnything(), alice.hears(HIGH_HERTZ)]);
        await alice.hold();
        await alice.callIs("HOLD");
        await alice.hears(0);
        await alice.unhold();
        await alice.callIs("ESTABLISHED", { count: 2 });
        await Promise.all([jane.hearsAnything(), alice.hears(HIGH_HERTZ)]);
        await jane.hangup();
        await Promise.all([jane.tells("ended"), alice.callIs("FINISH")]);
      },
    );

    await stage.step(t, "calls another one: WebSocket and secure WebSocket", async () => {
      const jane = await pageOf(stage, site, "1003");
      const jack = await securePageOf(stage, site, "1005");
      const ways = [[jane, jack], [jack, jane]] as const;
      for (const [index, [caller, callee]] of ways.entries()) {
        await caller.call(callee.name);
        assert.equal((await callee.tells("ringing")).by, caller.name);
        await callee.answer();
        await Promise.all([caller, callee].map((user) => user.tells("confirmed", index + 1)));
        await Promise.all([jane.hears(LOW_HERTZ), jack.hears(HIGH_HERTZ)]);
        assert.deepEqual((await lab.calls()).map(({ direction }) => direction), ["transit"]);
        await callee.hold();
        await Promise.all([callee.tells("hold"), jane.hears(0), jack.hears(0)]);
        await callee.unhold();
        await Promise.all([jane.hearsAnything(), jack.hearsAnything()]);
        await callee.hangup();
        await Promise.all([jane, jack].map((user) => user.tells("ended", index + 1)));
      }
    });

    await stage.step(t, "closes its window in a call, which ends for the other, too", async () => {
      const page = await stage.page("1003", HIGH_HERTZ);
      const jane = await JsSipUser.open("1003", page, site);
      await jane.register(lab);
      const alice = await stage.someone("alice");
      await alice.call("1003");
      await jane.tells("ringing");
      await jane.answer();
      await alice.callIs("ESTABLISHED");
      const callId = await alice.callId();
      await page.close();
      await alice.callIs("FAILED", { ms: 45_000 });
      const { termination } = await lab.call(callId);
      assert.equal(termination?.reason, "session_expired");
    });

    const phoneAt = (): Promise<Baresip> =>
      Baresip.start({ user: "1004", hertz: PHONE_HERTZ, port: lab.sipPort, codec: "PCMU" });

    await stage.step(t, "calls a phone", async () => {
      await using phone = await phoneAt();
      const jane = await pageOf(stage, site, "1003");
      await jane.call("1004");
      await phone.rings();
      await jane.tells("progress");
      await phone.answer();
      await Promise.all([jane.tells("confirmed"), phone.established()]);
      await Promise.all([jane.hears(PHONE_HERTZ), phone.hears(HIGH_HERTZ)]);
      await jane.digits("16#");
      await phone.hearsDigits("16#");
      await jane.hangup();
      await Promise.all([jane.tells("ended"), phone.closed()]);
    });

    await stage.step(t, "is called by a phone", async () => {
      await using phone = await phoneAt();
      const jane = await pageOf(stage, site, "1003");
      await phone.dial("1003");
      assert.equal((await jane.tells("ringing")).by, "1004");
      await jane.answer();
      await Promise.all([jane.tells("confirmed"), phone.established()]);
      await Promise.all([jane.hears(PHONE_HERTZ), phone.hears(HIGH_HERTZ)]);
      await phone.hangup();
      await Promise.all([jane.tells("ended"), phone.closed()]);
      await jane.unregister();
    });
  } finally {
    await site.close();
  }
});
