import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** Video calls between two browsers: VP8, and H264 alone. */

/** After an unhold the picture must move again within this, ms. */
const RESUME_MS = 2_000;

e2e("a video call", {}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(
    t,
    "pictures both ways, a key frame at once, and again after a hold",
    async () => {
      const [alice, bob] = await stage.pair();
      await connect(alice, bob, { video: true });
      await Promise.all([alice.sees(1, 4_000), bob.sees(1, 4_000)]);
      await Promise.all([alice.sees(20), bob.sees(20)]);
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      for (const user of [alice, bob]) {
        const { keyFramesDecoded } = await user.report();
        assert.ok(keyFramesDecoded >= 1, `${user.name} decoded no key frame`);
      }
      for (const { codecs } of await lab.calls()) assert.deepEqual(codecs, ["opus", "VP8"]);

      await alice.hold();
      await alice.callIs("HOLD");
      await Promise.all([alice.hears(0), bob.hears(0)]);
      await alice.unhold();
      await alice.callIs("ESTABLISHED", { count: 2 });
      const took = await Promise.all([alice.sees(2), bob.sees(2)]);
      assert.ok(Math.max(...took) < RESUME_MS, `the pictures moved again after ${took} ms`);
      await Promise.all([alice.sees(10), bob.sees(10)]);
      await bob.hangup();
      await bothFinish(alice, bob);
    },
  );

  await stage.step(t, "H264 where it is the only codec", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob, { video: true, stripCodecs: "VP8,VP9,AV1,H265" });
    await Promise.all([alice.sees(20), bob.sees(20)]);
    for (const user of [alice, bob]) {
      const { codecs } = await user.report();
      assert.ok(codecs.includes("video/H264"), `${user.name} decodes ${codecs}`);
    }
    for (const { codecs } of await lab.calls()) assert.deepEqual(codecs, ["opus", "H264"]);
    await alice.hangup();
    await bothFinish(alice, bob);
  });

  await stage.step(t, "a video call answered with audio alone", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name, { video: true });
    await bob.rings();
    await bob.answer({ video: false });
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.hangup();
    await bothFinish(alice, bob);
  });
});
