import assert from "node:assert/strict";
import type { CodecName } from "../../src/rtp/codec/codec.ts";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser, type Stage } from "../support/browser.ts";
import { chooseCodecs } from "../support/codec_choice.ts";
import { codecsHere } from "../support/codec_phone.ts";
import { VideoEcho, type VideoEchoOptions } from "../support/video_echo.ts";
import { WirePhone } from "../support/wire_phone.ts";

/** Browsers in a video call with phones, which send back the picture that they get. */

/**
 * What Chromium believes before it has heard anything of its packets, bit/s; as long as it hears
 * nothing it believes less from second to second.
 */
const START_ESTIMATE = 300_000;

let number = 1000;

async function phone(
  { lab }: Stage,
  codec: CodecName,
  video?: VideoEchoOptions,
): Promise<WirePhone> {
  const found = (await codecsHere()).get(codec);
  assert(found, `there is no ${codec} here`);
  const echo = video ? new VideoEcho(video) : undefined;
  return await WirePhone.register(lab, String(++number), found, HIGH_HERTZ, echo);
}

async function videoCall(alice: PageUser, desk: WirePhone): Promise<void> {
  await alice.login();
  await alice.call(desk.sip.user, { video: true });
  await alice.callIs("ESTABLISHED");
  await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ)]);
}

async function transcoded({ lab }: Stage): Promise<string[]> {
  const [call] = await lab.calls();
  const { legs } = await lab.call(call!.id);
  return legs.flatMap((leg) =>
    leg.kind === "sip" && leg.media?.transcoding
      ? [leg.media.transcoding.from, leg.media.transcoding.to]
      : []
  );
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
  await lab.until(
    "the codec workers run",
    () => lab.get<{ codecs: unknown[] }>("/api/health"),
    ({ codecs }) => codecs.length > 0,
    30_000,
  );

  await stage.step(t, "RTP/AVP: the browser hears from us which packets came", async () => {
    await using desk = await phone(stage, "PCMU", { codec: "VP8" });
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    await videoCall(alice, desk);
    await alice.sees(20);
    await estimateRises(stage, alice);
    assert.deepEqual(await transcoded(stage), []);
    await alice.hangup();
    await alice.callIs("FINISH");
  });

  for (const [audio, video] of [["PCMU", "H264"], ["G729", "H264"], ["PCMU", "VP8"]] as const) {
    if (!(await codecsHere()).has(audio)) continue;
    await stage.step(t, `Opus and ${video} here, ${audio} and ${video} there`, async () => {
      await using desk = await phone(stage, audio, { codec: video });
      const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
      await chooseCodecs(alice.page, { audio: ["opus"], video: [video] });
      await videoCall(alice, desk);
      await alice.sees(20);
      assert.deepEqual(await transcoded(stage), [audio, "OPUS"]);
      await estimateRises(stage, alice);
      const { codecs } = await alice.report();
      assert.deepEqual([...codecs].sort(), ["audio/opus", `video/${video}`]);
      await alice.hangup();
      await alice.callIs("FINISH");
    });
  }

  await stage.step(t, "a phone with G.729 and H264 calls", async () => {
    await using desk = await phone(stage, "G729", { codec: "H264" });
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    await alice.login();
    const answered = desk.call(alice.name);
    await alice.rings();
    await alice.answer({ video: true });
    assert.equal((await answered).status, 200);
    await Promise.all([alice.hears(HIGH_HERTZ), desk.media.hears(LOW_HERTZ), alice.sees(20)]);
    assert.deepEqual(await transcoded(stage), ["G729", "OPUS"]);
    await estimateRises(stage, alice);
    await alice.hangup();
    await alice.callIs("FINISH");
  });

  await stage.step(t, "VP8 here, H264 there: audio, and it is said", async () => {
    await using desk = await phone(stage, "PCMU", { codec: "H264" });
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
