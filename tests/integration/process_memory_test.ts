import assert from "node:assert/strict";
import { giveBackSpareMemory, openTrim } from "../../src/core/io/spare_memory.ts";

/** Free memory goes back to the system where the C library knows how. */

const isGlibc = Deno.build.os === "linux" && openTrim() !== null;

Deno.test({
  name: "memory: what the C library keeps is given back, now and then",
  ignore: !isGlibc,
  async fn() {
    const trim = openTrim();
    assert.ok(trim);
    assert.equal(typeof await trim(), "boolean");
    let times = 0;
    const twice = Promise.withResolvers<void>();
    const stop = giveBackSpareMemory(1, async () => {
      if (++times === 2) twice.resolve();
      return await trim();
    });
    // The timer of the other keeps nobody alive.
    const alive = setInterval(() => {}, 1_000);
    await twice.promise;
    clearInterval(alive);
    stop();
  },
});

Deno.test("memory: without such a call nothing is done, and nothing fails", () => {
  giveBackSpareMemory(1, null)();
});
