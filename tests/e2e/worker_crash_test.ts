import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { WorkerView } from "../../src/rtp/media_port.ts";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser, type Stage } from "../support/browser.ts";
import { bothFinish, connect, goesOn } from "../support/sdk_page.ts";

/** A media worker crashes under calls of the Web SDK, which can never be negotiated anew. */

const DOOR = fileURLToPath(new URL("../support/crash_door.ts", import.meta.url));

type Pair = readonly [PageUser, PageUser];

const bothGoOn = ([caller, callee]: Pair) =>
  Promise.all([goesOn(caller, HIGH_HERTZ), goesOn(callee, LOW_HERTZ)]);

async function adopted(stage: Stage, times: number): Promise<WorkerView> {
  const { workers } = await stage.lab.until(
    "the next worker has taken the calls over",
    () => stage.lab.get<{ workers: readonly WorkerView[] }>("/api/workers"),
    ({ workers: [worker] }) => worker?.adoptions === times,
    20_000,
  );
  return workers[0]!;
}

async function assertUp(stage: Stage, [caller, callee]: Pair, ids: readonly string[]) {
  for (const user of [caller, callee]) {
    assert.equal((await user.statuses()).at(-1), "ESTABLISHED");
    assert.equal((await user.report()).connectionState, "connected");
  }
  const live = await stage.lab.calls(`?user=${caller.name}`);
  assert.deepEqual(live.map(({ id }) => id), ids);
}

e2e("a media worker that crashes", {
  args: ["--workers", "1"],
  runtimeArgs: ["--preload", DOOR],
  // What the runtime prints of a worker that dies, and what we say.
  expectedErrors: /crash command|^\s+at /,
}, async (t, stage) => {
  await stage.step(
    t,
    "two pages talk on, through three crashes, and are the same call",
    async () => {
      const pair = await stage.pair();
      await connect(...pair);
      await bothGoOn(pair);
      const ids = (await stage.lab.calls(`?user=${pair[0].name}`)).map(({ id }) => id);
      for (let times = 1; times <= 3; times++) {
        stage.lab.child.signal("SIGUSR2");
        const { endpoints, restarts } = await adopted(stage, times);
        assert.deepEqual([endpoints, restarts], [2, times]);
        await bothGoOn(pair);
        await assertUp(stage, pair, ids);
      }
      assert.equal((stage.lab.child.output.match(/media worker 0 died: /g) ?? []).length, 3);
      await pair[0].hangup();
      await bothFinish(...pair);
    },
  );

  await stage.step(t, "what is torn ends, both are told why; the other call talks on", async () => {
    const kept = await stage.pair();
    await connect(...kept);
    const ids = (await stage.lab.calls(`?user=${kept[0].name}`)).map(({ id }) => id);
    const torn = await Promise.all([
      stage.user(stage.unique("carol"), LOW_HERTZ),
      stage.user(stage.unique("dave"), HIGH_HERTZ),
    ]);
    await Promise.all(torn.map((user) => user.login()));
    await connect(...torn);
    await Promise.all([bothGoOn(kept), bothGoOn(torn)]);
    stage.lab.child.signal("SIGWINCH");
    // The record of the one who was called was being written.
    const [failed] = await Promise.all([torn[1].callIs("FAILED"), torn[0].callIs("FINISH")]);
    assert.ok(failed);
    const told = (await torn[1].facts()).find(({ status }) => status === "fail");
    assert.match(told?.text ?? "", /its media worker died while it changed what it knew/);
    await adopted(stage, 4);
    await bothGoOn(kept);
    await assertUp(stage, kept, ids);
    const ended = await stage.lab.until(
      "both calls of the pair have ended",
      () => stage.lab.calls(`?state=ended&user=${torn[0].name}`),
      (calls) => calls.length === 2,
    );
    const reasons = ended.map(({ termination }) => termination?.reason);
    assert.ok(reasons.includes("worker_lost"), reasons.join(" "));
    for (const one of reasons) assert.match(one ?? "none", /^(?:worker_lost|remote_hangup)$/);
    const { endpoints } = await adopted(stage, 4);
    assert.equal(endpoints, 2);
    await kept[0].hangup();
    await bothFinish(...kept);
  });
});
