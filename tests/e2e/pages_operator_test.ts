/// <reference lib="dom" />
import assert from "node:assert/strict";
import { codecsHere } from "../support/codec_phone.ts";
import { SipPeer } from "../support/sip_peer.ts";
import { WirePhone } from "../support/wire_phone.ts";
import { BROWSER_TEST, Lab, openWindow, Person } from "./pages_lab.ts";

/** What operators steer and look after: calls, phones, trunks, accounts. */

/** Discards what comes, and answers nothing: no carrier is there. */
const NOWHERE = { name: "carrier", host: "127.0.0.1", port: 9, transport: "udp" } as const;

Deno.test({
  ...BROWSER_TEST,
  name: "a phone, a trunk that is down, and a call with a phone steered from its details",
  async fn() {
    await using lab = await Lab.open({ trunks: [NOWHERE] });
    const browser = await lab.browser();
    const operator = await openWindow(browser, `${lab.url}console#view=phones`);
    await operator.getByText("No SIP phone is registered.").waitFor();
    const codec = (await codecsHere()).get("PCMU");
    assert(codec, "G.711 is always there");
    const sipPort = await lab.sipPort();
    await using desk = await WirePhone.register({ sipPort }, "1000", codec, 1_000);
    const phones = operator.getByRole("table", { name: /^Phones/ });
    await phones.getByRole("row", { name: /1000 .*UDP.*(min|s)$/ }).waitFor();

    await operator.getByRole("link", { name: "Trunks" }).click();
    const trunks = operator.getByRole("table", { name: /^Trunks/ });
    await trunks.getByRole("row", { name: /carrier .*Down.*127\.0\.0\.1:9/ }).waitFor();

    const alice = await Person.comeIn(browser, lab.url, "alice");
    await alice.calls("1000");
    await alice.sees("In a call with 1000");
    await alice.meter("Level of 1000", { over: 0.5 });
    await operator.getByRole("link", { name: "Calls" }).click();
    await operator.getByRole("button", { name: "alice to 1000", exact: true }).click();
    const detail = operator.getByRole("complementary", { name: "alice → 1000" });
    const side = detail.getByRole("region", { name: "Side of alice" });
    await side.getByText(/relayed by worker \d+, encrypted/).waitFor();
    const far = detail.getByRole("region", { name: "Side of 1000" });
    await far.getByText(/relayed by worker \d+, not encrypted/).waitFor();

    await alice.press("Keypad");
    await alice.page.keyboard.press("7");
    await desk.media.until("the caller's digit", () => desk.media.digits === "7");
    desk.media.press("8");
    await side.getByText("8 from 1000").waitFor();
    await detail.getByRole("button", { name: "Send digits" }).click();
    await operator.keyboard.type("12#");
    await operator.keyboard.press("Enter");
    await detail.getByText("12# sent to 1000.").waitFor();
    await desk.media.until("the operator's digits", () => desk.media.digits === "712#");

    await detail.getByRole("button", { name: "Hold", exact: true }).click();
    await side.getByText("alice holds 1000", { exact: true }).waitFor();
    await alice.sees("1000 is on hold");
    await detail.getByRole("button", { name: "Unhold" }).click();
    await alice.sees("In a call with 1000");

    await alice.press("Hang up");
    await detail.getByText("alice hung up").waitFor();
    // What was, is told; nothing of it is still open.
    await side.getByText("closed", { exact: true }).first().waitFor();
    await far.getByText(/^over; it was relayed by worker \d+, not encrypted$/).waitFor();
    await far.getByText(/[1-9]\d* packets/).first().waitFor();

    const bob = await Person.comeIn(browser, lab.url, "bob");
    await alice.calls("bob");
    await bob.press("Answer");
    await operator.getByRole("button", { name: "alice to bob", exact: true }).click();
    const talk = operator.getByRole("complementary", { name: "alice → bob" });
    const steering = talk.getByRole("group", { name: "In place of alice" });
    await steering.getByRole("button", { name: "Transfer" }).click();
    await steering.getByLabel("Hand bob on to").fill("1000");
    await steering.getByRole("button", { name: "Transfer now" }).click();
    await bob.sees("In a call with 1000");
    await bob.meter("Level of 1000", { over: 0.5 });
    await alice.sees("The call with bob has ended");
    await talk.getByText("alice handed bob on").waitFor();
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "a call whose browser has left, and one that never had one, are not steered; it says why",
  async fn() {
    await using lab = await Lab.open();
    const browser = await lab.browser();
    const operator = await openWindow(browser, `${lab.url}console`);
    const codec = (await codecsHere()).get("PCMU");
    assert(codec, "G.711 is always there");
    const sipPort = await lab.sipPort();
    await using desk = await WirePhone.register({ sipPort }, "1000", codec, 1_000);
    await using other = await WirePhone.register({ sipPort }, "1001", codec, 440);
    desk.allow = "INVITE, ACK, BYE, CANCEL";

    const alice = await Person.comeIn(browser, lab.url, "alice");
    await alice.calls("1000");
    await alice.sees("In a call with 1000");
    await operator.getByRole("button", { name: "alice to 1000", exact: true }).click();
    const steering = operator.getByRole("group", { name: "In place of alice" });
    await steering.getByRole("button", { name: "Transfer" }).click();
    await steering.getByLabel("Hand 1000 on to").fill("1001");
    await steering.getByRole("button", { name: "Transfer now" }).click();
    await alice.sees("The call with 1000 has ended");

    const reason = "Two phones talk: they hold, press digits and transfer themselves.";
    const detail = (name: string) => operator.getByRole("complementary", { name });
    const isNotSteered = async (name: string) => {
      await detail(name).getByText(reason).waitFor();
      for (const label of ["Hold", "Send digits", "Transfer"]) {
        assert.equal(await detail(name).getByRole("button", { name: label }).count(), 0, label);
      }
    };
    await isNotSteered("1001 → 1000");
    await detail("1001 → 1000").getByText("handed on to 1001").waitFor();
    await other.media.hears(1_000);
    await detail("1001 → 1000").getByRole("button", { name: /^Hang up/ }).click();
    await detail("1001 → 1000").getByRole("button", { name: "End call" }).click();
    await other.media.until("the phone is told", () => other.isOver);
    await detail("1001 → 1000").getByRole("button", { name: "Close details" }).click();

    assert.equal((await desk.call("1001")).status, 200);
    await operator.getByRole("button", { name: "1000 to 1001", exact: true }).click();
    await isNotSteered("1000 → 1001");
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "accounts are made, given another password, and deleted; long lists are short to read",
  async fn() {
    await using lab = await Lab.open();
    const browser = await lab.browser();
    const operator = await openWindow(browser, `${lab.url}console#view=accounts`);
    const accounts = operator.getByRole("table", { name: /^Accounts/ });
    // The lab's forty, and one row of headings: not all are drawn at once.
    await accounts.getByRole("row", { name: /1000/ }).waitFor();
    assert.equal(await accounts.getByRole("row").count(), 26);
    await operator.getByRole("button", { name: "Show 15 more accounts" }).click();
    assert.equal(await accounts.getByRole("row").count(), 41);

    const form = operator.getByRole("form", { name: "New account" });
    await form.getByLabel("Name").fill("1000");
    await form.getByLabel("Password").fill("open sesame");
    await form.getByRole("button", { name: "Add account" }).click();
    await form.getByRole("alert").getByText("There is an account 1000 already").waitFor();
    await form.getByLabel("Name").fill("dora");
    await form.getByRole("button", { name: "Add account" }).click();
    await form.getByText("A phone may register as dora now.").waitFor();

    await operator.getByLabel("Filter accounts").fill("dor");
    await operator.getByText("1 of 41").waitFor();
    assert.equal(await accounts.getByRole("row").count(), 2);
    await accounts.getByRole("button", { name: "Change the password of dora" }).click();
    await operator.keyboard.type("shut sesame");
    await operator.keyboard.press("Enter");
    await accounts.getByText("Password changed.").waitFor();

    const dora = await Person.open(browser, lab.url, "dora");
    await dora.page.getByText("Connection", { exact: true }).click();
    await dora.page.getByLabel("SIP password").fill("open sesame");
    await dora.press("Go");
    await dora.sees("The server has an account “dora”, and this was not its password.");
    await dora.page.getByLabel("SIP password").fill("shut sesame");
    await dora.press("Go");
    await dora.sees("Online as dora");

    const remove = accounts.getByRole("button", { name: "Delete the account dora" });
    await remove.click();
    await operator.keyboard.press("Escape");
    await remove.click();
    await accounts.getByRole("button", { name: "Keep" }).click();
    await remove.click();
    await accounts.getByRole("button", { name: "Delete", exact: true }).click();
    await operator.getByText("0 of 40").waitFor();
    const focused = await operator.evaluate(() => document.activeElement?.closest("form") !== null);
    assert(focused, "the focus should be at the form, not lost with the row");
  },
});

Deno.test({
  ...BROWSER_TEST,
  name: "phones beyond those that are listed are found by the server",
  async fn() {
    await using lab = await Lab.open();
    const target = { transport: "UDP" as const, host: "127.0.0.1", port: await lab.sipPort() };
    const phones = await Promise.all(
      Array.from({ length: 13 }, (_, i) => SipPeer.open(`${1000 + i}`, target)),
    );
    await using stack = new AsyncDisposableStack();
    for (const phone of phones) {
      stack.use(phone);
      assert.equal((await phone.register()).status, 200);
    }
    const browser = await lab.browser();
    const operator = await openWindow(browser, `${lab.url}console`);
    // A thousand phones would take long to register: the real list is cut earlier.
    await operator.route("**/api/registrations?limit=1000*", (route) => {
      const url = route.request().url().replace("limit=1000", "limit=12");
      return route.continue({ url });
    });
    await operator.getByRole("link", { name: "Phones" }).click();
    const table = operator.getByRole("table", { name: /^Phones/ });
    await table.getByRole("row", { name: /1011/ }).waitFor();
    assert.equal(await table.getByRole("row").count(), 13);
    await operator.getByLabel("Filter phones").fill("1012");
    await table.getByRole("row", { name: /1012/ }).waitFor();
    assert.equal(await table.getByRole("row").count(), 2);
    await operator.getByLabel("Filter phones").fill("");
    await table.getByRole("row", { name: /1011/ }).waitFor();
  },
});
