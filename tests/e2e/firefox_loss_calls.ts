import assert from "node:assert/strict";
import { Firefox } from "../support/browser_firefox.ts";
import { LossyPath } from "../support/lossy_path.ts";
import { call, Leg, startPool } from "../support/media_legs.ts";
import { BrowserSide, launchChromium } from "../support/media_page.ts";
import { needs } from "../support/needs.ts";
import { NAMESPACE_ADDRESS } from "../support/netns.ts";

/** The handshakes of `firefox_test.ts`, which starts this where Firefox has an address to use. */

const FIREFOX_HERTZ = 440;
const CHROMIUM_HERTZ = 1000;
const ROUNDS = 2;
/** Longer than any number of repetitions that is likely to be needed, ms. */
const PATIENCE = 25_000;
/** Half a second of it, packets. */
const SOUND = 25;

/** Packets that it could open; without a sound card Firefox plays nothing that could be heard. */
async function getsSound(side: Pick<BrowserSide, "statistics">): Promise<void> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const { audioPackets, connectionState } = await side.statistics();
    if (audioPackets >= SOUND) return;
    const found = `${audioPackets} packets, connection ${connectionState}`;
    assert.ok(performance.now() < end, found);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test({
  name: "DTLS by OpenSSL with Firefox and Chromium where one datagram in five is lost",
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const told: string[] = [];
  const pool = await startPool(1, {
    addresses: [NAMESPACE_ADDRESS],
    log: (_, text) => told.push(text),
  });
  const chromium = await launchChromium(needs("chromium").path);
  const paths: LossyPath[] = [];
  try {
    assert.ok(told.some((text) => text.startsWith("DTLS handshakes by OpenSSL")), told.join("\n"));
    await using firefox = await Firefox.start(needs("firefox").path);
    for (let round = 0; round < ROUNDS; round++) {
      // A page of its own, so that nothing is left of the one before.
      await firefox.goto(`about:blank?${round}`);
      const fox = await BrowserSide.on(firefox, FIREFOX_HERTZ);
      const chrome = await BrowserSide.open(chromium, CHROMIUM_HERTZ, false);
      const legs = [new Leg(pool, "fox"), new Leg(pool, "chrome")] as const;
      for (const [i, leg] of legs.entries()) {
        paths.push(LossyPath.before(leg, await leg.local(), round * 2 + i, NAMESPACE_ADDRESS));
      }
      await call(fox, chrome, ...legs);
      for (const leg of legs) {
        await leg.until("dtls", (event) => event.state === "connected", PATIENCE);
      }
      await Promise.all([getsSound(fox), getsSound(chrome)]);
      for (const leg of legs) leg.handle.close();
      await chrome.page.close();
    }
    const lost = paths.reduce((sum, path) => sum + path.lost, 0);
    assert.ok(lost > 3, `only ${lost} datagrams were lost, the test shows nothing`);
  } finally {
    for (const path of paths) path.close();
    await chromium.close();
    await pool.close();
  }
});
