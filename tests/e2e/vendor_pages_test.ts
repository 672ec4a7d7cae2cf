import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser, type Stage } from "../support/browser.ts";

/** The vendor's example pages, unmodified, operated as a person does. */

const THIRD_HERTZ = 1_200;
const FOLDER = "/client2/examples/demo/sip";

/** `#callStatus` and the like, once they say so. */
async function shows(user: PageUser, selector: string, text: string): Promise<void> {
  await user.page.locator(selector).filter({ hasText: text }).first().waitFor();
}

/** The form that phone, phone-video, click-to-call and phone-ui have in common. */
async function fillAccount(user: PageUser): Promise<void> {
  const { page, name } = user;
  await page.fill("#sipLogin", name);
  await page.fill("#sipAuthenticationName", name);
  await page.fill("#sipPassword", "secret");
  await page.fill("#sipDomain", "127.0.0.1");
  await page.fill("#sipOutboundProxy", "127.0.0.1");
  await page.fill("#sipPort", "0");
}

async function phonePair(stage: Stage, path: string): Promise<[PageUser, PageUser]> {
  const users = await Promise.all([
    stage.visitor(stage.unique("alice"), LOW_HERTZ, FOLDER + path),
    stage.visitor(stage.unique("bob"), HIGH_HERTZ, FOLDER + path),
  ]);
  await Promise.all(users.map(async (user) => {
    await fillAccount(user);
    await user.page.uncheck("#sipRegisterRequired");
    await user.page.click("#connectBtn");
    await shows(user, "#regStatus", "ESTABLISHED");
  }));
  return users;
}

async function phoneCall(alice: PageUser, bob: PageUser): Promise<void> {
  await alice.page.fill("#callee", bob.name);
  await alice.page.click("#callBtn");
  await Promise.all([shows(alice, "#callStatus", "RING"), shows(bob, "#callStatus", "RING")]);
  await shows(bob, "#incomingCallAlert", alice.name);
  await bob.page.click("#answerBtn");
  await Promise.all([alice, bob].map((user) => shows(user, "#callStatus", "ESTABLISHED")));
}

async function phoneHold(user: PageUser): Promise<void> {
  await user.page.getByRole("button", { name: "Hold", exact: true }).click();
  await user.receives("hold");
  await user.page.locator("#holdBtn:enabled", { hasText: "Unhold" }).click();
  await user.receives("talk", 2);
}

/** Two at the vendor's phone with its skin, logged in and talking. */
async function phoneUiCall(stage: Stage): Promise<[PageUser, PageUser]> {
  const path = `${FOLDER}/phone-ui/Phone.html`;
  const users = await Promise.all([
    stage.visitor(stage.unique("alice"), LOW_HERTZ, path),
    stage.visitor(stage.unique("bob"), HIGH_HERTZ, path),
  ]);
  const [alice, bob] = users;
  for (const user of users) {
    await user.page.click(".b-display__header__login");
    await fillAccount(user);
    await user.page.click(".b-login__btn input");
    await shows(user, ".b-display__header__login", "Log out");
    await user.receives("registered");
  }
  await alice.page.click(".b-display__bottom__number > span");
  await alice.page.fill(".b-numbers", bob.name);
  await alice.page.click(".b-nav__voice");
  await shows(bob, ".call__inc__dial", alice.name);
  await bob.page.click(".b-nav__answer");
  await Promise.all(users.map((user) => user.receives("talk")));
  await alice.page.locator(".voice_call__call").waitFor();
  await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
  return [alice, bob];
}

e2e("the vendor's pages", {}, async (t, stage) => {
  await stage.step(t, "phone: call, hold, unhold, hangup, token", async () => {
    const [alice, bob] = await phonePair(stage, "/phone/phone.html");
    await phoneCall(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await phoneHold(alice);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await bob.page.click("#hangupBtn");
    await Promise.all([alice, bob].map((user) => shows(user, "#callStatus", "FINISH")));

    await bob.page.click("#connectTokenBtn");
    await shows(bob, "#regStatus", "DISCONNECTED");
    assert.notEqual(await bob.page.inputValue("#authToken"), "");
    await bob.page.click("#connectTokenBtn");
    await shows(bob, "#regStatus", "ESTABLISHED");
    await phoneCall(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.page.click("#callBtn");
    await Promise.all([alice, bob].map((user) => shows(user, "#callStatus", "FINISH")));
  });

  await stage.step(t, "phone-video: pictures both ways, hold, hangup", async () => {
    const [alice, bob] = await phonePair(stage, "/phone-video/phone-video.html");
    await phoneCall(alice, bob);
    await Promise.all([alice.sees(20), bob.sees(20)]);
    await phoneHold(alice);
    await Promise.all([alice.sees(20), bob.sees(20)]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.page.click("#callBtn");
    await Promise.all([alice, bob].map((user) => shows(user, "#callStatus", "FINISH")));
  });

  await stage.step(t, "phone-ui: log in, call, answer, hangup", async () => {
    const [alice, bob] = await phoneUiCall(stage);
    await alice.page.click(".voice_call__stop");
    await alice.receives("hold");
    await alice.page.click(".voice_call__play");
    await alice.receives("talk", 2);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.page.click(".b-nav__cancel_call");
    await Promise.all([alice, bob].map((user) => user.receives("finish")));
  });

  await stage.step(
    t,
    "phone-ui: transfers, given up, failed and done",
    async () => {
      const [alice, bob] = await phoneUiCall(stage);
      const carol = await stage.someone("carol", THIRD_HERTZ);
      const { page } = alice;
      await page.click(".voice_call__transfer");
      await alice.receives("hold");
      await page.click(".b-transfer__cancel");
      await alice.receives("talk", 2);
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      const transfer = async (target: string) => {
        await page.click(".voice_call__transfer");
        await page.fill("#transfer", target);
        await page.click(".b-transfer__ok");
      };
      await transfer("nobody-of-that-name");
      // Held for it, and still held; this page's way back is to open its window again.
      await alice.receives("hold", 3);
      await page.click(".voice_call__transfer");
      await page.click(".b-transfer__cancel");
      await alice.receives("talk", 3);
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      await transfer(carol.name);
      await carol.rings();
      await carol.answer();
      await alice.receives("finish");
      await Promise.all([bob.hears(THIRD_HERTZ), carol.hears(HIGH_HERTZ)]);
      await bob.page.click(".b-nav__cancel_call");
      await carol.callIs("FINISH");
    },
  );

  await stage.step(t, "click-to-call calls somebody at the phone page", async () => {
    const bob = await stage.visitor(
      stage.unique("bob"),
      HIGH_HERTZ,
      `${FOLDER}/phone/phone.html`,
    );
    await fillAccount(bob);
    await bob.page.click("#connectBtn");
    await shows(bob, "#regStatus", "REGISTERED");
    const path = `${FOLDER}/click-to-call/click-to-call.html`;
    const alice = await stage.visitor(stage.unique("alice"), LOW_HERTZ, path);
    await alice.page.click("#sipCredentialsBtn");
    await fillAccount(alice);
    await alice.page.click("#okBtn");
    await alice.page.fill("#callee", bob.name);
    await alice.page.click("#callBtn");
    await shows(alice, "#status", "Call: RING");
    await shows(bob, "#callStatus", "RING");
    await bob.page.click("#answerBtn");
    await shows(alice, "#status", "Call: ESTABLISHED");
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.page.click("#callBtn");
    await shows(bob, "#callStatus", "FINISH");
  });
});
