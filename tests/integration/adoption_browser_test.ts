import assert from "node:assert/strict";
import { choose } from "../../src/rtp/io/ffi/choose.ts";
import { holds, phoneSide, type Side } from "../support/load_side.ts";
import { call, Leg, startPool } from "../support/media_legs.ts";
import { BrowserSide, launchChromium } from "../support/media_page.ts";
import { needs } from "../support/needs.ts";

/**
 * Browsers cannot be told new addresses or keys in a call: a dead worker must cost them nothing.
 */

const A_HERTZ = 440;
const B_HERTZ = 1000;
const chromium = needs("chromium");
/** Calls of phones beside that of the browsers, half of them by SRTP. */
const BESIDE = 199;

type Pool = Awaited<ReturnType<typeof startPool>>;

async function callsOfPhones(pool: Pool): Promise<Side[]> {
  const choice = choose(null);
  assert.equal(choice.shell, "ffi", choice.why);
  const sides: Side[] = [];
  for (let i = 0; i < BESIDE; i++) {
    const isSecret = i % 2 === 0;
    const a = await phoneSide(pool, choice.srtp, 2 * i, undefined, isSecret);
    const b = await phoneSide(pool, choice.srtp, 2 * i + 1, a.handle.token, isSecret);
    a.handle.connect(b.handle.token);
    b.handle.connect(a.handle.token);
    sides.push(a, b);
  }
  return sides;
}

for (const workers of [1, 2]) {
  const where = workers === 1 ? "among 200 calls in one worker" : "in two workers with a bridge";

  Deno.test({
    name: `two browsers ${where}: they hear and see each other on when workers die`,
    ignore: chromium.ignore || Deno.build.os !== "linux",
    async fn() {
      const pool = await startPool(workers, { log: () => {} });
      const browser = await launchChromium(chromium.path);
      const beside = workers === 1 ? await callsOfPhones(pool) : [];
      const peers = beside.map(({ peer }) => peer);
      let slot = 0;
      const timer = setInterval(() => {
        slot = (slot + 1) % 10;
        for (let i = slot; i < peers.length; i += 10) peers[i]!.play();
      }, 20);
      /** Each phone hears two packets more. */
      const phones = () => {
        const goals = peers.map(({ received }) => received + 2);
        return holds("phones", () => peers.every(({ received }, i) => received >= goals[i]!));
      };
      try {
        const a = await BrowserSide.open(browser, A_HERTZ, true);
        const b = await BrowserSide.open(browser, B_HERTZ, true);
        const legA = new Leg(pool, "a");
        const legB = new Leg(pool, "b", ...workers === 1 ? [legA] : []);
        await call(a, b, legA, legB);
        const both = async () => {
          await Promise.all([a.hears(B_HERTZ), b.hears(A_HERTZ)]);
          await Promise.all([a.sees(20), b.sees(20)]);
          await phones();
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
        const told = beside.flatMap((side) => side.told.map(({ type }) => type));
        assert.ok(!told.includes("lost") && !told.includes("failed"));
        assert.equal(peers.reduce((sum, peer) => sum + peer.refused, 0), 0, "refused or twice");
        legA.handle.close();
        legB.handle.close();
      } finally {
        clearInterval(timer);
        for (const { handle, peer } of beside) {
          handle.close();
          peer.close();
        }
        await browser.close();
        await pool.close();
      }
    },
  });
}
