import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** The portable shell, SRTP in TypeScript and werift: what serves on other systems. */

e2e("without FFI", { args: ["--no-ffi"] }, async (t, stage) => {
  await stage.step(t, "two pages call each other, with sound and pictures both ways", async () => {
    assert.match(stage.lab.child.output, /shell portable, typescript \(media\.ffi is off\)/);
    assert.match(stage.lab.child.output, /DTLS handshakes by werift \(media\.ffi is off\)/);
    const [caller, callee] = await stage.pair();
    await connect(caller, callee, { video: true });
    await Promise.all([caller.hears(HIGH_HERTZ), callee.hears(LOW_HERTZ)]);
    await Promise.all([caller.sees(10), callee.sees(10)]);
    await caller.hold();
    await caller.callIs("HOLD");
    await callee.hears(0);
    await caller.unhold();
    await caller.callIs("ESTABLISHED", { count: 2 });
    await Promise.all([caller.hears(HIGH_HERTZ), callee.hears(LOW_HERTZ)]);
    await callee.hangup();
    await bothFinish(caller, callee);
  });
});
