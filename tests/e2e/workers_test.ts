import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** Several calls at once over two media workers. */

const CALLS = 3;

interface Workers {
  readonly workers: readonly { readonly endpoints: number; readonly packets: number }[];
}

e2e("two media workers", { args: ["--workers", "2"] }, async (t, stage) => {
  await stage.step(t, `${CALLS} calls at once, all with sound both ways`, async () => {
    const pairs: (readonly [PageUser, PageUser])[] = [];
    for (let i = 0; i < CALLS; i++) {
      const pair = await Promise.all([
        stage.user(stage.unique(`caller${i}x`), LOW_HERTZ),
        stage.user(stage.unique(`callee${i}x`), HIGH_HERTZ),
      ]);
      await Promise.all(pair.map((user) => user.login()));
      pairs.push(pair);
    }
    await Promise.all(pairs.map(([caller, callee]) => connect(caller, callee)));
    await Promise.all(pairs.flatMap(([caller, callee]) => [
      caller.hears(HIGH_HERTZ),
      callee.hears(LOW_HERTZ),
    ]));
    assert.equal((await stage.lab.calls()).length, 2 * CALLS);
    const { workers } = await stage.lab.until(
      "both workers carry calls",
      () => stage.lab.get<Workers>("/api/workers"),
      (found) => found.workers.every(({ packets }) => packets > 0),
    );
    assert.equal(workers.length, 2);
    assert.equal(workers.reduce((sum, { endpoints }) => sum + endpoints, 0), 2 * CALLS);
    await Promise.all(pairs.map(async ([caller, callee]) => {
      await caller.hangup();
      await bothFinish(caller, callee);
    }));
    await stage.lab.noLiveCalls();
    const after = await stage.lab.until(
      "no endpoint is left",
      () => stage.lab.get<Workers>("/api/workers"),
      (found) => found.workers.every(({ endpoints }) => endpoints === 0),
    );
    assert.equal(after.workers.length, 2);
  });
});
