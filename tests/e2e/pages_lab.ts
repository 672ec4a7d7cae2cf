/// <reference lib="dom" />
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { Child } from "../support/child_process.ts";
import { needs } from "../support/needs.ts";

/** The lab as its users have it: the real server in a process of its own, and people at browsers. */

const CHROMIUM = needs("chromium");

/** Playwright keeps timers and sockets of its own, which are not ours to count. */
export const BROWSER_TEST = {
  ignore: CHROMIUM.ignore,
  sanitizeOps: false,
  sanitizeResources: false,
};

const ROOT = new URL("../../", import.meta.url);
/** Nothing here takes longer on a machine that has other things to do. */
export const PATIENCE_MS = 15_000;

export class Lab implements AsyncDisposable {
  #server: Child;
  readonly #browsers: Browser[] = [];

  private constructor(
    server: Child,
    readonly url: string,
    private readonly directory: string,
    private readonly port: number,
  ) {
    this.#server = server;
  }

  static async open(): Promise<Lab> {
    const directory = await Deno.makeTempDir({ prefix: "portzero-pages-" });
    const port = freePort();
    const server = startServer(port, directory);
    try {
      await server.expect(/ ready /);
    } catch (fault) {
      await server[Symbol.asyncDispose]();
      throw fault;
    }
    return new Lab(server, `http://127.0.0.1:${port}/`, directory, port);
  }

  async browser(options: { readonly isAllowed?: boolean } = {}): Promise<BrowserContext> {
    const browser = await chromium.launch({
      executablePath: CHROMIUM.path,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--use-fake-device-for-media-stream",
        options.isAllowed === false
          ? "--deny-permission-prompts"
          : "--use-fake-ui-for-media-stream",
      ],
    });
    this.#browsers.push(browser);
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
  }

  async stopServer(): Promise<void> {
    this.#server.signal("SIGTERM");
    await this.#server.ended(15_000);
  }

  async startServer(): Promise<void> {
    this.#server = startServer(this.port, this.directory);
    await this.#server.expect(/ ready /);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const browser of this.#browsers) await browser.close();
    await this.#server[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

function startServer(port: number, directory: string): Child {
  const any = { REST: "RESTPORT", TLS: "TLSPORT", REST_TLS: "RESTTLSPORT" };
  const env = Object.fromEntries(
    Object.values(any).map((key) => [`PORTZERO_HTTP_${key}`, String(freePort())]),
  );
  return new Child(Deno.execPath(), ["run", "-A", "main.ts"], {
    cwd: ROOT.pathname,
    env: {
      ...env,
      PORTZERO_HTTP_PORT: String(port),
      PORTZERO_SIP_PORT: String(freePort()),
      PORTZERO_DATA_DIRECTORY: directory,
    },
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Somebody at the phone page, who knows nothing but its labels. */
export class Person {
  private constructor(readonly name: string, readonly page: Page) {}

  static async comeIn(lab: Lab, context: BrowserContext, name: string): Promise<Person> {
    const page = await context.newPage();
    await page.goto(lab.url);
    const person = new Person(name, page);
    await person.connect();
    return person;
  }

  async connect(): Promise<void> {
    await this.page.getByLabel("Your name").fill(this.name);
    await this.press("Go");
    await this.sees(`Online as ${this.name}`);
  }

  button(label: string): Locator {
    return this.page.getByRole("button", { name: label, exact: true });
  }

  async press(label: string): Promise<void> {
    await this.button(label).click();
  }

  async sees(words: string): Promise<void> {
    try {
      await this.page.getByText(words).waitFor();
    } catch (fault) {
      const seen = (await this.page.locator("body").innerText()).replace(/\s*\n\s*/g, " / ");
      throw new Error(`${this.name} does not see ${words}, but: ${seen}`, { cause: fault });
    }
  }

  async calls(callee: string, media: "Audio" | "Video" = "Audio"): Promise<void> {
    await this.page.getByLabel("Callee").fill(callee);
    await this.page.getByRole("radio", { name: media }).check({ force: true });
    await this.press("Call");
  }

  /** Waits until a meter shows at least this, or at most, of full scale. */
  async meter(label: string, bound: { readonly over: number } | { readonly under: number }) {
    await this.page.waitForFunction(
      ([label, over, under]) => {
        const meter = document.querySelector<HTMLElement>(`[role="meter"][aria-label="${label}"]`);
        const level = Number(meter?.style.getPropertyValue("--level") || Number.NaN);
        return level > over && level < under;
      },
      [label, "over" in bound ? bound.over : -1, "under" in bound ? bound.under : 2] as const,
    );
  }
}
