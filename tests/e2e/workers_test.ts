import assert from "node:assert/strict";
import type { CallView, MediaWorkerView } from "../../src/actors/control_plane.ts";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser } from "../support/browser.ts";
import { bothFinish, connect, goesOn } from "../support/sdk_page.ts";

/** Several calls at once over two media workers. */

const CALLS = 3;

interface Workers {
  readonly workers: readonly MediaWorkerView[];
}

/** Those of media; beside them are those that transcode. */
async function mediaWorkers(lab: { get<T>(path: string): Promise<T> }): Promise<Workers> {
  const { workers } = await lab.get<Workers>("/api/workers");
  return { workers: workers.filter(({ kind }) => kind === "media") };
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
      () => mediaWorkers(stage.lab),
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
      () => mediaWorkers(stage.lab),
      (found) => found.workers.every(({ endpoints }) => endpoints === 0),
    );
    assert.equal(after.workers.length, 2);
  });
});

e2e("a worker that is replaced", {
  args: ["--workers", "2"],
}, async (t, stage) => {
  await stage.step(t, "its calls talk on, and are the same calls; so do new ones", async () => {
    const pair = await stage.pair();
    const [caller, callee] = pair;
    await connect(caller, callee);
    const both = () => Promise.all([goesOn(caller, HIGH_HERTZ), goesOn(callee, LOW_HERTZ)]);
    await both();
    const calls = await stage.lab.calls(`?user=${caller.name}`);
    const idOf = () => Promise.all(pair.map((user) => user.callId()));
    const ids = await idOf();
    const view = await stage.lab.get<CallView>(`/api/calls/${calls[0]!.id}`);
    const worker = view.legs[0].kind === "webrtc" ? view.legs[0].worker! : -1;
    for (let times = 1; times <= 3; times++) {
      const response = await fetch(`${stage.lab.origin}/api/workers/${worker}/restart`, {
        method: "POST",
        headers: { "content-type": "application/json" },
      });
      assert.equal(response.status, 204, await response.text());
      const { workers } = await stage.lab.until(
        "the next worker has taken the calls over",
        () => mediaWorkers(stage.lab),
        (found) => found.workers[worker]?.adoptions === times,
      );
      assert.equal(workers[worker]!.endpoints, 2);
      await both();
    }
    for (const user of pair) {
      const statuses = await user.statuses();
      assert.equal(statuses.at(-1), "ESTABLISHED", statuses.join(" "));
      assert.equal((await user.report()).connectionState, "connected");
    }
    assert.deepEqual(await idOf(), ids);
    assert.deepEqual(
      (await stage.lab.calls(`?user=${caller.name}`)).map(({ id }) => id),
      calls.map(({ id }) => id),
    );
    const fresh = await Promise.all([
      stage.user(stage.unique("next"), LOW_HERTZ),
      stage.user(stage.unique("other"), HIGH_HERTZ),
    ]);
    await Promise.all(fresh.map((user) => user.login()));
    await connect(...fresh);
    await Promise.all([fresh[0].hears(HIGH_HERTZ), fresh[1].hears(LOW_HERTZ)]);
    for (const [near, far] of [pair, fresh]) {
      await near.hangup();
      await bothFinish(near, far);
    }
    await stage.lab.noLiveCalls();
  });
});
