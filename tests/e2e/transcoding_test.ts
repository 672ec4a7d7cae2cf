import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser } from "../support/browser.ts";
import { codecsHere } from "../support/codec_phone.ts";
import { WirePhone } from "../support/wire_phone.ts";

/** Browsers and phones that share no audio codec. */

const ONLY_OPUS = "G722,PCMU,PCMA,red";
const ONLY_PCMU = "opus,G722,PCMA,red";

/** The phone calls the browser, until each hears the other. */
async function callsBack(desk: WirePhone, alice: PageUser): Promise<void> {
  const answered = desk.call(alice.name);
  await alice.rings();
  await alice.answer();
  assert.equal((await answered).status, 200);
  await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);
}

e2e("a browser and a phone without a common codec", {}, async (t, stage) => {
  const { lab } = stage;
  await lab.codecsOfWorkers();

  await stage.step(
    t,
    "a browser that offers Opus alone calls a phone with PCMA alone",
    async () => {
      await using desk = await WirePhone.withCodec(lab, "PCMA");
      const alice = await stage.someone("alice");
      await alice.call(desk.sip.user, { stripCodecs: ONLY_OPUS });
      await alice.callIs("ESTABLISHED");
      await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);
      assert.deepEqual(await lab.transcoded(), ["PCMA", "OPUS"]);
      await lab.until(
        "its worker is told",
        () => lab.transcodings(),
        ([transcoder]) => /^codec-\d+$/.test(transcoder?.worker ?? ""),
      );
      const { codecs } = await alice.report();
      assert.deepEqual(codecs, ["audio/opus"]);

      await alice.dtmf("7*");
      await desk.media.until("two digits", () => desk.media.digits === "7*");

      await alice.hold();
      await alice.callIs("HOLD");
      await alice.hears(0);
      await alice.unhold();
      await alice.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);

      await alice.hangup();
      await alice.callIs("FINISH");
      await desk.media.until("the phone is told", () => desk.isOver);
      await lab.noLiveCalls();
    },
  );

  await stage.step(t, "what both can is not transcoded, either way", async () => {
    await using desk = await WirePhone.withCodec(lab, "PCMA");
    const alice = await stage.someone("alice");
    await alice.call(desk.sip.user);
    await alice.callIs("ESTABLISHED");
    await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);
    assert.deepEqual(await lab.transcoded(), []);
    await alice.hangup();
    await alice.callIs("FINISH");
    await callsBack(desk, alice);
    assert.deepEqual(await lab.transcoded(), []);
    await alice.hangup();
    await lab.noLiveCalls();
  });

  // A page that strips codecs from an answer sends them all the same, so here the phone has what no
  // browser has.
  for (const codec of ["G729", "SPEEX/8000"] as const) {
    if (!(await codecsHere()).has(codec)) continue;
    await stage.step(t, `a browser as it is and a phone with ${codec} alone`, async () => {
      await using desk = await WirePhone.withCodec(lab, codec);
      const alice = await stage.someone("alice");
      await alice.call(desk.sip.user, { stripCodecs: ONLY_PCMU });
      await alice.callIs("ESTABLISHED");
      await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);
      assert.deepEqual(await lab.transcoded(), [codec, "PCMU"]);
      await alice.hangup();
      await alice.callIs("FINISH");
      await callsBack(desk, alice);
      assert.deepEqual(await lab.transcoded(), [codec, "OPUS"]);
      await alice.hangup();
      await lab.noLiveCalls();
    });
  }
});
