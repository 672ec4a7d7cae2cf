import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** Each audio codec that passes through, alone. */

const CODECS = ["opus", "G722", "PCMU", "PCMA"];

e2e("audio codecs pass through", {}, async (t, stage) => {
  for (const codec of CODECS.slice(1)) {
    await stage.step(t, `${codec} alone`, async () => {
      const [alice, bob] = await stage.pair();
      // The callee would take any: it is the offer that decides.
      const stripCodecs = [...CODECS, "red"].filter((name) => name !== codec).join(",");
      await alice.call(bob.name, { stripCodecs });
      await bob.rings();
      await bob.answer();
      await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      for (const user of [alice, bob]) {
        const { codecs } = await user.report();
        assert.deepEqual(codecs.map((name) => name.toLowerCase()), [
          `audio/${codec.toLowerCase()}`,
        ]);
      }
      for (const { codecs } of await stage.lab.calls()) assert.deepEqual(codecs, [codec]);
      await alice.hangup();
      await bothFinish(alice, bob);
    });
  }
});

e2e("the callee's codec decides where the caller offers several", {}, async (t, stage) => {
  await stage.step(t, "PCMU in the answer alone", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await alice.hangup();
    await bothFinish(alice, bob);
    await alice.call(bob.name);
    await bob.rings(2);
    await bob.answer({ stripCodecs: "opus,G722,PCMA,red" });
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await bob.hangup();
    await bothFinish(alice, bob);
  });
});
