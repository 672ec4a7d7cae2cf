import assert from "node:assert/strict";
import { call, Leg, startPool } from "../support/media_legs.ts";
import { BrowserSide, launchChromium } from "../support/media_page.ts";
import { needs } from "../support/needs.ts";

/**
 * Browsers cannot be told new addresses or keys in a call: a dead worker must cost them nothing.
 */

const A_HERTZ = 440;
const B_HERTZ = 1000;
const chromium = needs("chromium");

for (const workers of [1, 2]) {
  const where = workers === 1 ? "in one worker" : "in two workers with a bridge";

  Deno.test({
    name: `two browsers ${where}: they hear and see each other on when workers die`,
    ignore: chromium.ignore || Deno.build.os !== "linux",
    async fn() {
      const pool = await startPool(workers, { log: () => {} });
      const browser = await launchChromium(chromium.path);
      try {
        const a = await BrowserSide.open(browser, A_HERTZ, true);
        const b = await BrowserSide.open(browser, B_HERTZ, true);
        const legA = new Leg(pool, "a");
        const legB = new Leg(pool, "b", ...workers === 1 ? [legA] : []);
        await call(a, b, legA, legB);
        const both = async () => {
          await Promise.all([a.hears(B_HERTZ), b.hears(A_HERTZ)]);
          await Promise.all([a.sees(20), b.sees(20)]);
        };
        await both();
        // It has done its work for this call.
        pool.crashHandshakeWorker();
        await both();
        for (const [i, worker] of [0, workers - 1, 0].entries()) {
          pool.crashWorker(worker);
          const end = performance.now() + 15_000;
          const adoptions = () => pool.workers().reduce((sum, view) => sum + view.adoptions, 0);
          while (adoptions() <= i) {
            assert.ok(performance.now() < end, "no other worker has taken its place");
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          await both();
        }
        for (const leg of [legA, legB]) {
          const told = leg.events.map(({ type }) => type);
          assert.equal(told.filter((type) => type === "opened").length, 1);
          assert.ok(!told.includes("lost") && !told.includes("failed"), told.join(" "));
          const last = leg.events.findLast((event) => event.type === "ice");
          assert.equal(last?.state, "connected");
        }
        legA.handle.close();
        legB.handle.close();
      } finally {
        await browser.close();
        await pool.close();
      }
    },
  });
}
