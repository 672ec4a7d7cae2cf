/// <reference lib="dom" />
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { BROWSER_TEST, Lab, openWindow, PATIENCE_MS, Person } from "./pages_lab.ts";

/** Both pages for those who use no mouse, see little, or have a small screen. */

const NARROW = { width: 390, height: 844 };
const WIDE = { width: 1280, height: 900 };

/** What is wrong with the page as it stands, in either theme and width; nothing else moves it. */
async function faultsOf(page: Page, where: string): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    faults.push(...await page.evaluate(contrastFaults));
  }
  faults.push(...await page.evaluate(nameFaults));
  for (const viewport of [NARROW, WIDE]) {
    await page.setViewportSize(viewport);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > viewport.width) faults.push(`runs out of ${viewport.width} px: ${width}`);
  }
  return faults.map((fault) => `${where}: ${fault}`);
}

/** Texts below the contrast that WCAG 2.2 asks for (1.4.3, AA). Runs in the page. */
function contrastFaults(): string[] {
  type Colour = readonly [number, number, number, number];
  const parse = (text: string): Colour => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return [r, g, b, a];
  };
  const over = (top: Colour, below: Colour): Colour => {
    const mix = (i: 0 | 1 | 2) => top[i] * top[3] + below[i] * (1 - top[3]);
    return [mix(0), mix(1), mix(2), 1];
  };
  const luminance = (colour: Colour) => {
    const [r = 0, g = 0, b = 0] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element: Element): Colour => {
    const layers: Colour[] = [];
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1] as Colour);
  };
  const faults = new Set<string>();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent?.trim() ?? "";
    if (element === null || text === "" || !element.checkVisibility()) continue;
    // What is switched off is exempt, and so is what only screen readers get.
    if (element.closest(":disabled, .unseen, option, script, style, figure") !== null) continue;
    const style = getComputedStyle(element);
    const ground = groundOf(element);
    const [a, b] = [luminance(over(parse(style.color), ground)), luminance(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) {
      faults.add(`“${text.slice(0, 30)}” has contrast ${ratio.toFixed(2)}`);
    }
  }
  return [...faults];
}

/** Controls that nobody can name, and tables and sections without one. Runs in the page. */
function nameFaults(): string[] {
  const faults: string[] = [];
  const named = (element: Element): boolean => {
    const by = element.getAttribute("aria-labelledby");
    const label = (element as HTMLInputElement).labels?.[0];
    const texts = [
      element.getAttribute("aria-label"),
      by === null ? null : document.getElementById(by)?.textContent,
      label?.textContent,
      element.matches("button, a, summary") ? element.textContent : null,
    ];
    return texts.some((text) => (text ?? "").trim() !== "");
  };
  const all = "button, a, summary, input, select, table, aside, section, nav, [role=meter], " +
    "[role=group]";
  for (const element of document.querySelectorAll(all)) {
    if (!element.checkVisibility()) continue;
    if (!named(element)) faults.push(`without a name: ${element.outerHTML.slice(0, 80)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`id twice: ${id}`);
  if (document.querySelectorAll("h1").length !== 1) faults.push("there should be one h1");
  return faults;
}

/** Presses Tab until something of this name has the focus; it must show that it has. */
async function tabTo(page: Page, name: string): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const { label, outline } = await page.evaluate(() => {
      const element = document.activeElement;
      // Past the last one it is the browser's turn.
      if (element === document.body) return { label: "", outline: "" };
      const field = element as HTMLInputElement | null;
      const label = element?.getAttribute("aria-label") ?? field?.labels?.[0]?.textContent ??
        element?.textContent ?? "";
      // A radio button's mark is drawn by what stands beside it.
      const drawn = element?.matches("[type=radio]") ? element.nextElementSibling : element;
      return { label: label.trim(), outline: drawn ? getComputedStyle(drawn).outlineStyle : "" };
    });
    seen.push(label);
    assert.notEqual(outline, "none", `${label} does not show that it has the focus`);
    if (label === name) return;
  }
  throw new Error(`Tab does not come to ${name}, but to ${seen.join(", ")}`);
}

Deno.test({
  ...BROWSER_TEST,
  name: "both pages: contrast, names, small screens, and a call by keyboard alone",
  async fn() {
    await using lab = await Lab.open();
    const browser = await lab.browser();
    const page = await openWindow(browser, lab.url);
    page.setDefaultTimeout(2 * PATIENCE_MS);
    const faults = await faultsOf(page, "the door");
    await tabTo(page, "Your name");
    await page.keyboard.type("alice");
    await page.keyboard.press("Enter");
    await page.getByText("Online as alice").waitFor();
    faults.push(...await faultsOf(page, "the desk"));
    const bob = await Person.comeIn(browser, lab.url, "bob");

    await page.getByLabel("Callee").waitFor();
    await tabTo(page, "Callee");
    await page.keyboard.type("bob");
    await page.keyboard.press("Enter");
    await page.getByText("Ringing at bob…").waitFor();
    faults.push(...await faultsOf(bob.page, "an incoming call"));
    await tabTo(bob.page, "Answer");
    await bob.page.keyboard.press("Enter");
    await page.getByText("In a call with bob").waitFor();
    await bob.page.locator("h1:focus").getByText("In a call with alice").waitFor();
    await tabTo(page, "Keypad");
    await page.keyboard.press("Enter");
    await page.keyboard.press("5");
    faults.push(...await faultsOf(page, "the keypad"));
    await page.keyboard.press("Escape");
    await tabTo(page, "Transfer");
    await page.keyboard.press("Enter");
    await page.keyboard.type("nobody-here");
    await page.keyboard.press("Enter");
    await page.getByText("bob could not be handed on").waitFor();
    faults.push(...await faultsOf(page, "a failed transfer"));

    const operator = await openWindow(browser, `${lab.url}console`);
    await tabTo(operator, "Phones");
    await operator.keyboard.press("Enter");
    await operator.getByText("No SIP phone is registered.").waitFor();
    faults.push(...await faultsOf(operator, "phones"));
    await tabTo(operator, "Trunks");
    await operator.keyboard.press("Enter");
    await operator.getByText("No trunk is configured.").waitFor();
    faults.push(...await faultsOf(operator, "trunks"));
    await tabTo(operator, "Accounts");
    await operator.keyboard.press("Enter");
    await operator.getByRole("button", { name: "Show 15 more accounts" }).waitFor();
    faults.push(...await faultsOf(operator, "accounts"));
    await tabTo(operator, "Workers");
    await operator.keyboard.press("Enter");
    await operator.getByRole("row", { name: /media 0.*Running/ }).waitFor();
    await operator.getByRole("row", { name: /codec-1 transcodes.*Running.*0 transcodings/ })
      .waitFor();
    faults.push(...await faultsOf(operator, "workers"));
    await operator.getByRole("link", { name: "Calls" }).click();
    await operator.getByRole("button", { name: "alice to bob", exact: true }).press("Enter");
    await operator.getByRole("group", { name: "In place of bob" }).waitFor();
    await operator.getByText("SIP messages").press("Enter");
    await operator.getByRole("list", { name: "SIP messages in their order" }).waitFor();
    faults.push(...await faultsOf(operator, "a call's details"));
    const focused = () => operator.evaluate(() => document.activeElement?.textContent);
    await operator.keyboard.press("Escape");
    assert.match(await focused() ?? "", /alice.*bob/);
    await operator.keyboard.press("Enter");
    await operator.getByRole("complementary", { name: "alice → bob" }).waitFor();
    await tabTo(operator, "Hang up the call from alice to bob");
    await operator.keyboard.press("Enter");
    await operator.getByRole("button", { name: "Keep" }).waitFor();
    faults.push(...await faultsOf(operator, "a question"));
    await operator.keyboard.press("Shift+Tab");
    await operator.keyboard.press("Enter");
    await page.getByText("The call with bob has ended").waitFor();
    const details = operator.getByRole("complementary", { name: "alice → bob" });
    await details.getByText("An operator ended the call").waitFor();
    assert.equal(await focused(), "alice → bob");
    faults.push(...await faultsOf(page, "the end of a call"));
    assert.deepEqual([...new Set(faults)], []);
  },
});

/** What the two pages' tokens come to, and whether there is a way home. Runs in the page. */
function lookOf() {
  const style = (selector: string) => getComputedStyle(document.querySelector(selector)!);
  return {
    ground: style("html").backgroundColor,
    ink: style("html").color,
    font: style("html").fontFamily,
    mark: style(".brand .mark").color,
    home: document.querySelector<HTMLAnchorElement>(".brand")!.pathname,
  };
}

Deno.test({
  ...BROWSER_TEST,
  name:
    "the API's papers and the token page: one comes there and back, and they look like the rest",
  async fn() {
    const token = "correct-horse-battery-staple";
    await using lab = await Lab.open({ api: { token } });
    const browser = await lab.browser();
    const page = await openWindow(browser, `${lab.url}api/docs`);
    page.setDefaultTimeout(2 * PATIENCE_MS);
    await page.getByRole("heading", { name: "Operator token" }).waitFor();
    await page.emulateMedia({ colorScheme: "light" });
    const door = await page.evaluate(lookOf);
    const faults = await faultsOf(page, "the token page");
    await tabTo(page, "Token");
    await page.keyboard.type(token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Port Zero API" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/api/docs");
    await page.getByText("Lists the trunks by priority").click();
    faults.push(...await faultsOf(page, "the API's papers"));
    await page.emulateMedia({ colorScheme: "light" });
    const papers = await page.evaluate(lookOf);
    await page.locator("a.brand").click();
    await page.getByLabel("Your name").waitFor();
    const phone = await page.evaluate(lookOf);
    assert.deepEqual([door, papers], [phone, phone]);
    assert.deepEqual([...new Set(faults)], []);
  },
});
