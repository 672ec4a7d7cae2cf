/// <reference lib="dom" />
import assert from "node:assert/strict";
import { BROWSER_TEST, Lab, openWindow, Person } from "./pages_lab.ts";

/** The operators' page against the real server. */

Deno.test({
  ...BROWSER_TEST,
  name: "the console shows a call by itself, in full, and ends it",
  async fn() {
    await using lab = await Lab.open();
    const browser = await lab.browser();
    const operator = await openWindow(browser, `${lab.url}console`);
    await operator.getByText("No calls at the moment.").waitFor();
    await operator.getByText("Nobody is connected.").waitFor();

    const alice = await Person.comeIn(browser, lab.url, "alice");
    const bob = await Person.comeIn(browser, lab.url, "bob");
    const sessions = operator.getByRole("table", { name: /^Sessions/ });
    await sessions.getByRole("row", { name: /bob/ }).waitFor();
    // Whoever loads the page anew leaves a session behind, which is no second alice.
    await alice.page.reload();
    await alice.connect();
    await operator.getByRole("heading", { name: "Sessions 2 (1 away)" }).waitFor();
    await sessions.getByRole("row", { name: /alice/ }).waitFor();
    assert.equal(await sessions.getByRole("row", { name: /alice/ }).count(), 1);
    await operator.getByText("1 away", { exact: true }).last().click();
    await operator.getByRole("table", { name: "1 away" })
      .getByRole("row", { name: /alice.*Away/ }).waitFor();
    await alice.calls("bob");
    await alice.sees("Ringing at bob…");
    const live = operator.getByRole("table", { name: /^Live calls/ });
    await live.getByRole("row", { name: /alice.*bob.*Ringing/ }).waitFor();
    await bob.press("Answer");
    await live.getByRole("row", { name: /alice.*bob.*Active.*opus/ }).waitFor();
    // Two calls, but one conversation.
    assert.equal(await live.getByRole("row").count(), 2);

    await live.getByRole("button", { name: "alice to bob", exact: true }).click();
    const detail = operator.getByRole("complementary", { name: "alice → bob" });
    for (const side of ["Side of alice", "Side of bob"]) {
      const facts = detail.getByRole("region", { name: side });
      await facts.getByText("connected").first().waitFor();
      await facts.getByText(/[1-9]\d* packets/).first().waitFor();
      await facts.getByText("confirmed").waitFor();
    }

    await detail.getByText("SIP messages").click();
    const ladder = detail.getByRole("list", { name: "SIP messages in their order" });
    const invite = ladder.getByRole("button", {
      name: /^0\.000 s, alice to Port Zero: INVITE with session description$/,
    });
    await invite.click();
    await ladder.locator("pre:visible").waitFor();
    const text = await ladder.locator("pre:visible").innerText();
    assert.match(text, /^INVITE sip:bob@/m);
    assert.match(text, /^a=x-pz-endpoint:\*+$/m);
    for (const words of [/Port Zero to bob: INVITE/, /bob to Port Zero: 180 Ringing to INVITE$/]) {
      await ladder.getByRole("button", { name: words }).first().waitFor();
    }
    const link = detail.getByRole("link", { name: "For Wireshark (pcap)" });
    const [download] = await Promise.all([operator.waitForEvent("download"), link.click()]);
    assert.match(download.suggestedFilename(), /^[\w-]+\.pcap$/);
    // On a phone nothing runs out of the page.
    await operator.setViewportSize({ width: 390, height: 844 });
    const width = await operator.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(width, 390);
    const box = await ladder.locator("pre:visible").boundingBox();
    assert(box && box.x + box.width <= 390, "the text should fit");
    await operator.setViewportSize({ width: 1280, height: 900 });

    const hangup = live.getByRole("button", { name: "Hang up the call from alice to bob" });
    await hangup.click();
    await live.getByRole("button", { name: "Keep" }).click();
    await hangup.click();
    await live.getByRole("button", { name: "End call" }).click();
    await alice.sees("The call with bob has ended");
    const ended = operator.getByRole("table", { name: /^Ended calls/ });
    await ended.getByRole("row", { name: /alice.*bob.*operator/ }).waitFor();
    await operator.getByText("No calls at the moment.").waitFor();
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "the console says when the server is gone, and goes on when it is back",
  async fn() {
    await using lab = await Lab.open();
    const operator = await openWindow(await lab.browser(), `${lab.url}console`);
    await operator.getByText("No calls at the moment.").waitFor();
    await lab.stopServer();
    await operator.getByText("The connection to the server is lost.").waitFor();
    await lab.startServer();
    await operator.getByText("The connection to the server is lost.").waitFor({
      state: "detached",
    });
  },
});
