import assert from "node:assert/strict";
import type { CallView } from "../../src/actors/control_plane.ts";
import type { WorkerView } from "../../src/rtp/media_port.ts";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** Several calls at once over two media workers. */

const CALLS = 3;

interface Workers {
  readonly workers: readonly WorkerView[];
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

e2e("a worker that is killed", {
  args: ["--workers", "2"],
  expectedErrors: /media worker \d died: an operator restarted it/,
}, async (t, stage) => {
  await stage.step(t, "its calls end in words, the others' go on, and so do new ones", async () => {
    const pairs: (readonly [PageUser, PageUser])[] = [];
    for (let i = 0; i < 2; i++) {
      const pair = await Promise.all([
        stage.user(stage.unique(`near${i}x`), LOW_HERTZ),
        stage.user(stage.unique(`far${i}x`), HIGH_HERTZ),
      ]);
      await Promise.all(pair.map((user) => user.login()));
      await connect(...pair);
      pairs.push(pair);
    }
    const [[caller, callee], spared] = pairs as [readonly [PageUser, PageUser], typeof pairs[0]];
    const calls = await stage.lab.calls(`?user=${caller.name}`);
    const view = await stage.lab.get<CallView>(`/api/calls/${calls[0]!.id}`);
    const worker = view.legs[0].kind === "webrtc" ? view.legs[0].worker : null;
    const response = await fetch(`${stage.lab.origin}/api/workers/${worker}/restart`, {
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    assert.equal(response.status, 204, await response.text());
    await Promise.all([caller.callIs("FAILED"), callee.callIs("FAILED")]);
    for (const { id } of calls) {
      const ended = await stage.lab.get<CallView>(`/api/calls/${id}`);
      assert.equal(ended.termination?.reason, "worker_lost");
    }
    await Promise.all([spared[0].hears(HIGH_HERTZ), spared[1].hears(LOW_HERTZ)]);
    const { workers } = await stage.lab.until(
      "the worker is back",
      () => stage.lab.get<Workers>("/api/workers"),
      (found) => found.workers.every(({ state }) => state === "running"),
    );
    assert.equal(workers[worker!]?.restarts, 1);
    const fresh = await Promise.all([
      stage.user(stage.unique("next"), LOW_HERTZ),
      stage.user(stage.unique("other"), HIGH_HERTZ),
    ]);
    await Promise.all(fresh.map((user) => user.login()));
    await connect(...fresh);
    await Promise.all([fresh[0].hears(HIGH_HERTZ), fresh[1].hears(LOW_HERTZ)]);
    for (const [near, far] of [spared, fresh]) {
      await near.hangup();
      await bothFinish(near, far);
    }
    await stage.lab.noLiveCalls();
  });
});
