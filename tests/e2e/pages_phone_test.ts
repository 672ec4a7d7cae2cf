/// <reference lib="dom" />
import assert from "node:assert/strict";
import { BROWSER_TEST, Lab, Person } from "./pages_lab.ts";

/** The phone page as a newcomer uses it, against the real server, with real media. */

Deno.test({
  ...BROWSER_TEST,
  name: "two windows, two names: a call with sound both ways, mute, hold, and its end",
  async fn() {
    await using lab = await Lab.open();
    const browser = await lab.browser();
    const alice = await Person.comeIn(browser, lab.url, "alice");
    const opened = alice.page.context().waitForEvent("page");
    await alice.page.getByRole("link", { name: "Open a second window" }).click();
    const second = await opened;
    const bob = await Person.comeIn(browser, second.url(), "bob");
    await second.close();
    assert.equal(await bob.page.getByLabel("Callee").inputValue(), "alice");

    await bob.press("Call");
    await bob.sees("Ringing at alice…");
    await alice.sees("bob is calling");
    await alice.press("Answer");
    await alice.sees("In a call with bob");
    await bob.sees("In a call with alice");
    await alice.meter("Level of bob", { over: 0.5 });
    await bob.meter("Level of alice", { over: 0.5 });
    await alice.meter("Your level", { over: 0.5 });
    await alice.sees("opus · 0.0 % lost");

    await alice.press("Mute");
    await bob.meter("Level of alice", { under: 0.1 });
    await alice.press("Mute");
    await bob.meter("Level of alice", { over: 0.5 });

    await alice.press("Hold");
    await alice.sees("bob is on hold");
    await bob.meter("Level of alice", { under: 0.1 });
    await alice.press("Unhold");
    await alice.sees("In a call with bob");
    await bob.meter("Level of alice", { over: 0.5 });

    // Another microphone, in the middle of the call.
    await alice.page.getByText("Devices", { exact: true }).click();
    const microphones = alice.page.getByLabel("Microphone");
    const labels = await microphones.locator("option").allTextContents();
    assert.ok(labels.length > 2, `only ${labels}`);
    await microphones.selectOption({ label: labels.at(-1)! });
    await alice.meter("Your level", { over: 0.5 });
    await bob.meter("Level of alice", { over: 0.5 });
    assert.equal(await alice.page.locator("[data-notice]").count(), 0);

    await alice.press("Hang up");
    await alice.sees("You ended the call with bob");
    await bob.sees("The call with alice has ended");
    assert.equal(await alice.page.evaluate(() => document.querySelectorAll("video").length), 0);
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "a video call shows both pictures; who answers without camera sees and is not seen",
  async fn() {
    await using lab = await Lab.open();
    const [alice, bob] = await lab.people("alice", "bob");

    await alice.calls("bob", "Video");
    await bob.sees("alice is calling with video");
    await bob.press("Answer");
    await alice.page.locator(".stage-video").waitFor();
    await bob.page.locator(".stage-video").waitFor();
    await bob.press("Hang up");
    await alice.sees("The call with bob has ended");

    await alice.calls("bob", "Video");
    await bob.press("Answer without camera");
    await bob.page.locator(".stage-video").waitFor();
    await alice.meter("Level of bob", { over: 0.5 });
    assert.equal(await alice.page.locator(".stage-video").count(), 0);
    assert.equal(await bob.button("Camera off").count(), 0);
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "each way in which a call does not come about is told in words",
  async fn() {
    await using lab = await Lab.open();
    const [alice, bob] = await lab.people("alice", "bob");

    await alice.calls("nobody-here");
    await alice.sees("Nobody named “nobody-here” is online.");

    await alice.calls("bob");
    await bob.press("Decline");
    await alice.sees("bob declined the call.");
    await bob.sees("You declined the call from alice.");

    const [again] = await lab.people("bob");
    await alice.calls("bob");
    await again.sees("alice is calling");
    await bob.press("Answer");
    await again.sees("The call from alice was answered in another window.");
    await bob.press("Hang up");
    await alice.sees("The call with bob has ended");
    await again.page.close();

    await alice.calls("bob");
    await bob.sees("alice is calling");
    await alice.press("Hang up");
    await alice.sees("You cancelled the call to bob.");
    await bob.sees("Missed call from alice.");

    // Between the call and the server's first word the SDK would only forget the call, and leave it
    // ringing over there.
    await alice.page.evaluate(() => {
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (frame) {
        send.call(this, frame);
        if (!String(frame).startsWith('{"message":"call"')) return;
        WebSocket.prototype.send = send;
        [...document.querySelectorAll("button")].find((one) => one.textContent === "Hang up")
          ?.click();
      };
    });
    await alice.press("Call");
    await alice.page.locator(".stage").waitFor({ state: "detached" });
    await alice.sees("You cancelled the call to bob.");
    await bob.calls("alice");
    await alice.sees("bob is calling");
    await alice.press("Answer");
    await bob.sees("In a call with alice");
    await bob.page.close();
    await alice.sees("The call with bob has ended");
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "a second call knocks; answering it holds the first, and one can switch",
  async fn() {
    await using lab = await Lab.open();
    const [alice, bob, carol] = await lab.people("alice", "bob", "carol");

    await alice.talksWith(bob);
    await carol.calls("bob");
    await bob.press("Hold and answer");
    await bob.sees("In a call with carol");
    await bob.sees("alice is on hold");
    await carol.meter("Level of bob", { over: 0.5 });
    await alice.meter("Level of bob", { under: 0.1 });

    await bob.press("Switch to alice");
    await bob.sees("In a call with alice");
    await bob.sees("carol is on hold");
    await alice.meter("Level of bob", { over: 0.5 });
    await carol.meter("Level of bob", { under: 0.1 });

    // The end of one leaves the other's sound alone.
    await carol.press("Hang up");
    await bob.sees("The call with carol has ended");
    await alice.meter("Level of bob", { over: 0.5 });
    await bob.meter("Level of alice", { over: 0.5 });
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "a denied microphone is told in words, and an incoming call goes on ringing",
  async fn() {
    await using lab = await Lab.open();
    const alice = await Person.comeIn(await lab.browser(), lab.url, "alice");
    const denying = await lab.browser({ isAllowed: false });
    const bob = await Person.comeIn(denying, lab.url, "bob");

    await bob.calls("alice");
    await bob.sees("The browser was not allowed to use your microphone.");
    await bob.button("Call").waitFor();

    await alice.calls("bob");
    await alice.sees("Ringing at bob…");
    await bob.press("Answer");
    await bob.sees("The browser was not allowed to use your microphone.");
    await bob.sees("alice is calling");
    await alice.sees("Ringing at bob…");
    await bob.press("Decline");
    await alice.sees("bob declined the call.");
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "a refused name, a token, a lost server: the page says so and is never stuck",
  async fn() {
    await using lab = await Lab.open();
    const [alice, bob] = await lab.people("alice", "bob");
    const { page } = alice;

    await page.getByText("Connection", { exact: true }).click();
    const token = await page.getByLabel("Auth token").inputValue();
    assert.notEqual(token, "");
    await alice.press("Disconnect");
    await page.getByLabel("Your name").fill("a b");
    await alice.press("Go");
    await alice.sees("“a b” can't be a name here.");
    await alice.sees("Character blank (U+0020) at position 2 is not allowed");
    await page.locator("input:focus").and(page.getByLabel("Your name")).waitFor();

    await page.getByText("Connection", { exact: true }).click();
    await page.getByLabel("Your name").fill("");
    await page.getByLabel("Auth token").fill(token);
    await alice.press("Connect with token");
    await alice.sees("Online as alice");

    await alice.talksWith(bob);
    await lab.stopServer();
    await alice.sees("The connection to the server was lost.");
    assert.equal(await page.locator("video").count(), 0);
    await alice.press("Reconnect");
    await alice.sees("could not be reached");
    await lab.startServer();
    await alice.press("Try again");
    await alice.sees("Online as alice");
  },
});
