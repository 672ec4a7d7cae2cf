/// <reference lib="dom" />
import assert from "node:assert/strict";
import { BROWSER_TEST, Lab, Person } from "./pages_lab.ts";

/** What the phone page offers in a call: keypad, transfer, and who holds. */

Deno.test({
  ...BROWSER_TEST,
  name: "digits by click and by keyboard arrive; a transfer fails in words, then works",
  async fn() {
    await using lab = await Lab.open();
    const [alice, bob, carol] = await lab.people("alice", "bob", "carol");
    const { page } = alice;

    await alice.talksWith(bob);

    await alice.press("Keypad");
    const keypad = page.getByRole("group", { name: "Keypad" });
    await keypad.getByRole("button", { name: "1", exact: true }).click();
    await keypad.getByRole("button", { name: "Hash" }).click();
    // The microphone's button has the focus of a click no longer: these are for the keypad.
    for (const key of ["4", "2", "*", "x"]) await page.keyboard.press(key);
    const shown = await keypad.getByLabel("Digits sent").innerText();
    assert.equal(shown.trim(), "1#42*");
    assert.equal(await lab.digitsHeardBy("bob", 5), "1#42*");
    await page.keyboard.press("Escape");
    await keypad.waitFor({ state: "detached" });
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    assert.equal(focused, "Keypad");
    // Folded away: digits are nobody's.
    await page.keyboard.press("7");

    await alice.press("Hold");
    await alice.sees("You hold: bob hears nothing until you press Unhold.");
    await bob.sees("No sound comes from alice: they may have put you on hold.");

    await alice.press("Transfer");
    await page.getByLabel("Transfer bob to").fill("nobody-here");
    await alice.press("Transfer now");
    await alice.sees("bob could not be handed on: nobody is named “nobody-here”.");
    await alice.sees("bob is on hold");

    await alice.press("Unhold");
    await alice.sees("In a call with bob");
    await page.getByLabel("Transfer bob to").fill("carol");
    await alice.press("Transfer now");
    await alice.sees("Handing bob on to carol.");
    await carol.sees("bob is calling");
    await carol.press("Decline");
    await alice.sees("bob could not be handed on: carol declined.");
    await bob.meter("Level of alice", { over: 0.5 });

    await page.getByLabel("Transfer bob to").fill("carol");
    await alice.press("Transfer now");
    await carol.press("Answer");
    await alice.sees("bob talks with carol now.");
    await bob.sees("In a call with carol");
    await bob.sees("You were handed on and talk with carol now.");
    await bob.meter("Level of carol", { over: 0.5 });
    await carol.meter("Level of bob", { over: 0.5 });
    assert.equal(await lab.digitsHeardBy("bob", 5), "1#42*");
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "what a newcomer stumbles over: no microphone, one's own name, a name twice, plain http",
  async fn() {
    await using lab = await Lab.open({ http: { allowedHosts: ["phone.example"] } });
    const bare = await lab.browser({ hasDevices: false });
    const alice = await Person.comeIn(bare, lab.url, "alice");
    await alice.press("Call");
    await alice.sees("Type the name of whom you want to call.");
    await alice.calls("alice");
    await alice.sees("“alice” is you.");
    await alice.calls("bob");
    await alice.sees("No microphone was found.");
    await alice.sees("Plug in a microphone");

    // Another window of the same browser.
    const second = await Person.joinIn(alice, lab.url, "alice");
    for (const window of [alice, second]) {
      await window.sees("Another window has the name alice too");
    }

    // A name that is not this machine's: as from another one of the network.
    const far = await lab.browser({ hostName: "phone.example" });
    const page = await far.newPage();
    await page.goto(lab.url.replace("127.0.0.1", "phone.example"));
    await page.getByText("This page came over plain http").waitFor();
    const link = page.getByRole("link", { name: /^Open https:/ });
    assert.match(await link.getAttribute("href") ?? "", /^https:\/\/phone\.example:/);
  },
});
