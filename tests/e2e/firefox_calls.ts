import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type Stage } from "../support/browser.ts";
import { Firefox } from "../support/browser_firefox.ts";
import { needs } from "../support/needs.ts";
import { NAMESPACE_ADDRESS } from "../support/netns.ts";
import { bothFinish, connect, SdkUser } from "../support/sdk_page.ts";

/** The calls of `firefox_test.ts`, which starts this where Firefox has an address to use. */

/** What Firefox's fake microphone plays. */
const FIREFOX_HERTZ = HIGH_HERTZ;
const ADDRESSES = { PORTZERO_MEDIA_ADDRESSES: `127.0.0.1,${NAMESPACE_ADDRESS}` };

async function pair(stage: Stage, firefox: Firefox): Promise<[SdkUser, SdkUser]> {
  await firefox.goto(stage.siteUrl);
  const fox = new SdkUser(stage.unique("fox"), firefox, stage.lab);
  stage.add(fox);
  const chrome = await stage.user(stage.unique("chrome"), LOW_HERTZ);
  await Promise.all([fox.login(), chrome.login()]);
  return [fox, chrome];
}

e2e("Firefox and Chromium", { env: ADDRESSES }, async (t, stage) => {
  await using firefox = await Firefox.start(needs("firefox").path);

  await stage.step(t, "Firefox calls, with sound both ways, hold and unhold", async () => {
    const [fox, chrome] = await pair(stage, firefox);
    await connect(fox, chrome);
    await Promise.all([fox.hearsAnything(), chrome.hears(FIREFOX_HERTZ)]);
    await fox.hold();
    await fox.callIs("HOLD");
    await chrome.hears(0);
    await fox.unhold();
    await fox.callIs("ESTABLISHED", { count: 2 });
    await Promise.all([fox.hearsAnything(), chrome.hears(FIREFOX_HERTZ)]);
    for (const { codecs } of await stage.lab.calls()) assert.deepEqual(codecs, ["opus"]);
    await fox.hangup();
    await bothFinish(fox, chrome);
  });

  await stage.step(t, "Firefox is called, with pictures both ways", async () => {
    const [fox, chrome] = await pair(stage, firefox);
    await connect(chrome, fox, { video: true });
    await Promise.all([fox.hearsAnything(), chrome.hears(FIREFOX_HERTZ)]);
    await Promise.all([fox.sees(10), chrome.sees(10)]);
    await chrome.hangup();
    await bothFinish(fox, chrome);
  });

  await stage.step(t, "a Firefox window that goes elsewhere ends its call", async () => {
    const [fox, chrome] = await pair(stage, firefox);
    await connect(chrome, fox);
    await chrome.hears(FIREFOX_HERTZ);
    await firefox.goto("about:blank");
    await chrome.callIs("FINISH", { ms: 5_000 });
  });
});
