import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { startPool } from "../support/media_legs.ts";
import { Leg } from "../support/media_legs.ts";
import { needs } from "../support/needs.ts";

const isLinux = Deno.build.os === "linux";
const { ignore: hasNoLibcrypto } = needs("libcrypto");

Deno.test({
  name: "the fast shell with libcrypto is the default where it works, and says so",
  ignore: !isLinux || hasNoLibcrypto,
  async fn() {
    const told: string[] = [];
    const pool = await startPool(1, { log: (_, text) => told.push(text) });
    try {
      assert.equal(pool.workers()[0]!.shell, "ffi, libcrypto");
      const line = told.filter((text) => text.includes("listens on"));
      assert.equal(line.length, 1);
      assert.match(line[0]!, /shell ffi, libcrypto \(all known-answer and layout tests passed\)/);
    } finally {
      await pool.close();
    }
  },
});

Deno.test("without FFI the portable shell serves, and says why", async () => {
  const told: string[] = [];
  const pool = await startPool(1, { ffi: false, log: (_, text) => told.push(text) });
  try {
    assert.equal(pool.workers()[0]!.shell, "portable, typescript");
    assert.ok(told.some((text) => text.includes("(media.ffi is off)")));
    const leg = new Leg(pool, "leg");
    assert.equal((await leg.local()).candidates.length, 1);
    leg.handle.close();
  } finally {
    await pool.close();
  }
});

Deno.test({
  name: "no descriptor is left behind by workers that die, and pools that close",
  ignore: !isLinux,
  async fn() {
    const count = () => readdirSync("/proc/self/fd").length;
    const once = async () => {
      const back = Promise.withResolvers<void>();
      let starts = 0;
      const pool = await startPool(1, {
        log: () => {},
        onWorkerEvent: ({ type, text }) => {
          if (type === "worker.started" && ++starts === 2) back.resolve();
          else if (type === "worker.stopped") back.reject(new Error(text));
        },
      });
      const legs = Array.from({ length: 5 }, (_, i) => new Leg(pool, `leg ${i}`));
      for (const leg of legs) await leg.local();
      pool.crashWorker(0);
      await back.promise;
      await pool.close();
    };
    // The first run opens what the process then keeps.
    await once();
    const before = count();
    await once();
    await once();
    // Threads take some time to end.
    const end = performance.now() + 20_000;
    while (count() > before) {
      assert.ok(performance.now() < end, `${count()} descriptors, ${before} before`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
});
