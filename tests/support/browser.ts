import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { join } from "node:path";
import { Lab, type LabOptions } from "./lab.ts";
import { CHROMIUM_FLAGS } from "./media_page.ts";
import { needs } from "./needs.ts";
import { SDK_PAGE_SCRIPT, SdkUser, serveSdkPage, type Site } from "./sdk_page.ts";
import { toneWav } from "./tones.ts";

/** A lab and the people at it, each tone with a Chromium process of its own. */

const CHROMIUM = needs("chromium");

/** Playwright keeps timers and sockets of its own, which are not ours to count. */
export const BROWSER_TEST = {
  ignore: CHROMIUM.ignore,
  sanitizeOps: false,
  sanitizeResources: false,
};

/** The two tones of most tests, far enough apart for any codec. */
export const LOW_HERTZ = 440;
export const HIGH_HERTZ = 1000;

const FLAGS = [...CHROMIUM_FLAGS, "--use-fake-device-for-media-stream"];

export class PageUser extends SdkUser {
  constructor(name: string, readonly page: Page, lab: Lab, readonly url: string) {
    super(name, page, lab);
  }

  /** The same window, loaded anew: what was in it is gone. */
  async reload(): Promise<void> {
    await this.page.goto(this.url);
  }
}

export class Stage {
  readonly lab: Lab;
  readonly #directory: string;
  readonly #site: Site;
  readonly #browsers = new Map<string, Promise<Browser>>();
  #people: { readonly name: string; readonly context: BrowserContext; readonly page: Page }[] = [];
  #users: SdkUser[] = [];
  #step = 0;

  private constructor(lab: Lab, directory: string) {
    this.lab = lab;
    this.#directory = directory;
    this.#site = serveSdkPage(lab);
  }

  static async set(options: LabOptions = {}): Promise<Stage> {
    const directory = await Deno.makeTempDir({ prefix: "portzero-stage-" });
    return new Stage(await Lab.start(options), directory);
  }

  /** Where the page with the SDK is. */
  get siteUrl(): string {
    return this.#site.url;
  }

  /** The browser whose microphone has this tone. */
  browser(hertz: number, flags: readonly string[] = []): Promise<Browser> {
    const key = [hertz, ...flags].join(" ");
    let browser = this.#browsers.get(key);
    if (!browser) {
      const file = join(this.#directory, `${hertz}.wav`);
      Deno.writeFileSync(file, toneWav(hertz));
      browser = chromium.launch({
        executablePath: CHROMIUM.path,
        args: [...FLAGS, `--use-file-for-fake-audio-capture=${file}`, ...flags],
      });
      this.#browsers.set(key, browser);
    }
    return browser;
  }

  /** A fresh window of that browser, with or without microphone and camera. */
  async page(
    name: string,
    hertz: number,
    options: { readonly isAllowed?: boolean; readonly flags?: readonly string[] } = {},
  ): Promise<Page> {
    const browser = await this.browser(hertz, options.flags);
    const context = await browser.newContext({
      permissions: options.isAllowed === false ? [] : ["microphone", "camera"],
    });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    this.#people.push({ name, context, page });
    return page;
  }

  /** Somebody with a page that has the SDK; not logged in yet. */
  async user(
    name: string,
    hertz: number,
    options: { readonly isAllowed?: boolean } = {},
  ): Promise<PageUser> {
    const page = await this.page(name, hertz, options);
    const { url } = this.#site;
    await page.goto(url);
    const user = new PageUser(name, page, this.lab, url);
    this.#users.push(user);
    return user;
  }

  /** Somebody with a name that is new in each step, logged in by SIP Port 0. */
  async someone(name: string, hertz = LOW_HERTZ): Promise<PageUser> {
    const user = await this.user(this.unique(name), hertz);
    await user.login();
    return user;
  }

  /** A name that nobody had in an earlier step. */
  unique(name: string): string {
    return `${name}${this.#step}`;
  }

  /** Somebody in a browser of another kind, so that a failure tells of them too. */
  add(user: SdkUser): void {
    this.#users.push(user);
  }

  /**
   * Somebody at a page that is not ours, operated through its own controls. The browser takes the
   * lab for 127.0.0.1:8080, the port that the vendor's pages know.
   */
  async visitor(name: string, hertz: number, path: string): Promise<PageUser> {
    const flags = [`--host-resolver-rules=MAP 127.0.0.1:8080 127.0.0.1:${this.lab.port}`];
    const page = await this.page(name, hertz, { flags });
    await page.addInitScript({ content: await Deno.readTextFile(SDK_PAGE_SCRIPT) });
    const url = `http://127.0.0.1:8080${path}`;
    await page.goto(url);
    const user = new PageUser(name, page, this.lab, url);
    this.#users.push(user);
    return user;
  }

  /**
   * Alice and Bob with different tones, logged in by SIP Port 0. Their names are new in each
   * step: a session whose window is closed can be called for a while, and would ring to nobody.
   */
  async pair(): Promise<[PageUser, PageUser]> {
    return await Promise.all([this.someone("alice"), this.someone("bob", HIGH_HERTZ)]);
  }

  /**
   * One step of a test. When it fails, its error tells what everybody saw, where the pictures of
   * the pages are and what the server wrote; afterwards all windows are closed, no call is left.
   */
  async step(t: Deno.TestContext, name: string, run: () => Promise<void>): Promise<void> {
    await t.step({
      name,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        this.#step++;
        try {
          await run();
        } catch (fault) {
          throw new Error(
            `${fault instanceof Error ? fault.message : fault}\n${await this.tell()}`,
            {
              cause: fault,
            },
          );
        } finally {
          await Promise.all(this.#people.map(({ context }) => context.close()));
          this.#people = [];
          this.#users = [];
        }
        await this.lab.noLiveCalls(10_000);
      },
    });
  }

  /** What is known of everybody, in words for whoever reads a failed test. */
  async tell(): Promise<string> {
    const lines: string[] = [];
    for (const user of this.#users) {
      const facts = await user.facts().catch(() => undefined);
      const words = facts?.map(({ of, status, text }) =>
        `${of}:${status}${text ? `=${text}` : ""}`
      );
      lines.push(`  ${user.name}: ${words?.join(" ") ?? "its page is gone"}`);
    }
    for (const { name, page } of this.#people) {
      const path = await Deno.makeTempFile({ prefix: `portzero-${name}-`, suffix: ".png" });
      const isTaken = await page.screenshot({ path, timeout: 3_000 }).then(() => true, () => false);
      if (isTaken) lines.push(`  picture of ${name}'s page: ${path}`);
    }
    return `${lines.join("\n")}\n  the server's last lines:\n${this.lab.tail(40)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const browsers = await Promise.allSettled(this.#browsers.values());
    for (const browser of browsers) {
      if (browser.status === "fulfilled") await browser.value.close();
    }
    await this.#site.close();
    await Deno.remove(this.#directory, { recursive: true });
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Declares a test with a stage of its own. */
export function e2e(
  name: string,
  options: LabOptions,
  run: (t: Deno.TestContext, stage: Stage) => Promise<void>,
): void {
  Deno.test({
    ...BROWSER_TEST,
    name,
    fn: async (t) => {
      await using stage = await Stage.set(options);
      await run(t, stage);
    },
  });
}

/** The same, with programs of others; left out where one of them is not there. */
export function peerTest(
  name: string,
  peers: readonly { readonly ignore: boolean }[],
  run: (t: Deno.TestContext, stage: Stage) => Promise<void>,
  options: LabOptions = {},
): void {
  Deno.test({
    ...BROWSER_TEST,
    ignore: BROWSER_TEST.ignore || peers.some(({ ignore }) => ignore),
    name,
    fn: async (t) => {
      await using stage = await Stage.set(options);
      await run(t, stage);
    },
  });
}
