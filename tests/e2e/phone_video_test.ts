import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser, type Stage } from "../support/browser.ts";
import { chooseCodecs } from "../support/codec_choice.ts";
import { codecsHere } from "../support/codec_phone.ts";
import { WirePhone } from "../support/wire_phone.ts";

/** Browsers in a video call with phones, which send back the picture that they get. */

/**
 * What Chromium believes before it has heard anything of its packets, bit/s; as long as it hears
 * nothing it believes less from second to second.
 */
const START_ESTIMATE = 300_000;

async function videoCall(alice: PageUser, desk: WirePhone): Promise<void> {
  await alice.login();
  await alice.call(desk.sip.user, { video: true });
  await alice.callIs("ESTABLISHED");
  await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);
}

/** Follows what the browser's own statistics say. */
async function estimateRises(stage: Stage, alice: PageUser): Promise<void> {
  await stage.lab.until(
    "the browser's estimate rises",
    () => alice.report(),
    ({ estimate }) => estimate > START_ESTIMATE,
    30_000,
  );
}

e2e("video between a browser and a phone", {}, async (t, stage) => {
  const { lab } = stage;
  await lab.codecsOfWorkers();

  await stage.step(t, "RTP/AVP: the browser hears from us which packets came", async () => {
    await using desk = await WirePhone.withCodec(lab, "PCMU", { codec: "VP8" });
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    await videoCall(alice, desk);
    await alice.sees(20);
    await estimateRises(stage, alice);
    assert.deepEqual(await lab.transcoded(), []);
    await alice.hangup();
    await alice.callIs("FINISH");
  });

  for (const [audio, video] of [["PCMU", "H264"], ["G729", "H264"], ["PCMU", "VP8"]] as const) {
    if (!(await codecsHere()).has(audio)) continue;
    await stage.step(t, `Opus and ${video} here, ${audio} and ${video} there`, async () => {
      await using desk = await WirePhone.withCodec(lab, audio, { codec: video });
      const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
      await chooseCodecs(alice.page, { audio: ["opus"], video: [video] });
      await videoCall(alice, desk);
      await alice.sees(20);
      assert.deepEqual(await lab.transcoded(), [audio, "OPUS"]);
      await estimateRises(stage, alice);
      const { codecs } = await alice.report();
      assert.deepEqual([...codecs].sort(), ["audio/opus", `video/${video}`]);
      await alice.hangup();
      await alice.callIs("FINISH");
    });
  }

  await stage.step(t, "a phone with G.729 and H264 calls", async () => {
    await using desk = await WirePhone.withCodec(lab, "G729", { codec: "H264" });
    const alice = await stage.someone("alice");
    const answered = desk.call(alice.name);
    await alice.rings();
    await alice.answer({ video: true });
    assert.equal((await answered).status, 200);
    await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ), alice.sees(20)]);
    assert.deepEqual(await lab.transcoded(), ["G729", "OPUS"]);
    await estimateRises(stage, alice);
    await alice.hangup();
    await alice.callIs("FINISH");
  });

  await stage.step(t, "a phone calls whose video has a number that we would like", async () => {
    // Telephone events for Opus would be next, and both are in one bundle of the browser's.
    await using desk = await WirePhone.withCodec(lab, "PCMU", { codec: "VP8", payloadType: 96 });
    const alice = await stage.someone("alice");
    await chooseCodecs(alice.page, { audio: ["opus"] });
    const answered = desk.call(alice.name);
    await alice.rings();
    await alice.answer({ video: true });
    assert.equal((await answered).status, 200);
    await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ), alice.sees(20)]);
    assert.deepEqual(await lab.transcoded(), ["PCMU", "OPUS"]);
    await alice.hangup();
    await alice.callIs("FINISH");
  });

  await stage.step(t, "VP8 here, H264 there: audio, and it is said", async () => {
    await using desk = await WirePhone.withCodec(lab, "PCMU", { codec: "H264" });
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    await chooseCodecs(alice.page, { video: ["VP8"] });
    await videoCall(alice, desk);
    const [call] = await lab.calls();
    const { warnings, hasVideo } = await lab.call(call!.id);
    assert.equal(hasVideo, false);
    const why = "audio only: no common video codec (VP8 | H264)";
    assert.ok(warnings.includes(why), warnings.join("; "));
    await alice.hangup();
    await alice.callIs("FINISH");
  });
});
